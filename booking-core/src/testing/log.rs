//! The log of events: whoever has read up to a sequence has read everything up to there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;

use super::events::{Dice, chapters, sequences, story};
use super::fixtures::{client, hour, id, meeting, now, other_client, other_therapist, therapist};
use super::{World, cases, race};
use crate::{Event, Recorded, UserId};

cases! {
    ($) conformance_log in log:

    /// The oldest first, those after a sequence, and at most as many as asked for.
    async fn pages_follow_each_other(world: World) {
        assert_eq!((world.last_sequence().await, world.log(0, None, 10).await), (0, vec![]));
        let events = story(&meeting(&client(), &therapist(), hour(9)), 10);
        for event in &events {
            world.tell(std::slice::from_ref(event)).await;
        }
        let all = world.log(0, None, 1_000).await;
        assert!(all.iter().map(|recorded| &recorded.event).eq(&events));
        assert!(all.is_sorted_by(|one, next| one.sequence < next.sequence));
        assert_eq!(Some(world.last_sequence().await), sequences(&all).last().copied());
        for limit in [0, 1, 3, 10, 11, u32::MAX] {
            let page = world.log(0, None, limit).await;
            assert_eq!(page, all[..all.len().min(limit as usize)]);
        }
        for (n, recorded) in all.iter().enumerate() {
            let next = &all[n + 1..];
            let two = &next[..next.len().min(2)];
            assert_eq!(world.log(recorded.sequence, None, 2).await, two);
            assert_eq!(world.log(recorded.sequence - 1, None, 1).await, all[n..=n]);
        }
        assert_eq!(world.log(u64::MAX, None, 10).await, []);
    }

    /// Many commit and several publish while somebody reads on and on: nothing joins the log behind
    /// the reader's back, and each meeting's events come in the order of its changes.
    async fn a_reader_misses_nothing(world: World) {
        const WRITERS: usize = 12;
        const CHAPTERS: usize = 16;
        let is_over = Arc::new(AtomicBool::default());
        let readers: Vec<_> = (1..=2)
            .map(|page| {
                let (world, is_over) = (world.clone(), is_over.clone());
                tokio::spawn(async move { follow(&world, &is_over, page * 5).await })
            })
            .collect();
        let publishers: Vec<_> = [3, 7, 100]
            .map(|limit| {
                let (world, is_over) = (world.clone(), is_over.clone());
                tokio::spawn(async move {
                    while !is_over.load(Ordering::SeqCst) {
                        world.publish_some(limit).await;
                        tokio::task::yield_now().await;
                    }
                })
            })
            .into();
        race((0..WRITERS).map(|n| {
            let world = world.clone();
            let people = [id(&format!("c{n}")), id(&format!("t{n}"))];
            let events = story(&meeting(&people[0], &people[1], hour(9)), CHAPTERS);
            async move {
                // Some of the changes have two events.
                for pair in events.chunks(1 + n % 2) {
                    world.commit(&people, pair.to_vec()).await;
                }
            }
        }))
        .await;
        world.publish().await;
        is_over.store(true, Ordering::SeqCst);
        for publisher in publishers {
            publisher.await.expect("it publishes");
        }
        let all = world.events().await;
        assert_in_order(&all, WRITERS, CHAPTERS);
        for reader in readers {
            let read = reader.await.expect("it reads");
            assert_eq!(sequences(&read), sequences(&all), "a reader missed something");
            assert_eq!(read, all);
        }
    }

    /// Of several who publish the same events, together they publish each once.
    async fn racing_publishers_publish_nothing_twice(world: World) {
        for round in 1..=4 {
            let meeting = meeting(&client(), &therapist(), hour(9));
            world.commit(&[client(), therapist()], story(&meeting, 40)).await;
            race((0..6).map(|n| {
                let world = world.clone();
                async move { while world.publish_some(1 + 3 * n).await > 0 {} }
            }))
            .await;
            assert_in_order(&world.log(0, None, 10_000).await, round, 40);
        }
    }

    /// The events of one person, whoever they are in them, are those that a look at all finds.
    async fn a_person_sees_their_own(world: World) {
        let people = [client(), other_client(), therapist(), other_therapist(), id("nobody")];
        let mut dice = Dice::new(7);
        let mut events = vec![];
        for _ in 0..80 {
            let one = dice.roll(4);
            let other = (one + 1 + dice.roll(3)) % 4;
            let meeting = meeting(&people[one], &people[other], hour(9));
            events.extend(story(&meeting, 1 + dice.roll(3)));
        }
        for some in events.chunks(9) {
            world.tell(some).await;
        }
        let all = world.log(0, None, 10_000).await;
        for person in &people {
            let own: Vec<Recorded> =
                all.iter().filter(|one| concerns(one, person)).cloned().collect();
            let pages = [(0, 10_000), (0, 5), (all[40].sequence, 7), (all[11].sequence, 1)];
            for (after, limit) in pages {
                let expected: Vec<_> =
                    own.iter().filter(|one| one.sequence > after).take(limit).cloned().collect();
                let limit = limit.try_into().expect("small");
                assert_eq!(world.log(after, Some(person.clone()), limit).await, expected);
            }
        }
    }

    /// What goes are the events of the longest ago, before an instant, and no more than asked for.
    async fn the_oldest_are_forgotten(world: World) {
        let mut events = story(&meeting(&client(), &therapist(), hour(9)), 6);
        for (n, minutes) in [10, 5, 30, 0, 20, 15].into_iter().enumerate() {
            events[n].occurred_at += TimeDelta::minutes(minutes);
        }
        world.tell(&events).await;
        let at = |minutes| now() + TimeDelta::minutes(minutes);
        assert_eq!(world.forget(at(0), 10).await, 0);
        assert_eq!(world.forget(at(20), 0).await, 0);
        assert_eq!(left(&world, &events).await, [0, 1, 2, 3, 4, 5]);
        assert_eq!(world.forget(at(20), 3).await, 3);
        assert_eq!(left(&world, &events).await, [2, 4, 5]);
        assert_eq!(world.forget(at(20), 3).await, 1);
        assert_eq!(world.forget(at(20), 3).await, 0);
        assert_eq!(left(&world, &events).await, [2, 4]);
    }

    /// Neither what was not published, nor what is still pending for somebody, is forgotten; the
    /// deliveries of the rest go with them.
    async fn what_somebody_waits_for_is_not_forgotten(world: World) {
        let later = now() + TimeDelta::days(1);
        let (crm, lab) = (world.join("crm").await, world.join("lab").await);
        let meeting = meeting(&client(), &therapist(), hour(9));
        let events = story(&meeting, 4);
        world.tell(&events[..3]).await;
        world.commit(&[client()], events[3..].to_vec()).await;
        assert_eq!(world.forget(later, 10).await, 0);
        for (id, count) in [(&crm, 3), (&lab, 2)] {
            for _ in 0..count {
                let claimed = world.claim(id, now(), 1).await;
                let done = super::events::ended(&claimed[0], now(), crate::Outcome::Delivered);
                world.settle(id, &[done]).await;
            }
        }
        assert_eq!(world.forget(later, 10).await, 2);
        assert_eq!(world.deliveries(&crm, None).await.len(), 1);
        assert_eq!(left(&world, &events).await, [2, 3]);
        for (id, expected) in [(&crm, &events[3..]), (&lab, &events[2..])] {
            let taken = world.take_all(id, now()).await;
            assert!(taken.iter().map(|recorded| &recorded.event).eq(expected));
        }
        assert_eq!(world.forget(later, 10).await, 2);
        assert_eq!(world.events().await, []);
        assert_eq!(world.deliveries(&lab, None).await, []);
    }

    /// Sequences are never used twice, even when everything was forgotten meanwhile.
    async fn sequences_are_never_used_twice(world: World) {
        let mut last = 0;
        for _ in 0..6 {
            world.tell(&story(&meeting(&client(), &therapist(), hour(9)), 2)).await;
            let new = sequences(&world.events().await);
            assert!(new.len() == 2 && new.iter().all(|n| *n > last), "{new:?} after {last}");
            last = new[1];
            assert_eq!(world.forget(now() + TimeDelta::days(1), 10).await, 2);
            assert_eq!((world.events().await, world.last_sequence().await), (vec![], last));
        }
    }
}

/// Reads on and on, until nothing comes any more once it is over.
async fn follow(world: &World, is_over: &AtomicBool, page: u32) -> Vec<Recorded> {
    let mut read: Vec<Recorded> = vec![];
    loop {
        let was_over = is_over.load(Ordering::SeqCst);
        let after = read.last().map_or(0, |last| last.sequence);
        let more = world.log(after, None, page).await;
        if more.is_empty() && was_over {
            return read;
        }
        read.extend(more);
        tokio::task::yield_now().await;
    }
}

fn assert_in_order(all: &[Recorded], meetings: usize, events: usize) {
    let ids: BTreeSet<_> = all.iter().map(|recorded| recorded.event.id.uuid()).collect();
    assert_eq!((ids.len(), all.len()), (meetings * events, meetings * events), "each once");
    assert!(all.is_sorted_by(|one, next| one.sequence < next.sequence));
    for chapters in chapters(all.iter().map(|recorded| &recorded.event)).values() {
        assert!(chapters.iter().copied().eq(0..events), "{chapters:?}");
    }
}

fn concerns(recorded: &Recorded, person: &UserId) -> bool {
    recorded.event.payload.people().contains(&person)
}

/// Which ones of these events are in the log.
async fn left(world: &World, events: &[Event]) -> Vec<usize> {
    let log = world.events().await;
    let is_there = |event: &Event| log.iter().any(|recorded| recorded.event == *event);
    (0..events.len()).filter(|&n| is_there(&events[n])).collect()
}
