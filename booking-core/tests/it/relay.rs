//! The relay: at least once, in order per meeting, and one unhappy meeting stops nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use booking_core::{
    Event, EventSink, MeetingId, MeetingPatch, Outbox, Passed, Recorded, SessionDuration,
    SinkError, StoreError, relay_once,
};

use crate::world::{World, jane, john, session, text};

/// Takes what it may, and remembers it.
#[derive(Default)]
struct Sink {
    refused: Mutex<BTreeSet<MeetingId>>,
    taken: Mutex<Vec<(u64, Event)>>,
}

#[async_trait]
impl EventSink for Sink {
    async fn deliver(&self, recorded: &Recorded) -> Result<(), SinkError> {
        if self.refused.lock().expect("no panic").contains(&recorded.event.payload.meeting()) {
            return Err(SinkError("not now".into()));
        }
        self.taken.lock().expect("no panic").push((recorded.sequence, recorded.event.clone()));
        Ok(())
    }
}

impl Sink {
    /// The sequences taken, by meeting, in the order of arrival.
    fn by_meeting(&self) -> BTreeMap<MeetingId, Vec<u64>> {
        let mut by_meeting = BTreeMap::<MeetingId, Vec<u64>>::new();
        for (sequence, event) in self.taken.lock().expect("no panic").iter() {
            by_meeting.entry(event.payload.meeting()).or_default().push(*sequence);
        }
        by_meeting
    }
}

/// A meeting that is booked and moved to and fro: `1 + moves` events.
fn booked_and_moved(world: &World, first: &str, other: &str, moves: usize) -> MeetingId {
    let half_hour = SessionDuration::HalfHour;
    let id = world.book(&john(), &session(&jane(), first, half_hour)).expect("a free time").id;
    for time in [other, first].into_iter().cycle().take(moves) {
        let start = Some(crate::world::start(time));
        let patch = MeetingPatch { start, reason: Some(text("again")), ..Default::default() };
        world.put(&john(), id, &patch).expect("a free time");
    }
    id
}

fn pass(world: &World, sink: &Sink) -> Passed {
    world.run(relay_once(world.store.as_ref(), sink)).expect("memory holds")
}

#[test]
fn a_pass_delivers_everything_once_and_in_order() {
    let world = World::default();
    booked_and_moved(&world, "09:00", "09:30", 199);
    let sink = Sink::default();
    assert_eq!(pass(&world, &sink), Passed { delivered: 200, left: 0 });
    let [sequences] = &sink.by_meeting().into_values().collect::<Vec<_>>()[..] else {
        panic!("one meeting")
    };
    assert!(sequences.is_sorted() && sequences.len() == 200);
    assert_eq!(pass(&world, &sink), Passed::default(), "nothing is left");
}

#[test]
fn an_unhappy_meeting_holds_back_its_own_events_and_no_others() {
    let world = World::default();
    let unhappy = booked_and_moved(&world, "09:00", "09:30", 299);
    let happy = booked_and_moved(&world, "11:00", "11:30", 2);
    let sink = Sink::default();
    sink.refused.lock().expect("no panic").insert(unhappy);
    assert_eq!(pass(&world, &sink), Passed { delivered: 3, left: 300 });
    assert_eq!(sink.by_meeting().into_keys().collect::<Vec<_>>(), [happy]);

    sink.refused.lock().expect("no panic").clear();
    assert_eq!(pass(&world, &sink), Passed { delivered: 300, left: 0 });
    assert!(sink.by_meeting()[&unhappy].is_sorted());
}

#[test]
fn what_could_not_be_taken_off_the_list_comes_again() {
    /// Forgets nothing.
    struct Stubborn<'a>(&'a World);

    #[async_trait]
    impl Outbox for Stubborn<'_> {
        async fn undelivered(&self, after: u64, limit: u32) -> Result<Vec<Recorded>, StoreError> {
            self.0.store.undelivered(after, limit).await
        }

        async fn mark_delivered(&self, _: &[u64]) -> Result<(), StoreError> {
            Err(StoreError::Unavailable("gone".into()))
        }
    }

    let world = World::default();
    booked_and_moved(&world, "09:00", "09:30", 1);
    let sink = Sink::default();
    assert!(world.run(relay_once(&Stubborn(&world), &sink)).is_err());
    assert_eq!(pass(&world, &sink), Passed { delivered: 2, left: 0 });
    let taken: Vec<u64> = sink.taken.lock().expect("no panic").iter().map(|(n, _)| *n).collect();
    assert_eq!(taken, [1, 2, 1, 2]);
}
