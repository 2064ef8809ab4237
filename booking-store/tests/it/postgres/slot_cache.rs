//! Listings from memory over two stores on one database, as two processes have them.
//!
//! What is measured is when a list began: a machine that is busy makes the waits longer, and no list
//! wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use booking_core::testing::World;
use booking_core::testing::fixtures::{as_client, client, hour, other_client, start, therapist};
use booking_core::{
    Announced, BookRequest, Booking, Hub, RandomIds, Relay, SessionDuration, SlotCache,
    SlotCacheCounts, SystemClock,
};
use booking_store::PostgresStore;
use tokio::task::JoinHandle;

use super::server::{Database, sql};
use super::{open, world};

/// How old a list may be.
const PROMISED: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(5);

/// A process as it should be put together.
struct Process {
    booking: Booking,
    cache: SlotCache,
    relay: JoinHandle<()>,
}

impl Process {
    async fn start(database: &Database, world: &World) -> Self {
        let store = Arc::new(open(database).await);
        let hub = Hub::default();
        let announced = Arc::new(Announced::new(store.clone(), hub.clone()));
        let directory = Arc::new(Announced::<PostgresStore>::new(store.clone(), hub.clone()));
        let cache = SlotCache::new(100, &hub);
        let booking = Booking::new(announced, directory, world.clock.clone(), Arc::new(RandomIds))
            .with_cache(cache.clone());
        let relay = Relay::new(store, hub, Arc::new(SystemClock));
        let relay = tokio::spawn(relay.run(std::future::pending()));
        let process = Self { booking, cache, relay };
        process.until(|counts| counts.hits > 0).await;
        process
    }

    /// Whether a slot of the hour is offered.
    async fn offers(&self, n: i64) -> bool {
        let (actor, day) = (as_client(&other_client()), hour(n).date_naive());
        let slots = self.booking.slots(&actor, &therapist(), day).await.unwrap();
        slots.iter().any(|slot| slot.start == start(hour(n)))
    }

    /// Lists until that many lists came from here and there.
    async fn until(&self, enough: impl Fn(SlotCacheCounts) -> bool) {
        let begun = Instant::now();
        while !enough(self.cache.counts()) {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.cache.counts());
            self.offers(1).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lists until the hour is offered no more, which it was when the promise began to count.
    async fn sees_that_it_is_booked(&self, n: i64) -> Duration {
        let acknowledged = Instant::now();
        loop {
            let begun = acknowledged.elapsed();
            if !self.offers(n).await {
                return begun;
            }
            assert!(begun < PROMISED, "offered {begun:?} after it was booked");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

async fn book(booking: &Booking, n: i64) {
    let request = BookRequest::new(therapist(), start(hour(n)), SessionDuration::HalfHour);
    booking.book(&as_client(&client()), &request, None).await.unwrap();
}

async fn practice(database: &Database) -> World {
    let world = world(open(database).await).await;
    world.open(&therapist()).await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_books_no_other_offers_a_second_later() {
    let database = Database::new();
    let world = practice(&database).await;
    let (one, other) =
        (Process::start(&database, &world).await, Process::start(&database, &world).await);
    for n in (0..10).map(|n| 24 + 2 * n) {
        for process in [&one, &other] {
            assert!(process.offers(n).await && process.offers(n).await);
        }
        book(&one.booking, n).await;
        assert!(!one.offers(n).await, "the process that booked knows at once");
        other.sees_that_it_is_booked(n).await;
    }
    assert!(other.cache.counts().hits > 10, "{:?}", other.cache.counts());
}

/// One that dies between its commit and its signal says nothing, nor does one of another make.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_tells_of_is_seen_a_second_later() {
    let database = Database::new();
    let world = practice(&database).await;
    let process = Process::start(&database, &world).await;
    let mut from_memory = 0;
    for n in (0..4).map(|n| 24 + 2 * n) {
        assert!(process.offers(n).await);
        let before = process.cache.counts().hits;
        book(&world.booking, n).await;
        process.sees_that_it_is_booked(n).await;
        from_memory += process.cache.counts().hits - before;
    }
    assert!(from_memory > 0, "what was in memory was shown meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_does_not_hear_asks_the_store() {
    let database = Database::new();
    let world = practice(&database).await;
    let process = Process::start(&database, &world).await;
    let mut seen_at_once = 0;
    for n in (0..3).map(|n| 24 + 20 * n) {
        assert!(process.offers(n).await);
        let bypassed = process.cache.counts().bypassed;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        sql(&database.url, cut);
        process.until(|counts| counts.bypassed > bypassed).await;
        for n in n..n + 10 {
            book(&world.booking, n).await;
            let bypassed = process.cache.counts().bypassed;
            let is_offered = process.offers(n).await;
            if process.cache.counts().bypassed > bypassed {
                assert!(!is_offered, "nothing comes from memory");
                seen_at_once += 1;
            }
        }
        let hits = process.cache.counts().hits;
        process.until(|counts| counts.hits > hits).await;
    }
    assert!(seen_at_once > 0, "it was deaf for a while");
}

/// One question about what has changed does for as long as nothing has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_the_same_is_not_read_again() {
    let database = Database::new();
    let world = practice(&database).await;
    // Who has never had a meeting has no calendar to count changes of.
    let request = BookRequest::new(therapist(), start(hour(1)), SessionDuration::HalfHour);
    world.booking.book(&as_client(&other_client()), &request, None).await.unwrap();
    let process = Process::start(&database, &world).await;
    process.offers(24).await;
    let before = process.cache.counts();
    let begun = Instant::now();
    while begun.elapsed() < 3 * PROMISED {
        assert!(process.offers(24).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = process.cache.counts();
    assert!(after.hits > before.hits + 3, "{after:?}");
    assert!(after.misses <= before.misses + 1, "{before:?}, then {after:?}");

    // Nobody tells of what an administrator does.
    let id = therapist();
    sql(&database.url, &format!("UPDATE directory_user SET role = 'client' WHERE id = '{id}'"));
    let changed = Instant::now();
    let (actor, day) = (as_client(&other_client()), hour(24).date_naive());
    loop {
        let begun = changed.elapsed();
        if process.booking.slots(&actor, &therapist(), day).await.is_err() {
            break;
        }
        assert!(begun < PROMISED, "a therapist {begun:?} after being none");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
