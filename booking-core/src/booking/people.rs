//! The users that an operation is about, read before anything changes.

use std::collections::{BTreeSet, HashMap};

use crate::access::{Actor, Role};
use crate::booking::{ATTEMPTS, Booking, BookingError};
use crate::calendars::Calendars;
use crate::directory::User;
use crate::id::UserId;
use crate::meeting::Meeting;
use crate::refusal::Refusal;
use crate::request::MeetingView;
use crate::span::Span;
use crate::store::{Scope, StoreError};

#[derive(Default)]
pub(super) struct People(HashMap<UserId, User>);

impl People {
    /// Those whom the scope of `seen` asked for.
    pub(super) fn in_sight(seen: &mut Calendars) -> Self {
        Self(std::mem::take(&mut seen.users))
    }

    pub(super) fn ids(&self) -> BTreeSet<UserId> {
        self.0.keys().cloned().collect()
    }

    /// Whether what decisions go by is the same of them now: what they are, and in which zone.
    pub(super) fn are_still(&self, now: &HashMap<UserId, User>) -> bool {
        let is_still = |user: &User, now: &User| (user.role, user.zone) == (now.role, now.zone);
        self.0.iter().all(|(id, user)| now.get(id).is_some_and(|now| is_still(user, now)))
    }

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
    ) -> Result<People, StoreError> {
        Ok(People(self.directory.users(&ids.into_iter().cloned().collect()).await?))
    }

    /// What the scope names, without locks: of one moment, and in one question, where the store
    /// keeps the directory.
    pub(super) async fn look(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        let mut seen = self.store.read(scope).await?;
        if !self.store_keeps_directory {
            seen.users = self.directory.users(&scope.users).await?;
            seen.are_related = match &scope.related {
                Some((client, therapist)) => self.directory.related(client, therapist).await?,
                None => false,
            };
        }
        Ok(seen)
    }

    /// The same for whatever is to begin, or take place, in `span` with a therapist. Once more, when
    /// their settings call for a wider look.
    pub(super) async fn look_around(
        &self,
        mut scope: Scope,
        therapist: &UserId,
        span: Span,
    ) -> Result<Calendars, BookingError> {
        for _ in 0..ATTEMPTS {
            let seen = self.look(&scope).await?;
            let zone = seen.users.get(therapist).map(User::zone);
            match zone.and_then(|zone| seen.wider(therapist, zone, span)) {
                Some(wider) => scope = wider,
                None => return Ok(seen),
            }
        }
        Err(BookingError::Contended("the therapist's settings kept changing"))
    }
}

/// Whether the two of [`Scope::related`] are: nobody is their own client.
pub(super) fn check_related(seen: &Calendars) -> Result<(), Refusal> {
    let two = seen.scope.related.as_ref();
    let are_two = two.is_some_and(|(client, therapist)| client != therapist);
    if are_two && seen.are_related { Ok(()) } else { Err(Refusal::NoRelationship) }
}
