//! A search finds what the lists of each therapist and date say, by the dates of the viewer's zone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use booking_core::testing::fixtures::{audited, by, meeting, slot};
use booking_core::tzdb::local_time;
use booking_core::{
    Actor, Booking, Calendars, Change, ChangeError, CountedIds, Decide, Diaries, DiariesQuery,
    DirectoryAdmin, DirectoryId, FirstFree, Meeting, MeetingQuery, MeetingStatus, MemoryStore,
    PageLimit, Refusal, Role, Scope, SessionDuration, Slot, SlotSearch, SlotsFound, Store,
    StoreError, User, UserId, Window, Write,
};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::strategies::{ZONES, all_week, cases, hours, weekly_hours, zoned_date};
use crate::world::{World, actor, jane, joe, john};

type ByDate = BTreeMap<NaiveDate, BTreeMap<UserId, Vec<Slot>>>;

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn for_all(from: NaiveDate, to: NaiveDate, zone: Tz, therapists: &[Actor]) -> SlotSearch {
    SlotSearch {
        therapists: therapists.iter().map(|therapist| therapist.id.clone()).collect(),
        from,
        to,
        zone,
        duration: None,
        page: None,
        limit: PageLimit::MAX,
    }
}

fn search(world: &World, by: &Actor, search: &SlotSearch) -> SlotsFound {
    world.try_to(async |booking| booking.search(by, search).await).expect("a good search")
}

fn days_of(found: &SlotsFound) -> ByDate {
    let therapists = |day: &booking_core::DayFound| {
        day.therapists.iter().map(|of| (of.therapist.clone(), of.slots.clone())).collect()
    };
    found.days.iter().map(|day| (day.date, therapists(day))).collect()
}

/// Every date on which any of these is listed alone, in dates of the viewer as chrono tells them.
fn listed(world: &World, by: &Actor, search: &SlotSearch) -> ByDate {
    let mut days = ByDate::new();
    let dates = dates_around(search);
    for therapist in &search.therapists {
        for date in &dates {
            let slots = world.try_to(async |b| b.slots(by, therapist, *date).await);
            for slot in slots.unwrap_or_default() {
                let seen = local_time(search.zone, slot.start.instant()).date_naive();
                let fits = search.duration.is_none_or(|duration| slot.durations.contains(duration));
                if (search.from..=search.to).contains(&seen) && fits {
                    let of_day = days.entry(seen).or_default();
                    of_day.entry(therapist.clone()).or_default().push(slot);
                }
            }
        }
    }
    for slots in days.values_mut().flat_map(BTreeMap::values_mut) {
        slots.sort_by_key(|slot| slot.start);
    }
    days
}

/// The dates of a search, with three more at either end.
fn dates_around(search: &SlotSearch) -> Vec<NaiveDate> {
    let first = search.from - Days::new(3);
    first.iter_days().take_while(|date| *date <= search.to + Days::new(3)).collect()
}

/// A therapist in a zone with these hours.
fn settle(world: &World, therapist: &Actor, zone: Tz, windows: &[(Weekday, Window)]) {
    let user = User {
        id: therapist.id.clone(),
        role: therapist.role,
        zone: Some(zone),
        ..booking_core::testing::fixtures::user(&therapist.id)
    };
    world.run(world.store.put_user(&user, by())).expect("memory holds");
    let slots = windows.iter().map(|(weekday, window)| slot(&therapist.id, *weekday, *window));
    write(world, slots.map(Write::InsertAvailability));
}

fn write(world: &World, writes: impl Iterator<Item = Write>) {
    let change = Change { writes: writes.map(audited).collect(), ..Change::default() };
    let (scope, decide) = (Scope::default(), |_: &Calendars| Ok(change.clone()));
    world.run(world.store.change(&scope, &decide)).expect("memory holds");
}

fn therapists(count: usize) -> Vec<Actor> {
    (0..count).map(|n| actor(&format!("therapist_{n}"), Role::Therapist)).collect()
}

proptest! {
    #![proptest_config(cases(96))]

    /// Also in pages of any size, which are never larger than they should be.
    #[test]
    fn a_search_is_the_lists_of_each_day_regrouped(
        (viewer, from) in zoned_date(),
        length in 0..9_u64,
        practices in vec((select(ZONES), 0..4_usize), 1..4),
        hours in zoned_date().prop_flat_map(|(_, date)| vec(weekly_hours(date), 4)),
        meetings in vec((-4_000..16_000_i64, 0..4_usize, 0..3_usize, any::<bool>()), 0..30),
        duration in option::of(select(SessionDuration::ALL.to_vec())),
        limit in prop_oneof![1..12_u32, 1..200_u32],
        is_client in any::<bool>(),
        now in -3_000..3_000_i64,
    ) {
        let world = World::with_nobody();
        let people = therapists(practices.len());
        for (person, (zone, pick)) in people.iter().zip(&practices) {
            settle(&world, person, *zone, &hours[*pick]);
        }
        let midnight = from.and_time(NaiveTime::MIN).and_utc();
        let clients = [john(), actor("client_other", Role::Client), people[0].clone()];
        write(&world, meetings.iter().filter_map(|(start, therapist, client, is_live)| {
            let (client, therapist) = (&clients[*client].id, &people[therapist % people.len()].id);
            let start = midnight + TimeDelta::minutes(*start);
            let status =
                if *is_live { MeetingStatus::Scheduled } else { MeetingStatus::Cancelled };
            let meeting = Meeting { status, ..meeting(client, therapist, start) };
            (client != therapist).then_some(Write::InsertMeeting(meeting))
        }));
        world.set_clock(midnight + TimeDelta::minutes(now));
        let by = if is_client { john() } else { people[0].clone() };
        let mut asked = for_all(from, from + Days::new(length), viewer, &people);
        (asked.duration, asked.limit) = (duration, PageLimit::new(limit).unwrap());

        let expected = listed(&world, &by, &asked);
        let first_of = |therapist: &UserId| {
            expected.values().filter_map(|day| day.get(therapist)?.first().copied()).min_by_key(|s| s.start)
        };
        let firsts: Vec<FirstFree> = asked.therapists.iter()
            .map(|id| FirstFree { therapist: id.clone(), first: first_of(id) })
            .collect();
        let mut joined = ByDate::new();
        loop {
            let page = search(&world, &by, &asked);
            prop_assert_eq!(&page.therapists, &firsts, "the same on every page");
            let days = days_of(&page);
            let count: usize = days.values().flat_map(BTreeMap::values).map(Vec::len).sum();
            prop_assert!(count <= limit as usize || days.len() == 1, "{} on a page", count);
            prop_assert!(page.next.is_none() || !days.is_empty());
            for (date, of_day) in days {
                prop_assert!(joined.keys().all(|before| *before < date), "dates come in order");
                joined.insert(date, of_day);
            }
            // Nothing that would have had room was left for the next page.
            if let Some(next) = page.next {
                let of_next: usize = expected[&next].values().map(Vec::len).sum();
                prop_assert!(count + of_next > limit as usize);
            }
            let Some(next) = page.next else { break };
            asked.page = Some(next);
        }
        prop_assert_eq!(joined, expected);
    }
}

/// What a therapist's hour is called where the viewer lives: date line, half hours, and the nights on
/// which clocks change on either side.
#[test]
fn dates_are_those_of_the_viewer() {
    use Tz::{
        America__Los_Angeles as LosAngeles, America__New_York as NewYork,
        America__St_Johns as StJohns, Asia__Kathmandu as Kathmandu, Europe__Berlin as Berlin,
        Pacific__Apia as Apia, Pacific__Auckland as Auckland, Pacific__Kiritimati as Kiritimati,
        Pacific__Pago_Pago as PagoPago,
    };
    // Whose Monday, from when, whose eyes; the dates on which they see the hour of each slot.
    let table: &[(Tz, &str, &str, Tz, &[&str])] = &[
        // Auckland's Monday morning is Sunday in Los Angeles, and in Pago Pago.
        (Auckland, "2026-03-02", "09:00", LosAngeles, &["2026-03-01", "2026-03-01"]),
        (Auckland, "2026-03-02", "09:00", PagoPago, &["2026-03-01", "2026-03-01"]),
        (LosAngeles, "2026-03-02", "20:00", Auckland, &["2026-03-03", "2026-03-03"]),
        // As far apart as it gets: 25 hours.
        (Kiritimati, "2026-03-02", "00:00", PagoPago, &["2026-02-28", "2026-02-28"]),
        (PagoPago, "2026-03-02", "23:00", Kiritimati, &["2026-03-04", "2026-03-04"]),
        // Midnight of the viewer falls between two slots.
        (Berlin, "2026-03-02", "18:00", Kathmandu, &["2026-03-02", "2026-03-02"]),
        (Kathmandu, "2026-03-02", "05:15", Berlin, &["2026-03-02", "2026-03-02"]),
        (Kathmandu, "2026-03-02", "04:15", Berlin, &["2026-03-01", "2026-03-02"]),
        // The viewer's clocks have changed, or the therapist's.
        (NewYork, "2026-03-09", "18:30", Berlin, &["2026-03-09", "2026-03-10"]),
        (NewYork, "2026-03-02", "17:30", Berlin, &["2026-03-02", "2026-03-03"]),
        (Berlin, "2026-03-30", "06:30", NewYork, &["2026-03-30", "2026-03-30"]),
        (Berlin, "2026-03-23", "04:30", NewYork, &["2026-03-22", "2026-03-23"]),
        (StJohns, "2026-03-09", "23:00", Auckland, &["2026-03-10", "2026-03-10"]),
        // Samoa had no 30th of December.
        (LosAngeles, "2011-12-29", "02:00", Apia, &["2011-12-29", "2011-12-29"]),
        (LosAngeles, "2011-12-30", "01:30", Apia, &["2011-12-29", "2011-12-31"]),
        (LosAngeles, "2011-12-30", "02:00", Apia, &["2011-12-31", "2011-12-31"]),
    ];
    for (zone, date, from, viewer, expected) in table {
        let world = World::with_nobody();
        world.set_clock("2010-01-01T00:00:00Z".parse::<DateTime<Utc>>().expect("an instant"));
        let (therapist, date) = (jane(), day(date));
        let begin: booking_core::WallTime = from.parse().expect("a time");
        let end = booking_core::WallTime::from_minutes(begin.minutes() + 60).expect("a time");
        let window = Window::new(begin, end).expect("an hour");
        settle(&world, &therapist, *zone, &all_week(&[window]));
        let week = for_all(
            date - Days::new(3),
            date + Days::new(3),
            *viewer,
            std::slice::from_ref(&therapist),
        );
        let found = days_of(&search(&world, &john(), &week));
        let seen = |slot: &Slot| {
            let is_it = |of: &BTreeMap<UserId, Vec<Slot>>| of[&therapist.id].contains(slot);
            found.iter().find(|(_, of)| is_it(of)).map(|(date, _)| date.to_string())
        };
        let slots = world.try_to(async |b| b.slots(&john(), &therapist.id, date).await).unwrap();
        let dates: Vec<_> = slots.iter().filter_map(seen).collect();
        assert_eq!(dates, *expected, "{from} of {date} in {zone}, seen in {viewer}");
    }
}

/// Where clocks were set back across midnight, a date has two parts, and each start is on its own.
#[test]
fn a_date_may_come_twice() {
    let world = World::with_nobody();
    world.set_clock("2010-01-01T00:00:00Z".parse::<DateTime<Utc>>().expect("an instant"));
    settle(&world, &jane(), Tz::UTC, &all_week(&[hours("00:00", "24:00")]));
    // 2010-11-07T00:01 became 2010-11-06T23:01.
    let night = for_all(day("2010-11-06"), day("2010-11-07"), Tz::America__St_Johns, &[jane()]);
    let found = days_of(&search(&world, &john(), &night));
    let counts: Vec<_> = found.values().map(|of| of[&jane().id].len()).collect();
    assert_eq!(found, listed(&world, &john(), &night));
    // One minute of the second came before the last hour of the first: a start for either.
    assert_eq!(counts, [49, 49]);
}

/// The client's own meetings are in the way, and nobody else's; no therapist sees less for it.
#[test]
fn what_a_client_cannot_come_to_is_left_out() {
    let world = World::default();
    let session = crate::world::session(&joe(), "10:00", SessionDuration::Hour);
    world.book(&john(), &session).unwrap();
    let monday = crate::world::the_monday();
    let both = for_all(monday, monday, Tz::UTC, &[jane(), joe()]);
    let count = |by: &Actor| {
        let found = days_of(&search(&world, by, &both));
        [jane(), joe()].map(|therapist| found[&monday][&therapist.id].len())
    };
    assert_eq!(count(&john()), [14, 14]);
    assert_eq!(count(&crate::world::mary()), [16, 14]);
    assert_eq!(count(&jane()), [16, 14]);
}

#[test]
fn who_is_no_therapist_is_named() {
    let world = World::default();
    let monday = crate::world::the_monday();
    let nobody = actor("nobody", Role::Therapist);
    let all = for_all(monday, monday, Tz::UTC, &[jane(), john(), nobody.clone()]);
    let found = search(&world, &john(), &all);
    assert_eq!(found.unknown, [john().id, nobody.id.clone()]);
    assert_eq!(found.therapists.len(), 1);
    let none = search(&world, &john(), &for_all(monday, monday, Tz::UTC, &[nobody]));
    assert!(none.days.is_empty() && none.therapists.is_empty() && none.next.is_none());
}

#[test]
fn a_search_has_limits() {
    let world = World::default();
    let monday = crate::world::the_monday();
    let refused = |search: &SlotSearch| match world
        .try_to(async |booking| booking.search(&john(), search).await)
    {
        Err(Refusal::Invalid { field, .. }) => Some(field),
        Err(other) => panic!("{other:?}"),
        Ok(_) => None,
    };
    let days = |count: u64| for_all(monday, monday + Days::new(count - 1), Tz::UTC, &[jane()]);
    assert_eq!((refused(&days(62)), refused(&days(63))), (None, Some("to")));
    let backwards = for_all(monday, monday - Days::new(1), Tz::UTC, &[jane()]);
    assert_eq!(refused(&backwards), Some("to"));
    let of = |count| for_all(monday, monday, Tz::UTC, &therapists(count));
    let asked = [0, 1, 50, 51].map(|count| refused(&of(count)));
    assert_eq!(asked, [Some("therapistIds"), None, None, Some("therapistIds")]);
    for page in [monday - Days::new(1), monday + Days::new(2)] {
        let elsewhere = SlotSearch { page: Some(page), ..days(2) };
        assert_eq!(refused(&elsewhere), Some("cursor"));
    }
    // Where there are no dates there is nothing to find, and nothing to stumble over.
    for far in [NaiveDate::MIN, NaiveDate::MAX, day("9999-12-31"), day("0000-01-01")] {
        let found = search(&world, &john(), &for_all(far, far, Tz::Pacific__Apia, &[jane()]));
        assert_eq!(found.days.len(), usize::from(found.therapists[0].first.is_some()));
    }
}

/// Counts what it is asked.
struct Counting {
    inner: Arc<MemoryStore>,
    questions: AtomicUsize,
}

#[async_trait]
impl Store for Counting {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.inner.read(scope).await
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.inner.diaries(query).await
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        self.inner.change(scope, decide).await
    }

    fn directory(&self) -> Option<DirectoryId> {
        self.inner.directory()
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.inner.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

/// However many there are, and for however long: each page is one question to the store.
#[test]
fn a_search_is_one_question() {
    let world = World::with_nobody();
    let inner = world.store.clone();
    let store = Arc::new(Counting { inner, questions: AtomicUsize::new(0) });
    let (clock, ids) = (world.clock.clone(), Arc::new(CountedIds::default()));
    let booking = Booking::new(store.clone(), world.store.clone(), clock, ids);
    let first = crate::world::the_monday();
    for (n, (people, days)) in [(1, 0), (50, 0), (1, 61), (50, 61)].into_iter().enumerate() {
        let people = therapists(people);
        for person in &people {
            settle(&world, person, Tz::UTC, &[(Weekday::Mon, hours("09:00", "10:00"))]);
        }
        let asked = for_all(first, first + Days::new(days), Tz::UTC, &people);
        let found = world.run(booking.search(&john(), &asked)).expect("a good search");
        assert_eq!(found.therapists.len(), people.len());
        assert_eq!(store.questions.load(Ordering::Relaxed), n + 1);
    }
}
