//! Who may do what: the contract's table of roles, and what existence comes before.

use booking_core::{
    Actor, AvailabilityPatch, Booking, BookingError, MeetingFilter, MeetingId, MeetingPatch,
    NewAvailability, Operation, Patch, Refusal, Role, SessionDuration, WallTime,
};
use chrono::Weekday;

use crate::strategies::hours;
use crate::world::{
    ANY, Outcome, World, actor, admin, jane, joe, john, mary, monday, session, session_for, text,
    the_monday, unknown_meeting,
};

const HOUR: SessionDuration = SessionDuration::Hour;

fn tuesday(from: &str, to: &str) -> NewAvailability {
    NewAvailability { weekday: Weekday::Tue, window: hours(from, to), notes: None }
}

fn role_required<T>(operation: Operation) -> Outcome<T> {
    Err(Refusal::RoleRequired { operation })
}

/// Which field is wrong is for programs, and what is wrong with it for people.
fn without_words(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Invalid { field, detail: _ } => Refusal::Invalid { field, detail: "" },
        other => other,
    }
}

#[test]
fn what_each_role_may_do_at_all() {
    use Operation::{
        Book, ListMeetings, ListSlots, ManageAvailability, ManageDirectory, ManageFeeds,
        ManageWebhooks, ReadAudit, UseMeeting,
    };
    // Client, therapist, admin. What concerns one meeting depends on who takes part in it.
    let table = [
        (Book, [true, true, false]),
        (ListMeetings, [true, true, false]),
        (UseMeeting, [true, true, true]),
        (ManageAvailability, [false, true, false]),
        (ListSlots, [true, true, true]),
        (ManageDirectory, [false, false, true]),
        (ManageWebhooks, [false, false, true]),
        (ReadAudit, [false, false, true]),
        (ManageFeeds, [true, true, false]),
    ];
    for (operation, allowed) in table {
        for (by, allowed) in [john(), jane(), admin()].into_iter().zip(allowed) {
            let expected = if allowed { Ok(()) } else { role_required(operation) };
            assert_eq!(by.may(operation), expected, "{by:?} {operation:?}");
        }
    }
}

#[test]
fn the_service_asks_for_the_role_first() {
    let world = World::default();
    let request = session(&jane(), "10:00", HOUR);
    assert_eq!(world.book(&admin(), &request), role_required(Operation::Book));
    let listed = world.list(&admin(), &MeetingFilter::default());
    assert_eq!(listed, role_required(Operation::ListMeetings));
    for by in [john(), jane(), admin()] {
        assert_eq!(world.offers(&by, &jane()).unwrap().len(), 16, "{by:?}");
    }
    for by in [john(), admin()] {
        for refused in availability_verbs(&world, &by) {
            assert_eq!(refused, role_required(Operation::ManageAvailability), "{by:?}");
        }
    }
}

/// All the verbs, on a slot of Jane's.
fn availability_verbs(world: &World, by: &Actor) -> Vec<Outcome<()>> {
    let id = world.try_to(async |booking| booking.availability(&jane()).await).expect("hers")[0].id;
    let (new, patch) = (tuesday("09:00", "10:00"), AvailabilityPatch::default());
    vec![
        world.try_to(async |b: &Booking| b.add_availability(by, &new, None).await).map(|_| ()),
        world.try_to(async |b: &Booking| b.availability(by).await).map(|_| ()),
        world.try_to(async |b: &Booking| b.update_availability(by, id, &patch).await).map(|_| ()),
        world.try_to(async |b: &Booking| b.delete_availability(by, id).await),
    ]
}

#[test]
fn booking_for_whom_and_with_whom() {
    let no_client = Refusal::Invalid { field: "clientId", detail: "" };
    let with_jane = || session(&jane(), "10:00", HOUR);
    let with_nobody = session(&actor("nobody", Role::Therapist), "10:00", HOUR);
    let table = [
        (john(), with_jane(), Ok(())),
        (john(), session_for(&john(), with_jane()), Ok(())),
        (john(), session_for(&mary(), with_jane()), Err(Refusal::Forbidden)),
        (john(), with_nobody.clone(), Err(Refusal::TherapistNotFound)),
        (john(), session(&mary(), "10:00", HOUR), Err(Refusal::TherapistNotFound)),
        (mary(), session(&joe(), "10:00", HOUR), Err(Refusal::NoRelationship)),
        (jane(), session_for(&john(), with_jane()), Ok(())),
        (jane(), session_for(&mary(), with_jane()), Ok(())),
        (jane(), with_jane(), Err(no_client)),
        (jane(), session_for(&john(), session(&joe(), "10:00", HOUR)), Err(Refusal::Forbidden)),
        (jane(), session_for(&john(), with_nobody), Err(Refusal::TherapistNotFound)),
        (joe(), session_for(&mary(), session(&joe(), "10:00", HOUR)), Err(Refusal::NoRelationship)),
        (jane(), session_for(&jane(), with_jane()), Err(Refusal::NoRelationship)),
    ];
    for (by, request, expected) in table {
        let world = World::default();
        let answer = world.book(&by, &request).map(|_| ()).map_err(without_words);
        assert_eq!(answer, expected, "{by:?} {request:?}");
        let events = world.new_event_names();
        assert_eq!(events.len(), usize::from(expected.is_ok()));
    }
}

/// Each request has the later faults too: it is on a taken time in the past, off the grid.
#[test]
fn the_checks_of_a_booking_come_in_the_contracts_order() {
    let world = World::default();
    world.set_clock(monday("10:30"));
    let bad = |therapist: &Actor| session(therapist, "10:10", HOUR);
    let nobody = actor("nobody", Role::Therapist);
    assert_eq!(world.book(&admin(), &bad(&nobody)), role_required(Operation::Book));
    assert_eq!(world.book(&mary(), &bad(&nobody)), Err(Refusal::TherapistNotFound));
    assert_eq!(world.book(&mary(), &bad(&joe())), Err(Refusal::NoRelationship));
    assert_eq!(world.book(&mary(), &bad(&jane())), Err(Refusal::InThePast));
}

#[test]
fn one_meeting_is_for_its_two_participants() {
    let world = World::default();
    let id: MeetingId = world.book(&john(), &session(&jane(), "10:00", HOUR)).unwrap().id;
    let patch = MeetingPatch::default();
    for by in [john(), jane()] {
        assert!(world.get(&by, id).is_ok());
        assert!(world.put(&by, id, &patch).is_ok());
    }
    let janes_admin = Actor { role: Role::Admin, ..jane() };
    for by in [mary(), joe(), admin(), janes_admin] {
        assert_eq!(world.get(&by, id), Err(Refusal::Forbidden), "{by:?}");
        assert_eq!(world.put(&by, id, &patch), Err(Refusal::Forbidden), "{by:?}");
        assert_eq!(world.cancel(&by, id, None), Err(Refusal::Forbidden), "{by:?}");
    }
    for by in [john(), mary(), admin()] {
        let unknown = unknown_meeting();
        assert_eq!(world.get(&by, unknown), Err(Refusal::MeetingNotFound));
        assert_eq!(world.put_if(&by, unknown, &patch, &ANY), Err(Refusal::MeetingNotFound));
        assert_eq!(world.cancel(&by, unknown, None), Err(Refusal::MeetingNotFound));
    }
}

#[test]
fn slots_of_nobody_are_not_found() {
    let world = World::default();
    for who in [mary(), admin(), actor("nobody", Role::Therapist)] {
        assert_eq!(world.offers(&john(), &who), Err(Refusal::TherapistNotFound));
    }
}

/// A client is not offered what their own calendar does not allow; others are.
#[test]
fn slots_look_at_the_clients_own_meetings() {
    let world = World::default();
    world.book(&john(), &session(&joe(), "10:00", HOUR)).unwrap();
    let offered = |by: &Actor| -> Vec<(String, u32)> {
        let mut offers = world.offers(by, &jane()).expect("a therapist");
        offers.retain(|(time, _)| time.as_str() < "11:30");
        offers
    };
    let lines = |lines: &[(&str, u32)]| -> Vec<(String, u32)> {
        lines.iter().map(|(time, longest)| ((*time).to_owned(), *longest)).collect()
    };
    let all = [("09:00", 120), ("09:30", 120), ("10:00", 120), ("10:30", 120), ("11:00", 120)];
    assert_eq!(offered(&john()), lines(&[("09:00", 60), ("09:30", 30), ("11:00", 120)]));
    for by in [mary(), jane(), admin()] {
        assert_eq!(offered(&by), lines(&all), "{by:?}");
    }
}

#[test]
fn availability_belongs_to_one_therapist() {
    let world = World::default();
    let id = world.open(&jane(), Weekday::Tue, "09:00", "12:00").unwrap();
    let unknown = "avail_01h455vb4pex5vsknk084sn02q".parse().unwrap();
    let patch = AvailabilityPatch { is_available: Some(false), ..AvailabilityPatch::default() };
    let update = |by: &Actor, id| {
        world.try_to(async |b: &Booking| b.update_availability(by, id, &patch).await).map(|_| ())
    };
    let delete =
        |by: &Actor, id| world.try_to(async |b: &Booking| b.delete_availability(by, id).await);
    assert_eq!(update(&joe(), id), Err(Refusal::Forbidden));
    assert_eq!(delete(&joe(), id), Err(Refusal::Forbidden));
    assert_eq!(update(&joe(), unknown), Err(Refusal::AvailabilityNotFound));
    assert_eq!(delete(&jane(), unknown), Err(Refusal::AvailabilityNotFound));
    assert_eq!(update(&jane(), id), Ok(()));
    assert_eq!(delete(&jane(), id), Ok(()));
    assert_eq!(delete(&jane(), id), Err(Refusal::AvailabilityNotFound));
}

#[test]
fn availability_of_a_day_never_overlaps_whether_it_counts_or_not() {
    let world = World::default();
    let time = |text: &str| Some(text.parse::<WallTime>().expect("a time of day"));
    let id = world.open(&jane(), Weekday::Tue, "09:00", "12:00").unwrap();
    let change = |patch: AvailabilityPatch| {
        world.try_to(async |b: &Booking| b.update_availability(&jane(), id, &patch).await)
    };
    let patch = AvailabilityPatch::default;
    change(AvailabilityPatch { is_available: Some(false), ..patch() }).unwrap();

    assert_eq!(
        world.open(&jane(), Weekday::Tue, "11:59", "13:00"),
        Err(Refusal::AvailabilityOverlap)
    );
    assert_eq!(
        world.open(&jane(), Weekday::Tue, "08:00", "09:01"),
        Err(Refusal::AvailabilityOverlap)
    );
    assert_eq!(
        world.open(&jane(), Weekday::Tue, "10:00", "11:00"),
        Err(Refusal::AvailabilityOverlap)
    );
    assert!(world.open(&jane(), Weekday::Tue, "12:00", "17:00").is_ok());
    assert!(world.open(&jane(), Weekday::Tue, "08:00", "09:00").is_ok());
    assert!(world.open(&jane(), Weekday::Wed, "10:00", "11:00").is_ok());
    assert!(world.open(&joe(), Weekday::Tue, "10:00", "11:00").is_ok());

    let overlap = Err(Refusal::AvailabilityOverlap);
    assert_eq!(change(AvailabilityPatch { end: time("12:01"), ..patch() }), overlap);
    assert_eq!(change(AvailabilityPatch { weekday: Some(Weekday::Mon), ..patch() }), overlap);
    let empty = change(AvailabilityPatch { start: time("12:00"), ..patch() });
    let refused = Refusal::Invalid { field: "startTime", detail: "" };
    assert_eq!(empty.map_err(without_words), Err(refused));
    let after = change(AvailabilityPatch {
        weekday: Some(Weekday::Thu),
        start: time("10:00"),
        end: time("24:00"),
        notes: Patch::Set(text("late")),
        is_available: Some(true),
    });
    assert!(after.is_ok_and(|slot| slot.window == hours("10:00", "24:00") && slot.is_available));
}

#[test]
fn availability_that_changes_leaves_meetings_alone_and_offers_nothing_new() {
    let world = World::default();
    let meeting = world.book(&john(), &session(&jane(), "10:00", HOUR)).unwrap();
    let slots = world.try_to(async |b: &Booking| b.availability(&jane()).await).unwrap();
    let off = AvailabilityPatch { is_available: Some(false), ..AvailabilityPatch::default() };
    let id = slots[0].id;
    world.try_to(async |b: &Booking| b.update_availability(&jane(), id, &off).await).unwrap();
    assert_eq!(world.offers(&mary(), &jane()), Ok(vec![]));
    let refused = world.book(&mary(), &session(&jane(), "13:00", HOUR));
    assert_eq!(refused, Err(Refusal::OutsideAvailability));
    assert_eq!(world.get(&john(), meeting.id), Ok(meeting));
}

#[test]
fn a_date_long_past_offers_nothing() {
    let world = World::default();
    world.set_clock(monday("17:00"));
    assert_eq!(world.offers(&john(), &jane()), Ok(vec![]));
    let slots: Result<_, BookingError> =
        world.run(world.booking.slots(&john(), &jane().id, the_monday()));
    assert!(slots.is_ok_and(|slots| slots.is_empty()));
}

#[test]
fn a_day_has_at_most_48_windows() {
    let world = World::with_nobody();
    world.introduce(&jane());
    let time = |minute: usize| format!("{:02}:{:02}", minute / 60, minute % 60);
    let open = |weekday, n: usize| world.open(&jane(), weekday, &time(n * 20), &time(n * 20 + 10));
    for n in 0..48 {
        open(Weekday::Tue, n).unwrap();
    }
    assert_eq!(open(Weekday::Tue, 0), Err(Refusal::AvailabilityOverlap));
    assert_eq!(open(Weekday::Tue, 48), Err(Refusal::TooMuchAvailability));
    let elsewhere = open(Weekday::Wed, 48).unwrap();
    let moved = AvailabilityPatch { weekday: Some(Weekday::Tue), ..Default::default() };
    let refused =
        world.try_to(async |b: &Booking| b.update_availability(&jane(), elsewhere, &moved).await);
    assert_eq!(refused.map(drop), Err(Refusal::TooMuchAvailability));
}
