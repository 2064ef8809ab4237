//! Sessions that recur, through the service.

use std::collections::BTreeSet;
use std::time::Instant;

use booking_core::{
    BookRequest, BookedSeries, Booking, DayWindows, EventPayload, Recurrence, Refusal, Role,
    SeriesMode, SeriesPreview, SeriesRequest, SessionDuration, Settings, StartTime, User,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::series_terms::{except, set, settings};
use crate::strategies::{cases, window};
use crate::world::{
    Outcome, World, actor, at, jane, john, mary, monday, session, session_for, start,
};

pub(crate) fn series(first: BookRequest, rule: &str, mode: SeriesMode) -> SeriesRequest {
    let rule: Recurrence = rule.parse().unwrap_or_else(|wrong| panic!("{rule}: {wrong}"));
    SeriesRequest { first, rule, except: BTreeSet::new(), mode }
}

impl World {
    pub(crate) fn preview(&self, request: &SeriesRequest) -> Outcome<SeriesPreview> {
        self.try_to(async |booking: &Booking| booking.preview_series(&john(), request).await)
    }

    pub(crate) fn book_all(&self, request: &SeriesRequest) -> Outcome<BookedSeries> {
        let book = async |booking: &Booking| booking.book_series(&john(), request, None).await;
        Ok(self.try_to(book)?.value)
    }
}

/// Only the first of all is the two's first.
#[test]
fn the_first_of_a_series_may_be_an_initial_consultation() {
    let world = World::default();
    let mondays = |time| {
        series(
            session(&jane(), time, SessionDuration::Hour),
            "FREQ=WEEKLY;COUNT=3",
            SeriesMode::Free,
        )
    };
    let initial = |world: &World| -> Vec<(String, bool)> {
        let events = world.new_recorded().into_iter();
        let booked = events.filter_map(|recorded| match recorded.event.payload {
            EventPayload::AppointmentBooked(booked) => Some((
                booked.start_time.format("%m-%d").to_string(),
                booked.is_initial_consultation,
            )),
            _ => None,
        });
        booked.collect()
    };
    let days = |initial: bool| {
        [("01-12", initial), ("01-19", false), ("01-26", false)]
            .map(|(day, is)| (day.to_owned(), is))
    };
    let first = world.book_all(&mondays("10:00")).expect("all are free");
    assert_eq!(initial(&world), days(true));
    world.book_all(&mondays("12:00")).expect("all are free");
    assert_eq!(initial(&world), days(false));
    for meeting in first.view.meetings {
        world.cancel(&john(), meeting.id, None).expect("it is live");
    }
    world.new_recorded();

    // The first that is booked, not the first of the rule: another one has the first Monday.
    let world = World::default();
    world.book(&mary(), &session(&jane(), "10:00", SessionDuration::Hour)).expect("it is free");
    world.new_recorded();
    let booked = world.book_all(&mondays("10:00")).expect("two are free");
    assert_eq!(booked.left_out.len(), 1);
    assert_eq!(initial(&world), [("01-19".to_owned(), true), ("01-26".to_owned(), false)]);

    // Unless the two meet in between.
    let world = World::default();
    world.book(&mary(), &session(&jane(), "10:00", SessionDuration::Hour)).expect("it is free");
    world.book(&john(), &session(&jane(), "15:00", SessionDuration::Hour)).expect("it is free");
    world.new_recorded();
    world.book_all(&mondays("10:00")).expect("two are free");
    assert_eq!(initial(&world), [("01-19".to_owned(), false), ("01-26".to_owned(), false)]);
}

/// A therapist books for a client, confirmed at once; nobody books for others.
#[test]
fn who_may_book_may_book_a_series() {
    let world = World::default();
    let first = session_for(&john(), session(&jane(), "10:00", SessionDuration::Hour));
    let confirmed =
        BookRequest { status: Some(booking_core::MeetingStatus::Confirmed), ..first.clone() };
    let rule = "FREQ=WEEKLY;COUNT=2";
    let request = series(confirmed, rule, SeriesMode::All);
    let book = async |booking: &Booking| booking.book_series(&jane(), &request, None).await;
    let booked = world.try_to(book).expect("all are free").value;
    assert!(
        booked.view.meetings.iter().all(|one| one.status == booking_core::MeetingStatus::Confirmed)
    );
    let request = series(first, rule, SeriesMode::All);
    for (who, told) in [
        (mary(), Refusal::Forbidden),
        (
            actor("admin", Role::Admin),
            Refusal::RoleRequired { operation: booking_core::Operation::Book },
        ),
    ] {
        let book = async |booking: &Booking| booking.book_series(&who, &request, None).await;
        assert_eq!(world.try_to(book).expect_err("not theirs"), told);
    }
}

/// What is looked at, and locked, is two people and the sessions' own times.
#[test]
fn a_series_of_two_years_is_no_work() {
    let world = World::default();
    for day in [Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun]
    {
        world.open(&jane(), day, "00:00", "24:00").expect("free hours");
    }
    // Whatever else there is.
    let evenings = BookRequest {
        start: StartTime::new(at("2026-01-13T20:00Z")).expect("a minute"),
        ..session_for(&mary(), session(&jane(), "20:00", SessionDuration::TwoHours))
    };
    for (rule, of) in [
        ("FREQ=WEEKLY;COUNT=104", evenings.clone()),
        (
            "FREQ=DAILY;COUNT=6",
            BookRequest {
                start: StartTime::new(at("2026-01-13T09:00Z")).expect("a minute"),
                ..evenings
            },
        ),
    ] {
        let request = series(of, rule, SeriesMode::All);
        let book = async |booking: &Booking| booking.book_series(&jane(), &request, None).await;
        world.try_to(book).expect("all are free");
    }
    let began = Instant::now();
    let request = series(
        session(&jane(), "10:00", SessionDuration::Hour),
        "FREQ=WEEKLY;COUNT=104",
        SeriesMode::All,
    );
    let booked = world.book_all(&request).expect("all are free");
    assert_eq!(booked.view.series.meetings.len(), 104);
    // Unoptimized; far less as a rule.
    assert!(began.elapsed().as_secs() < 60);
}

/// Where Jane lives, and how long her days are.
fn move_to(world: &World, zone: Tz) {
    let user = User {
        id: jane().id,
        role: Role::Therapist,
        first_name: crate::world::text("Jane"),
        last_name: crate::world::text("Smith"),
        email: booking_core::Email::new("jane@example.com").expect("an address"),
        zone: Some(zone),
    };
    let by = booking_core::testing::fixtures::by();
    world
        .run(booking_core::DirectoryAdmin::put_user(world.store.as_ref(), &user, by))
        .expect("memory holds");
}

fn zones() -> impl Strategy<Value = Tz> {
    select(vec![
        Tz::UTC,
        Tz::America__New_York,
        Tz::Europe__London,
        Tz::Australia__Lord_Howe,
        Tz::Pacific__Auckland,
        Tz::Asia__Kathmandu,
        Tz::Africa__Casablanca,
        Tz::America__Havana,
    ])
}

fn any_rule() -> impl Strategy<Value = String> {
    select(vec![
        "FREQ=DAILY;COUNT=9",
        "FREQ=DAILY;INTERVAL=2;UNTIL=20260401",
        "FREQ=WEEKLY;COUNT=8;BYDAY=MO,TU,WE,TH,FR,SA,SU",
        "FREQ=WEEKLY;COUNT=12",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=6",
        "FREQ=MONTHLY;COUNT=6",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(cases(96))]

    /// Whatever the hours, the zone, the settings, days off and what is booked already: what a preview calls available is what
    /// is booked then, in both modes, and what is booked one by one, in that order.
    #[test]
    fn a_preview_is_what_booking_does(
        zone in zones(),
        rule in any_rule(),
        minutes in (0..60 * 24 * 2_i64 / 15).prop_map(|n| n * 15),
        day in 0..90_i64,
        duration in select(SessionDuration::ALL.to_vec()),
        taken in vec((0..100_i64, 0..48_i64), 0..40),
        terms in settings(),
        set_zone in option::of(zones()),
        off in vec((0..100_i64, 0..4_i64, any::<bool>()), 0..6),
    ) {
        let worlds: Vec<World> = (0..3).map(|_| World::default()).collect();
        let first: DateTime<Utc> = at("2025-12-31T00:00Z") + TimeDelta::days(day) + TimeDelta::minutes(minutes);
        let request = |mode| {
            let start = StartTime::new(first).expect("a minute");
            series(BookRequest { start, ..session(&jane(), "10:00", duration) }, &rule, mode)
        };
        for world in &worlds {
            move_to(world, zone);
            set(world, &Settings { zone: set_zone, ..terms.clone() });
            for day in [Weekday::Tue, Weekday::Thu, Weekday::Sun] {
                world.open(&jane(), day, "00:30", "22:00").expect("free hours");
            }
            for (day, days, by_night) in &off {
                let night = DayWindows::new([window(0, 10 * 60)]).expect("windows");
                let windows = if *by_night { night } else { DayWindows::default() };
                except(world, at("2026-01-01T00:00Z").date_naive() + TimeDelta::days(*day), *days, windows);
            }
            for (days, halves) in &taken {
                let start = at("2026-01-01T00:00Z") + TimeDelta::days(*days) + TimeDelta::minutes(30 * halves);
                let start = StartTime::new(start).expect("a minute");
                // Some are free and some are not.
                let other = BookRequest { start, ..session(&jane(), "10:00", SessionDuration::Hour) };
                let _booked_or_not = world.book(&mary(), &other);
            }
        }
        let [all, free, one_by_one] = &worlds[..] else { unreachable!() };
        let preview = match (all.preview(&request(SeriesMode::All)), all.book_all(&request(SeriesMode::All))) {
            (Err(told), refused) => {
                prop_assert_eq!(refused, Err(told));
                return Ok(());
            }
            (Ok(preview), booked) => {
                let refused: Vec<(usize, Refusal)> = preview.occurrences.iter().enumerate().filter_map(|(n, one)| Some((n, one.refusal.clone()?))).collect();
                match booked {
                    Ok(booked) => {
                        prop_assert_eq!(refused, vec![]);
                        prop_assert_eq!(booked.view.meetings.len(), preview.occurrences.len());
                    }
                    Err(Refusal::SeriesRefused(left_out)) => {
                        let told: Vec<_> = left_out.into_iter().map(|one| (one.index, one.refusal)).collect();
                        prop_assert_eq!(told, refused);
                        prop_assert!(all.list(&john(), &Default::default()).expect("a list").is_empty());
                    }
                    Err(other) => panic!("{other}"),
                }
                preview
            }
        };
        prop_assert_eq!(preview.zone, set_zone.unwrap_or(zone));
        let available: Vec<DateTime<Utc>> = preview.occurrences.iter().filter(|one| one.refusal.is_none()).map(|one| one.start.instant()).collect();
        let booked: Vec<DateTime<Utc>> = match free.book_all(&request(SeriesMode::Free)) {
            Ok(booked) => booked.view.meetings.iter().map(|one| one.start).collect(),
            Err(Refusal::SeriesRefused(left_out)) => {
                prop_assert_eq!(left_out.len(), preview.occurrences.len());
                vec![]
            }
            Err(other) => panic!("{other}"),
        };
        prop_assert_eq!(&booked, &available);
        for one in &preview.occurrences {
            let single = BookRequest { start: one.start, ..session(&jane(), "10:00", duration) };
            prop_assert_eq!(one_by_one.book(&john(), &single).err(), one.refusal.clone());
        }
    }
}

/// Days on which a rule does not count are no sessions, and what is left is booked.
#[test]
fn excepted_days_stay_free() {
    let world = World::default();
    let mut request = series(
        session(&jane(), "10:00", SessionDuration::Hour),
        "FREQ=WEEKLY;COUNT=3",
        SeriesMode::All,
    );
    request.except = [NaiveDate::from_ymd_opt(2026, 1, 19).expect("a date")].into();
    let booked = world.book_all(&request).expect("all are free");
    let starts: Vec<_> = booked.view.meetings.iter().map(|one| one.start).collect();
    assert_eq!(starts, [monday("10:00"), monday("10:00") + TimeDelta::days(14)]);
    assert_eq!(booked.view.series.except, request.except);
    let again = session(&jane(), "10:00", SessionDuration::Hour);
    let nineteenth = BookRequest {
        start: StartTime::new(start("10:00").instant() + TimeDelta::days(7)).expect("a minute"),
        ..again
    };
    world.book(&mary(), &nineteenth).expect("it is free");
}
