//! Listings from memory: never older than what was acknowledged.

mod renewal;
mod replays;
mod stress;
mod teeth;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    Actor, Announced, Booking, BookingError, CountedIds, Directory, DirectoryAdmin, Hub,
    ManualClock, MemoryStore, RandomIds, Refusal, Relay, SessionDuration, Slot, SlotCache, Store,
    UserId,
};
use tokio::runtime::Runtime;
use tokio::time::{advance, sleep};

use crate::world::{World, at, jane, john, mary, monday, session, start, the_monday};

type Listed = Result<Vec<Slot>, BookingError>;

/// Some way to list slots.
#[async_trait]
trait Lists: Send + Sync {
    async fn list(&self, actor: &Actor) -> Listed;
}

#[async_trait]
impl Lists for Booking {
    async fn list(&self, actor: &Actor) -> Listed {
        self.slots(actor, &jane().id, the_monday()).await
    }
}

/// A process: who changes, who lists, and whom it tells.
struct Process {
    booking: Booking,
    /// Where zones are changed; `None` for those that are to be caught by bookings alone.
    directory: Option<Arc<dyn DirectoryAdmin>>,
    lists: Arc<dyn Lists>,
}

fn booking(store: Arc<dyn Store>, directory: Arc<dyn Directory>) -> Booking {
    let clock = Arc::new(ManualClock::new(at("2026-01-01T12:00Z")));
    Booking::new(store, directory, clock, Arc::new(RandomIds))
}

/// As a program should be put together; with the hub, so that it can be told of hearing.
fn announced(inner: Arc<dyn Store>, world: &World) -> (Process, SlotCache, Hub) {
    announced_to(100, inner, world)
}

/// With so much room.
fn announced_to(
    most_people: u64,
    inner: Arc<dyn Store>,
    world: &World,
) -> (Process, SlotCache, Hub) {
    let hub = Hub::default();
    let store = Arc::new(Announced::new(inner, hub.clone()));
    let directory = Arc::new(Announced::new(world.store.clone(), hub.clone()));
    let cache = SlotCache::new(most_people, &hub);
    let booking = booking(store, directory.clone()).with_cache(cache.clone());
    let lists = Arc::new(booking.clone());
    (Process { lists, booking, directory: Some(directory) }, cache, hub)
}

/// Who lists, for whom the lists differ.
fn viewers() -> [Actor; 3] {
    [john(), mary(), jane()]
}

async fn lists_of(truth: &Booking) -> Vec<Vec<Slot>> {
    let mut lists = Vec::new();
    for viewer in viewers() {
        lists.push(truth.list(&viewer).await.expect("memory holds"));
    }
    lists
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(4).enable_time().build().expect("a runtime")
}

/// A practice on one thread, whose time passes only where something waits for it.
struct Still {
    world: World,
    process: Process,
    cache: SlotCache,
    hub: Hub,
}

impl Still {
    fn new() -> Self {
        Self::over(100, |store| store)
    }

    /// Over a store that is made of the practice's own.
    fn over<S: Store + 'static>(
        most_people: u64,
        wrap: impl FnOnce(Arc<MemoryStore>) -> Arc<S>,
    ) -> Self {
        let world = World::default();
        world.run(async { tokio::time::pause() });
        let (process, cache, hub) = announced_to(most_people, wrap(world.store.clone()), &world);
        Self { world, process, cache, hub }
    }

    /// Another process, of which this one hears nothing.
    fn elsewhere(&self) -> Process {
        let store = &self.world.store;
        let booking = booking(store.clone(), store.clone());
        let lists = Arc::new(booking.clone());
        Process { booking, lists, directory: Some(store.clone()) }
    }

    /// John's list, and whether it came from memory.
    async fn list(&self) -> (Vec<Slot>, bool) {
        let before = self.cache.counts().hits;
        let slots = self.process.booking.list(&john()).await.expect("memory holds");
        (slots, self.cache.counts().hits > before)
    }

    /// Another process books with Jane.
    async fn booked_elsewhere(&self, time: &str) {
        let request = session(&jane(), time, SessionDuration::HalfHour);
        self.elsewhere().booking.book(&mary(), &request, None).await.expect("it is free");
    }
}

#[test]
fn nothing_is_believed_for_a_second() {
    let still = Still::new();
    let _hearing = still.hub.hearing();
    still.world.run(async {
        let (before, from_memory) = still.list().await;
        assert!(!from_memory);
        still.booked_elsewhere("11:00").await;
        advance(Duration::from_millis(899)).await;
        assert_eq!(still.list().await, (before.clone(), true));
        advance(Duration::from_millis(1)).await;
        let (after, from_memory) = still.list().await;
        assert!(!from_memory && after != before);
    });
}

#[test]
fn whoever_may_have_missed_something_knows_nothing() {
    let still = Still::new();
    let hearing = still.hub.hearing();
    still.world.run(async {
        let is_known = async || still.list().await.1;
        assert!(!is_known().await && is_known().await);
        // A signal about somebody else, and about either of the two.
        still.hub.changed([&mary().id]);
        assert!(is_known().await);
        for person in [jane(), john()] {
            still.hub.changed([&person.id]);
            assert!(!is_known().await && is_known().await);
        }
        still.hub.wake_all();
        assert!(!is_known().await && is_known().await);
        // Two that hear are one that does, until both are gone.
        let second = still.hub.hearing();
        assert!(!is_known().await && is_known().await);
        drop(hearing);
        assert!(!is_known().await && is_known().await);
        drop(second);
        assert!(!is_known().await && !is_known().await);
        let _again = still.hub.hearing();
        assert!(!is_known().await && is_known().await);
    });
}

#[test]
fn a_relay_hears_while_it_runs() {
    let still = Still::new();
    let (store, clock) = (still.world.store.clone(), still.world.clock.clone());
    let relay = Relay::new(store, still.hub.clone(), clock);
    still.world.run(async {
        assert!(!still.list().await.1 && !still.list().await.1, "nobody hears");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(relay.run(async { drop(stopped.await) }));
        sleep(Duration::from_millis(10)).await;
        assert!(!still.list().await.1 && still.list().await.1);
        drop(stop);
        running.await.expect("it ends");
        assert!(!still.list().await.1 && !still.list().await.1, "nobody hears any more");
    });
}

/// The clock decides when it is asked, not when something was read; and errors are not kept.
#[test]
fn what_has_passed_is_not_offered_from_memory() {
    let still = Still::new();
    let clock = Arc::new(ManualClock::new(monday("08:59")));
    let store = Arc::new(Announced::new(still.world.store.clone(), still.hub.clone()));
    let ids = Arc::new(CountedIds::default());
    let booking = Booking::new(store, still.world.store.clone(), clock.clone(), ids)
        .with_cache(still.cache.clone());
    let _hearing = still.hub.hearing();
    still.world.run(async {
        let first = async || {
            let slots = booking.list(&john()).await.expect("memory holds");
            slots.first().map(|slot| slot.start)
        };
        assert_eq!(first().await, Some(start("09:00")));
        clock.set(monday("09:00"));
        assert_eq!(first().await, Some(start("09:30")));
        clock.set(monday("16:30"));
        assert_eq!(first().await, None);
        assert_eq!(still.cache.counts().hits, 2);
    });
}

/// Nobody is found for others' sake: who asks about more people than fit is answered all the same.
#[test]
fn a_small_cache_answers_like_none() {
    let world = World::default();
    let hub = Hub::default();
    let _hearing = hub.hearing();
    for size in [0, 1, 2] {
        let cached = booking(world.store.clone(), world.store.clone())
            .with_cache(SlotCache::new(size, &hub));
        let plain = booking(world.store.clone(), world.store.clone());
        runtime().block_on(async {
            for _ in 0..50 {
                assert_eq!(lists_of(&cached).await, lists_of(&plain).await);
            }
            let nobody = UserId::new("nobody").unwrap();
            for _ in 0..3 {
                let refused = cached.slots(&john(), &nobody, the_monday()).await;
                assert!(matches!(refused, Err(BookingError::Refused(Refusal::TherapistNotFound))));
            }
        });
    }
}
