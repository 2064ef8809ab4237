//! Linked calendars: made, changed and removed, alone or with their therapist.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::fixtures::{by, client, hour, id, now, other_therapist, text, therapist, user};
use super::linked::{
    add, at, busy_of, copied, copied_at, copy, found, leave, link, links_of, remove, set,
    some_unread, told,
};
use super::rows::NASTY;
use super::{cases, race};
use crate::{
    AuditAction, CalendarKind, CopyFault, CopyState, Linked, LinkedCalendar, SealedLocation,
    SpanSet, WriteBack,
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
                unread: some_unread(),
                checked_at: Some(at(3)),
                failures: u32::MAX,
                unwritten: u32::MAX,
                written_to: Some(at(5)),
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
}
