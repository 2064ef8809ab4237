//! Calendars that therapists have linked, as this process reaches them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    CalendarKind, CalendarSource, CopyFault, Fetched, LinkedCalendar, LinkedCalendarId,
    LinkedCalendars, SealedLocation, SourceError, Span, Store, Text, UserId, Validators, WriteBack,
};
use tokio::time::timeout;

use super::client::{self, Client};
use super::failure::{FetchError, RefusedLocation};
use super::location::Location;
use super::sealing::{Keyring, OpenError, SealError};
use super::write_back::{Targets, TargetsError, WriteBackSink};

/// How long it may take to write all of a therapist's meetings into a calendar that is new: within what
/// a copy may take in all.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(45);

/// Linked calendars, read and written over the network, with the keys that their locations are sealed
/// with.
///
/// Clones are one: give one to a [`Copier`](booking_core::Copier), and one to
/// [`Relay::with_sink`](booking_core::Relay::with_sink) as a [`sink`](Self::sink).
#[derive(Clone)]
pub struct OutsideCalendars(Arc<Inner>);

struct Inner {
    client: Client,
    keyring: Keyring,
    links: Arc<dyn LinkedCalendars>,
    store: Arc<dyn Store>,
}

impl OutsideCalendars {
    /// Those that are linked there, with the meetings of this store for those that are written into.
    pub fn new(
        client: Client,
        keyring: Keyring,
        links: Arc<dyn LinkedCalendars>,
        store: Arc<dyn Store>,
    ) -> Self {
        Self(Arc::new(Inner { client, keyring, links, store }))
    }

    /// Whether anything is sent to a location, as far as its URL tells.
    ///
    /// # Errors
    /// [`RefusedLocation`] when nothing is.
    pub fn check(&self, location: &Location) -> Result<(), RefusedLocation> {
        self.0.client.check(location)
    }

    /// Seals the location of a link with the newest key.
    ///
    /// # Errors
    /// [`SealError`] when there are no random numbers.
    pub fn seal(
        &self,
        location: &Location,
        id: LinkedCalendarId,
    ) -> Result<SealedLocation, SealError> {
        self.0.keyring.seal(location, &id.to_string()).map(SealedLocation)
    }

    /// Where a linked calendar is.
    ///
    /// # Errors
    /// [`OpenError`] when it was sealed with a key that is not there, or for another link.
    pub fn open(&self, link: &LinkedCalendar) -> Result<Location, OpenError> {
        self.0.keyring.open(&link.location.0, &link.id.to_string())
    }

    /// Writes meetings into those that are to be written into.
    #[must_use]
    pub fn sink(&self) -> WriteBackSink {
        let targets = Arc::new(self.clone());
        WriteBackSink::new(self.0.client.clone(), self.0.store.clone(), targets)
    }

    /// Whether all meetings have been written, if any are to be.
    async fn catch_up(&self, link: &LinkedCalendar, location: &Location, window: Span) -> bool {
        let is_new = link.copy.validators.is_none() || link.copy.failures > 0;
        if !is_new || link.write_back == WriteBack::Off {
            return true;
        }
        let sink = self.sink();
        let target = (link.id.to_string(), location.clone());
        let written = sink.catch_up(&target, &link.therapist, window.start());
        let written = timeout(CATCH_UP_TIMEOUT, written);
        match written.await {
            Ok(Ok(_count)) => return true,
            Ok(Err(error)) => tracing::info!(calendar = %link.id, %error, "not all is written"),
            Err(_) => tracing::info!(calendar = %link.id, "writing all of it takes too long"),
        }
        false
    }
}

/// A collection that is written into gets all meetings once it can be read for the first time, after a
/// change of the link, or after a failure: what happened before has no event any more.
#[async_trait]
impl CalendarSource for OutsideCalendars {
    async fn fetch(
        &self,
        link: &LinkedCalendar,
        validators: Option<&Validators>,
        window: Span,
    ) -> Result<Fetched, SourceError> {
        let location = self.open(link);
        let location =
            location.map_err(|error| SourceError::new(CopyFault::Sealed, &error.to_string()))?;
        let known = validators.map(Text::as_str);
        let found = self.0.client.fetch(link.kind, &location, known, window).await;
        let found = found.map_err(|error| SourceError::new(fault(error), &error.to_string()))?;
        let is_whole = self.catch_up(link, &location, window).await;
        Ok(match found {
            client::Fetched::Unchanged if is_whole => Fetched::Unchanged,
            client::Fetched::Unchanged => {
                let words = "not all meetings have been written into it yet";
                return Err(SourceError::new(CopyFault::TimedOut, words));
            }
            client::Fetched::Texts { texts, validators } => {
                let validators = validators.filter(|_| is_whole);
                Fetched::Texts {
                    texts,
                    validators: validators.and_then(|text| Text::new(text).ok()),
                }
            }
        })
    }
}

/// One whose location cannot be opened is left out: its owner is told so when it is read.
#[async_trait]
impl Targets for OutsideCalendars {
    async fn of(&self, therapist: &UserId) -> Result<Vec<(String, Location)>, TargetsError> {
        let links = self.0.links.linked_to(therapist).await.map_err(TargetsError::of)?;
        let written = |link: &LinkedCalendar| {
            link.write_back == WriteBack::On && link.kind == CalendarKind::CalDav
        };
        let opened = links.into_iter().filter(written).filter_map(|link| match self.open(&link) {
            Ok(location) => Some((link.id.to_string(), location)),
            Err(error) => {
                tracing::warn!(calendar = %link.id, %error, "meetings are not written into it");
                None
            }
        });
        Ok(opened.collect())
    }
}

const fn fault(error: FetchError) -> CopyFault {
    match error {
        FetchError::RefusedAddress(_) => CopyFault::RefusedAddress,
        FetchError::Unreachable(_) => CopyFault::Unreachable,
        FetchError::TimedOut => CopyFault::TimedOut,
        FetchError::Unauthorized => CopyFault::Unauthorized,
        FetchError::NotFound => CopyFault::NotFound,
        FetchError::Status { .. } => CopyFault::Status,
        FetchError::TooLarge => CopyFault::TooLarge,
        FetchError::NotACalendar => CopyFault::NotACalendar,
        FetchError::TooManyRedirects => CopyFault::TooManyRedirects,
        FetchError::InsecureRedirect => CopyFault::InsecureRedirect,
        FetchError::Unreadable => CopyFault::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendars::Unreached;

    /// Two names for one thing would be two things.
    #[test]
    fn faults_are_called_as_failures_are() {
        for error in [
            FetchError::from(RefusedLocation::NotPublic),
            FetchError::Unreachable(Unreached::BrokeOff),
            FetchError::TimedOut,
            FetchError::Unauthorized,
            FetchError::NotFound,
            FetchError::Status { status: 500, retry_after: None },
            FetchError::TooLarge,
            FetchError::NotACalendar,
            FetchError::TooManyRedirects,
            FetchError::InsecureRedirect,
            FetchError::Unreadable,
        ] {
            assert_eq!(fault(error).as_str(), error.code());
        }
    }
}
