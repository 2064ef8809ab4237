//! How therapists want to be booked: each rule by examples.

use booking_core::{
    Bounded, Buffers, Calendar, Durations, ExpectedVersion, FullDates, MeetingId, MeetingPatch,
    MeetingStatus, MeetingType, MeetingUrl, MeetingUrlTemplate, OutOfBounds, Overrides, Patch,
    Refusal, SessionDuration, Settings, SlotInterval, Span, SpanSet, Terms, TherapistSettings,
    Unit,
};
use chrono::{NaiveDate, TimeDelta, Weekday};
use chrono_tz::Tz;

use crate::strategies::hours;
use crate::world::{
    ANY, Outcome, World, at, jane, joe, john, mary, monday, session, session_for, start,
};

fn number<U: Unit, const MIN: u32, const MAX: u32>(number: u32) -> Bounded<U, MIN, MAX> {
    Bounded::new(number).expect("within bounds")
}

fn buffers(before: u32, after: u32) -> Buffers {
    Buffers { before: number(before), after: number(after) }
}

fn put(world: &World, settings: &Settings) -> TherapistSettings {
    let put = world.try_to(async |booking| booking.put_settings(&jane(), settings, &ANY).await);
    put.expect("settings")
}

fn moved_to(time: &str) -> MeetingPatch {
    MeetingPatch { start: Some(start(time)), ..MeetingPatch::default() }
}

fn cancelled() -> MeetingPatch {
    MeetingPatch { status: Some(MeetingStatus::Cancelled), ..MeetingPatch::default() }
}

/// John's hour with Jane.
fn booked(world: &World, time: &str) -> MeetingId {
    world.book(&john(), &session(&jane(), time, SessionDuration::Hour)).expect("a free time").id
}

#[test]
fn numbers_keep_within_bounds() {
    for (number, is_one) in [(0, false), (4, false), (5, true), (120, true), (121, false)] {
        assert_eq!(SlotInterval::new(number).is_ok(), is_one, "{number}");
    }
    assert_eq!(SlotInterval::new(0), Err(OutOfBounds { min: 5, max: 120 }));
}

#[test]
fn templates_make_urls_or_are_none() {
    let long = |length: usize| format!("https://example.com/{}", "x".repeat(length - 20));
    let id = "{meetingId}";
    for good in [
        "https://example.com/{meetingId}",
        "http://example.com",
        "https://{meetingId}.example.com/{meetingId}?a={meetingId}#{meetingId}",
        &long(2_000),
        // An id has 34 characters, and what stands for it 11.
        &format!("{}{id}", long(2_000 - 34)),
    ] {
        assert!(MeetingUrlTemplate::new(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "meeting",
        "{meetingId}",
        "javascript:{meetingId}",
        "ftp://example.com/{meetingId}",
        "https://jane:{meetingId}@example.com/",
        "https://example.com/{clientId}",
        "https://example.com/{meetingId",
        "https://example.com/{{meetingId}}",
        "https://example.com/a b",
        "https://example.com:{meetingId}/",
        &long(2_001),
        &format!("{}{id}", long(2_000 - 33)),
    ] {
        assert!(MeetingUrlTemplate::new(bad).is_err(), "{bad}");
    }
    let shown = format!("{:?}", MeetingUrlTemplate::new("https://example.com/secret").unwrap());
    assert!(!shown.contains("secret"));
}

#[test]
fn the_reason_is_the_first_in_order() {
    use SessionDuration::{HalfHour, Hour, TwoHours};
    let date = |text: &str| text.parse::<NaiveDate>().unwrap();
    let full = FullDates { days: [date("2026-01-13")].into(), weeks: [date("2026-01-19")].into() };
    let calendar = Calendar {
        zone: Tz::UTC,
        hours: [Weekday::Mon, Weekday::Tue, Weekday::Wed]
            .map(|day| (day, hours("09:00", "12:00")))
            .into_iter()
            .collect(),
        overrides: Overrides::default(),
        taken: SpanSet::from_iter(Span::new(at("2026-01-12T10:00Z"), at("2026-02-12T11:00Z"))),
        terms: Terms {
            interval: number(20),
            durations: Durations::new([HalfHour, Hour]).unwrap(),
            minimum_notice: number(60),
            horizon: Some(number(8)),
            full,
        },
    };
    let table = [
        ("12T09:00", "12T09:00", TwoHours, Err(Refusal::InThePast)),
        ("12T09:00", "12T08:01", TwoHours, Err(Refusal::TooSoon)),
        ("12T09:00", "12T08:00", TwoHours, Err(Refusal::DurationNotOffered)),
        ("12T09:00", "12T08:00", Hour, Ok(())),
        ("21T05:10", "12T23:59", TwoHours, Err(Refusal::BeyondHorizon)),
        ("21T05:10", "13T00:00", TwoHours, Err(Refusal::DurationNotOffered)),
        ("21T05:10", "13T00:00", Hour, Err(Refusal::OutsideAvailability)),
        ("21T09:10", "13T00:00", Hour, Err(Refusal::NotOnGrid)),
        ("21T09:20", "13T00:00", Hour, Err(Refusal::WeekFull)),
        ("13T09:20", "12T00:00", Hour, Err(Refusal::DayFull)),
        ("14T09:20", "12T00:00", Hour, Err(Refusal::SlotConflict)),
        ("18T09:20", "12T00:00", Hour, Err(Refusal::OutsideAvailability)),
        ("12T09:20", "12T00:00", Hour, Err(Refusal::SlotConflict)),
        ("12T09:20", "12T00:00", HalfHour, Ok(())),
        ("12T09:30", "12T00:00", HalfHour, Err(Refusal::NotOnGrid)),
    ];
    for (start, now, duration, expected) in table {
        let on = |time| at(&format!("2026-01-{time}Z"));
        assert_eq!(calendar.admit(on(start), duration, on(now)), expected, "{start} at {now}");
    }
}

/// A notice is counted to the fraction of a second; the last moment is early enough.
#[test]
fn a_notice_ends_when_it_ends() {
    let world = World::default();
    put(&world, &Settings { minimum_notice: number(90), ..Settings::DEFAULT });
    let milli = TimeDelta::milliseconds(1);
    let request = session(&jane(), "10:00", SessionDuration::Hour);
    world.set_clock(monday("08:30") + milli);
    assert_eq!(world.book(&john(), &request), Err(Refusal::TooSoon));
    assert_eq!(world.offers(&john(), &jane()).unwrap()[0].0, "10:30");
    world.set_clock(monday("08:30"));
    assert_eq!(world.offers(&john(), &jane()).unwrap()[0].0, "10:00");
    assert!(world.book(&john(), &request).is_ok());
}

/// Days are counted by the calendar of the therapist's zone.
#[test]
fn the_horizon_is_a_date_of_the_zone() {
    let world = World::default();
    let settings = Settings {
        zone: Some(Tz::Pacific__Auckland),
        horizon: Some(number(7)),
        ..Settings::DEFAULT
    };
    put(&world, &settings);
    // January 12th in Auckland, from 09:00, is the 11th in UTC, from 20:00.
    for (now, expected) in [("2026-01-04T10:59Z", 0), ("2026-01-04T11:00Z", 16)] {
        world.set_clock(at(now));
        assert_eq!(world.offers(&john(), &jane()).unwrap().len(), expected, "{now}");
    }
}

#[test]
fn what_is_kept_free_is_as_it_was_when_booked() {
    let world = World::default();
    put(&world, &Settings { buffers: buffers(15, 30), ..Settings::DEFAULT });
    let noon = booked(&world, "12:00");
    assert_eq!(world.stored(noon).buffers, buffers(15, 30));
    // Nothing is kept free around new ones, but around that one still.
    put(&world, &Settings::DEFAULT);
    let offers = |time: &str| {
        let offers = world.offers(&mary(), &jane()).unwrap();
        offers.into_iter().find(|(start, _)| start == time).map(|(_, longest)| longest)
    };
    // Until 11:45, and from 13:30.
    assert_eq!(
        [offers("11:00"), offers("11:30"), offers("13:00"), offers("13:30")],
        [Some(30), None, None, Some(120)]
    );
    // Of new ones and old ones, in sum: until 11:35, from 13:50.
    put(&world, &Settings { buffers: buffers(20, 10), interval: number(5), ..Settings::DEFAULT });
    assert_eq!(
        [offers("11:05"), offers("11:10"), offers("13:45"), offers("13:50")],
        [Some(30), None, None, Some(120)]
    );
    // A meeting that moves takes those of now along; it is not in its own way.
    let moved = world.put(&john(), noon, &moved_to("12:05")).unwrap();
    assert_eq!(moved.buffers, buffers(20, 10));
    // One that only changes does not.
    put(&world, &Settings::DEFAULT);
    let titled = MeetingPatch { description: Patch::Clear, ..MeetingPatch::default() };
    assert_eq!(world.put(&john(), noon, &titled).unwrap().buffers, buffers(20, 10));
}

/// What a therapist keeps free is between their own meetings: a client may go from one to another.
#[test]
fn nothing_is_kept_free_around_a_clients_other_meetings() {
    let world = World::default();
    put(&world, &Settings { buffers: buffers(60, 60), ..Settings::DEFAULT });
    booked(&world, "12:00");
    let next = session(&joe(), "13:00", SessionDuration::Hour);
    assert!(world.book(&john(), &next).is_ok());
    let before = session(&joe(), "11:00", SessionDuration::Hour);
    assert!(world.book(&john(), &before).is_ok());
    // Nor does Jane keep anything free from where John is.
    world.book(&john(), &session(&joe(), "15:00", SessionDuration::Hour)).unwrap();
    let offered = world.offers(&john(), &jane()).unwrap();
    let all = [("09:00", 60), ("09:30", 30), ("16:00", 60), ("16:30", 30)];
    assert_eq!(offered, all.map(|(start, longest)| (start.to_owned(), longest)));
}

#[test]
fn cancelled_meetings_leave_their_place() {
    let world = World::default();
    put(&world, &Settings { most_a_day: Some(number(2)), ..Settings::DEFAULT });
    let first = booked(&world, "09:00");
    booked(&world, "10:00");
    let third = session(&jane(), "11:00", SessionDuration::Hour);
    assert_eq!(world.book(&mary(), &third), Err(Refusal::DayFull));
    assert_eq!(world.offers(&mary(), &jane()), Ok(vec![]));
    // One that moves within the day keeps its own place.
    assert!(world.put(&john(), first, &moved_to("12:00")).is_ok());
    world.cancel(&john(), first, None).unwrap();
    let third = world.book(&mary(), &third).unwrap();
    // Those that took place keep theirs, and so do those that did not.
    world.set_clock(monday("12:00"));
    let done = |status| MeetingPatch { status: Some(status), ..MeetingPatch::default() };
    world.put(&jane(), third.id, &done(MeetingStatus::NoShow)).unwrap();
    let fourth = session(&jane(), "14:00", SessionDuration::Hour);
    assert_eq!(world.book(&mary(), &fourth), Err(Refusal::DayFull));
}

#[test]
fn a_week_begins_on_monday() {
    let world = World::default();
    for day in [Weekday::Sun, Weekday::Tue] {
        world.open(&jane(), day, "09:00", "17:00").unwrap();
    }
    put(&world, &Settings { most_a_week: Some(number(1)), ..Settings::DEFAULT });
    booked(&world, "10:00");
    let on = |instant: &str| {
        let start = booking_core::StartTime::new(at(instant)).unwrap();
        let request = booking_core::BookRequest::new(jane().id, start, SessionDuration::HalfHour);
        world.book(&mary(), &request).map(|_| ())
    };
    assert_eq!(on("2026-01-13T10:00Z"), Err(Refusal::WeekFull));
    assert_eq!(on("2026-01-18T10:00Z"), Err(Refusal::WeekFull));
    assert_eq!(on("2026-01-11T10:00Z"), Ok(()));
    assert_eq!(on("2026-01-19T10:00Z"), Ok(()));
}

#[test]
fn deadlines_are_for_clients() {
    let settings = Settings {
        cancellation_deadline: number(120),
        reschedule_deadline: number(60),
        ..Settings::DEFAULT
    };
    let moves = |world: &World, id| world.put(&john(), id, &moved_to("15:00")).map(|_| ());
    let cancels = |world: &World, id| world.cancel(&john(), id, None).map(|_| ());
    let cancels_by_put = |world: &World, id| world.put(&john(), id, &cancelled()).map(|_| ());
    let reassigns = |world: &World, id| {
        let therapist = Some(joe().id);
        world.put(&john(), id, &MeetingPatch { therapist, ..MeetingPatch::default() }).map(|_| ())
    };
    type Attempt<'a> = &'a dyn Fn(&World, MeetingId) -> Outcome<()>;
    let table: [(&str, Attempt<'_>, Outcome<()>); 10] = [
        ("10:00", &cancels, Ok(())),
        ("10:00", &cancels_by_put, Ok(())),
        ("10:01", &cancels, Err(Refusal::TooLateToCancel)),
        ("10:01", &cancels_by_put, Err(Refusal::TooLateToCancel)),
        ("12:30", &cancels, Err(Refusal::TooLateToCancel)),
        ("11:00", &moves, Ok(())),
        ("11:01", &moves, Err(Refusal::TooLateToReschedule)),
        ("11:00", &reassigns, Ok(())),
        ("11:01", &reassigns, Err(Refusal::TooLateToReschedule)),
        ("13:30", &moves, Err(Refusal::TooLateToReschedule)),
    ];
    for (now, attempt, expected) in table {
        let world = World::default();
        let noon = booked(&world, "12:00");
        put(&world, &settings);
        world.set_clock(monday(now));
        assert_eq!(attempt(&world, noon), expected, "at {now}");
        // The therapist always may; and whoever has set nothing has no deadlines.
        if expected.is_err() {
            put(&world, &Settings::DEFAULT);
            assert_eq!(cancels(&world, noon), Ok(()));
            let late = session_for(&john(), session(&jane(), "16:00", SessionDuration::Hour));
            let late = world.book(&jane(), &late).unwrap().id;
            put(&world, &settings);
            world.set_clock(monday("15:59"));
            assert!(world.cancel(&jane(), late, None).is_ok());
        }
    }
}

/// What is not a move or a cancellation has no deadline.
#[test]
fn details_change_at_any_time() {
    let world = World::default();
    let noon = booked(&world, "12:00");
    let deadline = number(525_600);
    let (cancellation_deadline, reschedule_deadline) = (deadline, deadline);
    put(&world, &Settings { cancellation_deadline, reschedule_deadline, ..Settings::DEFAULT });
    let confirmed =
        MeetingPatch { status: Some(MeetingStatus::Confirmed), ..MeetingPatch::default() };
    assert!(world.put(&john(), noon, &confirmed).is_ok());
    let same = MeetingPatch { description: Patch::Clear, ..moved_to("12:00") };
    assert!(world.put(&john(), noon, &same).is_ok());
}

#[test]
fn urls_are_made_when_meetings_are_booked() {
    let world = World::default();
    let template = |text: &str| Some(MeetingUrlTemplate::new(text).unwrap());
    let meeting_url = template("https://meet.example.com/{meetingId}");
    put(&world, &Settings { meeting_url, ..Settings::DEFAULT });
    let book = |time: &str, how| {
        let request = session(&jane(), time, SessionDuration::HalfHour);
        let request = booking_core::BookRequest { meeting_type: Some(how), ..request };
        world.book(&john(), &request).unwrap()
    };
    for (time, how) in [("09:00", MeetingType::Video), ("10:00", MeetingType::Chat)] {
        let booked = book(time, how);
        let url = format!("https://meet.example.com/{}", booked.id);
        assert_eq!(booked.meeting_url.as_ref().map(MeetingUrl::as_str), Some(url.as_str()));
        // It stays, wherever the template leads by then.
        put(&world, &Settings { meeting_url: template("https://b.example/"), ..Settings::DEFAULT });
        let moved = world.put(&john(), booked.id, &moved_to(&time.replace(":00", ":30"))).unwrap();
        assert_eq!(moved.meeting_url, booked.meeting_url);
        let meeting_url = template("https://meet.example.com/{meetingId}");
        put(&world, &Settings { meeting_url, ..Settings::DEFAULT });
    }
    let in_person = book("11:00", MeetingType::InPerson);
    assert_eq!(in_person.meeting_url, None);
    // Another therapist has another room, or none.
    let to_joe = MeetingPatch { therapist: Some(joe().id), ..MeetingPatch::default() };
    let video = book("12:00", MeetingType::Video).id;
    assert_eq!(world.put(&john(), video, &to_joe).unwrap().meeting_url, None);
    let to_jane = MeetingPatch { therapist: Some(jane().id), ..MeetingPatch::default() };
    let back = world.put(&john(), video, &to_jane).unwrap().meeting_url;
    assert_eq!(back.unwrap().as_str(), format!("https://meet.example.com/{video}"));
}

#[test]
fn settings_have_versions() {
    let world = World::default();
    let read = || world.try_to(async |booking| booking.settings(&jane()).await);
    assert_eq!(read(), Ok(TherapistSettings::unset(jane().id)));
    let replace = |notice, expected: &ExpectedVersion| {
        let settings = Settings { minimum_notice: number(notice), ..Settings::DEFAULT };
        world.try_to(async |booking| booking.put_settings(&jane(), &settings, expected).await)
    };
    let only = |version| ExpectedVersion::OneOf(vec![version]);
    assert_eq!(replace(5, &only(1)), Err(Refusal::VersionMismatch));
    let first = replace(5, &only(0)).unwrap();
    assert_eq!((first.version, first.updated_at), (1, Some(world.now())));
    assert_eq!(replace(6, &only(0)), Err(Refusal::VersionMismatch));
    // What is so already is no change.
    assert_eq!(replace(5, &only(1)), Ok(first.clone()));
    assert_eq!(read(), Ok(first));
    assert_eq!(replace(6, &ANY).unwrap().version, 2);
    for actor in [john(), crate::world::admin()] {
        let refused = world.try_to(async |booking| booking.settings(&actor).await);
        assert!(matches!(refused, Err(Refusal::RoleRequired { .. })));
        let refused = world
            .try_to(async |booking| booking.put_settings(&actor, &Settings::DEFAULT, &ANY).await);
        assert!(matches!(refused, Err(Refusal::RoleRequired { .. })));
    }
    // Others' are theirs.
    let others = world.try_to(async |booking| booking.settings(&joe()).await);
    assert_eq!(others, Ok(TherapistSettings::unset(joe().id)));
}
