//! How this server asks others, where somebody else says who they are: receivers of webhooks, and
//! servers of calendars.

mod guard;

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{ClientBuilder, Response, redirect, retry};

use crate::tls;

pub(crate) use guard::{Guard, NotPublic};

const USER_AGENT: &str = concat!("booking-api/", env!("CARGO_PKG_VERSION"));

/// How long a connection may take to be there; the rest of the time is for whoever is asked.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Of an answer's body, so much is read, in so much time, and only so that the connection can be
/// used again: what counts is the status.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
const ANSWER_PATIENCE: Duration = Duration::from_millis(250);

/// Connects to where the guard lets it: no redirects, no repeats, no proxies, whatever the
/// environment says.
pub(crate) fn client(guard: &Guard) -> Result<ClientBuilder, rustls::Error> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client()?)
        .dns_resolver(guard.clone())
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT);
    Ok(builder)
}

/// How long somebody wants to be left alone: seconds, or a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).to_std().ok()
}

/// Reads a short answer to its end, and leaves any other.
pub(crate) async fn drain(mut response: Response) {
    let read = async {
        let mut room = MAX_ANSWER_BYTES;
        while let Ok(Some(chunk)) = response.chunk().await {
            let Some(left) = room.checked_sub(chunk.len()) else { break };
            room = left;
        }
    };
    let _read_or_not = tokio::time::timeout(ANSWER_PATIENCE, read).await;
}
