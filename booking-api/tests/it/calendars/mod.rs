//! Calendars outside: read from servers that are what they should be and from servers that are not,
//! and written into.

mod answers;
mod command;
mod end_to_end;
mod hostile;
mod hostile_dav;
mod over_http;
mod owed;
mod practice;
mod radicale;
mod reading;
mod secure;
mod shared;
mod unchanged;
mod validators;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use booking_api::calendars::{CalendarOptions, Client, Credentials, Fetched, Location};
use booking_core::{Span, SystemClock};
use chrono::{DateTime, Utc};

/// For what should be there at once, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(300);

/// May go to these networks, and takes this long in all, or without a byte.
fn client_for(networks: &[&str], timeout: Duration, longest_pause: Duration) -> Client {
    let allowed_networks =
        networks.iter().map(|network| network.parse().expect("a network")).collect();
    let options = CalendarOptions { allowed_networks, timeout, longest_pause };
    Client::new(options, Arc::new(SystemClock)).expect("TLS")
}

fn patient_client() -> Client {
    client_for(&["127.0.0.0/8"], PATIENCE, PATIENCE)
}

fn location(url: &str) -> Location {
    Location::new(url).expect(url)
}

fn with_login(url: &str, username: &str, password: &str) -> Location {
    let credentials = Credentials::new(username.to_owned(), password.to_owned());
    location(url).with_credentials(credentials.expect("credentials"))
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// The first half of 2024.
fn window() -> Span {
    Span::new(at("2024-01-01T00:00:00Z"), at("2024-07-01T00:00:00Z")).expect("a span")
}

/// All that is read, sorted, and what to ask with next.
fn texts(fetched: Fetched) -> (Vec<String>, Option<String>) {
    match fetched {
        Fetched::Texts { mut texts, validators } => {
            texts.sort();
            (texts, validators)
        }
        Fetched::Unchanged => panic!("it was to be read"),
    }
}
