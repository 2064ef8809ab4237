//! Nobody is in two places, and the rest of the platform is told exactly what happened.

use booking_core::{
    Actor, Meeting, MeetingId, MeetingPatch, MeetingStatus, Refusal, Role, SessionDuration, Span,
    StartTime,
};
use chrono::{TimeDelta, Weekday};
use chrono_tz::Tz;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::model::{
    Attempt, Snapshot, Step, events_of, is_about_time, people, practice, snapshot, step, take,
    windows_of,
};
use crate::oracle::{Oracle, minute};
use crate::strategies::cases;
use crate::world::{
    World, actor, at, jane, joe, john, mary, monday, payload, session, session_for, text,
};

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn whatever_people_do(steps in vec(step(), 1..50)) {
        let world = practice();
        for step in &steps {
            let before = snapshot(&world);
            let fits = expected_fit(&world, step, &before);
            let Some(attempt) = take(&world, step, &before) else { continue };
            let after = snapshot(&world);
            check_one_change(&world, &attempt, &before, &after)?;
            check_fit(&attempt, fits)?;
            check_nobody_is_in_two_places(&after)?;
        }
    }
}

/// One meeting changed as was asked for, or none; and the events say so.
fn check_one_change(
    world: &World,
    attempt: &Attempt,
    before: &Snapshot,
    after: &Snapshot,
) -> Result<(), TestCaseError> {
    let recorded = world.new_recorded();
    prop_assert!(recorded.iter().all(|recorded| recorded.event.occurred_at == world.now()));
    let events: Vec<Value> = recorded.iter().map(payload).collect();

    let changed: Vec<&Meeting> =
        after.values().filter(|meeting| before.get(&meeting.id) != Some(*meeting)).collect();
    prop_assert!(before.keys().all(|id| after.contains_key(id)), "meetings never disappear");
    let [meeting] = changed[..] else {
        prop_assert!(changed.is_empty());
        prop_assert_eq!(events, Vec::<Value>::new());
        return Ok(());
    };
    let Ok(Some(answer)) = &attempt.outcome else {
        prop_assert!(false, "a refusal changed {:?}", meeting);
        return Ok(());
    };
    prop_assert_eq!(answer.id, meeting.id);
    prop_assert_eq!(meeting.updated_at, world.now());
    match before.get(&meeting.id) {
        None => {
            prop_assert!(attempt.about.is_none());
            prop_assert_eq!((meeting.version, meeting.created_at), (1, world.now()));
        }
        Some(earlier) => {
            prop_assert_eq!(attempt.about.as_ref(), Some(earlier));
            prop_assert_eq!(meeting.version, earlier.version + 1);
            prop_assert_eq!(meeting.created_at, earlier.created_at);
            prop_assert_eq!(&meeting.client, &earlier.client);
        }
    }
    let was = before.get(&meeting.id);
    prop_assert_eq!(events, events_of(before, was, meeting, attempt, world.now()));
    Ok(())
}

fn check_nobody_is_in_two_places(meetings: &Snapshot) -> Result<(), TestCaseError> {
    for person in people() {
        let live: Vec<&Meeting> = meetings
            .values()
            .filter(|m| m.status.is_live() && (m.client == person.id || m.therapist == person.id))
            .collect();
        for (number, one) in live.iter().enumerate() {
            for other in &live[number + 1..] {
                let apart = one.end() <= other.start || other.end() <= one.start;
                prop_assert!(apart, "{one:?} and {other:?}");
            }
        }
    }
    Ok(())
}

/// What the oracle says of the time that a step wants, if it wants one.
fn expected_fit(world: &World, step: &Step, before: &Snapshot) -> Option<Result<(), Refusal>> {
    let (client, therapist, start, duration, except) = match step {
        Step::Book(by, request) => {
            let client = request.client.as_ref().unwrap_or(&by.id).clone();
            (client, request.therapist.clone(), request.start.instant(), request.duration, None)
        }
        Step::Put(_, index, patch) if !before.is_empty() => {
            let ids: Vec<MeetingId> = before.keys().copied().collect();
            let meeting = &before[index.get(&ids)];
            let therapist = patch.therapist.as_ref().unwrap_or(&meeting.therapist).clone();
            let start = patch.start.map_or(meeting.start, StartTime::instant);
            let duration = patch.duration.unwrap_or(meeting.duration);
            let moves = (&meeting.therapist, meeting.start, meeting.duration)
                != (&therapist, start, duration);
            if !moves {
                return None;
            }
            (meeting.client.clone(), therapist, start, duration, Some(meeting.id))
        }
        _ => return None,
    };
    let concerned = [&client, &therapist];
    let taken: Vec<Span> = before
        .values()
        .filter(|m| m.status.is_live() && Some(m.id) != except)
        .filter(|m| concerned.contains(&&m.client) || concerned.contains(&&m.therapist))
        .filter_map(|m| Span::new(m.start, m.end()))
        .collect();
    let windows = windows_of(world, &actor(therapist.as_str(), Role::Therapist));
    let day = Oracle::new(Tz::UTC, &windows).day(start.date_naive())?;
    Some(day.verdict(minute(start), duration, world.now(), &taken))
}

/// What fits is never refused for its time; what does not is, at the latest, and for that reason.
fn check_fit(attempt: &Attempt, fits: Option<Result<(), Refusal>>) -> Result<(), TestCaseError> {
    match (&attempt.outcome, fits) {
        (Ok(_), fits) => prop_assert!(fits.is_none_or(|fits| fits.is_ok())),
        (Err(refusal), fits) if is_about_time(refusal) => {
            prop_assert_eq!(fits, Some(Err(refusal.clone())));
        }
        (Err(_), _) => {}
    }
    Ok(())
}

fn book(world: &World, by: &Actor, therapist: &Actor, time: &str) -> Meeting {
    let request = session(therapist, time, SessionDuration::HalfHour);
    world.book(by, &request).expect("a free time")
}

fn data(world: &World) -> Value {
    let mut events = world.new_events();
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)["data"].take()
}

fn status(status: MeetingStatus) -> MeetingPatch {
    MeetingPatch { status: Some(status), ..MeetingPatch::default() }
}

#[test]
fn a_consultation_is_initial_when_no_earlier_meeting_of_the_two_stands() {
    let world = World::default();
    world.relate(&mary(), &joe());
    let initial = |by: &Actor, therapist: &Actor, time| {
        book(&world, by, therapist, time);
        data(&world)["isInitialConsultation"].as_bool().expect("yes or no")
    };
    assert!(initial(&john(), &jane(), "12:00"), "the first");
    assert!(!initial(&john(), &jane(), "13:00"), "the next");
    assert!(initial(&john(), &jane(), "11:00"), "booked later, but earlier than the others");
    assert!(!initial(&john(), &jane(), "11:30"));
    assert!(initial(&john(), &joe(), "14:00"), "with somebody else");
    assert!(initial(&mary(), &jane(), "15:00"), "of somebody else");
}

#[test]
fn meetings_that_were_cancelled_do_not_make_the_next_less_initial() {
    use MeetingStatus::{Cancelled, Completed, Confirmed, NoShow};
    for (standing, initial) in
        [(Confirmed, false), (Completed, false), (NoShow, false), (Cancelled, true)]
    {
        let world = World::default();
        let first = book(&world, &john(), &jane(), "09:00");
        world.set_clock(monday("09:10"));
        world.put(&jane(), first.id, &status(standing)).unwrap();
        world.new_events();
        book(&world, &john(), &jane(), "12:00");
        assert_eq!(data(&world)["isInitialConsultation"], initial, "{standing}");
    }
}

#[test]
fn the_notice_of_a_cancellation_is_in_hours() {
    for (now, hours) in [
        ("2026-01-09T10:00Z", 72.0),
        ("2026-01-12T08:30Z", 1.5),
        ("2026-01-12T09:54Z", 0.1),
        ("2026-01-12T09:59Z", 1.0 / 60.0),
        ("2026-01-12T10:00Z", 0.0),
        ("2026-01-12T10:20Z", 0.0),
        ("2026-01-14T10:00Z", 0.0),
    ] {
        let world = World::default();
        let meeting = book(&world, &john(), &jane(), "10:00");
        world.new_events();
        world.set_clock(at(now));
        world.cancel(&john(), meeting.id, None).unwrap();
        assert_eq!(data(&world)["cancellationNotice"], hours, "at {now}");
    }
    let world = World::default();
    let meeting = book(&world, &john(), &jane(), "10:00");
    world.new_events();
    world.set_clock(monday("08:59"));
    world.clock.advance(TimeDelta::seconds(60) - TimeDelta::milliseconds(1));
    world.cancel(&john(), meeting.id, None).unwrap();
    assert_eq!(data(&world)["cancellationNotice"], 3_600_001.0 / 3_600_000.0);
}

#[test]
fn reasons_are_as_given_or_name_the_side() {
    let moved = |reason: Option<&str>| MeetingPatch {
        reason: reason.map(text),
        duration: Some(SessionDuration::Hour),
        ..MeetingPatch::default()
    };
    let closed = |reason: Option<&str>| MeetingPatch {
        reason: reason.map(text),
        ..status(MeetingStatus::Cancelled)
    };
    for (by, side) in [(john(), "client"), (jane(), "therapist")] {
        let world = World::default();
        let new = || {
            let id = book(&world, &john(), &jane(), "10:00").id;
            world.new_events();
            id
        };
        let id = new();
        world.put(&by, id, &moved(None)).unwrap();
        let event = data(&world);
        assert_eq!(event["rescheduleReason"], format!("Rescheduled by {side}"));
        assert_eq!(event["rescheduledBy"], by.id.as_str());
        world.cancel(&by, id, None).unwrap();
        let event = data(&world);
        assert_eq!(event["cancellationReason"], format!("Cancelled by {side}"));
        assert_eq!(event["cancelledBy"], by.id.as_str());

        let id = new();
        world.put(&by, id, &moved(Some("rain"))).unwrap();
        assert_eq!(data(&world)["rescheduleReason"], "rain");
        world.cancel(&by, id, Some("snow")).unwrap();
        assert_eq!(data(&world)["cancellationReason"], "snow");

        let id = new();
        world.put(&by, id, &closed(Some("hail"))).unwrap();
        assert_eq!(data(&world)["cancellationReason"], "hail");
    }
}

#[test]
fn a_completed_meeting_tells_who_came_and_what_was_noted() {
    let notes = |notes| booking_core::Patch::Set(text(notes));
    for (closed, attendance) in
        [(MeetingStatus::Completed, "ATTENDED"), (MeetingStatus::NoShow, "NO_SHOW")]
    {
        for (patch, expected) in [
            (status(closed), ""),
            (MeetingPatch { session_notes: notes("calm"), ..status(closed) }, "calm"),
        ] {
            let world = World::default();
            let id = book(&world, &john(), &jane(), "10:00").id;
            world.new_events();
            world.set_clock(monday("10:20"));
            world.put(&jane(), id, &patch).unwrap();
            assert_eq!(
                world.new_events(),
                [json!({"type": "AppointmentCompleted", "data": {
                    "appointmentId": id.to_string(),
                    "clientId": "client_john",
                    "therapistId": "therapist_jane",
                    "completedAt": "2026-01-12T10:20:00.000Z",
                    "duration": 30,
                    "sessionNotes": expected,
                    "attendanceStatus": attendance,
                }})]
            );
        }
    }
}

#[test]
fn confirming_details_and_availability_are_not_worth_an_event() {
    let world = World::default();
    let id = book(&world, &john(), &jane(), "10:00").id;
    world.new_events();
    let rename = MeetingPatch { title: Some(text("Grief")), ..MeetingPatch::default() };
    world.put(&john(), id, &rename).unwrap();
    world.put(&john(), id, &status(MeetingStatus::Confirmed)).unwrap();
    world.put(&john(), id, &status(MeetingStatus::Confirmed)).unwrap();
    world.put(&john(), id, &MeetingPatch::default()).unwrap();
    world.open(&jane(), Weekday::Fri, "09:00", "10:00").unwrap();
    assert_eq!(world.new_events(), Vec::<Value>::new());
    assert_eq!(world.stored(id).version, 3);
}

#[test]
fn a_booking_is_told_with_the_documented_fields_only() {
    let world = World::default();
    let request = booking_core::BookRequest {
        status: Some(MeetingStatus::Confirmed),
        meeting_type: Some(booking_core::MeetingType::InPerson),
        title: Some(text("Weekly")),
        description: Some(text("Anxiety")),
        ..session_for(&john(), session(&jane(), "10:00", SessionDuration::HourAndHalf))
    };
    let id = world.book(&jane(), &request).unwrap().id;
    assert_eq!(
        world.new_events(),
        [json!({"type": "AppointmentBooked", "data": {
            "appointmentId": id.to_string(),
            "clientId": "client_john",
            "therapistId": "therapist_jane",
            "startTime": "2026-01-12T10:00:00.000Z",
            "meetingType": "in_person",
            "duration": 90,
            "title": "Weekly",
            "description": "Anxiety",
            "isInitialConsultation": true,
        }})]
    );
}
