//! Calendar feeds: made, listed, read and taken back.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::fixtures::{by, client, now, other_client, text, therapist, user};
use super::rows::NASTY;
use super::{World, cases, race};
use crate::{
    AuditAction, AuditEntry, CalendarFeed, FeedContent, FeedId, FeedKey, IdSource, NewsOutcome,
    RandomIds, UserChange, UserId, UserNews,
};

cases! {
    ($) conformance_feeds in feeds:

    /// All that a feed says; to its owner alone, the oldest first; and what tells its key from others.
    async fn feeds_come_back_as_made(world: World) {
        let [late, early, third] = [0, 1, 2].map(|n| feed(&client(), n));
        let late = CalendarFeed { created_at: now() + TimeDelta::milliseconds(1), ..late };
        let early = CalendarFeed {
            content: FeedContent::Titles,
            name: Some(text(NASTY)),
            ..early
        };
        let theirs = CalendarFeed { owner: therapist(), content: FeedContent::Availability, ..third };
        for (feed, secret) in [(&late, 1), (&early, 2), (&theirs, 3)] {
            assert!(add(&world, feed, secret).await);
        }
        assert_eq!(feeds_of(&world, &client()).await, [early.clone(), late.clone()]);
        assert_eq!(feeds_of(&world, &therapist()).await, std::slice::from_ref(&theirs));
        assert_eq!(feeds_of(&world, &other_client()).await, []);
        for (feed, right) in [(&late, 1), (&early, 2), (&theirs, 3)] {
            let found = world.feeds().feed(feed.id).await.expect("the store answers");
            let (found, digest) = found.expect("it is there");
            assert_eq!(found, *feed);
            for secret in 0..=4 {
                assert_eq!(digest.is_of(&key(feed, secret)), secret == right);
            }
        }
        let unknown = FeedId::from_uuid(RandomIds.fresh(now()));
        assert!(world.feeds().feed(unknown).await.expect("the store answers").is_none());
    }

    /// However many are asked for at the same time, and by whomever else; one that goes makes room.
    async fn nobody_has_too_many(world: World) {
        const MOST: usize = CalendarFeed::MAX_PER_OWNER as usize;
        let owners = [client(), other_client()];
        let made = race((0..2 * (MOST + 6)).map(|n| {
            let (world, feed) = (world.clone(), feed(&owners[n % 2], 0));
            async move { add(&world, &feed, 0).await }
        }))
        .await;
        assert_eq!(made.iter().filter(|made| **made).count(), 2 * MOST);
        for owner in &owners {
            assert_eq!(feeds_of(&world, owner).await.len(), MOST);
        }
        assert_eq!(told(&world).await.len(), 2 * MOST, "who is refused leaves no entry");
        let [first, ..] = &feeds_of(&world, &client()).await[..] else { panic!("there are some") };
        assert!(revoke(&world, &client(), first.id).await);
        assert!(add(&world, &feed(&client(), 0), 0).await);
        assert!(!add(&world, &feed(&client(), 0), 0).await);
    }

    /// By its owner, once, and nobody else's goes along.
    async fn a_feed_is_taken_back_by_its_owner(world: World) {
        let [one, other, theirs] = [client(), client(), therapist()].map(|owner| feed(&owner, 0));
        for feed in [&one, &other, &theirs] {
            assert!(add(&world, feed, 0).await);
        }
        assert!(!revoke(&world, &client(), theirs.id).await);
        assert!(!revoke(&world, &other_client(), one.id).await);
        let revoked = race([(); 8].map(|()| {
            let (world, id) = (world.clone(), one.id);
            async move { revoke(&world, &client(), id).await }
        }))
        .await;
        assert_eq!(revoked.into_iter().filter(|revoked| *revoked).count(), 1);
        assert!(world.feeds().feed(one.id).await.expect("the store answers").is_none());
        assert_eq!(feeds_of(&world, &client()).await, std::slice::from_ref(&other));
        assert_eq!(feeds_of(&world, &therapist()).await, std::slice::from_ref(&theirs));
        let of_one = told(&world).await.into_iter().filter(|entry| entry.subject.id == one.id.to_string());
        let actions: Vec<_> = of_one.map(|entry| entry.action).collect();
        assert_eq!(actions, [AuditAction::FeedRevoked, AuditAction::FeedCreated]);
    }

    /// Who leaves the directory leaves nothing to read, and everything on record.
    async fn feeds_go_with_their_owner(world: World) {
        let theirs = [0, 1].map(|n| feed(&client(), n));
        let others = feed(&therapist(), 0);
        for feed in theirs.iter().chain([&others]) {
            assert!(add(&world, feed, 0).await);
        }
        let news = UserNews {
            message: "msg_1".to_owned(),
            user: client(),
            changed_at: now(),
            received_at: now(),
            change: UserChange::Deleted,
        };
        let taken = world.directory().take_news(&news, by(), &RandomIds).await;
        assert_eq!(taken.expect("the directory takes news"), NewsOutcome::Taken);
        assert_eq!(feeds_of(&world, &client()).await, []);
        for feed in &theirs {
            assert!(world.feeds().feed(feed.id).await.expect("the store answers").is_none());
        }
        assert_eq!(feeds_of(&world, &therapist()).await, [others]);
        // Nor does anything come back with them.
        world.directory().put_user(&user(&client()), by()).await.expect("the directory takes users");
        assert_eq!(feeds_of(&world, &client()).await, []);
        let gone: BTreeSet<_> = revoked(&world).await.into_iter().map(|entry| entry.subject.id).collect();
        assert_eq!(gone, theirs.map(|feed| feed.id.to_string()).into());
    }

    /// Whose it is and what it shows; of its name that there is one, and of its secret nothing.
    async fn entries_of_feeds_tell_no_secret(world: World) {
        let named = CalendarFeed { name: Some(text("Xylophone")), ..feed(&client(), 0) };
        assert!(add(&world, &named, 7).await && revoke(&world, &client(), named.id).await);
        let entries = told(&world).await;
        assert_eq!(entries.len(), 2);
        for entry in entries {
            assert_eq!((&entry.people, &entry.withheld[..]), (&[client()].into(), &["name".to_owned()][..]));
            let fields: Vec<_> = entry.changes.iter().map(|change| change.field.as_str()).collect();
            assert_eq!(fields, ["ownerId", "shows"]);
            let text = format!("{entry:?}");
            assert!(!text.contains("Xylophone") && !text.contains("0707"), "{text}");
        }
    }
}

fn feed(owner: &UserId, n: i64) -> CalendarFeed {
    let made = now() + TimeDelta::seconds(n);
    CalendarFeed {
        id: FeedId::from_uuid(RandomIds.fresh(made)),
        owner: owner.clone(),
        content: FeedContent::Times,
        name: None,
        created_at: now(),
    }
}

fn key(feed: &CalendarFeed, secret: u8) -> FeedKey {
    FeedKey::new(feed.id, [secret; FeedKey::SECRET_BYTES])
}

async fn add(world: &World, feed: &CalendarFeed, secret: u8) -> bool {
    let digest = key(feed, secret).digest();
    world.feeds().add_feed(feed, &digest, by()).await.expect("the store takes feeds")
}

async fn revoke(world: &World, owner: &UserId, feed: FeedId) -> bool {
    world.feeds().revoke_feed(owner, feed, by()).await.expect("the store takes feeds back")
}

async fn feeds_of(world: &World, owner: &UserId) -> Vec<CalendarFeed> {
    world.feeds().feeds_of(owner).await.expect("the store answers")
}

/// What the audit log says of feeds, the latest first; those of one instant, taken back before made.
async fn told(world: &World) -> Vec<AuditEntry> {
    let mut entries = world.entries().await;
    entries.retain(|entry| entry.action.as_str().starts_with("feed."));
    entries.sort_by_key(|entry| entry.action == AuditAction::FeedCreated);
    entries
}

async fn revoked(world: &World) -> Vec<AuditEntry> {
    let mut entries = told(world).await;
    entries.retain(|entry| entry.action == AuditAction::FeedRevoked);
    entries
}
