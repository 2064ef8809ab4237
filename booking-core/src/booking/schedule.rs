//! What can be booked, and the availability behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::access::{Actor, Operation, Role};
use crate::availability::{AvailabilitySlot, WeeklyHours};
use crate::booking::people::People;
use crate::booking::{Booking, BookingError, intent, unseen};
use crate::calendar::Calendar;
use crate::decide::{self, Answered, AvailabilityPatch, NewAvailability};
use crate::id::{AvailabilityId, UserId};
use crate::idempotency::IdempotencyKey;
use crate::refusal::Refusal;
use crate::slot::Slot;
use crate::slot_cache::{DayOf, Found, View};
use crate::span::{Span, SpanSet};
#[cfg(doc)]
use crate::store::StoreError;
use crate::store::{Calendars, Scope};

impl Booking {
    /// The starts on a civil date of the therapist's zone that are free now: inside the therapist's
    /// availability, clear of their meetings and, for a client, of the client's own.
    ///
    /// Whether the actor may book with that therapist at all is looked at when they do.
    ///
    /// # Errors
    /// [`Refusal::TherapistNotFound`]; [`StoreError`].
    pub async fn slots(
        &self,
        actor: &Actor,
        therapist: &UserId,
        date: NaiveDate,
    ) -> Result<Vec<Slot>, BookingError> {
        actor.may(Operation::ListSlots)?;
        let client = Some(&actor.id).filter(|_| actor.role == Role::Client);
        let day = DayOf { therapist, client, date };
        let found = self.find_day(day);
        let view = match &self.cache {
            Some(cache) => cache.look(day, self.store.as_ref(), found).await?,
            None => found.await?.view,
        };
        let calendar = view.calendar().ok_or(Refusal::TherapistNotFound)?;
        Ok(calendar.slots(date, self.now()))
    }

    /// Reads what a listing looks at. What is read of a client holds for every therapist, wherever
    /// they live.
    async fn find_day(&self, day: DayOf<'_>) -> Result<Found, BookingError> {
        let DayOf { therapist, client, date } = day;
        let within = Calendar::reach_in_any_zone(date);
        let scope = Scope {
            people: [therapist].into_iter().chain(client).cloned().collect(),
            busy_within: within.into(),
            hours_of: Some(therapist.clone()),
            users: [therapist.clone()].into(),
            ..Scope::default()
        };
        let mut seen = self.look(&scope).await?;
        let revisions = std::mem::take(&mut seen.revisions);
        let view = view_of(day, within, &mut seen)?;
        // Of users who are kept elsewhere, or are not there yet, nobody counts the changes.
        let are_counted = self.store_keeps_directory && view.therapist.is_some();
        Ok(Found { view, revisions: if are_counted { revisions } else { BTreeMap::new() } })
    }

    /// Adds a weekly window to the actor's availability.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::AvailabilityOverlap`],
    /// [`Refusal::TooMuchAvailability`], those of idempotency; [`StoreError`].
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

fn view_of(
    day: DayOf<'_>,
    within: Option<Span>,
    seen: &mut Calendars,
) -> Result<View, BookingError> {
    let DayOf { therapist, client, .. } = day;
    let known = People::in_sight(seen);
    let Ok(user) = known.therapist(therapist) else {
        return Ok(View { therapist: Arc::new(None), client: None });
    };
    let zone = user.zone();
    let Some(within) = within else {
        let (hours, taken) = (WeeklyHours::default(), SpanSet::default());
        let never = Calendar { zone, hours, taken };
        return Ok(View { therapist: Arc::new(Some(never)), client: None });
    };
    let calendar_of = |person: &UserId| {
        seen.calendar(therapist, zone, &[person], within, None).map_err(|_| unseen())
    };
    Ok(View {
        client: client.map(calendar_of).transpose()?.map(|of_client| Arc::new(of_client.taken)),
        therapist: Arc::new(Some(calendar_of(therapist)?)),
    })
}
