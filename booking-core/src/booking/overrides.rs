//! Time off, and other exceptions from weekly availability.

use chrono::NaiveDate;

use crate::access::{Actor, Operation};
use crate::booking::{Booking, BookingError, intent};
use crate::calendars::Calendars;
use crate::decide::{self, Answered, NewOverride};
use crate::id::OverrideId;
use crate::idempotency::IdempotencyKey;
use crate::overrides::AvailabilityOverride;
#[cfg(doc)]
use crate::refusal::Refusal;
use crate::store::Scope;
#[cfg(doc)]
use crate::store::StoreError;

impl Booking {
    /// Gives some dates of the actor other windows than their weekly ones, or none. Booked meetings
    /// stay as they are.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::OverrideOverlap`], [`Refusal::TooManyOverrides`]. With a
    /// key, [`Refusal::IdempotencyInFlight`] and [`Refusal::IdempotencyMismatch`]. [`StoreError`].
    pub async fn add_override(
        &self,
        actor: &Actor,
        new: &NewOverride,
        key: Option<IdempotencyKey>,
    ) -> Result<Answered<AvailabilityOverride>, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let fresh = self.fresh(actor);
        let _flight = self.in_flight.enter(actor, key.as_ref())?;
        let intent = intent(actor, key, "add_override", new);
        let seen = self.look(&decide::scope_of_overrides(&actor.id, intent.as_ref())).await?;
        let decide = |calendars: &Calendars| {
            decide::add_override(calendars, &actor.id, new, intent.as_ref(), &fresh)
        };
        Ok(self.settle(&seen, decide).await?)
    }

    /// The actor's overrides, by their first date: all of them, or those that have a date from one to
    /// another, that one included.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn overrides(
        &self,
        actor: &Actor,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
    ) -> Result<Vec<AvailabilityOverride>, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let dates = (from.unwrap_or(NaiveDate::MIN), to.unwrap_or(NaiveDate::MAX));
        let all = decide::scope_of_overrides(&actor.id, None);
        let scope = Scope { overrides_on: Some(dates), ..all };
        Ok(self.store.read(&scope).await?.overrides)
    }

    /// Replaces one of the actor's overrides. Booked meetings stay as they are.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::OverrideNotFound`], [`Refusal::Forbidden`],
    /// [`Refusal::OverrideOverlap`]; [`StoreError`].
    pub async fn replace_override(
        &self,
        actor: &Actor,
        id: OverrideId,
        new: &NewOverride,
    ) -> Result<AvailabilityOverride, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let fresh = self.fresh(actor);
        let decide =
            |found: &Calendars| decide::replace_override(found, &actor.id, id, new, &fresh);
        let seen = self.look(&decide::scope_of_override(&actor.id, id)).await?;
        Ok(self.settle(&seen, decide).await?)
    }

    /// Deletes one of the actor's overrides: the weekly windows count again. Booked meetings stay as
    /// they are.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::OverrideNotFound`], [`Refusal::Forbidden`];
    /// [`StoreError`].
    pub async fn delete_override(&self, actor: &Actor, id: OverrideId) -> Result<(), BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let fresh = self.fresh(actor);
        let decide = |found: &Calendars| decide::delete_override(found, &actor.id, id, &fresh);
        let seen = self.look(&decide::scope_of_override(&actor.id, id)).await?;
        Ok(self.settle(&seen, decide).await?)
    }
}
