//! The directory that a store keeps, as admins see to it.

use std::fmt;
use std::sync::Arc;

use crate::access::{Actor, Operation};
use crate::booking::{Booking, BookingError};
use crate::directory::{DirectoryAdmin, User};
use crate::id::UserId;
use crate::refusal::Refusal;
#[cfg(doc)]
use crate::store::StoreError;

/// A directory that admins keep, over a service. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct UserDirectory {
    booking: Booking,
    users: Arc<dyn DirectoryAdmin>,
}

impl UserDirectory {
    /// The users that are kept there, by the clock of this service. For lists of slots to show at once
    /// what was changed, they have to be [`Announced`](crate::Announced) as the store is.
    #[must_use]
    pub fn new(booking: Booking, users: Arc<dyn DirectoryAdmin>) -> Self {
        Self { booking, users }
    }

    /// A user.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::UserNotFound`]; [`StoreError`].
    pub async fn user(&self, actor: &Actor, id: &UserId) -> Result<User, BookingError> {
        actor.may(Operation::ManageDirectory)?;
        Ok(self.users.user(id).await?.ok_or(Refusal::UserNotFound)?)
    }

    /// Adds the user, or replaces all that is known of them.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn put_user(&self, actor: &Actor, user: &User) -> Result<(), BookingError> {
        actor.may(Operation::ManageDirectory)?;
        Ok(self.users.put_user(user, self.booking.by(actor)).await?)
    }

    /// Makes `client` a client of `therapist`; once more changes nothing.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`Refusal::Invalid`] when the two are one, or the therapist is none;
    /// [`Refusal::UserNotFound`]; [`StoreError`].
    pub async fn relate(
        &self,
        actor: &Actor,
        client: &UserId,
        therapist: &UserId,
    ) -> Result<(), BookingError> {
        actor.may(Operation::ManageDirectory)?;
        Ok(self.users.relate(client, therapist, self.booking.by(actor)).await?)
    }

    /// Ends the relationship, if there is one. Booked meetings stay.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn unrelate(
        &self,
        actor: &Actor,
        client: &UserId,
        therapist: &UserId,
    ) -> Result<(), BookingError> {
        actor.may(Operation::ManageDirectory)?;
        Ok(self.users.unrelate(client, therapist, self.booking.by(actor)).await?)
    }
}

/// The service has nothing to show.
impl fmt::Debug for UserDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserDirectory")
    }
}
