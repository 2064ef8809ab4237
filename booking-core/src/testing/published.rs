//! Events: exactly when something changed, in order, until they are delivered.

use chrono::TimeDelta;

use super::cases;
use super::fixtures::{
    as_client, as_therapist, at, booked, client, event, hour, meeting, now, other_therapist, text,
    therapist,
};
use super::rows::NASTY;
use crate::{
    AttendanceStatus, Change, EventPayload, ExpectedVersion, Meeting, MeetingPatch, MeetingStatus,
    Patch, Recorded,
};

cases! {
    ($) conformance_published in published:

    /// Events of every kind come back as they were written, to the last bit of a fraction.
    async fn events_come_back_as_written(world: World) {
        let mut full = meeting(&client(), &therapist(), at("9999-12-31T23:30:00Z"));
        (full.title, full.description) = (text(NASTY), Some(text(NASTY)));
        full.session_notes = Some(text(NASTY));
        let plain = meeting(&client(), &therapist(), at("0000-01-01T00:00:00Z"));
        let mut payloads = Vec::new();
        for meeting in [&full, &plain] {
            payloads.push(EventPayload::booked(meeting, meeting.start > now()));
            payloads.push(EventPayload::rescheduled(meeting, &full, client(), NASTY.to_owned()));
            payloads.push(EventPayload::completed(meeting, AttendanceStatus::NoShow, now()));
        }
        // Fractions of an hour have no end in binary, and most have none in decimal.
        for n in 0..50 {
            let before = full.start - TimeDelta::milliseconds(n * 1_234_567 + 1);
            payloads.push(EventPayload::cancelled(&full, therapist(), "\"".to_owned(), before));
        }
        let events: Vec<_> = payloads.into_iter().map(event).collect();
        world.apply(Change { events: events.clone(), ..Change::default() }).await;
        let found: Vec<_> = world.events().await.into_iter().map(|found| found.event).collect();
        assert_eq!(found, events);
    }

    /// Each change of a meeting publishes what the contract says, and nothing else does.
    async fn events_exist_exactly_for_changes(world: World) {
        world.open(&therapist()).await;
        world.open(&other_therapist()).await;
        let (john, jane) = (as_client(&client()), as_therapist(&therapist()));
        let any = ExpectedVersion::Any;
        let meeting = world.book_hour(hour(9)).await.expect("it is free").value.meeting;
        let mut expected = vec!["AppointmentBooked"];
        assert_eq!(names(&world, &meeting).await, expected);

        let confirm = status(MeetingStatus::Confirmed);
        let title = MeetingPatch { title: Some(text("Another")), ..MeetingPatch::default() };
        let notes =
            MeetingPatch { session_notes: Patch::Set(text("x")), ..MeetingPatch::default() };
        for patch in [&confirm, &confirm, &title, &notes, &MeetingPatch::default()] {
            world.booking.update(&jane, meeting.id, patch, &any).await.expect("it may");
            assert_eq!(names(&world, &meeting).await, expected);
        }
        world.move_to(&meeting, hour(11)).await.expect("it is free");
        expected.push("AppointmentRescheduled");
        assert_eq!(names(&world, &meeting).await, expected);
        let elsewhere =
            MeetingPatch { therapist: Some(other_therapist()), ..MeetingPatch::default() };
        world.booking.update(&john, meeting.id, &elsewhere, &any).await.expect("it is free");
        expected.extend(["AppointmentCancelled", "AppointmentBooked"]);
        assert_eq!(names(&world, &meeting).await, expected);
        world.booking.cancel(&john, meeting.id, None, &any).await.expect("it is live");
        expected.push("AppointmentCancelled");
        assert_eq!(names(&world, &meeting).await, expected);
        assert!(world.booking.cancel(&john, meeting.id, None, &any).await.is_err());
        assert!(world.move_to(&meeting, hour(15)).await.is_err());
        assert_eq!(names(&world, &meeting).await, expected);
    }

    /// What took place, and what did not, is said once.
    async fn the_end_of_a_meeting_is_said_once(world: World) {
        world.open(&therapist()).await;
        let jane = as_therapist(&therapist());
        let any = ExpectedVersion::Any;
        for (n, end) in (9..).step_by(2).zip([MeetingStatus::Completed, MeetingStatus::NoShow]) {
            let meeting = world.book_hour(hour(n)).await.expect("it is free").value.meeting;
            world.clock.set(meeting.start);
            for _ in 0..2 {
                world.booking.update(&jane, meeting.id, &status(end), &any).await.expect("it may");
                let names = names(&world, &meeting).await;
                assert_eq!(names, ["AppointmentBooked", "AppointmentCompleted"]);
            }
        }
    }

    /// The oldest first, at most as many as asked for, and again until they are delivered.
    async fn the_oldest_come_first(world: World) {
        let sequences = publish(&world, 10).await;
        assert!(sequences.is_sorted_by(|one, next| one < next));
        for limit in [0, 1, 3, 10, 11, 1_000] {
            assert_eq!(undelivered(&world, limit).await, sequences[..sequences.len().min(limit)]);
        }
    }

    /// Delivered events do not come again, in whatever order they were delivered.
    async fn delivered_events_are_gone(world: World) {
        let sequences = publish(&world, 6).await;
        let deliver = async |numbers: &[u64]| {
            world.outbox().mark_delivered(numbers).await.expect("the outbox takes numbers");
        };
        deliver(&[sequences[1], sequences[4]]).await;
        let left = [sequences[0], sequences[2], sequences[3], sequences[5]];
        assert_eq!(undelivered(&world, 10).await, left);
        deliver(&[]).await;
        deliver(&[sequences[1], sequences[1], sequences[4]]).await;
        deliver(&[0, sequences[5] + 1, sequences[5] + 1_000, u64::MAX]).await;
        assert_eq!(undelivered(&world, 10).await, left);

        // A number that was marked before it was handed out says nothing about the event.
        let more = publish(&world, 2).await;
        assert_eq!(more.len(), 6, "nothing new counts as delivered");
        deliver(&more).await;
        assert_eq!(undelivered(&world, 10).await, [0; 0]);
    }

    /// Numbers are never used twice, even when everything was delivered meanwhile.
    async fn numbers_are_never_used_twice(world: World) {
        let mut last = 0;
        for _ in 0..8 {
            let sequences = publish(&world, 2).await;
            assert_eq!(sequences.len(), 2);
            assert!(
                sequences.iter().all(|sequence| *sequence > last),
                "{sequences:?} after {last}"
            );
            last = sequences[1];
            world.outbox().mark_delivered(&sequences).await.expect("the outbox takes numbers");
        }
    }

    /// Several relays and writers at once: every event is taken, and nothing is lost or torn.
    async fn delivery_goes_on_beside_changes(world: World) {
        let writer = {
            let world = world.clone();
            tokio::spawn(async move {
                for _ in 0..40 {
                    publish_one(&world).await;
                }
            })
        };
        let mut taken = std::collections::BTreeSet::new();
        while taken.len() < 40 {
            let batch = undelivered(&world, 7).await;
            world.outbox().mark_delivered(&batch).await.expect("the outbox takes numbers");
            taken.extend(batch);
            tokio::task::yield_now().await;
        }
        writer.await.expect("the writer is done");
        assert_eq!(undelivered(&world, 100).await, [0; 0]);
    }
}

fn status(status: MeetingStatus) -> MeetingPatch {
    MeetingPatch { status: Some(status), ..MeetingPatch::default() }
}

async fn names(world: &super::World, meeting: &Meeting) -> Vec<&'static str> {
    let events = world.events().await;
    let about = |recorded: &&Recorded| recorded.event.payload.meeting() == meeting.id;
    events.iter().filter(about).map(|recorded| recorded.event.payload.name()).collect()
}

/// Writes events, each in a change of its own; the numbers of all that are not delivered.
async fn publish(world: &super::World, count: usize) -> Vec<u64> {
    for _ in 0..count {
        publish_one(world).await;
    }
    world.events().await.iter().map(|recorded| recorded.sequence).collect()
}

async fn publish_one(world: &super::World) {
    let events = vec![booked(&meeting(&client(), &therapist(), hour(9)))];
    world.apply(Change { events, ..Change::default() }).await;
}

async fn undelivered(world: &super::World, limit: usize) -> Vec<u64> {
    let limit = limit.try_into().expect("small");
    let events = world.outbox().undelivered(0, limit).await.expect("the outbox answers");
    events.iter().map(|recorded| recorded.sequence).collect()
}
