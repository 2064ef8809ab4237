//! Series with therapists who have set how they want to be booked: every rule holds among the
//! sessions of one series, too.

use booking_core::{
    BookRequest, Bounded, Buffers, Dates, DayWindows, MeetingUrlTemplate, NewOverride, Refusal,
    SeriesMode, SessionDuration, Settings, StartTime, Unit,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::series::series;
use crate::strategies::window;
use crate::world::{ANY, World, at, jane, john, mary, monday, session};

pub(crate) fn number<U: Unit, const MIN: u32, const MAX: u32>(number: u32) -> Bounded<U, MIN, MAX> {
    Bounded::new(number).expect("within bounds")
}

/// Such as leave some sessions of a series and take others.
pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let buffer = || select(vec![0, 15, 60, 120]);
    let most = (option::of(1..4_u32), option::of(1..6_u32));
    let times = (select(vec![15, 30]), 0..2_000_u32, option::of(20..90_u32));
    let some = (buffer(), buffer(), most, times).prop_map(
        |(before, after, (a_day, a_week), (interval, notice, horizon))| Settings {
            buffers: Buffers { before: number(before), after: number(after) },
            most_a_day: a_day.map(number),
            most_a_week: a_week.map(number),
            interval: number(interval),
            minimum_notice: number(notice),
            horizon: horizon.map(number),
            ..Settings::DEFAULT
        },
    );
    prop_oneof![1 => Just(Settings::DEFAULT), 3 => some]
}

pub(crate) fn set(world: &World, settings: &Settings) {
    let put = world.try_to(async |booking| booking.put_settings(&jane(), settings, &ANY).await);
    put.expect("settings");
}

/// Jane is away, or receives at night only, from a date on; unless she is already.
pub(crate) fn except(world: &World, from: NaiveDate, days: i64, windows: DayWindows) {
    let dates = Dates::new(from, from + TimeDelta::days(days)).expect("some dates");
    let new = NewOverride { dates, windows, notes: None };
    match world.try_to(async |booking| booking.add_override(&jane(), &new, None).await) {
        Ok(_) | Err(Refusal::OverrideOverlap) => {}
        Err(other) => panic!("{other}"),
    }
}

/// Jane receives all week, all day, by these settings.
fn with(settings: &Settings) -> World {
    let world = World::default();
    for day in [Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun]
    {
        world.open(&jane(), day, "00:00", "24:00").expect("free hours");
    }
    set(&world, settings);
    world
}

/// What a preview says of each session: that it is what booking the free ones does, and what it
/// leaves of a series that is to be whole.
fn verdicts(world: &World, first: DateTime<Utc>, rule: &str) -> Vec<Option<Refusal>> {
    let start = StartTime::new(first).expect("a minute");
    let first = BookRequest { start, ..session(&jane(), "10:00", SessionDuration::Hour) };
    let request = |mode| series(first.clone(), rule, mode);
    let preview = world.preview(&request(SeriesMode::Free)).expect("a series").occurrences;
    let refused: Vec<_> = preview.iter().map(|one| one.refusal.clone()).collect();
    let told = refused.iter().enumerate().filter_map(|(n, told)| Some((n, told.clone()?)));
    let told: Vec<_> = told.collect();
    let pairs = |left_out: Vec<booking_core::LeftOut>| -> Vec<_> {
        left_out.into_iter().map(|one| (one.index, one.refusal)).collect()
    };
    if !told.is_empty() {
        match world.book_all(&request(SeriesMode::All)) {
            Err(Refusal::SeriesRefused(left_out)) => assert_eq!(pairs(left_out), told),
            other => panic!("{other:?}"),
        }
    }
    match world.book_all(&request(SeriesMode::Free)) {
        Ok(booked) => {
            assert_eq!(booked.view.meetings.len(), refused.len() - told.len());
            assert_eq!(pairs(booked.left_out), told);
        }
        Err(Refusal::SeriesRefused(left_out)) => {
            assert_eq!((pairs(left_out), told.len()), (told, refused.len()));
        }
        Err(other) => panic!("{other}"),
    }
    refused
}

#[test]
fn sessions_of_a_series_count_for_its_week() {
    let world = with(&Settings { most_a_week: Some(number(2)), ..Settings::DEFAULT });
    // From Thursday on: two a week, and Mondays begin a week.
    let full = Some(Refusal::WeekFull);
    assert_eq!(
        verdicts(&world, at("2026-01-15T10:00Z"), "FREQ=DAILY;COUNT=9"),
        [
            None,
            None,
            full.clone(),
            full.clone(),
            None,
            None,
            full.clone(),
            full.clone(),
            full.clone()
        ]
    );
    // And they are what others count, too.
    let other = session(&jane(), "15:00", SessionDuration::Hour);
    let other =
        |text| BookRequest { start: StartTime::new(at(text)).expect("a minute"), ..other.clone() };
    assert_eq!(world.book(&mary(), &other("2026-01-18T15:00Z")), Err(Refusal::WeekFull));
    assert!(world.book(&mary(), &other("2026-01-26T15:00Z")).is_ok());
}

#[test]
fn a_session_finds_its_day_full_by_what_the_others_of_it_saw() {
    let world = with(&Settings { most_a_day: Some(number(1)), ..Settings::DEFAULT });
    // Early, and far from the session: its day alone says so.
    world.book(&mary(), &session(&jane(), "16:00", SessionDuration::Hour)).expect("it is free");
    let full = Some(Refusal::DayFull);
    assert_eq!(
        verdicts(&world, monday("09:00"), "FREQ=WEEKLY;COUNT=3"),
        [full.clone(), None, None]
    );
    // By the therapist's dates: 23:30 in New York is the next day of UTC.
    let zone = Some(Tz::America__New_York);
    let world = with(&Settings { most_a_day: Some(number(1)), zone, ..Settings::DEFAULT });
    let late = BookRequest {
        start: StartTime::new(at("2026-01-14T04:00Z")).expect("a minute"),
        ..session(&jane(), "10:00", SessionDuration::Hour)
    };
    world.book(&mary(), &late).expect("it is free");
    assert_eq!(verdicts(&world, at("2026-01-13T15:00Z"), "FREQ=DAILY;COUNT=2"), [full, None]);
}

/// Between its own sessions there is most of a day: it is others that may be too near.
#[test]
fn what_is_kept_free_is_kept_free_around_each_session() {
    let buffers = Buffers { before: number(120), after: number(120) };
    let world = with(&Settings { buffers, ..Settings::DEFAULT });
    // It ends at 13:00, and four hours after it are free.
    world.book(&mary(), &session(&jane(), "12:00", SessionDuration::Hour)).expect("it is free");
    let told = verdicts(&world, monday("15:30"), "FREQ=WEEKLY;COUNT=3");
    assert_eq!(told, [Some(Refusal::SlotConflict), None, None]);
    // And four hours before each of the series.
    let others = |text| BookRequest {
        start: StartTime::new(at(text)).expect("a minute"),
        ..session(&jane(), "12:00", SessionDuration::Hour)
    };
    let near = world.book(&mary(), &others("2026-01-26T11:00Z"));
    assert_eq!(near, Err(Refusal::SlotConflict));
    assert!(world.book(&mary(), &others("2026-01-26T10:30Z")).is_ok());
}

#[test]
fn a_series_knows_of_days_off() {
    let world = with(&Settings::DEFAULT);
    let off = |text: &str| text.parse().expect("a date");
    except(&world, off("2026-01-26"), 0, DayWindows::default());
    except(&world, off("2027-12-20"), 20, DayWindows::default());
    let evening = DayWindows::new([window(18 * 60, 20 * 60)]).expect("windows");
    except(&world, off("2026-02-02"), 0, evening);
    let told = verdicts(&world, monday("10:00"), "FREQ=WEEKLY;COUNT=104");
    let closed: Vec<usize> = (0..104).filter(|n| told[*n].is_some()).collect();
    // 2027-12-20, 2027-12-27 and 2028-01-03 are Mondays as well.
    assert_eq!(closed, [2, 3, 101, 102, 103]);
    assert!(told.into_iter().flatten().all(|told| told == Refusal::OutsideAvailability));
}

#[test]
fn a_series_recurs_in_the_zone_of_the_settings() {
    let zone = Tz::Europe__Berlin;
    let world = with(&Settings { zone: Some(zone), ..Settings::DEFAULT });
    let start = StartTime::new(at("2026-03-23T10:00Z")).expect("a minute");
    let first = BookRequest { start, ..session(&jane(), "10:00", SessionDuration::Hour) };
    let request = series(first, "FREQ=WEEKLY;COUNT=2", SeriesMode::All);
    let preview = world.preview(&request).expect("a series");
    let booked = world.book_all(&request).expect("it is free");
    // 11:00 by the clocks, which are set forward in between.
    let starts = [at("2026-03-23T10:00Z"), at("2026-03-30T09:00Z")];
    assert_eq!(booked.view.meetings.iter().map(|one| one.start).collect::<Vec<_>>(), starts);
    assert!(preview.occurrences.iter().map(|one| one.start.instant()).eq(starts));
    assert_eq!((preview.zone, booked.view.series.zone), (zone, zone));
}

#[test]
fn what_else_is_set_holds_for_each_session() {
    let template = MeetingUrlTemplate::new("https://meet.example/{meetingId}");
    let template = template.expect("a template");
    let world = with(&Settings {
        horizon: Some(number(25)),
        minimum_notice: number(12 * 24 * 60),
        meeting_url: Some(template),
        buffers: Buffers { before: number(5), after: number(10) },
        ..Settings::DEFAULT
    });
    // It is the first of January, noon.
    let (soon, far) = (Some(Refusal::TooSoon), Some(Refusal::BeyondHorizon));
    assert_eq!(verdicts(&world, at("2026-01-13T11:30Z"), "FREQ=WEEKLY;COUNT=3"), [soon, None, far]);
    let meetings = world.list(&john(), &booking_core::MeetingFilter::default()).expect("a list");
    let [meeting] = &meetings[..] else { panic!("{meetings:?}") };
    let url = meeting.meeting_url.as_ref().expect("by the template").as_str();
    assert_eq!(url, format!("https://meet.example/{}", meeting.id));
    assert_eq!((meeting.buffers.before.minutes(), meeting.buffers.after.minutes()), (5, 10));
}

/// The deadline of one of them keeps clients from cancelling all: nothing half done. Those after it
/// they cancel, and the therapist all.
#[test]
fn clients_cancel_a_series_in_time() {
    let day = number(24 * 60);
    let world = with(&Settings { cancellation_deadline: day, ..Settings::DEFAULT });
    let first = session(&jane(), "10:00", SessionDuration::Hour);
    let request = series(first, "FREQ=WEEKLY;COUNT=3", SeriesMode::All);
    let booked = world.book_all(&request).expect("it is free").view;
    world.set_clock(monday("09:00"));
    let cancel = |who: &booking_core::Actor, from: Option<booking_core::MeetingId>| {
        world.try_to(async |booking| booking.cancel_series(who, booked.series.id, from, None).await)
    };
    let live = |view: booking_core::SeriesView| -> Vec<bool> {
        view.meetings.iter().map(|one| one.status.is_live()).collect()
    };
    world.new_events();
    assert_eq!(cancel(&john(), None), Err(Refusal::TooLateToCancel));
    assert!(world.new_events().is_empty());
    assert_eq!(
        cancel(&john(), Some(booked.meetings[1].id)).map(live),
        Ok(vec![true, false, false])
    );
    assert_eq!(cancel(&jane(), None).map(live), Ok(vec![false; 3]));
}
