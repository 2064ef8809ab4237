//! What can be booked, and the availability behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use crate::access::{Actor, Operation, Role};
use crate::availability::AvailabilitySlot;
use crate::booking::{ATTEMPTS, Booking, BookingError, intent};
use crate::calendar::Calendar;
use crate::calendars::Calendars;
use crate::decide::{self, Answered, AvailabilityPatch, NewAvailability};
use crate::diary::{Diaries, DiariesQuery, Diary, DiaryOwner};
use crate::hold::Viewer;
use crate::id::{AvailabilityId, UserId};
use crate::idempotency::IdempotencyKey;
use crate::refusal::Refusal;
use crate::settings::Notice;
use crate::slot::Slot;
use crate::slot_cache::{DayOf, Found, View};
#[cfg(doc)]
use crate::store::StoreError;

/// A list of slots, and how long before its start the first of them is offered no more.
pub(crate) struct Listing {
    pub(crate) slots: Vec<Slot>,
    pub(crate) notice: Notice,
    /// When it becomes another because somebody's hold expires, if nothing else happens.
    pub(crate) until: Option<DateTime<Utc>>,
}

impl Booking {
    /// The starts on a civil date of the therapist's zone that are free now: inside the therapist's
    /// availability, clear of their meetings, of what others hold and, for a client, of the client's own
    /// meetings.
    ///
    /// Whether the actor may book with that therapist at all is looked at when they do.
    ///
    /// # Errors
    /// [`Refusal::TherapistNotFound`]; [`BookingError::Contended`]; [`StoreError`].
    pub async fn slots(
        &self,
        actor: &Actor,
        therapist: &UserId,
        date: NaiveDate,
    ) -> Result<Vec<Slot>, BookingError> {
        Ok(self.listing(actor, therapist, date).await?.slots)
    }

    /// The same, for those who wait until it is another.
    pub(crate) async fn listing(
        &self,
        actor: &Actor,
        therapist: &UserId,
        date: NaiveDate,
    ) -> Result<Listing, BookingError> {
        actor.may(Operation::ListSlots)?;
        let client = Some(&actor.id).filter(|_| actor.role == Role::Client);
        let day = DayOf { therapist, client, date };
        let found = self.find_day(day);
        let view = match &self.cache {
            Some(cache) => cache.look(day, self.store.as_ref(), found).await?,
            None => found.await?.view,
        };
        let viewer = Viewer { user: &actor.id, now: self.now() };
        let calendar = view.calendar(viewer).ok_or(Refusal::TherapistNotFound)?;
        let notice = calendar.terms().minimum_notice;
        let slots = calendar.slots(date, viewer.now);
        Ok(Listing { slots, notice, until: view.changes_at(viewer) })
    }

    /// Reads what a listing looks at. What is read of a client holds for every therapist, wherever
    /// they live.
    async fn find_day(&self, day: DayOf<'_>) -> Result<Found, BookingError> {
        let DayOf { therapist, client, date } = day;
        let query = DiariesQuery {
            therapists: [therapist.clone()].into(),
            client: client.cloned(),
            within: Calendar::reach_in_any_zone(date),
            counted_within: None,
        };
        let Diaries { mut therapists, client, revisions } = self.diaries(query).await?;
        let calendar = therapists.remove(therapist).and_then(Diary::into_calendar);
        let client = client.filter(|_| calendar.is_some()).map(Arc::new);
        // Of users who are kept elsewhere, or are not there yet, nobody counts the changes.
        let are_counted = self.store_keeps_directory && calendar.is_some();
        let revisions = if are_counted { revisions } else { BTreeMap::new() };
        Ok(Found { view: View { therapist: Arc::new(calendar), client }, revisions })
    }

    /// What slots are made of, without locks: of one moment, and in one question, where the store
    /// keeps the directory. In one more, when settings call for a wider look.
    pub(super) async fn diaries(&self, mut query: DiariesQuery) -> Result<Diaries, BookingError> {
        let span = query.within;
        for _ in 0..ATTEMPTS {
            let mut found = self.store.diaries(&query).await?;
            if !self.store_keeps_directory {
                let users = self.directory.users(&query.therapists).await?;
                for (id, diary) in &mut found.therapists {
                    diary.owner = users.get(id).map(DiaryOwner::from);
                }
            }
            match span.and_then(|span| found.wider(&query, span)) {
                Some(wider) => query = wider,
                None => return Ok(found),
            }
        }
        Err(BookingError::Contended("the settings of therapists kept changing"))
    }

    /// Adds a weekly window to the actor's availability.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::AvailabilityOverlap`],
    /// [`Refusal::TooMuchAvailability`]. With a key, [`Refusal::IdempotencyInFlight`] and
    /// [`Refusal::IdempotencyMismatch`]. [`StoreError`].
    pub async fn add_availability(
        &self,
        actor: &Actor,
        new: &NewAvailability,
        key: Option<IdempotencyKey>,
    ) -> Result<Answered<AvailabilitySlot>, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let fresh = self.fresh(actor);
        let _flight = self.in_flight.enter(actor, key.as_ref())?;
        let intent = intent(actor, key, "add_availability", new);
        let seen = self.look(&decide::scope_of_create(&actor.id, intent.as_ref())).await?;
        let decide = |calendars: &Calendars| {
            decide::create(calendars, &actor.id, new, intent.as_ref(), &fresh)
        };
        Ok(self.settle(&seen, decide).await?)
    }

    /// The actor's weekly availability, by weekday from Sunday and start.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn availability(&self, actor: &Actor) -> Result<Vec<AvailabilitySlot>, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        Ok(self.store.read(&decide::scope_of_create(&actor.id, None)).await?.hours)
    }

    /// Changes one of the actor's availability slots. Booked meetings stay as they are.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::AvailabilityNotFound`], [`Refusal::Forbidden`],
    /// [`Refusal::Invalid`], [`Refusal::AvailabilityOverlap`], [`Refusal::TooMuchAvailability`];
    /// [`StoreError`].
    pub async fn update_availability(
        &self,
        actor: &Actor,
        id: AvailabilityId,
        patch: &AvailabilityPatch,
    ) -> Result<AvailabilitySlot, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let fresh = self.fresh(actor);
        let decide = |found: &Calendars| decide::revise(found, &actor.id, id, patch, &fresh);
        let seen = self.look(&decide::scope_of_one(&actor.id, id)).await?;
        Ok(self.settle(&seen, decide).await?)
    }

    /// Deletes one of the actor's availability slots. Booked meetings stay as they are.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::AvailabilityNotFound`], [`Refusal::Forbidden`];
    /// [`StoreError`].
    pub async fn delete_availability(
        &self,
        actor: &Actor,
        id: AvailabilityId,
    ) -> Result<(), BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let fresh = self.fresh(actor);
        let decide = |calendars: &Calendars| decide::delete(calendars, &actor.id, id, &fresh);
        let seen = self.look(&decide::scope_of_one(&actor.id, id)).await?;
        Ok(self.settle(&seen, decide).await?)
    }
}
