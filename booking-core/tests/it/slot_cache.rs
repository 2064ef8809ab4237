//! Listings from memory: never older than what was acknowledged.
//!
//! `stress` changes a practice while others list its slots, on many tasks at once over a store that
//! takes its time, and holds each list against what there was between the last change that had been
//! acknowledged when it began and the last that had begun when it ended. (The directory is read apart
//! from the store, so the zone may be of another moment than the rest.) That it bites is shown by caches
//! that are wrong in ways that look right.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::fixtures::by;
use booking_core::{
    Actor, Announced, Booking, BookingError, Calendars, Change, ChangeError, CountedIds, Decide,
    Directory, DirectoryAdmin, Hub, ManualClock, Meeting, MeetingId, MeetingPatch, MeetingQuery,
    MemoryStore, NewAvailability, RandomIds, Relay, Scope, SessionDuration, Slot, SlotCache,
    SlotCacheCounts, Store, StoreError, User, UserId,
};
use chrono::Weekday;
use chrono_tz::Tz;
use tokio::runtime::Runtime;
use tokio::time::{advance, sleep};

use crate::strategies::hours;
use crate::world::{ANY, World, at, jane, joe, john, mary, monday, session, start, the_monday};

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
    let hub = Hub::default();
    let store = Arc::new(Announced::new(inner, hub.clone()));
    let directory = Arc::new(Announced::new(world.store.clone(), hub.clone()));
    let cache = SlotCache::new(100, &hub);
    let booking = booking(store, directory.clone()).with_cache(cache.clone());
    let lists = Arc::new(booking.clone());
    (Process { lists, booking, directory: Some(directory) }, cache, hub)
}

/// A store in which things take a while, so that everything happens between everything else.
struct Slow {
    inner: Arc<MemoryStore>,
    calls: AtomicU64,
}

impl Slow {
    fn over(world: &World) -> Arc<Self> {
        Arc::new(Self { inner: world.store.clone(), calls: AtomicU64::new(0) })
    }

    async fn pause(&self) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match call.wrapping_mul(2_654_435_761) >> 7 & 3 {
            0 => {}
            1 => tokio::task::yield_now().await,
            long => sleep(Duration::from_millis(long - 1)).await,
        }
    }
}

#[async_trait]
impl Store for Slow {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.pause().await;
        let read = self.inner.read(scope).await;
        self.pause().await;
        read
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let changed = self.inner.change(scope, decide).await;
        self.pause().await;
        changed
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.inner.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

/// Who lists, for whom the lists differ.
fn viewers() -> [Actor; 3] {
    [john(), mary(), jane()]
}

/// A list, and which changes it may reflect: by number, from the last acknowledged when it began to
/// the last begun when it ended.
struct Seen {
    viewer: usize,
    acknowledged: usize,
    begun: usize,
    slots: Vec<Slot>,
}

const CHANGES: usize = 120;
const LISTERS: usize = 9;

/// Changes and lists at the same time; how many lists there were, or one that is older than it may be.
async fn stress(process: Process, world: &World) -> Result<usize, String> {
    let (begun, acknowledged) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let mut listing = Vec::new();
    for lister in 0..LISTERS {
        let (begun, acknowledged) = (begun.clone(), acknowledged.clone());
        let lists = process.lists.clone();
        listing.push(tokio::spawn(async move {
            let (viewer, mut seen) = (lister % 3, Vec::new());
            while acknowledged.load(Ordering::SeqCst) < CHANGES {
                let acknowledged = acknowledged.load(Ordering::SeqCst);
                let slots = lists.list(&viewers()[viewer]).await.expect("memory holds");
                let begun = begun.load(Ordering::SeqCst);
                seen.push(Seen { viewer, acknowledged, begun, slots });
                tokio::task::yield_now().await;
            }
            seen
        }));
    }
    let mut truths = vec![Truth::of(world).await];
    let mut practice = Practice::default();
    for number in 1..=CHANGES {
        begun.store(number, Ordering::SeqCst);
        practice.change(&process, number).await;
        acknowledged.store(number, Ordering::SeqCst);
        truths.push(Truth::of(world).await);
    }
    let mut lists = 0;
    for seen in listing {
        for Seen { viewer, acknowledged, begun, slots } in seen.await.expect("nobody panics") {
            lists += 1;
            let may_be = &truths[acknowledged..=begun];
            let zones = may_be.iter().map(|truth| truth.zone);
            if !zones
                .into_iter()
                .any(|zone| may_be.iter().any(|t| t.in_zone[zone][viewer] == slots))
            {
                return Err(format!("{viewer} saw something older than {acknowledged}"));
            }
        }
    }
    let lists_then = |truth: &Truth| truth.in_zone[truth.zone].clone();
    let distinct = truths.windows(2).filter(|two| lists_then(&two[0]) != lists_then(&two[1]));
    let distinct = distinct.count();
    assert!(distinct > CHANGES / 2, "only {distinct} changes show");
    Ok(lists)
}

/// Where Jane may live.
const ZONES: [Tz; 2] = [Tz::UTC, Tz::Asia__Kathmandu];

/// What there was at a moment, as the store itself says: everybody's list in either zone.
struct Truth {
    zone: usize,
    in_zone: Vec<Vec<Vec<Slot>>>,
}

impl Truth {
    async fn of(world: &World) -> Self {
        let jane = world.store.user(&jane().id).await.expect("memory holds").expect("she is there");
        let zone = ZONES.iter().position(|zone| *zone == jane.zone()).expect("one of the two");
        let mut in_zone = Vec::new();
        for zone in ZONES {
            let elsewhere = MemoryStore::default();
            let moved = User { zone: Some(zone), ..jane.clone() };
            elsewhere.put_user(&moved, by()).await.expect("memory holds");
            in_zone.push(lists_of(&booking(world.store.clone(), Arc::new(elsewhere))).await);
        }
        Self { zone, in_zone }
    }
}

async fn lists_of(truth: &Booking) -> Vec<Vec<Slot>> {
    let mut lists = Vec::new();
    for viewer in viewers() {
        lists.push(truth.list(&viewer).await.expect("memory holds"));
    }
    lists
}

/// What there is to change.
#[derive(Default)]
struct Practice {
    with_jane: Option<MeetingId>,
    with_joe: Option<MeetingId>,
}

impl Practice {
    /// One after the other, whatever becomes of each: some are refused, and change nothing.
    async fn change(&mut self, process: &Process, number: usize) {
        let Process { booking, directory, .. } = process;
        let time = format!("{:02}:{:02}", 11 + number % 4, number % 2 * 30);
        let book = async |therapist: &Actor| {
            let request = session(therapist, &time, SessionDuration::HalfHour);
            let booked = booking.book(&john(), &request, None).await;
            booked.ok().map(|answered| answered.value.meeting.id)
        };
        let cancel = async |meeting: Option<MeetingId>| {
            if let Some(id) = meeting {
                let _refused = booking.cancel(&john(), id, None, &ANY).await.is_err();
            }
        };
        match number % 8 {
            1 => self.with_jane = book(&jane()).await,
            2 | 5 => {
                let patch = MeetingPatch { start: Some(start(&time)), ..MeetingPatch::default() };
                if let Some(id) = self.with_jane {
                    let _refused = booking.update(&john(), id, &patch, &ANY).await.is_err();
                }
            }
            3 => self.with_joe = book(&joe()).await,
            4 => {
                let Some(directory) = directory else { return };
                let zone = ZONES[usize::from(number % 16 == 4)];
                let known = directory.user(&jane().id).await.expect("memory holds");
                let moved = User { zone: Some(zone), ..known.expect("she is there") };
                directory.put_user(&moved, by()).await.expect("memory holds");
            }
            6 => cancel(self.with_joe.take()).await,
            7 => cancel(self.with_jane.take()).await,
            _ => {
                let open = booking.availability(&jane()).await.expect("memory holds");
                match open.iter().find(|slot| slot.window == hours("18:00", "19:00")) {
                    Some(evening) => {
                        booking.delete_availability(&jane(), evening.id).await.expect("there");
                    }
                    None => {
                        let window = hours("18:00", "19:00");
                        let new = NewAvailability { weekday: Weekday::Mon, window, notes: None };
                        booking.add_availability(&jane(), &new, None).await.expect("free");
                    }
                }
            }
        }
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(4).enable_time().build().expect("a runtime")
}

#[test]
fn whatever_was_acknowledged_is_in_every_later_list() {
    let world = World::default();
    let (process, cache, hub) = announced(Slow::over(&world), &world);
    let _hearing = hub.hearing();
    let lists = runtime().block_on(stress(process, &world)).expect("nothing is older");
    let SlotCacheCounts { hits, misses, bypassed } = cache.counts();
    assert_eq!((hits + misses, bypassed), (lists as u64, 0));
    assert!(hits > 100 && misses > 100, "both ways are taken: {hits} and {misses}");
}

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
fn out_of_date(hears: impl Fn(&Hub) -> Option<booking_core::Hearing>) -> usize {
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

/// A practice on one thread, whose time passes only where something waits for it.
struct Still {
    world: World,
    process: Process,
    cache: SlotCache,
    hub: Hub,
}

impl Still {
    fn new() -> Self {
        let world = World::default();
        world.run(async { tokio::time::pause() });
        let (process, cache, hub) = announced(world.store.clone(), &world);
        Self { world, process, cache, hub }
    }

    /// John's list, and whether it came from memory.
    async fn list(&self) -> (Vec<Slot>, bool) {
        let before = self.cache.counts().hits;
        let slots = self.process.booking.list(&john()).await.expect("memory holds");
        (slots, self.cache.counts().hits > before)
    }

    /// Another process books with Jane.
    async fn booked_elsewhere(&self, time: &str) {
        let other = booking(self.world.store.clone(), self.world.store.clone());
        let request = session(&jane(), time, SessionDuration::HalfHour);
        other.book(&mary(), &request, None).await.expect("it is free");
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
                assert!(matches!(
                    refused,
                    Err(BookingError::Refused(booking_core::Refusal::TherapistNotFound))
                ));
            }
        });
    }
}
