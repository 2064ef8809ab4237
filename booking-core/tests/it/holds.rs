//! Starts that are kept for somebody: what the rules say of them, for their holder and for others,
//! before and after they expire.

use std::sync::Arc;
use std::time::Duration;

use booking_core::testing::fixtures::{audited, hold, meeting};
use booking_core::{
    Actor, Announced, BookRequest, Booking, Buffers, Change, Clock, CountedIds, Hold, HoldMinutes,
    HoldRequest, Hub, Live, Meeting, MeetingPatch, MemoryStore, Notice, Refusal, Role, Scope,
    SessionDuration, Settings, Slot, SlotCache, StartTime, Store, Write,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tokio::time::{Instant, timeout};

use crate::oracle::{Minute, Oracle, instant, minute};
use crate::settings::{
    Practice, buffers, insert, listed, meetings_around, placed, settings, verdict, world,
};
use crate::strategies::{cases, practice};
use crate::world::{
    ANY, World, actor, admin, at, jane, joe, john, mary, monday, session, session_for, start,
    the_monday,
};

fn request(session: &BookRequest) -> HoldRequest {
    HoldRequest {
        therapist: session.therapist.clone(),
        client: session.client.clone(),
        start: session.start,
        duration: session.duration,
        minutes: HoldRequest::DEFAULT_MINUTES,
    }
}

fn keep(world: &World, by: &Actor, session: &BookRequest) -> Result<Hold, Refusal> {
    world.try_to(async |booking| booking.hold(by, &request(session)).await)
}

fn half_hour(time: &str) -> BookRequest {
    session(&jane(), time, SessionDuration::HalfHour)
}

/// A hold on Jane's time: whose, minutes from the date's first, and the milliseconds that are left of it.
type Kept = (Minute, SessionDuration, Buffers, i64);

fn kept() -> impl Strategy<Value = Vec<(Actor, Kept)>> {
    let start = prop_oneof![3 => -600..2_100_i64, 1 => -11_000..11_000_i64];
    let left = select(vec![-60_000, -1, 0, 1, 1_000, 600_000]);
    let start = start.prop_map(|start| start / 5 * 5);
    let one = (start, select(SessionDuration::ALL.to_vec()), buffers(), left).boxed();
    let holders = vec![john(), mary(), jane(), joe(), actor("client_nora", Role::Client)];
    subsequence(holders, 0..=5).prop_flat_map(move |holders| {
        let length = holders.len();
        let kept = vec(one.clone(), length);
        kept.prop_map(move |kept| holders.iter().cloned().zip(kept).collect())
    })
}

/// As a store has it.
fn written((holder, (start, duration, buffers, left)): &(Actor, Kept), now: DateTime<Utc>) -> Hold {
    let left = TimeDelta::milliseconds(*left);
    Hold {
        duration: *duration,
        buffers: *buffers,
        created_at: now + left - TimeDelta::minutes(10),
        expires_at: now + left,
        ..hold(&holder.id, &jane().id, instant(*start))
    }
}

/// What others hold is like a meeting of Jane's with somebody whom nobody knows.
fn as_meetings(holds: &[Hold], now: DateTime<Utc>) -> impl Iterator<Item = Meeting> {
    let nobody = actor("client_nobody", Role::Client).id;
    let others = holds.iter().filter(|hold| hold.holder != john().id);
    others.filter(move |hold| now < hold.expires_at).map(move |hold| Meeting {
        duration: hold.duration,
        buffers: hold.buffers,
        ..meeting(&nobody, &hold.therapist, hold.start)
    })
}

proptest! {
    #![proptest_config(cases(24))]

    /// Listing, booking and holding say what the rules say, whatever others hold, and for how long.
    #[test]
    fn holds_are_those_of_the_oracle(
        (zone, date, windows) in practice(),
        settings in settings(),
        around in meetings_around(),
        kept in kept(),
        now in prop_oneof![3 => -4_000..1_440_i64, 1 => -6_000..0_i64],
        starts in vec((0..1_500_usize, select(SessionDuration::ALL.to_vec())), 6),
    ) {
        let Some(day) = Oracle::new(zone, &windows).day(date) else { return Ok(()) };
        let world = world(&windows, zone, &settings);
        let meetings = placed(&day, &around);
        insert(&world, &meetings);
        let now = instant(day.first + now);
        let in_day = |(who, (start, duration, buffers, left)): &(Actor, Kept)| {
            written(&(who.clone(), (day.first + start, *duration, *buffers, *left)), now)
        };
        let holds: Vec<Hold> = kept.iter().map(in_day).collect();
        let writes = holds.iter().cloned().map(Write::PutHold).map(audited).collect();
        let change = Change { writes, ..Change::default() };
        world.run(world.store.change(&Scope::default(), &|_| Ok(change.clone()))).expect("memory");

        let mut expiries: Vec<_> = holds.iter().map(|hold| hold.expires_at).collect();
        expiries.retain(|expiry| *expiry >= now);
        expiries.sort();
        let milli = TimeDelta::milliseconds(1);
        let looks = expiries.iter().flat_map(|expiry| [*expiry - milli, *expiry]);
        for look in looks.filter(|look| *look >= now).chain([now]) {
            world.set_clock(look);
            let meetings = meetings.iter().cloned().chain(as_meetings(&holds, look)).collect();
            let practice = Practice { day: &day, zone, settings: &settings, meetings };
            prop_assert_eq!(listed(&world, date), practice.slots(look), "at {}", look);
        }

        let meetings = meetings.into_iter().chain(as_meetings(&holds, now)).collect();
        let mut practice = Practice { day: &day, zone, settings: &settings, meetings };
        let near: Vec<Minute> =
            practice.slots(now).iter().map(|(start, _)| minute(*start)).collect();
        for (n, duration) in starts {
            let any = day.of_date[n % day.of_date.len()];
            let start = near.get(n % (2 * near.len()).max(1)).copied().unwrap_or(any);
            let from = StartTime::new(instant(start)).expect("a whole minute");
            let wanted = BookRequest::new(jane().id, from, duration);
            let expected = verdict(&practice, start, duration, now);
            prop_assert_eq!(keep(&world, &john(), &wanted).map(drop), expected.clone());
            if n % 2 == 0 {
                let booked = world.book(&john(), &wanted);
                prop_assert_eq!(booked.as_ref().map(|_| &()), expected.as_ref());
                practice.meetings.extend(booked);
            }
        }
        prop_assert_eq!(listed(&world, date), practice.slots(now));
    }
}

/// The same answers in the same order, whatever is wrong.
#[test]
fn who_may_book_may_hold() {
    let monday = |time: &str| half_hour(time);
    let past = StartTime::new(at("2025-12-29T09:00Z")).expect("a whole minute");
    let asks = [
        (admin(), monday("09:00")),
        (john(), session_for(&mary(), monday("09:00"))),
        (jane(), monday("09:00")),
        (jane(), session_for(&john(), monday("09:00"))),
        (jane(), session_for(&john(), session(&joe(), "09:00", SessionDuration::Hour))),
        (john(), session(&actor("nobody", Role::Therapist), "09:00", SessionDuration::Hour)),
        (mary(), session(&joe(), "09:00", SessionDuration::Hour)),
        (john(), BookRequest { start: past, ..monday("09:00") }),
        (john(), monday("08:30")),
        (john(), monday("16:45")),
        (john(), monday("09:10")),
        (john(), monday("12:00")),
        (john(), monday("12:30")),
    ];
    let mut told = std::collections::BTreeSet::new();
    for (by, wanted) in asks {
        let world = World::default();
        let noon = session(&jane(), "12:00", SessionDuration::HalfHour);
        world.book(&mary(), &noon).expect("it is free");
        let held = keep(&world, &by, &wanted).map(drop);
        let booked = world.book(&by, &wanted).map(drop);
        assert_eq!(held, booked, "{by:?} {wanted:?}");
        told.insert(format!("{held:?}"));
    }
    assert!(told.len() >= 9, "{told:?}");
}

/// As long as they say, from a minute to ten.
#[test]
fn holds_last_as_long_as_was_asked() {
    let world = World::default();
    for minutes in [1, 7, 10] {
        let minutes = HoldMinutes::new(minutes).expect("minutes");
        let wanted = HoldRequest { minutes, ..request(&half_hour("09:00")) };
        let kept = world.try_to(async |booking| booking.hold(&john(), &wanted).await);
        let kept = kept.expect("it is free, or theirs");
        assert_eq!(kept.expires_at - kept.created_at, TimeDelta::minutes(minutes.get().into()));
        assert_eq!(kept.created_at, world.now());
    }
    assert!(HoldMinutes::new(0).is_err() && HoldMinutes::new(11).is_err());
}

/// Nor for longer than the start can be booked: up to its last moment the holder can, and what is shorter
/// than was asked for ends with it.
#[test]
fn holds_are_good_until_they_end() {
    for (notice, left) in [(0, 1), (0, 90_000), (0, 600_001), (30, 0), (30, 1), (30, 59_001)] {
        let world = World::default();
        let minimum_notice = Notice::new(notice).expect("a notice");
        let settings = Settings { minimum_notice, ..Settings::DEFAULT };
        let put = world.try_to(async |b| b.put_settings(&jane(), &settings, &ANY).await);
        put.expect("settings");
        let last = start("09:00").instant() - TimeDelta::minutes(notice.into());
        world.set_clock(last - TimeDelta::milliseconds(left));
        let kept = keep(&world, &john(), &half_hour("09:00")).expect("there is still time");
        let asked = kept.created_at + TimeDelta::minutes(10);
        assert!(kept.expires_at <= asked && kept.created_at < kept.expires_at);
        world.set_clock(kept.expires_at);
        let after = world.book(&john(), &half_hour("09:00")).map(drop);
        assert_eq!(after.is_ok(), kept.expires_at == asked, "{notice} {left}: {after:?}");
        if after.is_err() {
            world.set_clock(kept.expires_at - TimeDelta::milliseconds(1));
            world.book(&john(), &half_hour("09:00")).expect("it is kept");
        }
    }
}

/// It keeps the therapist's time, and not the holder's.
#[test]
fn a_holder_is_free_elsewhere() {
    let world = World::default();
    keep(&world, &john(), &half_hour("09:00")).expect("it is free");
    let elsewhere = session(&joe(), "09:00", SessionDuration::HalfHour);
    keep(&world, &john(), &elsewhere).expect("one of each therapist");
    assert_eq!(world.try_to(async |b| b.holds(&john()).await).expect("a list").len(), 2);
    world.book(&john(), &elsewhere).expect("it is free");
    let left = world.try_to(async |b| b.holds(&john()).await).expect("a list");
    assert_eq!(left.iter().map(|hold| &hold.therapist).collect::<Vec<_>>(), [&jane().id]);
}

/// Those who want the time that a meeting is to move to.
#[test]
fn moves_are_held_to_holds() {
    let world = World::default();
    let booked = world.book(&john(), &half_hour("15:00")).expect("it is free");
    keep(&world, &mary(), &half_hour("09:00")).expect("it is free");
    let to = |time: &str| MeetingPatch { start: Some(start(time)), ..MeetingPatch::default() };
    for by in [john(), jane()] {
        let told = world.put(&by, booked.id, &to("09:00"));
        assert_eq!(told.map(drop), Err(Refusal::SlotConflict));
    }
    keep(&world, &jane(), &session_for(&john(), half_hour("10:00"))).expect("it is free");
    assert_eq!(world.put(&john(), booked.id, &to("10:00")).map(drop), Err(Refusal::SlotConflict));
    world.put(&jane(), booked.id, &to("10:00")).expect("it is hers");
    assert_eq!(world.try_to(async |b| b.holds(&jane()).await), Ok(vec![]));
}

fn starts(slots: &[Slot]) -> Vec<String> {
    slots.iter().map(|slot| slot.start.instant().format("%H:%M").to_string()).collect()
}

/// A service that lists from memory, and the hub by which it forgets.
fn cached(world: &World) -> (Booking, SlotCache, Hub) {
    let hub = Hub::default();
    let inner: Arc<MemoryStore> = world.store.clone();
    let store = Arc::new(Announced::new(inner.clone(), hub.clone()));
    let cache = SlotCache::new(10, &hub);
    let ids = Arc::new(CountedIds::default());
    let booking = Booking::new(store, inner, world.clock.clone(), ids);
    (booking.with_cache(cache.clone()), cache, hub)
}

/// What is remembered is for everybody, and for any time: neither whose a hold is nor whether it has
/// expired is part of it.
#[test]
fn lists_from_memory_see_holds_come_and_go() {
    let world = World::default();
    world.run(async { tokio::time::pause() });
    let (booking, cache, hub) = cached(&world);
    let _hearing = hub.hearing();
    world.run(async {
        let list = async |who: &Actor| {
            let hits = cache.counts().hits;
            let slots = booking.slots(who, &jane().id, the_monday()).await.expect("a list");
            (starts(&slots).contains(&"09:00".to_owned()), cache.counts().hits > hits)
        };
        assert_eq!(list(&john()).await, (true, false));
        assert_eq!(list(&john()).await, (true, true));
        let kept = booking.hold(&mary(), &request(&half_hour("09:00"))).await.expect("free");
        assert_eq!(list(&john()).await, (false, false));
        assert_eq!(list(&john()).await, (false, true));
        // Her own meetings are not known yet.
        assert_eq!(list(&mary()).await, (true, false));
        assert_eq!(list(&mary()).await, (true, true));
        assert_eq!(list(&jane()).await, (false, true));
        world.set_clock(kept.expires_at - TimeDelta::milliseconds(1));
        assert_eq!(list(&john()).await, (false, true));
        world.set_clock(kept.expires_at);
        assert_eq!(list(&john()).await, (true, true));
        let kept = booking.hold(&mary(), &request(&half_hour("09:00"))).await.expect("free");
        assert_eq!(list(&john()).await, (false, false));
        booking.release_hold(&mary(), kept.id).await.expect("hers");
        assert_eq!(list(&john()).await, (true, false));
    });
}

/// A clock that goes with tokio's time.
struct Ticking {
    began: Instant,
    at: DateTime<Utc>,
}

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        self.at + TimeDelta::from_std(self.began.elapsed()).expect("a short test")
    }
}

/// Streams are woken when a hold is placed and when it is given up, and know when it expires.
#[test]
fn streams_see_holds_come_and_go() {
    const SOON: Duration = Duration::from_millis(500);
    let world = World::default();
    let began = world.run(async {
        tokio::time::pause();
        Instant::now()
    });
    let clock = Arc::new(Ticking { began, at: at("2026-01-01T12:00Z") });
    let hub = Hub::default();
    let store = Arc::new(Announced::new(world.store.clone(), hub.clone()));
    let ids = Arc::new(CountedIds::default());
    let booking = Booking::new(store, world.store.clone(), clock.clone(), ids);
    let live = Live::new(booking.clone(), world.store.clone(), hub);
    world.run(async {
        let mut stream = live.slots(&john(), &jane().id, the_monday());
        let has_nine = |slots: &[Slot]| slots[0].start.instant() == monday("09:00");
        assert!(has_nine(&stream.next().await.expect("a list")));
        for is_released in [true, false] {
            let wanted = request(&half_hour("09:00"));
            let kept = booking.hold(&mary(), &wanted).await.expect("free");
            let next = timeout(SOON, stream.next()).await.expect("soon").expect("a list");
            assert!(!has_nine(&next));
            if is_released {
                booking.release_hold(&mary(), kept.id).await.expect("hers");
                assert!(has_nine(
                    &timeout(SOON, stream.next()).await.expect("soon").expect("list")
                ));
            } else {
                assert!(has_nine(&stream.next().await.expect("a list")));
                let late = clock.now() - kept.expires_at;
                assert!((TimeDelta::zero()..TimeDelta::milliseconds(10)).contains(&late), "{late}");
            }
        }
    });
}
