//! Overrides: by brute force, and by examples.

use booking_core::tzdb::local_time;
use booking_core::{
    AvailabilityOverride, Calendar, Dates, DayWindows, InvalidDates, NewOverride, Overrides,
    Refusal, SessionDuration, Slot, Span, SpanSet, Terms, Window,
};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::oracle::{Oracle, instant, minute, minutes};
use crate::strategies::{all_but, all_week, cases, hours, practice, window};
use crate::world::{World, jane, joe, john, monday, session, text};

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn days(first: &str, last: &str) -> Dates {
    Dates::new(date(first), date(last)).expect("dates of an override")
}

fn calendar(
    zone: Tz,
    windows: &[(Weekday, Window)],
    overrides: &[(Dates, DayWindows)],
    taken: &[Span],
) -> Calendar {
    Calendar {
        zone,
        hours: windows.iter().copied().collect(),
        overrides: overrides.iter().cloned().collect(),
        taken: taken.iter().copied().collect(),
        terms: Terms::default(),
    }
}

fn offers(slots: Vec<Slot>) -> Vec<(DateTime<Utc>, Vec<SessionDuration>)> {
    slots.into_iter().map(|slot| (slot.start.instant(), slot.durations.iter().collect())).collect()
}

/// Windows of a date: often none, or all of it, or up to midnight on either side.
fn day_windows() -> impl Strategy<Value = DayWindows> {
    let time = || prop_oneof![3 => (0..=48_u16).prop_map(|n| n * 30), 1 => 0..=1_440_u16];
    let some = vec((time(), time()), 0..4).prop_map(|pairs| {
        let mut times: Vec<u16> = pairs.into_iter().flat_map(|(a, b)| [a, b]).collect();
        times.sort_unstable();
        times.dedup();
        times.chunks_exact(2).map(|pair| window(pair[0], pair[1])).collect::<Vec<_>>()
    });
    prop_oneof![
        2 => Just(vec![]),
        2 => Just(vec![window(0, 1_440)]),
        1 => (1..1_440_u16).prop_map(|time| vec![window(time, 1_440)]),
        1 => (1..1_440_u16).prop_map(|time| vec![window(0, time)]),
        4 => some,
    ]
    .prop_map(|windows| DayWindows::new(windows).expect("windows of a date"))
}

/// Some around a date, of which no two have a date in common: days before it, and how many days.
fn overrides(of: NaiveDate) -> impl Strategy<Value = Vec<(Dates, DayWindows)>> {
    let gap = prop_oneof![3 => 0..3_i64, 1 => 0..9_i64];
    let length = prop_oneof![3 => 1..3_i64, 1 => 1..20_i64];
    let begin = prop_oneof![3 => -4..4_i64, 1 => -24..-4_i64];
    (begin, vec((gap, length, day_windows()), 1..5)).prop_map(move |(begin, parts)| {
        let mut next = of + TimeDelta::days(begin);
        let mut overrides = Vec::new();
        for (gap, length, windows) in parts {
            let first = next + TimeDelta::days(gap);
            let last = first + TimeDelta::days(length - 1);
            overrides.push((Dates::new(first, last).expect("dates"), windows));
            next = last + TimeDelta::days(1);
        }
        overrides
    })
}

/// A zone, a date in it, weekly hours, and overrides.
type Practice = (Tz, NaiveDate, Vec<(Weekday, Window)>, Vec<(Dates, DayWindows)>);

fn practice_with_overrides() -> impl Strategy<Value = Practice> {
    practice().prop_flat_map(|(zone, date, windows)| {
        overrides(date).prop_map(move |overrides| (zone, date, windows.clone(), overrides))
    })
}

proptest! {
    #![proptest_config(cases(240))]

    /// On their dates, and on those around them: what is offered, what is admitted, and why not.
    #[test]
    fn slots_with_overrides_are_those_of_the_oracle(
        (zone, date, windows, overrides) in practice_with_overrides(),
        meetings in vec((-200..1_700_i64, 1..300_i64), 0..4),
        starts in vec((0..1_500_usize, 0..4_usize), 8),
    ) {
        let now = instant(minute(date.and_time(NaiveTime::MIN).and_utc()) - 3_000);
        let Some(day) = Oracle::new(zone, &windows).with(&overrides).day(date) else {
            let calendar = calendar(zone, &windows, &overrides, &[]);
            prop_assert!(calendar.slots(date, now).is_empty());
            return Ok(());
        };
        let taken: Vec<Span> = meetings
            .iter()
            .map(|(start, length)| minutes(day.first + start, day.first + start + length))
            .collect();
        let calendar = calendar(zone, &windows, &overrides, &taken);
        let offered = day.slots(now, &taken);
        prop_assert_eq!(offers(calendar.slots(date, now)), &offered[..]);
        let offered = offered.iter().map(|(start, _)| minute(*start));
        let any = starts.iter().map(|(n, _)| day.of_date[n % day.of_date.len()]);
        for (start, (_, duration)) in offered.chain(any).zip(starts.iter().cycle()) {
            let duration = SessionDuration::ALL[*duration];
            let admitted = calendar.admit(instant(start), duration, now);
            prop_assert_eq!(admitted, day.verdict(start, duration, now, &taken), "{}", start);
        }
    }
}

proptest! {
    #![proptest_config(cases(80))]

    /// Those far away make no difference, and many dates at once are as each alone.
    #[test]
    fn overrides_bear_on_the_dates_near_them_alone(
        (zone, date, windows, overrides) in practice_with_overrides(),
        later in 25..60_i64,
    ) {
        let now = DateTime::UNIX_EPOCH;
        let with = calendar(zone, &windows, &overrides, &[]);
        let without = calendar(zone, &windows, &[], &[]);
        let first = overrides[0].0.first();
        for day in [first - TimeDelta::days(later), first - TimeDelta::days(3)] {
            prop_assert_eq!(with.slots(day, now), without.slots(day, now), "{}", day);
        }
        let last = overrides[overrides.len() - 1].0.last();
        let day = last + TimeDelta::days(later);
        prop_assert_eq!(with.slots(day, now), without.slots(day, now), "{}", day);
        for day in with.days(first - TimeDelta::days(2), date + TimeDelta::days(2)) {
            prop_assert_eq!(day.slots(now), with.slots(day.date(), now), "{}", day.date());
        }
    }
}

/// The starts of some dates on the wall clock of the zone.
fn walls(calendar: &Calendar, first: &str, last: &str) -> Vec<String> {
    let days = calendar.days(date(first), date(last));
    let slots = days.flat_map(|day| day.slots(DateTime::UNIX_EPOCH));
    let wall = |slot: Slot| local_time(calendar.zone, slot.start.instant());
    slots.map(|slot| wall(slot).format("%d %H:%M").to_string()).collect()
}

fn only(windows: &[(&str, &str)]) -> DayWindows {
    DayWindows::new(windows.iter().map(|(from, to)| hours(from, to))).expect("windows")
}

/// In zones whose clocks change at midnight, or in which dates are missing: a day off is off, the days
/// around it are as they were.
#[test]
fn a_day_off_is_that_day_in_every_zone() {
    let all_day = all_week(&[hours("00:00", "24:00")]);
    for (zone, first, off, last) in [
        (Tz::America__New_York, "2026-03-07", "2026-03-08", "2026-03-09"),
        (Tz::America__New_York, "2026-10-31", "2026-11-01", "2026-11-02"),
        (Tz::Europe__London, "2026-03-28", "2026-03-29", "2026-03-30"),
        (Tz::Australia__Lord_Howe, "2026-04-04", "2026-04-05", "2026-04-06"),
        (Tz::Asia__Kathmandu, "2026-04-04", "2026-04-05", "2026-04-06"),
        (Tz::Africa__Cairo, "2026-04-23", "2026-04-24", "2026-04-25"),
        (Tz::Africa__Cairo, "2026-10-28", "2026-10-29", "2026-10-30"),
        (Tz::America__Sao_Paulo, "2018-11-03", "2018-11-04", "2018-11-05"),
        (Tz::America__Sao_Paulo, "2018-02-16", "2018-02-17", "2018-02-18"),
        (Tz::Pacific__Apia, "2011-12-28", "2011-12-29", "2011-12-31"),
        (Tz::Pacific__Auckland, "2026-09-26", "2026-09-27", "2026-09-28"),
        (Tz::America__Havana, "2026-03-07", "2026-03-08", "2026-03-09"),
    ] {
        let closed = [(days(off, off), DayWindows::default())];
        let calendar = calendar(zone, &all_day, &closed, &[]);
        let shown = walls(&calendar, first, last);
        let of = |day: &str| shown.iter().filter(|wall| wall[..2] == day[8..]).count();
        assert_eq!(of(off), 0, "{zone} {off}: {shown:?}");
        // The last half hour of the day before ends with it: longer ones do not fit.
        let eve = calendar.slots(date(first), DateTime::UNIX_EPOCH);
        assert_eq!(
            eve.last().map(|slot| slot.durations.longest()),
            Some(SessionDuration::HalfHour)
        );
        let wall = |day: &str, time: &str| format!("{} {time}", &day[8..]);
        assert!(shown.contains(&wall(first, "23:30")), "{zone} {first}: {shown:?}");
        assert!(shown.contains(&wall(last, "12:00")), "{zone} {last}: {shown:?}");
        assert!((46..=50).contains(&of(last)), "{zone} {last}: {shown:?}");
    }
}

#[test]
fn windows_touch_across_dates_of_either_kind() {
    let evenings = all_week(&[hours("22:15", "24:00")]);
    let tuesday =
        [(days("2026-01-13", "2026-01-13"), only(&[("00:00", "01:00"), ("23:00", "24:00")]))];
    let calendar = calendar(Tz::UTC, &evenings, &tuesday, &[]);
    // Monday's evening goes on into Tuesday, on its own grid; Tuesday's own evening is another.
    assert_eq!(
        walls(&calendar, "2026-01-12", "2026-01-14"),
        [
            "12 22:15", "12 22:45", "12 23:15", "12 23:45", "13 00:15", "13 23:00", "13 23:30",
            "14 22:15", "14 22:45", "14 23:15"
        ]
    );
    let across = date("2026-01-12").and_hms_opt(23, 45, 0).unwrap().and_utc();
    let admit = |duration| calendar.admit(across, duration, DateTime::UNIX_EPOCH);
    assert_eq!(admit(SessionDuration::Hour), Ok(()));
    assert_eq!(admit(SessionDuration::HourAndHalf), Err(Refusal::OutsideAvailability));
}

#[test]
fn a_grid_counts_from_the_end_of_the_last_day_off() {
    let all_day = all_week(&[hours("00:00", "24:00")]);
    let sunday = [(days("2026-01-04", "2026-01-04"), only(&[("23:50", "24:00")]))];
    let calendar = calendar(Tz::UTC, &all_day, &sunday, &[]);
    let first = |date: &str| walls(&calendar, date, date).remove(0);
    assert_eq!(first("2026-01-05"), "05 00:20");
    assert_eq!(first("2026-01-20"), "20 00:20");
    // After 16 days it counts from each date's own beginning, as it does where there is no end at all.
    assert_eq!(first("2026-01-21"), "21 00:00");
    assert_eq!(first("2026-03-21"), "21 00:00");
    let holed = all_but(Weekday::Sun, hours("02:00", "02:50"));
    let calendar = self::calendar(Tz::UTC, &holed, &sunday, &[]);
    assert_eq!(walls(&calendar, "2026-01-10", "2026-01-10").remove(0), "10 00:20");
    assert_eq!(walls(&calendar, "2026-01-12", "2026-01-12").remove(0), "12 00:20");
}

#[test]
fn dates_are_in_order_and_not_too_many() {
    let made = |first: &str, last: &str| Dates::new(date(first), date(last)).map(|_| ());
    assert_eq!(made("2024-01-02", "2024-01-01"), Err(InvalidDates::Reversed));
    assert_eq!(made("2024-01-01", "2024-12-31"), Ok(()));
    assert_eq!(made("2024-01-01", "2025-01-01"), Err(InvalidDates::TooMany));
    assert_eq!(made("0000-01-01", "0000-01-01"), Ok(()));
    assert_eq!(made("-0001-12-31", "-0001-12-31"), Err(InvalidDates::Unwritable));
    assert_eq!(Dates::new(NaiveDate::MAX, NaiveDate::MAX), Err(InvalidDates::Unwritable));
    let many = (0..49_u16).map(|n| window(n, n + 1));
    assert!(DayWindows::new(many.clone()).is_err());
    assert!(DayWindows::new(many.take(48)).is_ok());
    assert!(DayWindows::new([window(0, 60), window(59, 90)]).is_err());
    let sorted = DayWindows::new([window(60, 90), window(0, 60)]).unwrap();
    assert_eq!(sorted.as_slice(), [window(0, 60), window(60, 90)]);
}

fn new(first: &str, last: &str, windows: DayWindows) -> NewOverride {
    NewOverride { dates: days(first, last), windows, notes: None }
}

fn add(world: &World, new: &NewOverride) -> Result<AvailabilityOverride, Refusal> {
    let added = world.try_to(async |booking| booking.add_override(&jane(), new, None).await);
    added.map(|added| added.value)
}

#[test]
fn no_date_has_two_overrides() {
    let world = World::default();
    let none = DayWindows::default;
    let week = add(&world, &new("2026-01-05", "2026-01-11", none())).unwrap();
    let overlap = Err(Refusal::OverrideOverlap);
    assert_eq!(add(&world, &new("2026-01-11", "2026-01-12", none())), overlap);
    assert_eq!(add(&world, &new("2025-12-31", "2026-01-05", none())), overlap);
    assert_eq!(add(&world, &new("2026-01-08", "2026-01-08", none())), overlap);
    let next = add(&world, &new("2026-01-12", "2026-01-12", none())).unwrap();
    let replace = |id, new: &NewOverride| {
        world.try_to(async |booking| booking.replace_override(&jane(), id, new).await)
    };
    // It is not in its own way, but in that of others.
    assert!(replace(week.id, &new("2026-01-06", "2026-01-11", none())).is_ok());
    assert_eq!(replace(week.id, &new("2026-01-06", "2026-01-12", none())), overlap);
    let others = world.try_to(async |booking| booking.delete_override(&joe(), next.id).await);
    assert_eq!(others, Err(Refusal::Forbidden));
    world.try_to(async |booking| booking.delete_override(&jane(), next.id).await).unwrap();
    let again = world.try_to(async |booking| booking.delete_override(&jane(), next.id).await);
    assert_eq!(again, Err(Refusal::OverrideNotFound));
    assert!(replace(week.id, &new("2026-01-06", "2026-01-12", none())).is_ok());
    let refused = world.try_to(async |booking| booking.overrides(&john(), None, None).await);
    assert!(matches!(refused, Err(Refusal::RoleRequired { .. })));
}

#[test]
fn there_is_an_end_to_overrides() {
    let world = World::default();
    let day = |n: usize| date("2026-01-01") + TimeDelta::days(i64::try_from(n).unwrap());
    let one = |n| NewOverride {
        dates: Dates::new(day(n), day(n)).unwrap(),
        windows: DayWindows::default(),
        notes: Some(text("Away")),
    };
    for n in 0..AvailabilityOverride::MOST {
        add(&world, &one(n)).unwrap();
    }
    assert_eq!(add(&world, &one(AvailabilityOverride::MOST)), Err(Refusal::TooManyOverrides));
}

/// Through the service: on its date the weekly windows do not count, and booked meetings stay.
#[test]
fn overrides_replace_the_weekly_windows_of_their_dates() {
    let world = World::default();
    let booked = world.book(&john(), &session(&jane(), "10:00", SessionDuration::Hour)).unwrap();
    let other = only(&[("18:00", "19:00")]);
    let added = add(&world, &new("2026-01-12", "2026-01-12", other)).unwrap();
    let offers = || world.offers(&john(), &jane()).unwrap();
    let evening = [("18:00".to_owned(), 60), ("18:30".to_owned(), 30)];
    assert_eq!(offers(), evening);
    assert_eq!(world.stored(booked.id), booked);
    let weekly = session(&jane(), "14:00", SessionDuration::Hour);
    assert_eq!(world.book(&john(), &weekly), Err(Refusal::OutsideAvailability));
    let evening = session(&jane(), "18:00", SessionDuration::Hour);
    assert_eq!(world.book(&john(), &evening).unwrap().start, monday("18:00"));
    world.try_to(async |booking| booking.delete_override(&jane(), added.id).await).unwrap();
    assert!(world.book(&john(), &weekly).is_ok());
}

/// Where nothing is near, nothing is looked up.
#[test]
fn without_overrides_calendars_are_as_before() {
    let monday = [(Weekday::Mon, hours("09:00", "12:00"))];
    let far = [(days("2027-01-01", "2027-12-31"), DayWindows::default())];
    let one = calendar(Tz::Europe__London, &monday, &far, &[]);
    let other =
        Calendar { overrides: Overrides::default(), taken: SpanSet::default(), ..one.clone() };
    let slots = |calendar: &Calendar| calendar.slots(date("2026-01-12"), DateTime::UNIX_EPOCH);
    assert_eq!(slots(&one), slots(&other));
    assert_eq!(slots(&one).len(), 6);
}
