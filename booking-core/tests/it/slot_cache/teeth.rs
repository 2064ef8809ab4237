//! Caches that are wrong in ways that look right are caught.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    Actor, Booking, Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, DirectoryId,
    Hearing, Hub, Meeting, MeetingQuery, Scope, Slot, SlotCache, Store, StoreError, UserId,
};
use tokio::time::sleep;

use super::stress::{CHANGES, Practice, Slow, stress};
use super::{Listed, Lists, Process, announced, booking, lists_of, runtime};
use crate::world::World;

/// A wrong cache is caught, if not the first time.
#[track_caller]
fn is_caught(make: impl Fn(&World) -> Process) {
    let caught = (0..20).any(|_| {
        let world = World::default();
        let process = make(&world);
        runtime().block_on(stress(process, &world)).is_err()
    });
    assert!(caught, "the suite has no teeth");
}

/// Forgets before it answers, as it should, but keeps whatever a list has read, also when that was
/// before it forgot.
struct Hasty {
    inner: Booking,
    kept: Arc<Mutex<HashMap<UserId, Vec<Slot>>>>,
}

#[async_trait]
impl Lists for Hasty {
    async fn list(&self, actor: &Actor) -> Listed {
        let known = self.kept.lock().unwrap().get(&actor.id).cloned();
        if let Some(slots) = known {
            return Ok(slots);
        }
        let slots = self.inner.list(actor).await?;
        self.kept.lock().unwrap().insert(actor.id.clone(), slots.clone());
        Ok(slots)
    }
}

/// Does something after each change, before it is answered.
struct Then<F> {
    inner: Arc<dyn Store>,
    then: F,
}

#[async_trait]
impl<F: Fn(&Scope) + Send + Sync> Store for Then<F> {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.inner.read(scope).await
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let changed = self.inner.change(scope, decide).await;
        (self.then)(scope);
        changed
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        let applied = self.inner.apply_if_current(seen, change).await;
        if matches!(applied, Ok(true)) {
            (self.then)(&seen.scope);
        }
        applied
    }

    fn directory(&self) -> Option<DirectoryId> {
        self.inner.directory()
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.inner.diaries(query).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.inner.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

#[test]
fn a_cache_that_keeps_what_was_read_too_early_is_caught() {
    is_caught(|world| {
        let kept = Arc::<Mutex<HashMap<UserId, Vec<Slot>>>>::default();
        let forgotten = kept.clone();
        let then = move |_: &Scope| forgotten.lock().unwrap().clear();
        let store = Arc::new(Then { inner: Slow::over(world), then });
        let inner = booking(store, world.store.clone());
        let lists = Arc::new(Hasty { inner: inner.clone(), kept });
        Process { booking: inner, directory: None, lists }
    });
}

#[test]
fn a_cache_that_forgets_after_the_answer_is_caught() {
    is_caught(|world| {
        let hub = Hub::default();
        std::mem::forget(hub.hearing());
        let late = hub.clone();
        let then = move |scope: &Scope| {
            let (hub, people) = (late.clone(), scope.people.clone());
            tokio::spawn(async move {
                sleep(Duration::from_millis(2)).await;
                hub.changed(&people);
            });
        };
        let store = Arc::new(Then { inner: Slow::over(world), then });
        let cache = SlotCache::new(100, &hub);
        let booking = booking(store, world.store.clone()).with_cache(cache);
        Process { lists: Arc::new(booking.clone()), booking, directory: None }
    });
}

/// Two processes over one store, of which the second is not told what the first changes: how many of
/// the second's lists, each made at once after a change by the first, are out of date.
fn out_of_date(hears: impl Fn(&Hub) -> Option<Hearing>) -> usize {
    let world = World::default();
    let (one, ..) = announced(world.store.clone(), &world);
    let (other, _, hub) = announced(world.store.clone(), &world);
    let truth = booking(world.store.clone(), world.store.clone());
    let _hearing = hears(&hub);
    runtime().block_on(async {
        let mut practice = Practice::default();
        let mut late = 0;
        for number in 1..=CHANGES {
            practice.change(&one, number).await;
            late += usize::from(lists_of(&other.booking).await != lists_of(&truth).await);
        }
        late
    })
}

#[test]
fn who_does_not_hear_others_asks_the_store() {
    assert_eq!(out_of_date(|_| None), 0);
    // Nor who has heard them until now.
    assert_eq!(
        out_of_date(|hub| {
            drop(hub.hearing());
            None
        }),
        0
    );
    // With teeth: a process that says it hears, and does not.
    assert!(out_of_date(|hub| Some(hub.hearing())) > CHANGES / 4);
}
