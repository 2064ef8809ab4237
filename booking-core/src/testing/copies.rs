//! Copies of linked calendars: claimed, made, outdated, and what they keep from being booked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;

use super::fixtures::{
    as_client, audited, by, client, hour, meeting, minute, now, other_client, other_therapist,
    text, therapist,
};
use super::linked::{
    add, at, busy_of, claim, claim_one, copied, copied_at, copy, copy_again, found, link, remove,
    set, some_unread, span, told,
};
use super::{World, cases, race};
use crate::{
    Bounded, Buffers, BusyTimes, CalendarKind, Calendars, Change, Copied, CopyFault, CopyState,
    DiariesQuery, Linked, LinkedCalendar, Refresh, Refusal, Scope, SealedLocation, SessionDuration,
    Settings, Span, SpanSet, TherapistSettings, UserId, Write, WriteBack,
};

cases! {
    ($) conformance_copies in copies:

    /// As many times as there may be, all of them others at once, while bookings wait for that: no work
    /// per pair of them.
    async fn the_fullest_calendar_is_copied(world: World) {
        let link = link(&therapist());
        assert_eq!(add(&world, &link).await, Linked::Done);
        let most = i64::try_from(BusyTimes::MAX).expect("some thousands");
        let pieces = |minutes: i64| -> Vec<_> {
            let begins = move |n| hour(-24 * 200) + TimeDelta::minutes(30 * n + minutes);
            (0..most).map(|n| (begins(n), begins(n) + TimeDelta::minutes(10))).collect()
        };
        for (minutes, expected) in [(0, Copied::Changed), (0, Copied::Same), (15, Copied::Changed)] {
            assert_eq!(copy_again(&world, &link, &pieces(minutes)).await, expected, "{minutes}");
        }
        let read = busy_of(&world, &therapist()).await;
        assert!(read.overlaps(span((minute(15), minute(16)))));
        assert!(!read.overlaps(span((minute(0), minute(10)))));
    }

    /// They are their therapist's, half-open, in all spans that are asked for; lists and reads agree.
    async fn busy_times_are_part_of_the_calendar(world: World) {
        let [one, other] = [link(&therapist()), link(&therapist())];
        let theirs = link(&other_therapist());
        let spans = [
            (minute(-30), minute(30)),
            (hour(9), hour(10)),
            (hour(10) + TimeDelta::seconds(1), hour(11)),
            (hour(40), hour(100)),
        ];
        let second = [(hour(10), hour(10) + TimeDelta::seconds(1)), (hour(50), hour(60))];
        for (link, spans) in [(&one, &spans[..]), (&other, &second), (&theirs, &[(hour(3), hour(4))])] {
            assert_eq!(add(&world, link).await, Linked::Done);
            copy(&world, link, spans).await;
        }
        let all = set(&[&spans[..], &second].concat());
        assert_eq!(busy_of(&world, &therapist()).await, all);
        assert_eq!(busy_of(&world, &other_therapist()).await, set(&[(hour(3), hour(4))]));
        assert_eq!(busy_of(&world, &client()).await, SpanSet::default());
        let millisecond = TimeDelta::milliseconds(1);
        for (from, to) in [
            (hour(8), hour(9)),
            (hour(8), hour(9) + millisecond),
            (hour(10) - millisecond, hour(10)),
            (hour(11), hour(12)),
            (hour(-2), minute(-30)),
            (minute(0), minute(1)),
            (hour(98), hour(99)),
            (hour(100), hour(101)),
            (hour(-24 * 50), hour(24 * 50)),
        ] {
            let within = Span::new(from, to).expect("a span");
            let is_in = |span: &Span| span.overlaps(within);
            let read = world.read(&scope_of(within.into())).await.external;
            assert!(read.iter().all(is_in), "{read:?} in {within:?}");
            let read: SpanSet = read.into_iter().collect();
            let parts = |set: &SpanSet| -> SpanSet {
                set.iter().filter_map(|span| span.intersection(within)).collect()
            };
            assert_eq!(parts(&read), parts(&all), "{within:?}");
            let therapists = [therapist(), other_therapist(), client()].into();
            let query = DiariesQuery { therapists, within: Some(within), ..DiariesQuery::default() };
            let diaries = world.diaries(&query).await;
            assert_eq!(diaries.therapists[&therapist()].external, read, "{within:?}");
        }
        // Two spans that are asked for, and what is in both.
        let two: SpanSet = [(hour(9), hour(10)), (hour(50), hour(51))].map(span).into_iter().collect();
        let read: SpanSet = world.read(&scope_of(two)).await.external.into_iter().collect();
        assert!(read.encloses(span((hour(9), hour(10)))) && read.encloses(span((hour(50), hour(51)))));
        assert!(!read.overlaps(span((hour(10), hour(11)))));
        // Of nobody whose hours are not asked for, and nothing when no span is.
        let nobodys = Scope { hours_of: None, ..scope_of(span((hour(0), hour(99))).into()) };
        assert_eq!(world.read(&nobodys).await.external, []);
        assert_eq!(world.read(&scope_of(SpanSet::default())).await.external, []);
    }

    /// Nothing is offered there, nothing is booked or moved there; the therapist's own gaps are kept, and
    /// the client hears no more than of any other time that is taken.
    async fn busy_times_cannot_be_booked(world: World) {
        world.open(&therapist()).await;
        let linked = link(&therapist());
        assert_eq!(add(&world, &linked).await, Linked::Done);
        copy(&world, &linked, &[(hour(10), hour(11))]).await;
        let offered = async || {
            let date = hour(0).date_naive();
            let slots = world.booking.slots(&as_client(&client()), &therapist(), date).await;
            let slots = slots.expect("they are listed");
            slots.into_iter().map(|slot| slot.start.instant()).collect::<BTreeSet<_>>()
        };
        let listed = offered().await;
        assert!(!listed.contains(&hour(10)) && !listed.contains(&minute(630)));
        assert!(listed.contains(&minute(570)) && listed.contains(&hour(11)));
        let taken = world.book_hour(minute(570)).await.expect_err("the second half of it is taken");
        assert!(matches!(taken, crate::BookingError::Refused(Refusal::SlotConflict)), "{taken:?}");
        let before = world.book_hour(hour(9)).await.expect("it ends in time").value.meeting;
        let moved = world.move_to(&before, hour(10)).await.expect_err("it is taken");
        assert!(matches!(moved, crate::BookingError::Refused(Refusal::SlotConflict)), "{moved:?}");

        // A quarter of an hour before each session and ten minutes after.
        let buffers = Buffers {
            before: Bounded::new(15).expect("a buffer"),
            after: Bounded::new(10).expect("a buffer"),
        };
        let settings = Settings { buffers, ..Settings::DEFAULT };
        let unset = TherapistSettings::unset(therapist());
        let widest = buffers;
        let updated_at = Some(now());
        let set = TherapistSettings { version: 1, settings, widest, updated_at, ..unset };
        world.write([Write::PutSettings(set)]).await;
        copy_again(&world, &linked, &[(hour(14), hour(15))]).await;
        let listed = offered().await;
        assert!(listed.contains(&hour(11)), "the last copy counts");
        assert!(!listed.contains(&minute(810)), "half an hour, and no ten minutes after it");
        assert!(listed.contains(&hour(13)));
        assert!(!listed.contains(&hour(15)) && listed.contains(&minute(930)));
        assert!(world.book_hour(hour(15)).await.is_err());
        let half = SessionDuration::HalfHour;
        assert!(world.book(&client(), &therapist(), hour(13), half).await.is_ok());
        // It is the therapist's time, and nobody else's.
        world.open(&other_therapist()).await;
        let elsewhere = world.book(&client(), &other_therapist(), hour(14), half).await;
        assert!(elsewhere.is_ok());
        assert!(remove(&world, &therapist(), linked.id).await);
        assert!(offered().await.contains(&minute(930)));
    }

    /// What was decided before a copy, or before a link went, is not applied after it without another look;
    /// a copy that says the same counts for nothing.
    async fn copies_are_counted(world: World) {
        world.open(&therapist()).await;
        world.insert(&[meeting(&other_client(), &therapist(), hour(200))]).await;
        let linked = link(&therapist());
        assert_eq!(add(&world, &linked).await, Linked::Done);
        let people: BTreeSet<UserId> = [therapist()].into();
        let revision = async || {
            world.store().revisions(&people).await.expect("the store counts").remove(&therapist())
        };
        let first = [(hour(10), hour(11)), (hour(20), hour(70))];
        let more = [&first[..], &[(hour(80), hour(81))]].concat();
        let other_end = [(hour(10), hour(12)), (hour(20), hour(70)), (hour(80), hour(81))];
        let mut n = 300;
        for (spans, expected) in [
            (&first[..], Copied::Changed),
            (&first[..], Copied::Same),
            (&more[..], Copied::Changed),
            (&other_end[..], Copied::Changed),
            (&other_end[..], Copied::Same),
            (&[], Copied::Changed),
            (&[], Copied::Same),
            (&first[..], Copied::Changed),
        ] {
            let (before, seen) = (revision().await, world.read(&scope_of(SpanSet::default())).await);
            assert_eq!(copy_again(&world, &linked, spans).await, expected, "{spans:?}");
            assert_eq!(busy_of(&world, &therapist()).await, set(spans));
            let is_changed = expected == Copied::Changed;
            assert_eq!(before != revision().await, is_changed && before.is_some(), "{spans:?}");
            let applied = apply(&world, &seen, n).await;
            assert!(!(applied && is_changed), "{spans:?} came before");
            n += 1;
        }
        let seen = world.read(&scope_of(SpanSet::default())).await;
        assert!(remove(&world, &therapist(), linked.id).await);
        assert!(!apply(&world, &seen, n).await);
    }

    /// However many ask at the same time, each is theirs whom it was given to until the claim ends; those
    /// that have been due for longest come first.
    async fn each_is_claimed_once(world: World) {
        let mut made = Vec::new();
        for n in 0..8 {
            let one = LinkedCalendar {
                copy: CopyState::due(at(n)),
                ..link(&if n % 2 == 0 { therapist() } else { other_therapist() })
            };
            assert_eq!(add(&world, &one).await, Linked::Done);
            made.push(one);
        }
        assert_eq!(claim(&world, at(-1), at(10), 9).await, []);
        let first = claim(&world, at(7), at(100), 2).await;
        let first: BTreeSet<_> = first.into_iter().map(|link| link.id).collect();
        assert_eq!(first, [made[0].id, made[1].id].into());
        let claimed = race([(); 6].map(|()| {
            let world = world.clone();
            async move { claim(&world, at(6), at(200), 3).await }
        }));
        let mut claimed: Vec<_> = claimed.await.into_iter().flatten().collect();
        claimed.sort_by_key(|link| link.id);
        let mut expected: Vec<_> = made[2..7]
            .iter()
            .map(|link| LinkedCalendar { copy: CopyState::due(at(200)), ..link.clone() })
            .collect();
        expected.sort_by_key(|link| link.id);
        assert_eq!(claimed, expected, "each once, and none that is not due");
        assert_eq!(claim(&world, at(99), at(300), 9).await.len(), 1, "the last one");
        assert_eq!(claim(&world, at(100), at(300), 9).await.len(), 2, "the first claim has ended");
        assert_eq!(told(&world).await.len(), 8, "nothing of that is recorded");
    }

    /// A copy counts under its own claim alone: not after the link has changed or gone, or somebody else
    /// has claimed it, or when it is said twice.
    async fn outdated_copies_count_for_nothing(world: World) {
        let linked = link(&therapist());
        assert_eq!(add(&world, &linked).await, Linked::Done);
        let slow = claim_one(&world, at(0), at(10)).await;
        let fast = claim_one(&world, at(10), at(20)).await;
        assert_eq!(copied(&world, &slow, &[(hour(1), hour(2))]).await, Copied::Outdated);
        assert_eq!(copied(&world, &fast, &[(hour(3), hour(4))]).await, Copied::Changed);
        assert_eq!(copied(&world, &fast, &[(hour(5), hour(6))]).await, Copied::Outdated);
        let expected = set(&[(hour(3), hour(4))]);
        assert_eq!(busy_of(&world, &therapist()).await, expected);
        let state = found(&world, linked.id).await.expect("it is there").copy;
        assert_eq!(state, copied_at(1, at(1_000)));

        let slow = claim_one(&world, at(1_000), at(1_010)).await;
        let elsewhere = LinkedCalendar {
            version: 2,
            location: SealedLocation(vec![9]),
            // The very moment at which the claim ends.
            copy: CopyState::due(at(1_010)),
            ..linked.clone()
        };
        assert!(world.links().relink(&elsewhere, by()).await.expect("the store changes links"));
        assert_eq!(copied(&world, &slow, &[(hour(7), hour(8))]).await, Copied::Outdated);
        let slow = claim_one(&world, at(1_010), at(1_020)).await;
        assert!(remove(&world, &therapist(), linked.id).await);
        assert_eq!(copied(&world, &slow, &[(hour(9), hour(10))]).await, Copied::Outdated);
        assert_eq!(busy_of(&world, &therapist()).await, SpanSet::default());
        assert_eq!(found(&world, linked.id).await, None);
    }

    /// What a calendar is called is nothing to whoever copies it: what they know stays, and what they do
    /// counts. Any other change is, even if it leaves the claim's end where it was.
    async fn a_label_is_nothing_to_copies(world: World) {
        let known = CopyState {
            validators: Some(text("\"1\"")),
            written_to: Some(at(7)),
            ..copied_at(3, at(900))
        };
        let linked = LinkedCalendar { kind: CalendarKind::CalDav, copy: known, ..link(&therapist()) };
        assert_eq!(add(&world, &linked).await, Linked::Done);
        let claimed = claim_one(&world, at(900), at(960)).await;
        let label = Some(text("Work"));
        let due = CopyState::due(at(901));
        let named = LinkedCalendar { version: 2, label, copy: due.clone(), ..linked.clone() };
        assert!(world.links().relink(&named, by()).await.expect("the store changes links"));
        let expected = LinkedCalendar { copy: claimed.copy.clone(), ..named.clone() };
        assert_eq!(found(&world, linked.id).await, Some(expected));
        assert_eq!(copied(&world, &claimed, &[(hour(1), hour(2))]).await, Copied::Changed);
        let copy = copied_at(1, at(1_000));
        assert_eq!(found(&world, linked.id).await, Some(LinkedCalendar { copy, ..named.clone() }));

        let zone = Some(chrono_tz::Tz::Asia__Kathmandu);
        let mut present = named;
        for (version, until) in (3..).zip([1_010, 1_020, 1_030, 1_040]) {
            let claimed = claim_one(&world, at(until - 10), at(until)).await;
            let copy = CopyState::due(at(until));
            let before = LinkedCalendar { version, copy, ..present };
            present = match version {
                3 => LinkedCalendar { zone, ..before },
                4 => LinkedCalendar { write_back: WriteBack::On, ..before },
                5 => LinkedCalendar { location: SealedLocation(vec![9]), ..before },
                _ => LinkedCalendar { zone: None, ..before },
            };
            assert!(world.links().relink(&present, by()).await.expect("the store changes links"));
            let late = copied(&world, &claimed, &[(hour(3), hour(4))]).await;
            assert_eq!(late, Copied::Outdated, "version {version}");
        }
        assert_eq!(busy_of(&world, &therapist()).await, set(&[(hour(1), hour(2))]));
    }

    /// Of what failed, and of what has not changed, the state is kept, and the times stay.
    async fn times_stay_until_there_are_others(world: World) {
        let linked = link(&therapist());
        assert_eq!(add(&world, &linked).await, Linked::Done);
        copy(&world, &linked, &[(hour(3), hour(4))]).await;
        let failed = CopyState {
            unread: some_unread(),
            checked_at: Some(at(50)),
            failures: 1,
            fault: Some((CopyFault::Unauthorized, text("401"))),
            ..copied_at(1, at(2_000))
        };
        let claimed = claim_one(&world, at(1_000), at(1_010)).await;
        let noted = world.links().copied(&claimed, &failed, None).await;
        assert_eq!(noted.expect("the store notes copies"), Copied::Same);
        let expected = LinkedCalendar { copy: failed, ..linked.clone() };
        assert_eq!(found(&world, linked.id).await, Some(expected));
        assert_eq!(busy_of(&world, &therapist()).await, set(&[(hour(3), hour(4))]));
    }

    /// Sooner than it would be, and not while somebody is at it, or was a moment ago; nobody else's.
    async fn a_refresh_makes_due(world: World) {
        let linked = link(&therapist());
        assert_eq!(add(&world, &linked).await, Linked::Done);
        copy(&world, &linked, &[]).await;
        let due = async || found(&world, linked.id).await.expect("it is there").copy.next_at;
        let ask = async |therapist: UserId, since: i64, by: i64| {
            let refresh = Refresh {
                now: at(40),
                unless_checked_after: at(since),
                unless_due_by: at(by),
            };
            world.links().refresh(&therapist, linked.id, &refresh).await.expect("the store answers")
        };
        assert!(!ask(other_therapist(), 30, 100).await);
        assert_eq!(due().await, at(1_000));
        assert!(ask(therapist(), 0, 100).await, "it was looked at a moment ago");
        assert_eq!(due().await, at(1_000));
        assert!(ask(therapist(), 30, 1_000).await, "it is about to be looked at");
        assert_eq!(due().await, at(1_000));
        assert!(ask(therapist(), 30, 999).await);
        assert_eq!(due().await, at(40));
        assert!(remove(&world, &therapist(), linked.id).await);
        assert!(!ask(therapist(), 30, 999).await);
    }

    /// Whoever decides sees all of a copy or nothing of it, and whatever was copied before they were given
    /// their locks; nothing is copied between their decision and what it writes.
    async fn copies_and_bookings_come_one_after_the_other(world: World) {
        const COPIES: i64 = 40;
        world.open(&therapist()).await;
        world.insert(&[meeting(&other_client(), &therapist(), hour(-10))]).await;
        let linked = link(&therapist());
        assert_eq!(add(&world, &linked).await, Linked::Done);
        copy(&world, &linked, &[(hour(0), hour(1)), (hour(1_000), hour(1_001))]).await;
        let done = Arc::new(AtomicI64::new(0));
        let copier = {
            let (world, done, linked) = (world.clone(), done.clone(), linked.clone());
            async move {
                for n in 1..=COPIES {
                    let spans = [(hour(2 * n), hour(2 * n + 1)), (hour(1_000 + n), hour(1_001 + n))];
                    assert_eq!(copy_again(&world, &linked, &spans).await, Copied::Changed);
                    done.store(n, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            }
        };
        let booker = |who: UserId, from: i64| {
            let (world, done) = (world.clone(), done.clone());
            async move {
                let mut n = from;
                // Not for ever, should the copies not come to an end.
                while done.load(Ordering::SeqCst) < COPIES && n < from + 2_000 {
                    n += 1;
                    tokio::task::yield_now().await;
                    book_and_check(&world, &who, n, &done).await;
                }
            }
        };
        let runners: [std::pin::Pin<Box<dyn Future<Output = ()> + Send>>; 3] = [
            Box::pin(copier),
            Box::pin(booker(client(), 2_000)),
            Box::pin(booker(other_client(), 9_000)),
        ];
        race(runners).await;
        world.assert_no_overlap().await;
    }
}

/// Books an hour far from all copies, and looks at what it saw when that was decided.
async fn book_and_check(world: &World, who: &UserId, n: i64, done: &AtomicI64) {
    let within: SpanSet =
        [(hour(0), hour(500)), (hour(1_000), hour(1_500))].map(span).into_iter().collect();
    let scope = Scope { people: [who.clone(), therapist()].into(), ..scope_of(within) };
    let before = done.load(Ordering::SeqCst);
    let last = AtomicI64::new(-1);
    let decide = |seen: &Calendars| {
        let acknowledged = done.load(Ordering::SeqCst);
        let starts: BTreeSet<_> = seen.external.iter().map(|span| span.start()).collect();
        let copies: Vec<i64> = (0..=100).filter(|n| starts.contains(&hour(2 * n))).collect();
        let [copy] = copies[..] else { panic!("one copy, and all of it: {starts:?}") };
        assert_eq!(starts, [hour(2 * copy), hour(1_000 + copy)].into(), "all of it");
        assert!(copy >= before, "copy {before} was there, and {copy} was seen");
        // Other processes' copies are not told of here at once, but this one's are.
        last.store(acknowledged - copy, Ordering::SeqCst);
        let writes = vec![audited(Write::InsertMeeting(meeting(who, &therapist(), hour(n))))];
        Ok(Change { writes, ..Change::default() })
    };
    world.change(&scope, &decide).await.expect("the store applies a change");
    let behind = last.load(Ordering::SeqCst);
    assert!(behind <= 0, "applied, though {behind} copies had come since it was seen");
}

fn scope_of(busy_within: SpanSet) -> Scope {
    let people = [client(), therapist()].into();
    Scope { people, busy_within, hours_of: Some(therapist()), ..Scope::default() }
}

async fn apply(world: &World, seen: &Calendars, n: i64) -> bool {
    let writes = vec![audited(Write::InsertMeeting(meeting(&client(), &therapist(), hour(n))))];
    world.apply_if_current(seen, &Change { writes, ..Change::default() }).await
}
