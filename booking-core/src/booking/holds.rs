//! Keeping a start while somebody makes up their mind.

use crate::access::{Actor, Operation};
use crate::booking::people::{People, check_related};
use crate::booking::{ATTEMPTS, Booking, BookingError};
use crate::calendars::Calendars;
use crate::decide;
use crate::hold::{Hold, HoldRequest};
use crate::id::HoldId;
use crate::refusal::Refusal;
#[cfg(doc)]
use crate::store::StoreError;
use crate::store::{ChangeError, Decline, Scope};
use crate::store_ext::StoreExt;

impl Booking {
    /// Keeps a start for the actor: until it expires, nobody else is offered it or can book it. Who
    /// may book it may hold it. What they held with the same therapist before is given up, whenever
    /// it was; where they are refused, it stays.
    ///
    /// # Errors
    /// As [`book`](Self::book), but for those of a first status and of a key: a hold has neither.
    pub async fn hold(&self, actor: &Actor, request: &HoldRequest) -> Result<Hold, BookingError> {
        actor.may(Operation::Book)?;
        let wanted = request.booking();
        let (client, span) = (wanted.client_for(actor)?, wanted.session()?);
        let therapist = &request.therapist;
        let fresh = self.fresh(actor);
        // Whether the two have met makes no difference.
        let scope = Scope { earlier: None, ..decide::scope_of_book(client, therapist, span, None) };
        for _ in 0..ATTEMPTS {
            let mut seen = self.look_around(scope.clone(), therapist, span).await?;
            let people = People::in_sight(&mut seen);
            let zone = people.therapist(therapist)?.zone();
            wanted.party_of(actor, client)?;
            check_related(&seen)?;
            let session = decide::Session {
                client,
                therapist,
                start: request.start.instant(),
                duration: request.duration,
                asked_by: &actor.id,
            };
            let decide = |calendars: &Calendars| {
                decide::place_hold(calendars, &session, request, zone, &fresh)
            };
            match self.settle_among(&people, &seen, decide).await {
                // The therapist's settings or zone have changed since, and call for another look.
                Err(ChangeError::Declined(Decline::ScopeTooNarrow)) => {}
                settled => return Ok(settled?),
            }
        }
        Err(BookingError::Contended("the therapist's settings kept changing"))
    }

    /// What is kept for the actor now, by start.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn holds(&self, actor: &Actor) -> Result<Vec<Hold>, BookingError> {
        actor.may(Operation::Book)?;
        let mut placed = self.store.read(&decide::scope_of_holds(&actor.id)).await?.placed;
        let now = self.now();
        placed.retain(|hold| hold.is_live(now));
        placed.sort_by_key(|hold| (hold.start, hold.id));
        Ok(placed)
    }

    /// Gives up what is kept for the actor: others can have it again.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::HoldNotFound`]; [`StoreError`].
    pub async fn release_hold(&self, actor: &Actor, id: HoldId) -> Result<(), BookingError> {
        let found = self.holds(actor).await?.into_iter().find(|hold| hold.id == id);
        let scope = decide::scope_of_release(&found.ok_or(Refusal::HoldNotFound)?);
        let fresh = self.fresh(actor);
        let decide = |found: &Calendars| decide::release_hold(found, &actor.id, id, &fresh);
        Ok(self.store.decide(&scope, decide).await?)
    }
}
