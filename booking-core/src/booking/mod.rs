//! The service: one method per operation, effects only through the ports.
//!
//! Each method reads from top to bottom in the contract's order of checks: role, what exists, who
//! may, and then the rules, on which the store acts as if it had locked the calendars. Nothing that can
//! fail comes after a change: what has been committed is answered.

mod directory;
mod feeds;
mod holds;
#[cfg(feature = "ical")]
mod link_zone;
pub(crate) mod links;
mod meetings;
mod overrides;
mod people;
mod schedule;
mod search;
mod series;
mod settings;
mod webhooks;

pub(crate) use schedule::Listing;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;

pub use self::directory::UserDirectory;
pub use self::feeds::CalendarFeeds;
pub use self::links::{CalendarLinks, LinkPatch, NewLink};
pub use self::webhooks::{NewWebhook, Webhooks};

use crate::access::Actor;
use crate::audit::By;
use crate::booking::people::People;
use crate::calendars::Calendars;
use crate::clock::Clock;
use crate::decide::{Decided, Decision, Fresh, Intent};
use crate::directory::Directory;
use crate::id::{EventId, IdSource};
use crate::idempotency::{Fingerprint, IdempotencyKey};
use crate::in_flight::InFlight;
use crate::refusal::Refusal;
use crate::slot_cache::SlotCache;
use crate::store::{ChangeError, Decline, Scope, Store, StoreError};
use crate::store_ext::StoreExt;

/// Why an operation has no answer. [`Refused`](Self::Refused) and [`Contended`](Self::Contended) have
/// done nothing.
#[derive(Debug, thiserror::Error)]
pub enum BookingError {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What it is about was changed again and again while it was looked at; trying again soon helps.
    #[error("{0}, and nothing was done")]
    Contended(&'static str),
    /// The store or the directory failed. A change may have been made all the same, as a whole, where its
    /// answer was lost on the way: whoever has to know repeats it with the same idempotency key, or looks.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The scheduling service. Cheap to clone; clones share everything.
///
/// A call whose future is dropped before it is done has made its change as a whole or not at all. With an
/// idempotency key, asking again says which, and makes it if it was not.
#[derive(Clone)]
pub struct Booking {
    store: Arc<dyn Store>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    in_flight: InFlight,
    /// What is known of users comes with whatever else is read.
    store_keeps_directory: bool,
    cache: Option<SlotCache>,
}

impl Booking {
    /// A service over these ports. Where the directory is the one that the store
    /// [keeps](Store::directory), both are asked in one question.
    pub fn new(
        store: Arc<dyn Store>,
        directory: Arc<dyn Directory>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        let store_keeps_directory = directory.id().is_some_and(|id| store.directory() == Some(id));
        let in_flight = InFlight::default();
        Self { store, directory, clock, ids, in_flight, store_keeps_directory, cache: None }
    }

    /// Lists slots from memory where it can. Store and directory have to be
    /// [`Announced`](crate::Announced) to the cache's hub, and a [`Relay`](crate::Relay) has to run
    /// over that hub: without one, the cache is not used. [`SlotCache`] says why.
    #[must_use]
    pub fn with_cache(mut self, cache: SlotCache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    /// To the millisecond: what is answered now is what a store gives back later.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(3)
    }

    /// What a change is recorded as that is decided by the port which makes it: by this user, now.
    pub(crate) fn by(&self, actor: &Actor) -> By {
        By::user(actor, self.now(), self.ids.as_ref())
    }

    fn fresh(&self, actor: &Actor) -> Fresh {
        self.fresh_at(self.now(), actor)
    }

    fn fresh_at(&self, now: DateTime<Utc>, actor: &Actor) -> Fresh {
        let event = || EventId::from_uuid(self.ids.fresh(now));
        let by = || By::user(actor, now, self.ids.as_ref());
        Fresh { now, id: self.ids.fresh(now), events: [event(), event()], by: by(), by_too: by() }
    }

    /// Decides by what was seen, and applies that if it is still so; else decides again under the
    /// store's locks. Whoever is refused by what is committed waits for no lock to be told.
    async fn settle<T: Send>(
        &self,
        seen: &Calendars,
        decide: impl Fn(&Calendars) -> Decision<T> + Send + Sync,
    ) -> Result<T, ChangeError> {
        self.settle_among(&People::default(), seen, decide).await
    }

    /// The same where the decision goes by who these people are. Where the store keeps them, whatever
    /// changes that changes their calendars' revisions too; under the locks they are looked at again,
    /// and [`Decline::ScopeTooNarrow`] says that the decision was made for somebody else.
    async fn settle_among<T: Send>(
        &self,
        people: &People,
        seen: &Calendars,
        decide: impl Fn(&Calendars) -> Decision<T> + Send + Sync,
    ) -> Result<T, ChangeError> {
        let Decided { answer, change } = decide(seen)?;
        if change.is_empty() {
            self.is_so_already(&seen.scope);
            return Ok(answer);
        }
        if self.store.apply_if_current(seen, &change).await? {
            return Ok(answer);
        }
        let users = if self.store_keeps_directory { people.ids() } else { BTreeSet::new() };
        let scope = Scope { users, related: None, ..seen.scope.clone() };
        let decide_for_them = |found: &Calendars| {
            if found.scope.users.is_empty() || people.are_still(&found.users) {
                decide(found)
            } else {
                Err(Decline::ScopeTooNarrow)
            }
        };
        self.store.decide(&scope, decide_for_them).await
    }

    /// Before somebody is answered for whom nothing had to be written: whoever wrote it, the lists that
    /// are made here from now on show it.
    fn is_so_already(&self, scope: &Scope) {
        if let Some(cache) = &self.cache {
            cache.forget(&scope.people);
        }
    }
}

impl From<ChangeError> for BookingError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Declined(Decline::Refused(refusal)) => Self::Refused(refusal),
            ChangeError::Declined(Decline::ScopeTooNarrow) => Self::Store(unseen()),
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

/// How often something is tried again because what it is about was changed between two looks.
const ATTEMPTS: usize = 16;

/// What a key promises to do at most once.
fn intent<T: Serialize>(
    actor: &Actor,
    key: Option<IdempotencyKey>,
    operation: &str,
    request: &T,
) -> Option<Intent> {
    let fingerprint = || Fingerprint::of(operation, request);
    key.map(|key| Intent { user: actor.id.clone(), key, fingerprint: fingerprint() })
}

fn unseen() -> StoreError {
    StoreError::Corrupt("the store did not load what its scope names".into())
}
