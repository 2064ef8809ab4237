//! Calendars from elsewhere: who has linked which.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio::sync::Notify;

use crate::access::{Actor, Operation};
use crate::booking::{ATTEMPTS, Booking, BookingError};
use crate::id::LinkedCalendarId;
use crate::linked_calendar::{
    CalendarHost, CalendarKind, CalendarLabel, CopyState, Linked, LinkedCalendar, LinkedCalendars,
    Refresh, SealedLocation, WriteBack,
};
use crate::refusal::Refusal;
#[cfg(doc)]
use crate::store::StoreError;

/// How often somebody can have a calendar looked at out of turn.
const REFRESH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// For how long a calendar is somebody's who looks at it; should they never come back, others do so then.
pub(crate) const LEASE: TimeDelta = TimeDelta::minutes(5);

/// A calendar that is to be linked.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// What it will be known by: see [`CalendarLinks::new_id`].
    pub id: LinkedCalendarId,
    /// How it is read.
    pub kind: CalendarKind,
    /// What its owner calls it.
    pub label: Option<CalendarLabel>,
    /// What is shown of where it is.
    pub host: CalendarHost,
    /// All of where it is.
    pub location: SealedLocation,
    /// In which its dates and times without a zone are meant, if that is not the therapist's.
    pub zone: Option<Tz>,
    /// Whether meetings are written into it.
    pub write_back: WriteBack,
}

/// What a link is to be from now on.
#[derive(Debug, Clone)]
pub struct LinkPatch {
    /// What its owner calls it.
    pub label: Option<CalendarLabel>,
    /// In which its dates and times without a zone are meant, if that is not the therapist's.
    pub zone: Option<Tz>,
    /// Whether meetings are written into it.
    pub write_back: WriteBack,
    /// Where it is, with what is shown of that, if that is somewhere else.
    pub location: Option<(CalendarHost, SealedLocation)>,
}

/// Linked calendars over a service. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct CalendarLinks {
    pub(crate) booking: Booking,
    pub(crate) links: Arc<dyn LinkedCalendars>,
    /// Something may be due.
    pub(crate) due: Arc<Notify>,
}

impl CalendarLinks {
    /// The calendars that are linked there, of therapists that this service knows. For lists of slots to
    /// show at once what was copied, they have to be [`Announced`](crate::Announced) as the store is.
    #[must_use]
    pub fn new(booking: Booking, links: Arc<dyn LinkedCalendars>) -> Self {
        Self { booking, links, due: Arc::default() }
    }

    /// An id for a calendar that is to be linked: what is sealed is sealed for it.
    #[must_use]
    pub fn new_id(&self) -> LinkedCalendarId {
        LinkedCalendarId::from_uuid(self.booking.ids.fresh(self.booking.now()))
    }

    /// The actor's linked calendars, the oldest first.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn list(&self, actor: &Actor) -> Result<Vec<LinkedCalendar>, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        Ok(self.links.linked_to(&actor.id).await?)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::CalendarNotFound`], also for somebody else's;
    /// [`StoreError`].
    pub async fn get(
        &self,
        actor: &Actor,
        id: LinkedCalendarId,
    ) -> Result<LinkedCalendar, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let link = self.links.linked_calendar(id).await?;
        let theirs = link.filter(|link| link.therapist == actor.id);
        Ok(theirs.ok_or(Refusal::CalendarNotFound)?)
    }

    /// Links a calendar. Its busy times count once it was read, which is at once if somebody does.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::Invalid`], [`Refusal::UserNotFound`],
    /// [`Refusal::TooManyCalendars`]; [`StoreError`].
    pub async fn add(&self, actor: &Actor, new: NewLink) -> Result<LinkedCalendar, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        can_be_written(new.kind, new.write_back)?;
        // Of somebody whom the directory does not know, nobody lists slots.
        self.booking.directory.user(&actor.id).await?.ok_or(Refusal::UserNotFound)?;
        let now = self.booking.now();
        let NewLink { id, kind, label, host, location, zone, write_back } = new;
        let link = LinkedCalendar {
            id,
            therapist: actor.id.clone(),
            version: 1,
            kind,
            label,
            host,
            location,
            zone,
            write_back,
            created_at: now,
            copy: CopyState::due(now),
        };
        match self.links.link(&link, self.booking.by(actor)).await? {
            Linked::Done => {
                self.due.notify_one();
                Ok(link)
            }
            Linked::TooMany => Err(Refusal::TooManyCalendars.into()),
            Linked::NobodysAnyMore => Err(Refusal::UserNotFound.into()),
        }
    }

    /// Changes one of the actor's links, unless it is like that already. If it is to be read elsewhere or in
    /// another way, it is read anew: as soon as a [`refresh`](Self::refresh) would, so within a minute;
    /// the times of the last copy count until then.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::CalendarNotFound`], also for somebody else's,
    /// [`Refusal::Invalid`]; [`BookingError::Contended`]; [`StoreError`].
    pub async fn change(
        &self,
        actor: &Actor,
        id: LinkedCalendarId,
        patch: &LinkPatch,
    ) -> Result<LinkedCalendar, BookingError> {
        for _ in 0..ATTEMPTS {
            let before = self.get(actor, id).await?;
            can_be_written(before.kind, patch.write_back)?;
            let LinkPatch { label, zone, write_back, location } = patch.clone();
            let present = || (before.host.clone(), before.location.clone());
            let (host, location) = location.unwrap_or_else(present);
            let copy = CopyState { next_at: self.anew_at(&before.copy), ..before.copy.clone() };
            let after =
                LinkedCalendar { label, host, location, zone, write_back, copy, ..before.clone() };
            if after.label == before.label && after.is_copied_as(&before) {
                return Ok(before);
            }
            let after = LinkedCalendar { version: before.version + 1, ..after };
            if self.links.relink(&after, self.booking.by(actor)).await? {
                self.due.notify_one();
                return Ok(LinkedCalendar { copy: after.copy_after(&before), ..after });
            }
        }
        Err(BookingError::Contended("the link kept changing"))
    }

    /// When a calendar is read that is to be read anew: a minute after it was read last, and after somebody
    /// has begun who may be at it still.
    fn anew_at(&self, copy: &CopyState) -> DateTime<Utc> {
        let now = self.booking.now();
        let may_be_under_way = copy.next_at > now && copy.next_at <= now + LEASE;
        let last = if may_be_under_way { Some(now) } else { copy.checked_at };
        last.map_or(now, |last| now.max(last + REFRESH_EVERY))
    }

    /// Removes one of the actor's links, and what it says of when they are busy.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::CalendarNotFound`], also for somebody else's;
    /// [`StoreError`].
    pub async fn remove(&self, actor: &Actor, id: LinkedCalendarId) -> Result<(), BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let removed = self.links.unlink(&actor.id, id, self.booking.by(actor)).await?;
        if removed { Ok(()) } else { Err(Refusal::CalendarNotFound.into()) }
    }

    /// Has one of the actor's calendars read again soon, unless it was within the last minute, or is being
    /// read at this moment.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::CalendarNotFound`], also for somebody else's;
    /// [`StoreError`].
    pub async fn refresh(&self, actor: &Actor, id: LinkedCalendarId) -> Result<(), BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let now = self.booking.now();
        let refresh =
            Refresh { now, unless_checked_after: now - REFRESH_EVERY, unless_due_by: now + LEASE };
        if !self.links.refresh(&actor.id, id, &refresh).await? {
            return Err(Refusal::CalendarNotFound.into());
        }
        self.due.notify_one();
        Ok(())
    }
}

/// A file is for reading.
fn can_be_written(kind: CalendarKind, write_back: WriteBack) -> Result<(), Refusal> {
    let detail = "only CalDAV collections can be written to";
    match (kind, write_back) {
        (CalendarKind::Ics, WriteBack::On) => Err(Refusal::Invalid { field: "writeBack", detail }),
        _ => Ok(()),
    }
}

/// The service has nothing to show.
impl fmt::Debug for CalendarLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CalendarLinks")
    }
}
