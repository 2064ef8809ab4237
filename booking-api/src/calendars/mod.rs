//! Calendars outside: files at a URL, and collections on CalDAV servers (RFC 4791). They are read,
//! meetings are written into them, and where they are is sealed for the database.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use booking_api::calendars::{CalendarOptions, Client, Fetched, Location};
//! use booking_core::{CalendarKind, Span, SystemClock};
//!
//! # async fn run(window: Span) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(CalendarOptions::default(), Arc::new(SystemClock))?;
//! let holidays = Location::new("webcal://calendars.example.com/holidays.ics")?;
//! match client.fetch(CalendarKind::Ics, &holidays, None, window).await? {
//!     Fetched::Texts { texts, .. } => assert!(texts[0].starts_with("BEGIN:VCALENDAR")),
//!     Fetched::Unchanged => unreachable!("there was nothing to compare with"),
//! }
//! # Ok(())
//! # }
//! ```

mod caldav;
mod client;
mod failure;
mod ics;
mod linked;
mod location;
mod multistatus;
mod request;
mod sealing;
mod validators;
mod write_back;

pub use client::{CalendarOptions, Client, ClientSetupError, Fetched};
pub use failure::{FetchError, RefusedLocation, Unreached};
pub use linked::OutsideCalendars;
pub use location::{Credentials, InvalidCredentials, InvalidLocation, Location};
pub use sealing::{InvalidKeys, Keyring, OpenError, SealError};
pub use write_back::{CaughtUp, Target, Targets, TargetsError, WriteBackSink};
