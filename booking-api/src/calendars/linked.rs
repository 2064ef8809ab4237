//! Calendars that therapists have linked, as this process reaches them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    Behind, CalendarKind, CalendarSource, CopyFault, Fetched, LinkedCalendar, LinkedCalendarId,
    LinkedCalendars, SealedLocation, SourceError, Span, Store, Text, Unwritten, UserId, Validators,
    WriteBack,
};
use chrono::{DateTime, Utc};

use super::client::{self, Client};
use super::failure::RefusedLocation;
use super::location::Location;
use super::sealing::{Keyring, OpenError, SealError};
use super::write_back::{Target, Targets, TargetsError, WriteBackSink};

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

    /// Whether a link is sealed with the newest key, and leads where this does, which is sealed for it too.
    pub(crate) fn leads_there(&self, link: &LinkedCalendar, location: &SealedLocation) -> bool {
        let open = |sealed: &SealedLocation| self.0.keyring.open(&sealed.0, &link.id.to_string());
        let is_there = matches!((open(&link.location), open(location)), (Ok(a), Ok(b)) if a == b);
        is_there && self.0.keyring.is_newest(&link.location.0)
    }

    /// Writes meetings into those that are to be written into.
    #[must_use]
    pub fn sink(&self) -> WriteBackSink {
        let targets = Arc::new(self.clone());
        WriteBackSink::new(self.0.client.clone(), self.0.store.clone(), targets)
    }

    fn sealed(error: OpenError) -> SourceError {
        SourceError::new(CopyFault::Sealed, &error.to_string())
    }
}

#[async_trait]
impl CalendarSource for OutsideCalendars {
    async fn fetch(
        &self,
        link: &LinkedCalendar,
        validators: Option<&Validators>,
        window: Span,
    ) -> Result<Fetched, SourceError> {
        let location = self.open(link).map_err(Self::sealed)?;
        let known = validators.map(Text::as_str);
        let found = self.0.client.fetch(link.kind, &location, known, window).await;
        let found = found.map_err(|error| SourceError::new(error.fault(), &error.to_string()))?;
        Ok(match found {
            client::Fetched::Unchanged => Fetched::Unchanged,
            client::Fetched::Texts { texts, validators } => {
                let validators = validators.and_then(|text| Text::new(text).ok());
                Fetched::Texts { texts, validators }
            }
        })
    }

    async fn catch_up(
        &self,
        link: &LinkedCalendar,
        from: DateTime<Utc>,
        within: Duration,
    ) -> Result<(), Behind> {
        let location = self.open(link).map_err(|error| Behind {
            error: Self::sealed(error),
            written_to: link.copy.written_to,
        })?;
        let LinkedCalendar { therapist, copy, .. } = link;
        let told = copy.fault.clone().map(|(fault, detail)| SourceError { fault, detail });
        let earlier = copy.written_to.and(told);
        let caught_up = self.sink().catch_up(&location, therapist, from, earlier, within).await;
        caught_up.left.map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Targets for OutsideCalendars {
    async fn of(&self, therapist: &UserId) -> Result<Vec<Target>, TargetsError> {
        let links = self.0.links.linked_to(therapist).await.map_err(TargetsError::of)?;
        let written = |link: &LinkedCalendar| {
            link.write_back == WriteBack::On && link.kind == CalendarKind::CalDav
        };
        let target = |link: LinkedCalendar| Target { link: link.id, location: self.open(&link) };
        Ok(links.into_iter().filter(written).map(target).collect())
    }

    async fn unwritten(
        &self,
        link: LinkedCalendarId,
        why: &SourceError,
    ) -> Result<(), TargetsError> {
        let SourceError { fault, detail } = why.clone();
        let what = Unwritten { link: Some(link), fault, detail };
        self.0.links.unwritten(&what).await.map_err(TargetsError::of)
    }
}
