//! Events: exactly when something changed.

use chrono::TimeDelta;

use super::cases;
use super::fixtures::{
    as_client, as_therapist, at, client, event, hour, meeting, now, other_therapist, text,
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
}

fn status(status: MeetingStatus) -> MeetingPatch {
    MeetingPatch { status: Some(status), ..MeetingPatch::default() }
}

async fn names(world: &super::World, meeting: &Meeting) -> Vec<&'static str> {
    let events = world.events().await;
    let about = |recorded: &&Recorded| recorded.event.payload.meeting() == meeting.id;
    events.iter().filter(about).map(|recorded| recorded.event.payload.name()).collect()
}
