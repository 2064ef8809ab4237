//! Reads calendars outside, and writes into them.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use booking_core::{CalendarKind, Clock, MeetingId, Span};
use bytes::Bytes;
use ipnet::IpNet;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use tokio::time::timeout;

use super::failure::{FetchError, RefusedLocation};
use super::location::Location;
use super::request::{Ask, Redirects, Web};
use super::{caldav, ics};
use crate::outbound::drain;

/// How long one meeting may take to be written; a relay gives a sink 30 seconds for all that it does.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How calendars are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarOptions {
    /// Networks that calendars may lead to although they are not public, such as `10.1.0.0/16`; within
    /// them also without TLS. Empty at first: calendars lead to public addresses, by `https`.
    pub allowed_networks: Vec<IpNet>,
    /// How long it may take to read a calendar, in all; a minute at first.
    pub timeout: Duration,
    /// How long its server may be silent meanwhile; 10 seconds at first.
    pub longest_pause: Duration,
}

impl Default for CalendarOptions {
    fn default() -> Self {
        Self {
            allowed_networks: Vec::new(),
            timeout: Duration::from_secs(60),
            longest_pause: Duration::from_secs(10),
        }
    }
}

/// Why calendars cannot be reached by this process.
#[derive(Debug, thiserror::Error)]
#[error("reading of calendars cannot be set up")]
pub struct ClientSetupError(#[source] Box<dyn Error + Send + Sync>);

impl ClientSetupError {
    pub(super) fn of(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// What became of reading a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It is as it was when the validators were given.
    Unchanged,
    /// All of it, or all of it that is in the window.
    Texts {
        /// Each is a whole iCalendar object.
        texts: Vec<String>,
        /// What to ask with next time, if the server gave anything: at most 1 024 bytes, for this
        /// location alone.
        validators: Option<String>,
    },
}

/// Reads calendars outside, and writes meetings into them.
///
/// Every address is looked at before it is connected to, those that a server sends on to as well;
/// credentials go to the origin of the location alone; and no server can make it wait for longer, or
/// read more, than the limits say.
///
/// Clones share connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    web: Web,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// A client that goes by this clock where a server says until when it wants to be left alone.
    ///
    /// # Errors
    /// [`ClientSetupError`] when TLS cannot be set up.
    pub fn new(options: CalendarOptions, clock: Arc<dyn Clock>) -> Result<Self, ClientSetupError> {
        let CalendarOptions { allowed_networks, timeout, longest_pause } = options;
        let web = Web::new(allowed_networks, longest_pause)?;
        Ok(Self(Arc::new(Inner { web, timeout, clock })))
    }

    /// Whether anything is sent to a location, as far as its URL tells.
    ///
    /// # Errors
    /// [`RefusedLocation`] when nothing is.
    pub fn check(&self, location: &Location) -> Result<(), RefusedLocation> {
        self.0.web.check(location.url())
    }

    /// Reads a calendar, unless it is as it was: all of a file; of a collection what has to do with
    /// this window, and perhaps more. `validators` are what this location's last fetch returned.
    ///
    /// A calendar that is unchanged is so whatever the window: read it without validators where there
    /// is another.
    ///
    /// # Errors
    /// [`FetchError`] when it cannot be read, or not all of it.
    pub async fn fetch(
        &self,
        kind: CalendarKind,
        location: &Location,
        validators: Option<&str>,
        window: Span,
    ) -> Result<Fetched, FetchError> {
        let fetch = async {
            match kind {
                CalendarKind::Ics => ics::fetch(self, location, validators).await,
                CalendarKind::CalDav => caldav::fetch(self, location, validators, window).await,
            }
        };
        timeout(self.0.timeout, fetch).await.unwrap_or(Err(FetchError::TimedOut))
    }

    /// Writes a meeting into a collection, in the place of what is there of it.
    ///
    /// # Errors
    /// [`FetchError`] when the server did not take it, or did not say so in time.
    pub async fn put(
        &self,
        collection: &Location,
        meeting: MeetingId,
        ics: String,
    ) -> Result<(), FetchError> {
        let kind = HeaderValue::from_static("text/calendar; charset=utf-8");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        self.write(collection, meeting, Method::PUT, headers, ics.into()).await
    }

    /// Takes a meeting out of a collection; it need not be there.
    ///
    /// # Errors
    /// [`FetchError`] when the server did not do so, or did not say so in time.
    pub async fn delete(
        &self,
        collection: &Location,
        meeting: MeetingId,
    ) -> Result<(), FetchError> {
        let (headers, nothing) = (HeaderMap::new(), Bytes::new());
        match self.write(collection, meeting, Method::DELETE, headers, nothing).await {
            Err(FetchError::NotFound) => Ok(()),
            answer => answer,
        }
    }

    async fn write(
        &self,
        collection: &Location,
        meeting: MeetingId,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(), FetchError> {
        let place = collection.member(&format!("{meeting}.ics"));
        // Nobody's meetings are for another server, whoever says so.
        let ask = Ask { method, headers, body, redirects: Redirects::WithinOrigin };
        let write = async {
            let response = self.ask(&place, &ask).await?;
            let answer = self.success(&response);
            drain(response).await;
            answer.map(|_status| ())
        };
        timeout(WRITE_TIMEOUT, write).await.unwrap_or(Err(FetchError::TimedOut))
    }

    pub(super) async fn ask(&self, location: &Location, ask: &Ask) -> Result<Response, FetchError> {
        self.0.web.ask(location, ask).await
    }

    /// The status, if it is a success.
    pub(super) fn success(&self, response: &Response) -> Result<StatusCode, FetchError> {
        let status = response.status();
        if status.is_success() {
            return Ok(status);
        }
        Err(FetchError::answered(status, response.headers(), self.0.clock.now()))
    }
}
