//! The relay: at least once, in order per meeting, and one unhappy meeting or subscriber stops
//! nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::fixtures::by;
use booking_core::{
    Announced, Booking, Clock, CountedIds, Deliveries, DeliveryQuery, DeliveryState, Event,
    EventSink, Hub, ManualClock, MeetingId, MeetingPatch, Outbox, Passed, Recorded, Relay, Replay,
    SessionDuration, SinkError, Subscriber, SubscriberId, SystemClock, Then, retry_delay, sink_fn,
};
use chrono::TimeDelta;
use proptest::prelude::*;
use tokio::sync::Notify;

use crate::strategies::cases;
use crate::world::{World, jane, john, session, start, text};

/// Takes what it may, and remembers it.
#[derive(Default)]
struct Sink {
    refused: Mutex<BTreeSet<MeetingId>>,
    taken: Mutex<Vec<(u64, Event)>>,
}

#[async_trait]
impl EventSink for Sink {
    async fn deliver(&self, recorded: &Recorded) -> Result<(), SinkError> {
        if self.refused.lock().unwrap().contains(&recorded.event.payload.meeting()) {
            return Err(SinkError::retry("not now"));
        }
        self.taken.lock().unwrap().push((recorded.sequence, recorded.event.clone()));
        Ok(())
    }
}

impl Sink {
    /// The sequences taken, by meeting, in the order of arrival.
    fn by_meeting(&self) -> BTreeMap<MeetingId, Vec<u64>> {
        let mut by_meeting = BTreeMap::<MeetingId, Vec<u64>>::new();
        for (sequence, event) in self.taken.lock().unwrap().iter() {
            by_meeting.entry(event.payload.meeting()).or_default().push(*sequence);
        }
        by_meeting
    }

    fn count(&self) -> usize {
        self.taken.lock().unwrap().len()
    }
}

fn crm() -> SubscriberId {
    SubscriberId::new("crm").unwrap()
}

/// A practice whose events go to one sink, under the practice's clock.
fn world_with(sink: Arc<dyn EventSink>) -> (World, Relay) {
    let world = World::default();
    let relay = Relay::new(world.store.clone(), Hub::default(), world.clock.clone());
    let relay = world.run(relay.with_sink(crm(), sink)).unwrap();
    (world, relay)
}

/// A meeting that is booked and moved to and fro: `1 + moves` events.
fn booked_and_moved(world: &World, first: &str, other: &str, moves: usize) -> MeetingId {
    let half_hour = SessionDuration::HalfHour;
    let id = world.book(&john(), &session(&jane(), first, half_hour)).expect("a free time").id;
    for time in [other, first].into_iter().cycle().take(moves) {
        let start = Some(start(time));
        let patch = MeetingPatch { start, reason: Some(text("again")), ..Default::default() };
        world.put(&john(), id, &patch).expect("a free time");
    }
    id
}

fn pass(world: &World, relay: &Relay) -> Passed {
    world.run(relay.pass()).expect("memory holds")
}

fn states(world: &World) -> Vec<(DeliveryState, u32)> {
    let query = DeliveryQuery { subscriber: crm(), state: None, before: None, limit: 1_000 };
    let deliveries = world.run(world.store.deliveries(&query)).unwrap();
    deliveries.iter().map(|delivery| (delivery.state, delivery.failures)).collect()
}

#[test]
fn a_pass_delivers_everything_once_and_in_order() {
    let sink = Arc::<Sink>::default();
    let (world, relay) = world_with(sink.clone());
    booked_and_moved(&world, "09:00", "09:30", 199);
    booked_and_moved(&world, "11:00", "11:30", 99);
    assert_eq!(pass(&world, &relay), Passed { delivered: 300, failed: 0 });
    let by_meeting = sink.by_meeting();
    assert_eq!(by_meeting.values().map(Vec::len).collect::<Vec<_>>(), [200, 100]);
    assert!(by_meeting.values().all(|sequences| sequences.is_sorted()));
    assert_eq!(pass(&world, &relay), Passed::default(), "nothing is left");
}

#[test]
fn an_unhappy_meeting_holds_back_its_own_events_and_no_others() {
    let sink = Arc::<Sink>::default();
    let (world, relay) = world_with(sink.clone());
    let unhappy = booked_and_moved(&world, "09:00", "09:30", 299);
    let happy = booked_and_moved(&world, "11:00", "11:30", 2);
    sink.refused.lock().unwrap().insert(unhappy);
    assert_eq!(pass(&world, &relay), Passed { delivered: 3, failed: 1 });
    assert_eq!(sink.by_meeting().into_keys().collect::<Vec<_>>(), [happy]);

    sink.refused.lock().unwrap().clear();
    assert_eq!(pass(&world, &relay), Passed::default(), "its time has not come");
    world.clock.advance(TimeDelta::seconds(6));
    assert_eq!(pass(&world, &relay), Passed { delivered: 300, failed: 0 });
    assert!(sink.by_meeting()[&unhappy].is_sorted());
}

/// Ten attempts within three days and a half; then a dead letter, which no longer holds back the
/// meeting's later events, and which can be sent again.
#[test]
fn what_is_never_taken_becomes_a_dead_letter() {
    let sink = Arc::<Sink>::default();
    let (world, relay) = world_with(sink.clone());
    let unhappy = booked_and_moved(&world, "09:00", "09:30", 1);
    sink.refused.lock().unwrap().insert(unhappy);
    let mut attempts = 0;
    for _ in 0..7 * 12 {
        attempts += pass(&world, &relay).failed;
        world.clock.advance(TimeDelta::hours(1));
    }
    let [(DeliveryState::Pending, tried), (DeliveryState::Dead, 10)] = states(&world)[..] else {
        panic!("{:?}", states(&world));
    };
    assert!((1..10).contains(&tried), "{tried}");
    assert_eq!(attempts, 10 + usize::try_from(tried).unwrap());

    sink.refused.lock().unwrap().clear();
    world.clock.advance(TimeDelta::hours(24));
    assert_eq!(pass(&world, &relay), Passed { delivered: 1, failed: 0 });
    let now = world.now();
    let dead = Replay { from: 0, to: u64::MAX, only_dead: true, limit: 10, now };
    assert_eq!(world.run(world.store.replay(&crm(), &dead, by())).unwrap(), 1);
    assert_eq!(pass(&world, &relay), Passed { delivered: 1, failed: 0 });
    assert_eq!(states(&world), [(DeliveryState::Delivered, tried), (DeliveryState::Delivered, 0)]);
}

#[test]
fn a_receiver_may_ask_for_time_and_may_leave() {
    let wait = Duration::from_secs(1_000);
    let then = Arc::new(Mutex::new(Then::Retry(Some(wait))));
    let answer = then.clone();
    let (world, relay) = world_with(Arc::new(sink_fn(move |_| {
        let then = *answer.lock().unwrap();
        async move { Err(SinkError { reason: "no".into(), status: Some(503), then }) }
    })));
    booked_and_moved(&world, "09:00", "09:30", 0);
    assert_eq!(pass(&world, &relay).failed, 1);
    world.clock.advance(TimeDelta::seconds(999));
    assert_eq!(pass(&world, &relay).failed, 0);
    world.clock.advance(TimeDelta::seconds(1));
    *then.lock().unwrap() = Then::Deactivate;
    assert_eq!(pass(&world, &relay).failed, 1);
    let subscribers = world.run(world.store.subscribers()).unwrap();
    assert!(matches!(&subscribers[..], [Subscriber { is_active: false, .. }]));
    booked_and_moved(&world, "11:00", "11:30", 0);
    world.clock.advance(TimeDelta::days(1));
    assert_eq!(pass(&world, &relay), Passed::default());
    assert_eq!(states(&world).len(), 1, "what is published meanwhile is not for them");
}

/// Nothing is given up because a bus was away, and order holds when it is back.
#[test]
fn who_cannot_be_reached_is_waited_for() {
    let wait = Duration::from_secs(5);
    let sink = Arc::<Sink>::default();
    let away = Arc::new(AtomicBool::new(true));
    let (bus, is_away) = (sink.clone(), away.clone());
    let (world, relay) = world_with(Arc::new(sink_fn(move |event: Recorded| {
        let (bus, is_away) = (bus.clone(), is_away.load(Ordering::Relaxed));
        async move {
            let then = Then::Wait(wait);
            let away = SinkError { reason: "away".into(), status: None, then };
            if is_away { Err(away) } else { bus.deliver(&event).await }
        }
    })));
    booked_and_moved(&world, "09:00", "09:30", 3);
    for _ in 0..50 {
        assert_eq!(pass(&world, &relay), Passed { delivered: 0, failed: 1 });
        world.clock.advance(TimeDelta::seconds(5));
    }
    away.store(false, Ordering::Relaxed);
    assert_eq!(pass(&world, &relay), Passed { delivered: 4, failed: 0 });
    assert!(sink.by_meeting().values().all(|sequences| sequences.is_sorted()));
}

/// However long a bus was away before it did not take one: that one is tried as often as any.
#[test]
fn to_wait_is_not_to_fail() {
    let then = Arc::new(Mutex::new(Then::Wait(Duration::from_secs(5))));
    let answer = then.clone();
    let (world, relay) = world_with(Arc::new(sink_fn(move |_| {
        let then = *answer.lock().unwrap();
        async move { Err(SinkError { reason: "no".into(), status: None, then }) }
    })));
    booked_and_moved(&world, "09:00", "09:30", 0);
    let state = || {
        let query = DeliveryQuery { subscriber: crm(), state: None, before: None, limit: 1 };
        let delivery = world.run(world.store.deliveries(&query)).unwrap().remove(0);
        (delivery.state, delivery.failures)
    };
    for _ in 0..50 {
        assert_eq!(pass(&world, &relay), Passed { delivered: 0, failed: 1 });
        assert_eq!(state(), (DeliveryState::Pending, 0));
        world.clock.advance(TimeDelta::seconds(5));
    }
    *then.lock().unwrap() = Then::Retry(None);
    for failures in 1..=10 {
        assert_eq!(pass(&world, &relay), Passed { delivered: 0, failed: 1 });
        let expected = if failures < 10 { DeliveryState::Pending } else { DeliveryState::Dead };
        assert_eq!(state(), (expected, failures));
        world.clock.advance(TimeDelta::hours(27));
    }
}

/// A program that has the sink again says that it is not gone.
#[test]
fn a_sink_that_was_gone_gets_events_again() {
    let gone = || SinkError { then: Then::Deactivate, ..SinkError::retry("gone") };
    let (world, relay) = world_with(Arc::new(sink_fn(move |_| async move { Err(gone()) })));
    booked_and_moved(&world, "09:00", "09:30", 0);
    assert_eq!(pass(&world, &relay), Passed { delivered: 0, failed: 1 });
    booked_and_moved(&world, "10:00", "10:30", 0);
    assert_eq!(pass(&world, &relay), Passed { delivered: 0, failed: 0 });

    let sink = Arc::<Sink>::default();
    let relay = Relay::new(world.store.clone(), Hub::default(), world.clock.clone());
    let relay = world.run(relay.with_sink(crm(), sink.clone())).unwrap();
    let later = booked_and_moved(&world, "11:00", "11:30", 0);
    assert_eq!(pass(&world, &relay).failed, 0);
    assert!(sink.by_meeting().contains_key(&later));
}

#[test]
fn a_sink_that_panics_has_failed() {
    let (world, relay) = world_with(Arc::new(sink_fn(|event: Recorded| async move {
        if event.sequence == 1 { panic!("on purpose") } else { Ok(()) }
    })));
    booked_and_moved(&world, "09:00", "09:30", 0);
    booked_and_moved(&world, "11:00", "11:30", 0);
    assert_eq!(pass(&world, &relay), Passed { delivered: 1, failed: 1 });
}

proptest! {
    #![proptest_config(cases(256))]

    /// The schedule is about three days long, and what failed together does not come back together.
    #[test]
    fn retries_are_spread(first in 1_u64..1_000_000) {
        let delay = |failures, sequence| retry_delay(failures, &crm(), sequence);
        let total: Duration = (1..10).filter_map(|failures| delay(failures, first)).sum();
        prop_assert!((67.0..84.0).contains(&(total.as_secs_f64() / 3_600.0)), "{total:?}");
        prop_assert_eq!((delay(0, first).is_some(), delay(10, first)), (true, None));
        let spread: BTreeSet<Duration> =
            (first..first + 50).filter_map(|sequence| delay(3, sequence)).collect();
        prop_assert!(spread.len() > 40, "{spread:?}");
    }
}

/// A service whose changes a relay hears of.
fn announced(world: &World) -> (Booking, Relay) {
    let hub = Hub::default();
    let store = Arc::new(Announced::new(world.store.clone(), hub.clone()));
    let clock = Arc::new(ManualClock::new(world.now()));
    let ids = Arc::new(CountedIds::default());
    let booking = Booking::new(store, world.store.clone(), clock, ids);
    (booking, Relay::new(world.store.clone(), hub, Arc::new(SystemClock)))
}

async fn arrive(sink: &Sink, count: usize) {
    while sink.count() < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A running relay delivers what is committed at once, and a sink that is stuck is no other's
/// concern.
#[test]
fn a_running_relay_needs_no_asking() {
    let world = World::default();
    let (booking, relay) = announced(&world);
    let sink = Arc::<Sink>::default();
    let stuck = Arc::new(sink_fn(|_| std::future::pending()));
    world.run(async {
        // Time stands still while something is to be done.
        tokio::time::pause();
        let stuck_id = SubscriberId::new("stuck").unwrap();
        let relay = relay.with_sink(stuck_id, stuck).await.unwrap();
        let relay = relay.with_sink(crm(), sink.clone()).await.unwrap();
        let running = tokio::spawn(relay.run(std::future::pending()));
        for (count, time) in ["09:00", "10:00", "11:00"].into_iter().enumerate() {
            // Past the start-up, and past any poll.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let request = session(&jane(), time, SessionDuration::Hour);
            booking.book(&john(), &request, None).await.unwrap();
            let soon = tokio::time::timeout(Duration::from_millis(700), arrive(&sink, count + 1));
            soon.await.expect("without a poll");
        }
        running.abort();
    });
}

#[test]
fn a_relay_that_stops_has_delivered_everything() {
    let world = World::default();
    let (booking, relay) = announced(&world);
    let sink = Arc::<Sink>::default();
    world.run(async {
        let relay = relay.with_sink(crm(), sink.clone()).await.unwrap();
        let stop = Arc::<Notify>::default();
        let stopped = stop.clone();
        let running = tokio::spawn(relay.run(async move { stopped.notified().await }));
        for time in ["09:00", "10:00", "11:00"] {
            let request = session(&jane(), time, SessionDuration::Hour);
            booking.book(&john(), &request, None).await.unwrap();
        }
        stop.notify_one();
        running.await.unwrap();
        assert_eq!(sink.count(), 3);
    });
}

/// Nobody goes on in the background.
#[test]
fn a_relay_that_is_dropped_begins_nothing_more() {
    let world = World::default();
    let (booking, relay) = announced(&world);
    let sink = Arc::<Sink>::default();
    world.run(async {
        tokio::time::pause();
        let relay = relay.with_sink(crm(), sink.clone()).await.unwrap();
        let running = tokio::spawn(relay.run(std::future::pending()));
        let book = async |time| {
            let request = session(&jane(), time, SessionDuration::Hour);
            booking.book(&john(), &request, None).await.unwrap();
        };
        book("09:00").await;
        tokio::time::timeout(Duration::from_secs(5), arrive(&sink, 1)).await.expect("it runs");
        running.abort();
        tokio::time::sleep(Duration::from_millis(50)).await;
        book("11:00").await;
        world.store.publish(SystemClock.now(), 10).await.unwrap();
        // Longer than the pause between two looks.
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        assert_eq!(sink.count(), 1);
    });
}
