//! The rules of PUT and cancel, but for statuses and another therapist.

use booking_core::{
    ExpectedVersion, Meeting, MeetingFilter, MeetingId, MeetingPatch, MeetingStatus, MeetingType,
    MeetingUrl, Patch, Refusal, SessionDuration,
};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::strategies::cases;
use crate::world::{
    Outcome, World, actor, jane, joe, john, mary, monday, session, session_for, start, text,
};

fn url(text: &str) -> MeetingUrl {
    MeetingUrl::new(text).expect("a URL")
}

fn moved_to(time: &str) -> MeetingPatch {
    MeetingPatch { start: Some(start(time)), ..MeetingPatch::default() }
}

fn lasting(duration: SessionDuration) -> MeetingPatch {
    MeetingPatch { duration: Some(duration), ..MeetingPatch::default() }
}

fn titled(title: &str) -> MeetingPatch {
    MeetingPatch { title: Some(text(title)), ..MeetingPatch::default() }
}

fn noted(notes: &str) -> MeetingPatch {
    MeetingPatch { session_notes: Patch::Set(text(notes)), ..MeetingPatch::default() }
}

/// John's hour with Jane at 10:00.
fn booked(world: &World) -> MeetingId {
    let request = session(&jane(), "10:00", SessionDuration::Hour);
    let meeting = world.book(&john(), &request).expect("a free time");
    world.new_events();
    meeting.id
}

fn patch_of<T>(values: Vec<T>) -> impl Strategy<Value = Patch<T>>
where
    T: Clone + std::fmt::Debug + 'static,
{
    prop_oneof![
        2 => Just(Patch::Keep),
        1 => Just(Patch::Clear),
        2 => select(values).prop_map(Patch::Set)
    ]
}

prop_compose! {
    /// Details that may change at any time, from few values so that some change nothing.
    fn details()(
        title in option::of(select(vec!["Therapy Session", "Grief", ""])),
        description in patch_of(vec![text("one"), text("two")]),
        meeting_type in option::of(select(MeetingType::ALL)),
        meeting_url in patch_of(vec![url("https://meet.example/1"), url("https://meet.example/2")]),
        session_notes in patch_of(vec![text("calm"), text("tired")]),
        reason in option::of(Just(text("because"))),
    ) -> MeetingPatch {
        MeetingPatch {
            title: title.map(text),
            description,
            meeting_type,
            meeting_url,
            session_notes,
            reason,
            ..MeetingPatch::default()
        }
    }
}

fn patched<T: Clone>(patch: &Patch<T>, before: &Option<T>) -> Option<T> {
    match patch {
        Patch::Keep => before.clone(),
        Patch::Clear => None,
        Patch::Set(value) => Some(value.clone()),
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_put_changes_the_fields_that_it_carries_and_no_others(
        patches in proptest::collection::vec(details(), 1..6),
    ) {
        let world = World::default();
        let id = booked(&world);
        for (number, patch) in patches.iter().enumerate() {
            world.set_clock(monday(&format!("08:0{number}")));
            let before = world.stored(id);
            let mut expected = Meeting {
                title: patch.title.clone().unwrap_or(before.title.clone()),
                description: patched(&patch.description, &before.description),
                meeting_type: patch.meeting_type.unwrap_or(before.meeting_type),
                meeting_url: patched(&patch.meeting_url, &before.meeting_url),
                session_notes: patched(&patch.session_notes, &before.session_notes),
                ..before.clone()
            };
            if expected != before {
                expected.version += 1;
                expected.updated_at = world.now();
            }
            prop_assert_eq!(world.put(&jane(), id, patch), Ok(expected.clone()));
            prop_assert_eq!(world.stored(id), expected);
        }
        prop_assert!(world.new_events().is_empty());
    }
}

#[test]
fn a_confirmed_meeting_that_moves_returns_to_scheduled_unless_confirmed_again() {
    use MeetingStatus::{Confirmed, Scheduled};
    let with = |patch: MeetingPatch, status| MeetingPatch { status: Some(status), ..patch };
    let table = [
        (moved_to("10:30"), Ok(Scheduled)),
        (lasting(SessionDuration::HalfHour), Ok(Scheduled)),
        (with(moved_to("10:30"), Scheduled), Ok(Scheduled)),
        (with(moved_to("10:30"), Confirmed), Ok(Confirmed)),
        (with(lasting(SessionDuration::TwoHours), Confirmed), Ok(Confirmed)),
        (moved_to("10:00"), Ok(Confirmed)),
        (lasting(SessionDuration::Hour), Ok(Confirmed)),
        (titled("Grief"), Ok(Confirmed)),
        (
            with(titled("Grief"), Scheduled),
            Err(Refusal::InvalidTransition { from: Some(Confirmed), to: Scheduled }),
        ),
    ];
    for (patch, expected) in table {
        let world = World::default();
        let id = booked(&world);
        let confirmed = MeetingPatch { status: Some(Confirmed), ..MeetingPatch::default() };
        world.put(&jane(), id, &confirmed).unwrap();
        let status = world.put(&john(), id, &patch).map(|meeting| meeting.status);
        assert_eq!(status, expected, "{patch:?}");
    }
}

#[test]
fn a_meeting_does_not_stand_in_its_own_way() {
    let world = World::default();
    let id = booked(&world);
    let starts = |answer: Outcome<Meeting>| answer.map(|meeting| meeting.start);
    assert_eq!(starts(world.put(&john(), id, &moved_to("10:30"))), Ok(monday("10:30")));
    assert_eq!(starts(world.put(&jane(), id, &moved_to("10:00"))), Ok(monday("10:00")));
    let longer = world.put(&john(), id, &lasting(SessionDuration::TwoHours)).unwrap();
    assert_eq!(longer.end(), monday("12:00"));
    assert_eq!(world.new_event_names(), ["AppointmentRescheduled"; 3]);
}

#[test]
fn a_move_is_checked_like_a_new_booking() {
    let world = World::default();
    world.relate(&mary(), &joe());
    let id = booked(&world);
    let hour = SessionDuration::Hour;
    world.book(&mary(), &session(&jane(), "11:30", hour)).unwrap();
    world.book(&john(), &session(&joe(), "14:00", hour)).unwrap();
    world.book(&mary(), &session(&joe(), "15:30", hour)).unwrap();
    world.set_clock(monday("09:10"));

    let both = |time, duration| MeetingPatch { duration: Some(duration), ..moved_to(time) };
    let table = [
        (moved_to("09:00"), Err(Refusal::InThePast)),
        (moved_to("08:00"), Err(Refusal::InThePast)),
        (moved_to("16:30"), Err(Refusal::OutsideAvailability)),
        (moved_to("10:10"), Err(Refusal::NotOnGrid)),
        (moved_to("11:00"), Err(Refusal::SlotConflict)),
        (moved_to("13:30"), Err(Refusal::SlotConflict)),
        (lasting(SessionDuration::TwoHours), Err(Refusal::SlotConflict)),
        (both("16:00", SessionDuration::HourAndHalf), Err(Refusal::OutsideAvailability)),
        // Mary is with Joe then, which is no concern of Jane and John.
        (moved_to("15:30"), Ok(monday("15:30"))),
        (moved_to("12:30"), Ok(monday("12:30"))),
        (both("10:30", hour), Ok(monday("10:30"))),
    ];
    for (patch, expected) in table {
        let before = world.stored(id);
        let answer = world.put(&john(), id, &patch).map(|meeting| meeting.start);
        assert_eq!(answer, expected, "{patch:?}");
        assert!(answer.is_ok() || world.stored(id) == before);
    }
}

#[test]
fn a_move_needs_the_relationship_and_other_changes_do_not() {
    let world = World::default();
    let id = booked(&world);
    world.unrelate(&john(), &jane());
    for by in [john(), jane()] {
        assert_eq!(world.put(&by, id, &moved_to("11:00")), Err(Refusal::NoRelationship));
    }
    assert!(world.put(&john(), id, &titled("Grief")).is_ok());
    assert!(world.cancel(&john(), id, None).is_ok());
}

#[test]
fn a_move_and_a_close_do_not_go_together() {
    for status in [MeetingStatus::Cancelled, MeetingStatus::Completed, MeetingStatus::NoShow] {
        let world = World::default();
        let id = booked(&world);
        let patch = MeetingPatch { status: Some(status), ..moved_to("11:00") };
        let from = Some(MeetingStatus::Scheduled);
        let refused = Err(Refusal::InvalidTransition { from, to: status });
        assert_eq!(world.put(&jane(), id, &patch), refused);
        assert_eq!(world.stored(id).start, monday("10:00"));
    }
}

#[test]
fn notes_and_url_are_the_therapists_to_write() {
    let with_url = |meeting_url| MeetingPatch { meeting_url, ..MeetingPatch::default() };
    let with_notes = |session_notes| MeetingPatch { session_notes, ..MeetingPatch::default() };
    let link = || url("https://meet.example/1");
    let world = World::default();
    let id = booked(&world);
    assert!(world.put(&jane(), id, &with_url(Patch::Set(link()))).is_ok());
    assert!(world.put(&jane(), id, &noted("calm")).is_ok());
    let before = world.stored(id);
    for patch in [
        with_url(Patch::Set(url("https://meet.example/2"))),
        with_url(Patch::Clear),
        with_notes(Patch::Set(text("calm"))),
        with_notes(Patch::Set(text("tired"))),
        with_notes(Patch::Clear),
        MeetingPatch { title: Some(text("Grief")), ..noted("tired") },
    ] {
        assert_eq!(world.put(&john(), id, &patch), Err(Refusal::Forbidden), "{patch:?}");
        assert_eq!(world.stored(id), before);
    }
    assert!(world.put(&jane(), id, &with_url(Patch::Clear)).is_ok());
    assert!(world.put(&jane(), id, &with_notes(Patch::Clear)).is_ok());
}

#[test]
fn notes_are_for_the_therapists_eyes() {
    let world = World::default();
    let id = booked(&world);
    let notes = |meeting: &Meeting| meeting.session_notes.as_ref().map(|t| t.as_str().to_owned());
    let calm = Some("calm".to_owned());
    assert_eq!(notes(&world.put(&jane(), id, &noted("calm")).unwrap()), calm);
    assert_eq!(notes(&world.get(&jane(), id).unwrap()), calm);
    assert_eq!(notes(&world.list(&jane(), &MeetingFilter::default()).unwrap()[0]), calm);

    assert_eq!(notes(&world.get(&john(), id).unwrap()), None);
    assert_eq!(notes(&world.list(&john(), &MeetingFilter::default()).unwrap()[0]), None);
    assert_eq!(notes(&world.put(&john(), id, &titled("Grief")).unwrap()), None);
    assert_eq!(notes(&world.cancel(&john(), id, None).unwrap()), None);
    assert_eq!(notes(&world.stored(id)), calm);
}

#[test]
fn nothing_about_a_closed_meeting_changes_but_the_notes() {
    let with_status = |status| MeetingPatch { status: Some(status), ..MeetingPatch::default() };
    for closed in [MeetingStatus::Completed, MeetingStatus::Cancelled, MeetingStatus::NoShow] {
        let world = World::default();
        let id = booked(&world);
        world.set_clock(monday("10:30"));
        world.put(&jane(), id, &with_status(closed)).unwrap();
        world.new_events();
        let before = world.stored(id);
        for patch in [
            titled("Grief"),
            moved_to("13:00"),
            lasting(SessionDuration::TwoHours),
            with_status(MeetingStatus::Confirmed),
            MeetingPatch { description: Patch::Set(text("x")), ..MeetingPatch::default() },
            MeetingPatch { meeting_type: Some(MeetingType::Chat), ..MeetingPatch::default() },
            MeetingPatch { meeting_url: Patch::Set(url("http://a.b")), ..MeetingPatch::default() },
            MeetingPatch { title: Some(text("Grief")), ..noted("calm") },
        ] {
            let refused = Err(Refusal::MeetingClosed);
            assert_eq!(world.put(&jane(), id, &patch), refused, "{closed} {patch:?}");
            assert_eq!(world.stored(id), before);
        }
        assert_eq!(world.put(&john(), id, &noted("calm")), Err(Refusal::Forbidden));
        let after = world.put(&jane(), id, &noted("calm")).unwrap();
        assert_eq!((after.status, after.version), (closed, before.version + 1));
        assert_eq!(world.new_event_names(), [""; 0]);
    }
}

#[test]
fn a_change_applies_to_the_version_that_was_seen() {
    let mismatch = || Err(Refusal::VersionMismatch);
    let one_of = |versions: &[u64]| ExpectedVersion::OneOf(versions.to_vec());
    let world = World::default();
    let id = booked(&world);
    let version = |answer: Outcome<Meeting>| answer.map(|meeting| meeting.version);
    let put = |title: &str, expected| version(world.put_if(&john(), id, &titled(title), &expected));

    assert_eq!(put("one", one_of(&[2])), mismatch());
    assert_eq!(put("one", one_of(&[])), mismatch());
    assert_eq!(put("one", one_of(&[1])), Ok(2));
    assert_eq!(put("two", one_of(&[1])), mismatch());
    assert_eq!(put("two", one_of(&[1, 2, 7])), Ok(3));
    assert_eq!(put("two", one_of(&[2])), mismatch(), "even if nothing would change");
    assert_eq!(put("two", one_of(&[3])), Ok(3), "nothing changed");
    assert_eq!(put("three", ExpectedVersion::Any), Ok(4));

    assert_eq!(version(world.cancel_if(&john(), id, &one_of(&[3]))), mismatch());
    assert_eq!(version(world.cancel_if(&john(), id, &one_of(&[4]))), Ok(5));
}

#[test]
fn a_cancelled_time_is_free_again() {
    let world = World::default();
    let id = booked(&world);
    let again = session_for(&mary(), session(&jane(), "10:30", SessionDuration::Hour));
    assert_eq!(world.book(&jane(), &again), Err(Refusal::SlotConflict));
    world.cancel(&john(), id, None).unwrap();
    assert!(world.book(&jane(), &again).is_ok());
}

/// Exists, then may, then version, then the rules: each request has all the later faults too.
#[test]
fn checks_come_in_the_contracts_order() {
    let world = World::default();
    let id = booked(&world);
    world.set_clock(monday("10:30"));
    let stranger = actor("client_x", booking_core::Role::Client);
    let old = ExpectedVersion::OneOf(vec![7]);
    let past = moved_to("09:10");
    let past_and_notes = MeetingPatch { session_notes: Patch::Clear, ..past.clone() };
    let unknown = crate::world::unknown_meeting();

    assert_eq!(world.put_if(&stranger, unknown, &past, &old), Err(Refusal::MeetingNotFound));
    assert_eq!(world.put_if(&stranger, id, &past, &old), Err(Refusal::Forbidden));
    assert_eq!(world.put_if(&john(), id, &past_and_notes, &old), Err(Refusal::Forbidden));
    assert_eq!(world.put_if(&john(), id, &past, &old), Err(Refusal::VersionMismatch));
    assert_eq!(world.put(&john(), id, &past), Err(Refusal::InThePast));

    world.cancel(&john(), id, None).unwrap();
    assert_eq!(world.put_if(&john(), id, &past, &old), Err(Refusal::VersionMismatch));
    assert_eq!(world.put(&john(), id, &past), Err(Refusal::MeetingClosed));
    assert_eq!(world.cancel_if(&stranger, unknown, &old), Err(Refusal::MeetingNotFound));
    assert_eq!(world.cancel_if(&stranger, id, &old), Err(Refusal::Forbidden));
    assert_eq!(world.cancel_if(&john(), id, &old), Err(Refusal::VersionMismatch));
    assert_eq!(world.cancel(&john(), id, None), Err(Refusal::MeetingClosed));
}
