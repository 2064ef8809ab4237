//! A client takes a meeting to another of their therapists.

use booking_core::{
    Actor, Meeting, MeetingId, MeetingPatch, MeetingStatus, MeetingUrl, Patch, Refusal,
    SessionDuration,
};
use chrono::Weekday;
use serde_json::json;

use crate::world::{World, admin, jane, joe, john, mary, monday, session, start, text};

fn with(therapist: &Actor) -> MeetingPatch {
    MeetingPatch { therapist: Some(therapist.id.clone()), ..MeetingPatch::default() }
}

/// John's hour with Jane at 10:00.
fn booked(world: &World) -> MeetingId {
    let request = session(&jane(), "10:00", SessionDuration::Hour);
    let meeting = world.book(&john(), &request).expect("a free time");
    world.new_events();
    meeting.id
}

#[test]
fn the_old_therapist_loses_a_meeting_and_the_new_one_gets_it() {
    let world = World::default();
    let id = booked(&world);
    world.set_clock(monday("08:30"));
    let before = world.stored(id);
    let after = world.put(&john(), id, &with(&joe())).unwrap();

    let expected =
        Meeting { therapist: joe().id, version: 2, updated_at: monday("08:30"), ..before };
    assert_eq!(after, expected);
    assert_eq!(
        world.new_events(),
        [
            json!({"type": "AppointmentCancelled", "data": {
                "appointmentId": id.to_string(),
                "clientId": "client_john",
                "therapistId": "therapist_jane",
                "cancelledBy": "client_john",
                "cancellationReason": "Cancelled by client",
                "originalStartTime": "2026-01-12T10:00:00.000Z",
                "cancelledAt": "2026-01-12T08:30:00.000Z",
                "cancellationNotice": 1.5,
            }}),
            json!({"type": "AppointmentBooked", "data": {
                "appointmentId": id.to_string(),
                "clientId": "client_john",
                "therapistId": "therapist_joe",
                "startTime": "2026-01-12T10:00:00.000Z",
                "meetingType": "video",
                "duration": 60,
                "title": "Therapy Session",
                "isInitialConsultation": true,
            }}),
        ]
    );
    assert_eq!(world.get(&jane(), id), Err(Refusal::Forbidden));
    assert_eq!(world.get(&joe(), id), Ok(expected));

    let at_ten = ("10:00".to_owned(), 120);
    assert!(world.offers(&mary(), &jane()).unwrap().contains(&at_ten));
    assert!(!world.offers(&mary(), &joe()).unwrap().contains(&at_ten));
}

#[test]
fn time_and_therapist_change_together() {
    let world = World::default();
    let id = booked(&world);
    let confirmed = MeetingPatch { status: Some(MeetingStatus::Confirmed), ..Default::default() };
    world.put(&jane(), id, &confirmed).unwrap();
    let patch = MeetingPatch { start: Some(start("13:00")), ..with(&joe()) };
    let after = world.put(&john(), id, &patch).unwrap();
    assert_eq!((after.start, after.status), (monday("13:00"), MeetingStatus::Scheduled));

    let events = world.new_events();
    assert_eq!(events[0]["data"]["originalStartTime"], "2026-01-12T10:00:00.000Z");
    assert_eq!(events[1]["data"]["startTime"], "2026-01-12T13:00:00.000Z");
    assert_eq!(events.len(), 2);
}

#[test]
fn it_takes_a_therapist_who_belongs_to_the_client() {
    let world = World::default();
    let id = booked(&world);
    let nobody = crate::world::actor("therapist_nobody", booking_core::Role::Therapist);
    let stranger = crate::world::actor("therapist_stranger", booking_core::Role::Therapist);
    world.introduce(&stranger);
    let before = world.stored(id);
    for (by, therapist, refusal) in [
        (john(), nobody, Refusal::TherapistNotFound),
        (john(), mary(), Refusal::TherapistNotFound),
        (john(), admin(), Refusal::TherapistNotFound),
        (john(), stranger, Refusal::NoRelationship),
        (jane(), joe(), Refusal::Forbidden),
    ] {
        assert_eq!(world.put(&by, id, &with(&therapist)), Err(refusal), "{by:?} {therapist:?}");
        assert_eq!(world.stored(id), before);
    }
    assert_eq!(world.put(&john(), id, &with(&jane())), Ok(before.clone()), "she has it already");
    assert_eq!(world.put(&jane(), id, &with(&jane())), Ok(before));
    assert_eq!(world.new_event_names(), [""; 0]);
}

#[test]
fn the_meeting_must_fit_the_new_therapist() {
    let hour = SessionDuration::Hour;
    let world = World::default();
    world.relate(&mary(), &joe());
    world.open(&jane(), Weekday::Mon, "17:00", "19:00").unwrap();
    let late = world.book(&john(), &session(&jane(), "17:00", hour)).unwrap().id;
    let id = booked(&world);
    world.book(&mary(), &session(&joe(), "10:30", hour)).unwrap();

    assert_eq!(world.put(&john(), late, &with(&joe())), Err(Refusal::OutsideAvailability));
    assert_eq!(world.put(&john(), id, &with(&joe())), Err(Refusal::SlotConflict));
    let earlier = MeetingPatch { start: Some(start("09:30")), ..with(&joe()) };
    assert!(world.put(&john(), id, &earlier).is_ok());
}

#[test]
fn a_meeting_that_began_stays_with_its_therapist() {
    let world = World::default();
    let id = booked(&world);
    world.set_clock(monday("10:00"));
    assert_eq!(world.put(&john(), id, &with(&joe())), Err(Refusal::InThePast));
    world.cancel(&john(), id, None).unwrap();
    assert_eq!(world.put(&john(), id, &with(&joe())), Err(Refusal::MeetingClosed));
}

#[test]
fn it_is_an_initial_consultation_only_if_the_new_pair_has_not_met() {
    let world = World::default();
    world.book(&john(), &session(&joe(), "09:00", SessionDuration::HalfHour)).unwrap();
    let id = booked(&world);
    world.put(&john(), id, &with(&joe())).unwrap();
    let events = world.new_events();
    assert_eq!(events[1]["data"]["isInitialConsultation"], false);
}

#[test]
fn what_the_old_therapist_wrote_stays_with_them() {
    let world = World::default();
    let id = booked(&world);
    let written = MeetingPatch {
        session_notes: Patch::Set(text("for my eyes alone")),
        meeting_url: Patch::Set(MeetingUrl::new("https://meet.example.com/jane").unwrap()),
        ..MeetingPatch::default()
    };
    world.put(&jane(), id, &written).unwrap();
    let after = world.put(&john(), id, &with(&joe())).unwrap();
    assert_eq!((&after.session_notes, &after.meeting_url), (&None, &None));
    assert_eq!(world.get(&joe(), id), Ok(after));
}

#[test]
fn a_therapist_learns_nothing_of_a_clients_other_therapists() {
    let world = World::default();
    let id = booked(&world);
    let stranger = crate::world::actor("therapist_stranger", booking_core::Role::Therapist);
    world.introduce(&stranger);
    let related = world.put(&jane(), id, &with(&joe()));
    let unrelated = world.put(&jane(), id, &with(&stranger));
    assert_eq!(related, unrelated);
    assert_eq!(related, Err(Refusal::Forbidden));
}
