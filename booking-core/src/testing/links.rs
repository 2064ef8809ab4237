//! Linked calendars: made, claimed, copied and removed, and what they keep from being booked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::fixtures::{
    as_client, audited, by, client, hour, id, meeting, minute, now, other_client, other_therapist,
    text, therapist, user,
};
use super::rows::NASTY;
use super::{World, cases, race};
use crate::{
    AuditAction, AuditEntry, Bounded, Buffers, BusyTimes, CalendarKind, Calendars, Change, Copied,
    CopyClaim, CopyFault, CopyState, DiariesQuery, IdSource, Linked, LinkedCalendar,
    LinkedCalendarId, NewsOutcome, RandomIds, Refresh, Refusal, Scope, SealedLocation,
    SessionDuration, Settings, Span, SpanSet, TherapistSettings, UserChange, UserId, UserNews,
    Write, WriteBack,
};

cases! {
    ($) conformance_links in links:

    /// All that a link says; to its therapist alone, the oldest first.
    async fn links_come_back_as_made(world: World) {
        let [late, early, theirs] = [therapist(), therapist(), other_therapist()].map(|t| link(&t));
        let late = LinkedCalendar { created_at: now() + TimeDelta::milliseconds(1), ..late };
        let early = LinkedCalendar {
            version: 7,
            kind: CalendarKind::CalDav,
            label: Some(text(NASTY)),
            location: SealedLocation((0..=255).collect()),
            zone: Some(Tz::Asia__Kathmandu),
            write_back: WriteBack::On,
            copy: CopyState {
                validators: Some(text(NASTY)),
                fetched_at: Some(at(1)),
                expanded_at: Some(at(2)),
                checked_at: Some(at(3)),
                failures: u32::MAX,
                fault: Some((CopyFault::Status, text("503"))),
                next_at: at(4),
            },
            ..early
        };
        for one in [&late, &early, &theirs] {
            assert_eq!(add(&world, one).await, Linked::Done);
        }
        assert_eq!(links_of(&world, &therapist()).await, [early.clone(), late.clone()]);
        assert_eq!(links_of(&world, &other_therapist()).await, std::slice::from_ref(&theirs));
        assert_eq!(links_of(&world, &client()).await, []);
        for one in [late, early, theirs] {
            assert_eq!(found(&world, one.id).await, Some(one));
        }
        assert_eq!(found(&world, link(&therapist()).id).await, None);
    }

    /// However many are linked at the same time, and by whomever else; one that goes makes room.
    async fn nobody_links_too_many(world: World) {
        const MOST: usize = LinkedCalendar::MAX_PER_THERAPIST as usize;
        let owners = [therapist(), other_therapist()];
        let made = race((0..2 * (MOST + 6)).map(|n| {
            let (world, link) = (world.clone(), link(&owners[n % 2]));
            async move { add(&world, &link).await }
        }))
        .await;
        assert_eq!(made.iter().filter(|made| **made == Linked::Done).count(), 2 * MOST);
        assert!(made.iter().all(|made| *made != Linked::NobodysAnyMore));
        for owner in &owners {
            assert_eq!(links_of(&world, owner).await.len(), MOST);
        }
        assert_eq!(told(&world).await.len(), 2 * MOST, "who is refused leaves no entry");
        let [first, ..] = &links_of(&world, &therapist()).await[..] else { panic!("there are some") };
        assert!(remove(&world, &therapist(), first.id).await);
        assert_eq!(add(&world, &link(&therapist())).await, Linked::Done);
        assert_eq!(add(&world, &link(&therapist())).await, Linked::TooMany);
    }

    /// By their therapist, once, with their times, and nobody else's goes along.
    async fn a_link_goes_with_its_times(world: World) {
        world.open(&therapist()).await;
        let [one, other] = [link(&therapist()), link(&therapist())];
        let theirs = link(&other_therapist());
        for (n, link) in (0..).zip([&one, &other, &theirs]) {
            assert_eq!(add(&world, link).await, Linked::Done);
            copy(&world, link, &[(hour(10 + n), hour(11 + n))]).await;
        }
        assert_eq!(busy_of(&world, &therapist()).await, set(&[(hour(10), hour(12))]));
        assert!(!remove(&world, &therapist(), theirs.id).await);
        assert!(!remove(&world, &other_therapist(), one.id).await);
        let removed = race([(); 8].map(|()| {
            let (world, id) = (world.clone(), one.id);
            async move { remove(&world, &therapist(), id).await }
        }))
        .await;
        assert_eq!(removed.into_iter().filter(|removed| *removed).count(), 1);
        assert_eq!(found(&world, one.id).await, None);
        assert_eq!(busy_of(&world, &therapist()).await, set(&[(hour(11), hour(12))]));
        assert_eq!(busy_of(&world, &other_therapist()).await, set(&[(hour(12), hour(13))]));
        let entries = told(&world).await;
        let of_one = entries.iter().filter(|entry| entry.subject.id == one.id.to_string());
        let actions: Vec<_> = of_one.map(|entry| entry.action).collect();
        assert_eq!(actions, [AuditAction::CalendarUnlinked, AuditAction::CalendarLinked]);
        world.book_hour(hour(10)).await.expect("it is free again");
    }

    /// What is replaced is the version before, once; when it was linked and copied stays.
    async fn a_link_changes_once(world: World) {
        let first = link(&therapist());
        let copied = CopyState { validators: Some(text("\"1\"")), ..copied_at(3, at(900)) };
        let first = LinkedCalendar { copy: copied, ..first };
        assert_eq!(add(&world, &first).await, Linked::Done);
        copy(&world, &first, &[(hour(10), hour(11))]).await;
        let present = found(&world, first.id).await.expect("it is there");
        let wishes: Vec<LinkedCalendar> = (0..8)
            .map(|n| LinkedCalendar {
                version: 2,
                label: Some(text(&n.to_string())),
                host: text("elsewhere.example.com"),
                location: SealedLocation(vec![n]),
                zone: Some(Tz::Europe__Berlin),
                created_at: at(77),
                copy: CopyState::due(at(5)),
                ..first.clone()
            })
            .collect();
        let outcomes = race(wishes.clone().into_iter().map(|wish| {
            let world = world.clone();
            async move { world.links().relink(&wish, by()).await.expect("the store changes links") }
        }))
        .await;
        let won: Vec<_> =
            outcomes.into_iter().zip(wishes).filter_map(|(won, wish)| won.then_some(wish)).collect();
        assert_eq!(won.len(), 1);
        let copy = CopyState { validators: None, next_at: at(5), ..present.copy };
        let expected = LinkedCalendar { created_at: first.created_at, copy, ..won[0].clone() };
        assert_eq!(found(&world, first.id).await, Some(expected.clone()));
        assert_eq!(busy_of(&world, &therapist()).await, set(&[(hour(10), hour(11))]));
        // Nobody else's, and nothing that is not there.
        let third = LinkedCalendar { version: 3, ..expected.clone() };
        for wrong in [
            LinkedCalendar { therapist: other_therapist(), ..third.clone() },
            LinkedCalendar { id: link(&therapist()).id, ..third.clone() },
            LinkedCalendar { version: 4, ..third },
        ] {
            assert!(!world.links().relink(&wrong, by()).await.expect("the store changes links"));
        }
        assert_eq!(found(&world, first.id).await, Some(expected));
        let actions: Vec<_> = told(&world).await.iter().map(|entry| entry.action).collect();
        assert_eq!(actions, [AuditAction::CalendarChanged, AuditAction::CalendarLinked]);
    }

    /// Who leaves the directory leaves no link, no times, and everything on record.
    async fn links_go_with_their_therapist(world: World) {
        let gone = [link(&therapist()), link(&therapist())];
        let stays = link(&other_therapist());
        for link in gone.iter().chain([&stays]) {
            assert_eq!(add(&world, link).await, Linked::Done);
            copy(&world, link, &[(hour(10), hour(11))]).await;
        }
        leave(&world, &therapist()).await;
        assert_eq!(links_of(&world, &therapist()).await, []);
        assert_eq!(busy_of(&world, &therapist()).await, SpanSet::default());
        assert_eq!(links_of(&world, &other_therapist()).await.len(), 1);
        assert_eq!(busy_of(&world, &other_therapist()).await, set(&[(hour(10), hour(11))]));
        assert_eq!(add(&world, &link(&therapist())).await, Linked::NobodysAnyMore);
        // Nor does anything come back with them.
        world.directory().put_user(&user(&therapist()), by()).await.expect("the directory takes users");
        assert_eq!(links_of(&world, &therapist()).await, []);
        let entries = told(&world).await;
        let unlinked = entries.iter().filter(|e| e.action == AuditAction::CalendarUnlinked);
        let unlinked: BTreeSet<_> = unlinked.map(|entry| entry.subject.id.clone()).collect();
        assert_eq!(unlinked, gone.map(|link| link.id.to_string()).into());
        assert_eq!(add(&world, &link(&therapist())).await, Linked::Done);
    }

    /// Also those that are linked, and copied, while their therapist is being removed.
    async fn nothing_outlives_its_therapist(world: World) {
        let mut world = world;
        for round in 0..8 {
            let leaver = id(&format!("therapist_leaving_{round}"));
            world.put_user(&user(&leaver)).await;
            let first = link(&leaver);
            assert_eq!(add(&world, &first).await, Linked::Done);
            race((0..6).map(|n| {
                let (world, leaver, first) = (world.clone(), leaver.clone(), first.clone());
                async move {
                    match n {
                        0 => leave(&world, &leaver).await,
                        1 | 2 => {
                            copied(&world, &first, &[(hour(n), hour(n + 1))]).await;
                        }
                        _ => {
                            add(&world, &link(&leaver)).await;
                        }
                    }
                }
            }))
            .await;
            assert_eq!(links_of(&world, &leaver).await, [], "round {round}");
            assert_eq!(busy_of(&world, &leaver).await, SpanSet::default(), "round {round}");
        }
    }

    /// Whose it is and where it leads; of its label that there is one, and of its secrets nothing.
    async fn entries_of_links_tell_no_secret(world: World) {
        let secret = SealedLocation(b"Xylophone".to_vec());
        let named = LinkedCalendar { label: Some(text("Zither")), location: secret, ..link(&therapist()) };
        assert_eq!(add(&world, &named).await, Linked::Done);
        let elsewhere =
            LinkedCalendar { version: 2, location: SealedLocation(vec![7]), ..named.clone() };
        assert!(world.links().relink(&elsewhere, by()).await.expect("the store changes links"));
        assert!(remove(&world, &therapist(), named.id).await);
        let entries = told(&world).await;
        let [removed, changed, made] = &entries[..] else { panic!("{entries:?}") };
        for entry in [removed, made] {
            assert_eq!(entry.people, [therapist()].into());
            assert_eq!(entry.withheld, ["label", "url"]);
            let fields: Vec<_> = entry.changes.iter().map(|change| change.field.as_str()).collect();
            assert_eq!(fields, ["version", "therapistId", "kind", "host", "writeBack"]);
        }
        assert_eq!(changed.withheld, ["url"]);
        let text = format!("{entries:?}");
        for secret in ["Xylophone", "Zither", "58796c6f"] {
            assert!(!text.contains(secret), "{text}");
        }
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

    /// Of what failed, and of what has not changed, the state is kept, and the times stay.
    async fn times_stay_until_there_are_others(world: World) {
        let linked = link(&therapist());
        assert_eq!(add(&world, &linked).await, Linked::Done);
        copy(&world, &linked, &[(hour(3), hour(4))]).await;
        let failed = CopyState {
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

/// So many seconds after [`now`].
fn at(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

fn span((from, to): (DateTime<Utc>, DateTime<Utc>)) -> Span {
    Span::new(from, to).expect("a span")
}

fn set(spans: &[(DateTime<Utc>, DateTime<Utc>)]) -> SpanSet {
    spans.iter().copied().map(span).collect()
}

fn link(therapist: &UserId) -> LinkedCalendar {
    LinkedCalendar {
        id: LinkedCalendarId::from_uuid(RandomIds.fresh(now())),
        therapist: therapist.clone(),
        version: 1,
        kind: CalendarKind::Ics,
        label: None,
        host: text("calendar.example.com"),
        location: SealedLocation(vec![1, 2, 3]),
        zone: None,
        write_back: WriteBack::Off,
        created_at: now(),
        copy: CopyState::due(now()),
    }
}

async fn add(world: &World, link: &LinkedCalendar) -> Linked {
    world.links().link(link, by()).await.expect("the store takes links")
}

async fn remove(world: &World, therapist: &UserId, id: LinkedCalendarId) -> bool {
    world.links().unlink(therapist, id, by()).await.expect("the store removes links")
}

async fn links_of(world: &World, therapist: &UserId) -> Vec<LinkedCalendar> {
    world.links().linked_to(therapist).await.expect("the store answers")
}

async fn found(world: &World, id: LinkedCalendarId) -> Option<LinkedCalendar> {
    world.links().linked_calendar(id).await.expect("the store answers")
}

async fn claim(
    world: &World,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: u32,
) -> Vec<LinkedCalendar> {
    let claim = CopyClaim { now, until, limit };
    world.links().claim_links(&claim).await.expect("the store answers")
}

async fn claim_one(world: &World, now: DateTime<Utc>, until: DateTime<Utc>) -> LinkedCalendar {
    let mut claimed = claim(world, now, until, 9).await;
    assert_eq!(claimed.len(), 1, "it is due");
    claimed.remove(0)
}

/// The state after a copy at that second.
fn copied_at(second: i64, next_at: DateTime<Utc>) -> CopyState {
    let then = Some(at(second));
    CopyState { fetched_at: then, expanded_at: then, checked_at: then, ..CopyState::due(next_at) }
}

/// Under this claim.
async fn copied(
    world: &World,
    claimed: &LinkedCalendar,
    spans: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Copied {
    let all = Span::new(hour(-24 * 400), hour(24 * 400)).expect("a span");
    let times = BusyTimes::within(all, &set(spans)).expect("a few");
    let copied = world.links().copied(claimed, &copied_at(1, at(1_000)), Some(&times)).await;
    copied.expect("the store takes copies")
}

/// Of a link as it was made: nobody has claimed it yet.
async fn copy(world: &World, link: &LinkedCalendar, spans: &[(DateTime<Utc>, DateTime<Utc>)]) {
    assert_ne!(copied(world, link, spans).await, Copied::Outdated);
}

/// Of a link as it is now.
async fn copy_again(
    world: &World,
    link: &LinkedCalendar,
    spans: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Copied {
    let present = found(world, link.id).await.expect("it is there");
    copied(world, &present, spans).await
}

/// All that is known of when linked calendars keep somebody busy.
async fn busy_of(world: &World, therapist: &UserId) -> SpanSet {
    let all = Span::new(hour(-24 * 500), hour(24 * 500)).expect("a span");
    let hours_of = Some(therapist.clone());
    let people = [therapist.clone()].into();
    let scope = Scope { people, hours_of, busy_within: all.into(), ..Scope::default() };
    world.read(&scope).await.external.into_iter().collect()
}

async fn leave(world: &World, user: &UserId) {
    let news = UserNews {
        message: format!("msg_{user}"),
        user: user.clone(),
        changed_at: now(),
        received_at: now(),
        change: UserChange::Deleted,
    };
    let taken = world.directory().take_news(&news, by(), &RandomIds).await;
    assert_eq!(taken.expect("the directory takes news"), NewsOutcome::Taken);
}

/// What the audit log says of linked calendars, the latest first; those of one instant, as they go.
async fn told(world: &World) -> Vec<AuditEntry> {
    let mut entries = world.entries().await;
    entries.retain(|entry| entry.action.as_str().starts_with("calendar."));
    entries.sort_by_key(|entry| match entry.action {
        AuditAction::CalendarUnlinked => 0,
        AuditAction::CalendarChanged => 1,
        _ => 2,
    });
    entries
}
