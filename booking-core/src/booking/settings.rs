//! How therapists want to be booked.

use crate::access::{Actor, Operation};
use crate::booking::{Booking, BookingError};
use crate::calendars::Calendars;
use crate::decide::{self, ExpectedVersion};
#[cfg(doc)]
use crate::refusal::Refusal;
use crate::settings::{Settings, TherapistSettings};
#[cfg(doc)]
use crate::store::StoreError;

impl Booking {
    /// The actor's scheduling settings.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn settings(&self, actor: &Actor) -> Result<TherapistSettings, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let mut found = self.store.read(&decide::scope_of_settings(&actor.id)).await?;
        let unset = || TherapistSettings::unset(actor.id.clone());
        Ok(found.settings.remove(&actor.id).unwrap_or_else(unset))
    }

    /// Replaces the actor's scheduling settings. They hold from then on: booked meetings stay as they
    /// are, and keep what was kept free around them.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::VersionMismatch`]; [`StoreError`].
    pub async fn put_settings(
        &self,
        actor: &Actor,
        settings: &Settings,
        expected: &ExpectedVersion,
    ) -> Result<TherapistSettings, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let fresh = self.fresh(actor);
        let decide =
            |found: &Calendars| decide::put_settings(found, &actor.id, settings, expected, &fresh);
        let seen = self.look(&decide::scope_of_settings(&actor.id)).await?;
        Ok(self.settle(&seen, decide).await?)
    }
}
