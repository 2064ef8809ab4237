//! How therapists want to be booked, by brute force: every rule in its own words, one minute after
//! another, over a service with random settings, hours and meetings.

use booking_core::testing::fixtures::{audited, meeting};
use booking_core::tzdb::local_time;
use booking_core::{
    Bounded, Buffers, Change, Durations, Meeting, MeetingStatus, Refusal, Scope, SessionDuration,
    Settings, StartTime, Store, Unit, Write,
};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::oracle::{Day, Minute, Oracle, instant, minute};
use crate::strategies::{cases, practice};
use crate::world::{World, jane, joe, john, mary};

fn number<U: Unit, const MIN: u32, const MAX: u32>(number: u32) -> Bounded<U, MIN, MAX> {
    Bounded::new(number.clamp(MIN, MAX)).expect("within bounds")
}

pub(crate) fn buffers() -> impl Strategy<Value = Buffers> {
    let buffer =
        || prop_oneof![2 => Just(0), 2 => select(vec![5, 10, 30, 60, 120]), 1 => 0..=120_u32];
    (buffer(), buffer()).prop_map(|(b, a)| Buffers { before: number(b), after: number(a) })
}

prop_compose! {
    pub(crate) fn settings()(
        interval in select(vec![5, 7, 10, 15, 20, 30, 45, 60, 120]),
        durations in subsequence(SessionDuration::ALL.to_vec(), 1..=4),
        buffers in buffers(),
        notice in prop_oneof![2 => Just(0), 2 => 0..600_u32, 1 => 0..4_000_u32],
        horizon in option::of(1..4_u32),
        most_a_day in option::of(1..4_u32),
        most_a_week in option::of(1..7_u32),
    ) -> Settings {
        Settings {
            interval: number(interval),
            durations: Durations::new(durations).expect("one at least"),
            buffers,
            minimum_notice: number(notice),
            horizon: horizon.map(number),
            most_a_day: most_a_day.map(number),
            most_a_week: most_a_week.map(number),
            ..Settings::DEFAULT
        }
    }
}

/// A meeting around the date: minutes from its first, what is kept free, where it stands, and
/// whether it is Jane's with Mary, John's with Joe, or of Jane as a client of Joe.
pub(crate) type Around = (Minute, SessionDuration, Buffers, MeetingStatus, u8);

pub(crate) fn meetings_around() -> impl Strategy<Value = Vec<Around>> {
    let start = prop_oneof![3 => -600..2_100_i64, 2 => -11_000..11_000_i64];
    let start = start.prop_map(|start| start / 5 * 5);
    let status = select(MeetingStatus::ALL);
    vec((start, select(SessionDuration::ALL.to_vec()), buffers(), status, 0..4_u8), 0..12)
}

/// Those around a day that nobody is in twice at a time.
pub(crate) fn placed(day: &Day, around: &[Around]) -> Vec<Meeting> {
    let mut placed: Vec<Meeting> = Vec::new();
    for (start, duration, buffers, status, whose) in around {
        let (client, therapist) = match whose {
            0 | 1 => (mary(), jane()),
            2 => (john(), joe()),
            _ => (jane(), joe()),
        };
        let mut one = meeting(&client.id, &therapist.id, instant(day.first + start));
        (one.duration, one.buffers, one.status) = (*duration, *buffers, *status);
        let shares = |other: &&Meeting| {
            [&other.client, &other.therapist]
                .iter()
                .any(|p| [&one.client, &one.therapist].contains(p))
        };
        let (span, live) = (one.span().expect("a span"), one.status.is_live());
        let mut others = placed.iter().filter(shares).filter(|other| other.status.is_live());
        if !live || others.all(|other| !other.span().expect("a span").overlaps(span)) {
            placed.push(one);
        }
    }
    placed
}

/// What the rules say of one session of John's with Jane, rule by rule.
pub(crate) fn verdict(
    practice: &Practice<'_>,
    start: Minute,
    duration: SessionDuration,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let Practice { day, zone, settings, meetings } = practice;
    let date = |instant: DateTime<Utc>| local_time(*zone, instant).date_naive();
    let (begin, end) = (instant(start), instant(start) + duration.to_delta());
    let of_jane = || meetings.iter().filter(|m| m.therapist == jane().id);
    let counted = || of_jane().filter(|m| m.status != MeetingStatus::Cancelled);
    let notice = TimeDelta::minutes(settings.minimum_notice.minutes().into());
    let last = settings.horizon.map(|days| date(now) + TimeDelta::days(days.get().into()));
    let a_day = counted().filter(|m| date(m.start) == date(begin)).count();
    let a_week = counted().filter(|m| date(m.start).iso_week() == date(begin).iso_week()).count();
    let is_full = |count: usize, most: Option<u32>| most.is_some_and(|most| count >= most as usize);

    if begin <= now {
        Err(Refusal::InThePast)
    } else if begin - now < notice {
        Err(Refusal::TooSoon)
    } else if last.is_some_and(|last| date(begin) > last) {
        Err(Refusal::BeyondHorizon)
    } else if !settings.durations.iter().any(|offered| offered == duration) {
        Err(Refusal::DurationNotOffered)
    } else if !day.is_open_for(start, duration) {
        Err(Refusal::OutsideAvailability)
    } else if !day.has_on_grid(start, settings.interval.minutes().into()) {
        Err(Refusal::NotOnGrid)
    } else if is_full(a_day, settings.most_a_day.map(Into::into)) {
        Err(Refusal::DayFull)
    } else if is_full(a_week, settings.most_a_week.map(Into::into)) {
        Err(Refusal::WeekFull)
    } else if meetings.iter().any(|m| is_in_the_way(m, begin, end, settings.buffers)) {
        Err(Refusal::SlotConflict)
    } else {
        Ok(())
    }
}

/// Between two meetings of Jane there are at least the first's minutes after and the second's before.
fn is_in_the_way(other: &Meeting, begin: DateTime<Utc>, end: DateTime<Utc>, new: Buffers) -> bool {
    let minutes = |one: u32, other: u32| TimeDelta::minutes(i64::from(one) + i64::from(other));
    let theirs = [&other.client, &other.therapist];
    if !other.status.is_live() || !(theirs.contains(&&john().id) || theirs.contains(&&jane().id)) {
        return false;
    }
    let (mut before, mut after) = (TimeDelta::zero(), TimeDelta::zero());
    if other.therapist == jane().id {
        before = minutes(other.buffers.after.minutes(), new.before.minutes());
        after = minutes(new.after.minutes(), other.buffers.before.minutes());
    }
    begin - other.end() < before && other.start - end < after
        || begin < other.end() && other.start < end
}

pub(crate) struct Practice<'a> {
    pub(crate) day: &'a Day,
    pub(crate) zone: Tz,
    pub(crate) settings: &'a Settings,
    pub(crate) meetings: Vec<Meeting>,
}

impl Practice<'_> {
    pub(crate) fn slots(&self, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, Vec<SessionDuration>)> {
        let offer = |start: &Minute| {
            let fits = |duration: &SessionDuration| verdict(self, *start, *duration, now).is_ok();
            let durations: Vec<_> = SessionDuration::ALL.into_iter().filter(fits).collect();
            (!durations.is_empty()).then(|| (instant(*start), durations))
        };
        self.day.of_date.iter().filter_map(offer).collect()
    }
}

/// Jane with these hours and settings, and whatever meetings there are.
pub(crate) fn world(
    windows: &[(Weekday, booking_core::Window)],
    zone: Tz,
    settings: &Settings,
) -> World {
    let world = World::with_nobody();
    for person in [john(), mary(), jane(), joe()] {
        world.introduce(&person);
    }
    world.relate(&john(), &jane());
    // The zone is among the settings.
    let settings = Settings { zone: Some(zone), ..settings.clone() };
    // As wide as any meeting's buffers were: the settings before them.
    let wide = Buffers { before: number(120), after: number(120) };
    for settings in [Settings { buffers: wide, ..Settings::DEFAULT }, settings] {
        let any = crate::world::ANY;
        world
            .try_to(async |booking| booking.put_settings(&jane(), &settings, &any).await)
            .expect("settings");
    }
    // Weekly windows that overlap are for the pure calendar alone: here they are cut to what is new.
    let mut open = vec![[false; 1_440]; 7];
    for (weekday, window) in windows {
        let (from, to) = (window.start().minutes(), window.end().minutes());
        open[weekday.num_days_from_sunday() as usize][from.into()..to.into()].fill(true);
    }
    for (weekday, minutes) in booking_core::WEEKDAYS.iter().zip(&open) {
        let mut from = 0;
        while let Some(start) = (from..1_440).find(|minute| minutes[*minute]) {
            from = (start..1_440).find(|minute| !minutes[*minute]).unwrap_or(1_440);
            let time = |minute: usize| format!("{:02}:{:02}", minute / 60, minute % 60);
            world.open(&jane(), *weekday, &time(start), &time(from)).expect("free hours");
        }
    }
    world
}

pub(crate) fn insert(world: &World, meetings: &[Meeting]) {
    let writes = meetings.iter().cloned().map(Write::InsertMeeting).map(audited).collect();
    let change = Change { writes, ..Change::default() };
    world
        .run(world.store.change(&Scope::default(), &|_| Ok(change.clone())))
        .expect("memory holds");
}

pub(crate) fn listed(world: &World, date: NaiveDate) -> Vec<(DateTime<Utc>, Vec<SessionDuration>)> {
    let slots = world.try_to(async |booking| booking.slots(&john(), &jane().id, date).await);
    let slots = slots.expect("a list").into_iter();
    slots.map(|slot| (slot.start.instant(), slot.durations.iter().collect())).collect()
}

proptest! {
    #![proptest_config(cases(56))]

    /// Listing and booking say what the rules say, and say the same.
    #[test]
    fn settings_are_those_of_the_oracle(
        (zone, date, windows) in practice(),
        settings in settings(),
        around in meetings_around(),
        now in prop_oneof![3 => -4_000..1_440_i64, 1 => -6_000..0_i64],
        seconds in select(vec![0_i64, 0, 1, 59]),
        starts in vec((0..1_500_usize, select(SessionDuration::ALL.to_vec())), 6),
    ) {
        let Some(day) = Oracle::new(zone, &windows).day(date) else { return Ok(()) };
        let world = world(&windows, zone, &settings);
        let meetings = placed(&day, &around);
        insert(&world, &meetings);
        let now = instant(day.first + now) + TimeDelta::seconds(seconds);
        world.set_clock(now);
        let mut practice = Practice { day: &day, zone, settings: &settings, meetings };
        let offered = practice.slots(now);
        prop_assert_eq!(listed(&world, date), &offered[..]);

        let near: Vec<Minute> = offered.iter().map(|(start, _)| minute(*start)).collect();
        for (n, duration) in starts {
            let any = day.of_date[n % day.of_date.len()];
            let start = near.get(n % (2 * near.len()).max(1)).copied().unwrap_or(any);
            let from = StartTime::new(instant(start)).expect("a whole minute");
            let request = booking_core::BookRequest::new(jane().id, from, duration);
            let booked = world.book(&john(), &request);
            let expected = verdict(&practice, start, duration, now);
            prop_assert_eq!(booked.as_ref().map(|_| &()), expected.as_ref());
            practice.meetings.extend(booked);
        }
        prop_assert_eq!(listed(&world, date), practice.slots(now));
    }
}
