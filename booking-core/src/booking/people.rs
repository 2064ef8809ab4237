//! The users that an operation is about, read before anything changes.

use std::collections::HashMap;

use crate::access::{Actor, Role};
use crate::booking::{Booking, BookingError};
use crate::directory::User;
use crate::id::UserId;
use crate::meeting::Meeting;
use crate::refusal::Refusal;
use crate::request::MeetingView;

pub(super) struct People(HashMap<UserId, User>);

impl People {
    pub(super) fn therapist(&self, id: &UserId) -> Result<&User, Refusal> {
        let user = self.0.get(id).filter(|user| user.role == Role::Therapist);
        user.ok_or(Refusal::TherapistNotFound)
    }

    /// The meeting as the actor may see it, with the names of its two people.
    pub(super) fn view(&self, actor: &Actor, meeting: Meeting) -> Result<MeetingView, Refusal> {
        Ok(MeetingView {
            client: self.0.get(&meeting.client).cloned(),
            therapist: self.0.get(&meeting.therapist).cloned(),
            meeting: actor.view(meeting)?,
        })
    }
}

impl Booking {
    pub(super) async fn people(
        &self,
        ids: impl IntoIterator<Item = &UserId>,
    ) -> Result<People, BookingError> {
        Ok(People(self.directory.users(&ids.into_iter().cloned().collect()).await?))
    }

    pub(super) async fn check_related(
        &self,
        client: &UserId,
        therapist: &UserId,
    ) -> Result<(), BookingError> {
        let related = client != therapist && self.directory.related(client, therapist).await?;
        if related { Ok(()) } else { Err(Refusal::NoRelationship.into()) }
    }
}
