//! What is streamed: the same as asking again and again, but without asking.
//!
//! Time is tokio's, and stands still while something is to be done: half a second below is half a
//! second without a poll, however slow the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    Actor, Announced, Booking, BookingError, Calendars, Change, ChangeError, Clock, CountedIds,
    Decide, Diaries, DiariesQuery, EventQuery, EventStream, ExpectedVersion, Hub, Live,
    ManualClock, Meeting, MeetingQuery, Notice, Outbox, Recorded, Refusal, Relay, Scope,
    SessionDuration, Settings, Slot, SlotStream, Store, StoreError, UserId,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout};

use crate::model::{Step, people, practice, snapshot, step, take};
use crate::strategies::cases;
use crate::world::{World, admin, at, jane, john, mary, monday, session, the_monday};

/// Longer than a stream rests between two lists, and much shorter than until it looks by itself.
const SOON: Duration = Duration::from_millis(500);

/// A service whose streams hear of its changes, and the relay that publishes its events.
struct Stage {
    world: World,
    hub: Hub,
    live: Live,
}

impl Stage {
    fn new(world: World) -> Self {
        let store = world.store.clone();
        Self::over(world, store)
    }

    /// The practice's people and meetings, seen through another store.
    fn over(world: World, store: Arc<dyn Store>) -> Self {
        let clock = world.clock.clone();
        Self::at(world, store, clock)
    }

    fn at(mut world: World, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        world.run(async { tokio::time::pause() });
        let hub = Hub::default();
        let store = Arc::new(Announced::new(store, hub.clone()));
        let ids = Arc::new(CountedIds::default());
        world.booking = Booking::new(store, world.store.clone(), clock, ids);
        let live = Live::new(world.booking.clone(), world.store.clone(), hub.clone());
        Self { world, hub, live }
    }

    fn start_relay(&self) {
        let (store, clock) = (self.world.store.clone(), self.world.clock.clone());
        let relay = Relay::new(store, self.hub.clone(), clock);
        self.world.run(async { drop(tokio::spawn(relay.run(std::future::pending()))) });
    }

    fn slots(&self, actor: &Actor, therapist: &Actor, date: NaiveDate) -> Viewer {
        let stream = self.live.slots(actor, &therapist.id, date);
        Viewer { stream, actor: actor.clone(), therapist: therapist.id.clone(), date, last: None }
    }

    fn events(&self, actor: &Actor, after: Option<u64>) -> EventStream {
        self.world.run(self.live.events(actor, after)).expect("memory holds")
    }

    /// All that comes soon.
    fn read(&self, stream: &mut EventStream) -> Vec<Recorded> {
        self.world.run(async {
            let mut read = vec![];
            while let Ok(events) = timeout(SOON, stream.next()).await {
                read.extend(events.expect("memory holds"));
            }
            read
        })
    }

    /// The log's events of a person.
    fn log_of(&self, person: &Actor, after: u64) -> Vec<Recorded> {
        let query = EventQuery { after, person: Some(person.id.clone()), limit: 10_000 };
        self.world.run(self.world.store.events(&query)).expect("memory holds")
    }
}

/// Somebody who watches a therapist's day.
struct Viewer {
    stream: SlotStream,
    actor: Actor,
    therapist: UserId,
    date: NaiveDate,
    last: Option<Vec<Slot>>,
}

impl Viewer {
    /// Takes in what comes soon; returns how many lists that was.
    fn look(&mut self, stage: &Stage) -> usize {
        stage.world.run(async {
            let mut lists = 0;
            while let Ok(slots) = timeout(SOON, self.stream.next()).await {
                let slots = slots.expect("memory holds");
                assert_ne!(self.last.as_ref(), Some(&slots), "nothing comes twice");
                self.last = Some(slots);
                lists += 1;
            }
            lists
        })
    }

    /// What asking would say.
    fn asked(&self, stage: &Stage) -> Option<Vec<Slot>> {
        let slots = stage.world.booking.slots(&self.actor, &self.therapist, self.date);
        stage.world.run(slots).ok()
    }

    /// When the next list comes, it comes soon.
    async fn soon(&mut self) -> Result<Vec<Slot>, BookingError> {
        timeout(SOON, self.stream.next()).await.expect("soon")
    }
}

proptest! {
    #![proptest_config(cases(128))]

    /// Whatever happens, each stream soon has the list that asking would give.
    #[test]
    fn the_list_streamed_is_the_list_that_is(steps in vec(step(), 1..40)) {
        let stage = Stage::new(practice());
        let days = [the_monday(), the_monday() + TimeDelta::days(1)];
        let [ann, bob, tess, tom] = people();
        let pairs = [(&ann, &tess), (&bob, &tess), (&tess, &tess), (&ann, &tom)];
        let mut viewers: Vec<Viewer> = pairs
            .iter()
            .flat_map(|(actor, therapist)| days.map(|day| stage.slots(actor, therapist, day)))
            .collect();
        for step in &steps {
            let before = snapshot(&stage.world);
            let _whatever_came_of_it = take(&stage.world, step, &before);
            if matches!(step, Step::Wait(_)) {
                // Who moves a clock says so.
                stage.hub.wake_all();
            }
            for viewer in &mut viewers {
                viewer.look(&stage);
                prop_assert_eq!(&viewer.last, &viewer.asked(&stage), "after {:?}", step);
            }
        }
    }

    /// Each person's stream is the log, without what is not theirs; from wherever it is resumed.
    #[test]
    fn the_events_streamed_are_the_log(
        steps in vec(step(), 1..60), resumed_after in vec(any::<prop::sample::Index>(), 4),
    ) {
        let stage = Stage::new(practice());
        stage.start_relay();
        let mut streams = people().map(|person| (stage.events(&person, None), vec![], person));
        for step in &steps {
            let before = snapshot(&stage.world);
            let _whatever_came_of_it = take(&stage.world, step, &before);
            for (stream, read, _) in &mut streams {
                read.extend(stage.read(stream));
            }
        }
        let last = stage.world.run(stage.world.store.last_sequence()).expect("memory holds");
        for (_, read, person) in &streams {
            prop_assert_eq!(read, &stage.log_of(person, 0));
            for index in &resumed_after {
                let after = index.index(usize::try_from(last)? + 1) as u64;
                let again = stage.read(&mut stage.events(person, Some(after)));
                prop_assert_eq!(again, stage.log_of(person, after));
            }
        }
    }
}

/// A clock that goes with tokio's time.
struct Ticking {
    began: Instant,
    at: DateTime<Utc>,
}

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        self.at + TimeDelta::from_std(self.began.elapsed()).expect("a short test")
    }
}

#[test]
fn a_start_goes_when_it_has_come() {
    check_starts_go(Notice::MIN);
}

#[test]
fn a_start_goes_when_it_is_too_near() {
    check_starts_go(Notice::new(90).expect("minutes"));
}

fn check_starts_go(minimum_notice: Notice) {
    let world = World::default();
    let before = TimeDelta::minutes(minimum_notice.get().into());
    let began = world.run(async { Instant::now() });
    let clock = Arc::new(Ticking { began, at: monday("08:59") - before });
    let store = world.store.clone();
    let stage = Stage::at(world, store, clock.clone());
    let settings = Settings { minimum_notice, ..Settings::DEFAULT };
    let (her, any) = (jane(), ExpectedVersion::Any);
    stage.world.run(stage.world.booking.put_settings(&her, &settings, &any)).expect("she may");
    let mut viewer = stage.slots(&john(), &jane(), the_monday());
    viewer.look(&stage);
    let first = |slots: &[Slot]| slots[0].start.instant();
    assert_eq!(first(&viewer.last.clone().expect("a list")), monday("09:00"));
    stage.world.run(async {
        for (next, passed) in [("09:30", "09:00"), ("10:00", "09:30")] {
            let slots = viewer.stream.next().await.expect("memory holds");
            assert_eq!(first(&slots), monday(next));
            let late = clock.now() + before - monday(passed);
            assert!((TimeDelta::zero()..TimeDelta::milliseconds(10)).contains(&late), "{late}");
        }
    });
}

/// A store that takes its time, and fails when told to.
#[derive(Default)]
struct Slow {
    inner: Arc<booking_core::MemoryStore>,
    takes: Duration,
    failures: AtomicUsize,
    never_answers: bool,
    reading: AtomicUsize,
    most_reading: AtomicUsize,
    reads: AtomicUsize,
}

impl Slow {
    fn over(world: &World) -> Self {
        Self { inner: world.store.clone(), takes: Duration::from_millis(100), ..Self::default() }
    }

    /// As long as a read takes; some fail.
    async fn wait(&self) -> Result<(), StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let reading = self.reading.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_reading.fetch_max(reading, Ordering::SeqCst);
        sleep(self.takes).await;
        self.reading.fetch_sub(1, Ordering::SeqCst);
        let fails = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        fails.map_or(Ok(()), |_| Err(StoreError::Unavailable("on purpose".into())))
    }
}

#[async_trait]
impl Store for Slow {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        // Not a booking's: this is about those who watch.
        if scope.earlier.is_none() {
            self.wait().await?;
        }
        self.inner.read(scope).await
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let changed = self.inner.change(scope, decide).await;
        if self.never_answers {
            std::future::pending::<()>().await;
        }
        changed
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.wait().await?;
        self.inner.diaries(query).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.inner.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// At nine for an hour, by John.
async fn book(booking: &Booking) {
    let request = session(&jane(), "09:00", SessionDuration::Hour);
    booking.book(&john(), &request, None).await.expect("a free time");
}

#[test]
fn who_gives_up_reading_misses_nothing() {
    let world = World::default();
    let slow = Slow::over(&world);
    let stage = Stage::over(world, Arc::new(slow));
    let mut viewer = stage.slots(&mary(), &jane(), the_monday());
    stage.world.run(async {
        viewer.soon().await.expect("memory holds");
        book(&stage.world.booking).await;
        // Woken, rested, and in the midst of reading.
        let given_up = timeout(Duration::from_millis(300), viewer.stream.next()).await;
        assert!(given_up.is_err());
        let slots = viewer.soon().await.expect("memory holds");
        assert_eq!(slots[0].start.instant(), monday("10:00"));
    });
}

#[test]
fn a_stream_goes_on_after_a_failure() {
    let world = World::default();
    let slow = Arc::new(Slow::over(&world));
    let stage = Stage::over(world, slow.clone());
    let mut viewer = stage.slots(&mary(), &jane(), the_monday());
    stage.world.run(async {
        viewer.soon().await.expect("memory holds");
        book(&stage.world.booking).await;
        slow.failures.store(1, Ordering::SeqCst);
        let failed = viewer.soon().await;
        assert!(matches!(failed, Err(BookingError::Store(StoreError::Unavailable(_)))));
        let slots = viewer.soon().await.expect("memory holds");
        assert_eq!(slots[0].start.instant(), monday("10:00"));
    });
}

/// A caller who hangs up does not undo what the store has committed.
#[test]
fn a_change_whose_answer_nobody_waits_for_is_seen() {
    let world = World::default();
    let slow = Slow { never_answers: true, takes: Duration::ZERO, ..Slow::over(&world) };
    let stage = Stage::over(world, Arc::new(slow));
    let mut viewer = stage.slots(&mary(), &jane(), the_monday());
    stage.world.run(async {
        viewer.soon().await.expect("memory holds");
        let given_up = timeout(Duration::from_millis(10), book(&stage.world.booking)).await;
        assert!(given_up.is_err());
        let slots = viewer.soon().await.expect("memory holds");
        assert_eq!(slots[0].start.instant(), monday("10:00"));
    });
}

/// A thousand viewers of one therapist all get the new list, and leave the store room for others.
#[test]
fn a_crowd_takes_turns() {
    const VIEWERS: usize = 1_000;
    let world = World::default();
    let slow = Arc::new(Slow { takes: Duration::from_millis(1), ..Slow::over(&world) });
    let stage = Stage::over(world, slow.clone());
    let mut viewers: Vec<Viewer> =
        (0..VIEWERS).map(|_| stage.slots(&mary(), &jane(), the_monday())).collect();
    stage.world.run(async {
        for starts in ["09:00", "10:00"] {
            slow.reads.store(0, Ordering::SeqCst);
            let looks = viewers.drain(..).map(|mut viewer| {
                tokio::spawn(async move {
                    let slots = timeout(Duration::from_secs(1), viewer.stream.next()).await;
                    let slots = slots.expect("within a second").expect("memory holds");
                    (viewer, slots)
                })
            });
            let looks: Vec<_> = looks.collect();
            if starts == "10:00" {
                book(&stage.world.booking).await;
            }
            for look in looks {
                let (viewer, slots) = look.await.expect("no panic");
                assert_eq!(slots[0].start.instant(), monday(starts));
                viewers.push(viewer);
            }
            assert_eq!(slow.reads.load(Ordering::SeqCst), VIEWERS);
        }
        assert_eq!(slow.most_reading.load(Ordering::SeqCst), 4);
    });
}

#[test]
fn who_may_not_ask_may_not_watch() {
    let stage = Stage::new(World::default());
    let events = stage.world.run(stage.live.events(&admin(), None));
    let Err(BookingError::Refused(refusal)) = events.map(|_| ()) else { panic!("an admin") };
    assert!(matches!(refusal, Refusal::RoleRequired { .. }), "{refusal:?}");
    let mut nobody = stage.slots(&john(), &mary(), the_monday());
    let refused = stage.world.run(nobody.stream.next());
    assert!(matches!(refused, Err(BookingError::Refused(Refusal::TherapistNotFound))));
}

/// Somebody comes back from another log: the database is an older one.
#[test]
fn a_sequence_ahead_of_the_log_stands_for_now() {
    let stage = Stage::new(World::default());
    stage.start_relay();
    let mut stream = stage.events(&john(), Some(1_000));
    assert!(stage.read(&mut stream).is_empty());
    stage.world.run(book(&stage.world.booking));
    assert_eq!(stage.read(&mut stream).len(), 1);
}

/// The clock stands still, and the first start is a moment away: nobody looks time and again.
#[test]
fn nothing_happens_while_nothing_happens() {
    let world = World::default();
    let slow = Arc::new(Slow { takes: Duration::ZERO, ..Slow::over(&world) });
    let clock =
        Arc::new(ManualClock::new(at("2026-01-12T08:59Z") + TimeDelta::milliseconds(59_999)));
    let stage = Stage::at(world, slow.clone(), clock);
    let mut viewer = stage.slots(&john(), &jane(), the_monday());
    stage.world.run(async {
        viewer.soon().await.expect("memory holds");
        let nothing = timeout(Duration::from_secs(60), viewer.stream.next()).await;
        assert!(nothing.is_err());
    });
    let reads = slow.reads.load(Ordering::SeqCst);
    assert!(reads <= 1 + 60 * 4, "{reads}");
}
