//! Changes that were decided without locks: applied while nobody was faster, and not at all else.
//!
//! A store may always say that it cannot tell. One that does tell must be right.

use chrono::Weekday;

use super::fixtures::{
    audited, booked, client, hour, id, key, meeting, now, other_client, other_therapist, slot,
    therapist, window,
};
use super::{cases, race};
use crate::{
    Answer, AvailabilitySlot, Calendars, Change, Fingerprint, Meeting, MeetingStatus, Record,
    Scope, Span, UserId, Write,
};

cases! {
    ($) conformance_current in current:

    /// What is applied is applied as a whole; what is not leaves nothing behind.
    async fn it_is_all_there_or_nothing_is(world: World) {
        world.open(&therapist()).await;
        for n in 0..4 {
            let seen = world.read(&scope_of(&client(), hour(n))).await;
            let change = booking(&meeting(&client(), &therapist(), hour(n)));
            let before = world.everything().await;
            let applied = world.apply_if_current(&seen, &change).await;
            let after = world.everything().await;
            let booked = change.events[0].payload.meeting();
            assert_eq!(world.meeting(booked).await.is_some(), applied);
            assert_eq!(after.events.len() - before.events.len(), usize::from(applied));
            assert_eq!(after.audit.len() - before.audit.len(), usize::from(applied));
            let record = world.read(&seen.scope).await.record;
            assert_eq!(record == change.record, applied);
            if !applied {
                assert_eq!(after, before);
            }
        }
    }

    /// Whatever changed in one of the calendars since, nothing is applied.
    async fn what_is_out_of_date_is_not_applied(world: World) {
        let hours = world.open(&therapist()).await;
        let standing = meeting(&other_client(), &therapist(), hour(30));
        world.insert(std::slice::from_ref(&standing)).await;
        let moved = Meeting { start: hour(40), version: 2, ..standing.clone() };
        let cancelled = Meeting { status: MeetingStatus::Cancelled, version: 3, ..moved.clone() };
        let shorter = AvailabilitySlot { window: window(0, 600), ..hours[1].clone() };
        let faster = [
            Write::InsertMeeting(meeting(&other_client(), &therapist(), hour(1))),
            Write::InsertMeeting(meeting(&client(), &other_therapist(), hour(2))),
            Write::InsertMeeting(meeting(&therapist(), &other_therapist(), hour(3))),
            Write::UpdateMeeting(moved),
            Write::UpdateMeeting(cancelled),
            Write::UpdateAvailability(shorter),
            Write::DeleteAvailability(hours[2].id),
            Write::InsertAvailability(slot(&therapist(), Weekday::Tue, window(0, 30))),
        ];
        for (n, write) in (50..).zip(faster) {
            let seen = world.read(&scope_of(&client(), hour(n))).await;
            world.write([write.clone()]).await;
            let before = world.everything().await;
            let change = booking(&meeting(&client(), &therapist(), hour(n)));
            assert!(!world.apply_if_current(&seen, &change).await, "{write:?} was faster");
            assert_eq!(world.everything().await, before);
        }
    }

    /// A meeting that was looked at has changed since.
    async fn a_version_is_replaced_once(world: World) {
        let first = meeting(&client(), &therapist(), hour(9));
        world.insert(std::slice::from_ref(&first)).await;
        let people = [client(), therapist()].into();
        let scope = Scope { people, meeting: Some(first.id), ..Scope::default() };
        let seen = world.read(&scope).await;
        let wishes: Vec<Meeting> =
            (0..8).map(|n| Meeting { version: 2, start: hour(10 + n), ..first.clone() }).collect();
        let outcomes = race(wishes.clone().into_iter().map(|after| {
            let (world, seen) = (world.clone(), seen.clone());
            let writes = vec![audited(Write::UpdateMeeting(after))];
            async move { world.apply_if_current(&seen, &Change { writes, ..Change::default() }).await }
        }));
        let won: Vec<_> =
            outcomes.await.into_iter().zip(wishes).filter_map(|(won, wish)| won.then_some(wish)).collect();
        assert!(won.len() <= 1, "{won:?}");
        assert_eq!(world.meeting(first.id).await, Some(won.into_iter().next().unwrap_or(first)));
    }

    /// Of all who saw the same free hour, one gets it; also when others take the locks meanwhile.
    async fn one_hour_has_one_winner(world: World) {
        let mut world = world;
        let clients: Vec<UserId> = (0..16).map(|n| id(&format!("client_{n}"))).collect();
        for client in &clients {
            world.add_client(client).await;
        }
        world.open(&therapist()).await;
        for round in 0..8 {
            let at = hour(10 + round);
            let outcomes = race((0..).zip(clients.clone()).map(|(n, client)| {
                let world = world.clone();
                async move {
                    let scope = scope_of(&client, at);
                    let change = booking(&meeting(&client, &therapist(), at));
                    let is_free = |seen: &Calendars| seen.busy.is_empty();
                    if n % 4 == 0 {
                        let decide = |found: &Calendars| {
                            Ok(if is_free(found) { change.clone() } else { Change::default() })
                        };
                        let applied = world.change(&scope, &decide).await;
                        return !applied.expect("the store changes").is_empty();
                    }
                    let seen = world.read(&scope).await;
                    is_free(&seen) && world.apply_if_current(&seen, &change).await
                }
            }));
            let won = outcomes.await.into_iter().filter(|won| *won).count();
            assert_eq!(won, 1, "of those who lock one wins, if nobody else does");
        }
        world.assert_no_overlap().await;
    }

    /// What the scope did not name is nothing that the store could answer for.
    async fn it_answers_for_what_was_named_alone(world: World) {
        let elsewhere = meeting(&other_client(), &other_therapist(), hour(9));
        world.insert(std::slice::from_ref(&elsewhere)).await;
        let people = [client(), therapist()].into();
        let scope = Scope { people, meeting: Some(elsewhere.id), ..Scope::default() };
        let seen = world.read(&scope).await;
        let taken = Meeting { version: 2, start: hour(10), ..elsewhere.clone() };
        world.write([Write::UpdateMeeting(taken.clone())]).await;
        let over = Meeting { version: 2, start: hour(11), ..elsewhere.clone() };
        for write in [
            Write::UpdateMeeting(over),
            Write::InsertMeeting(meeting(&other_client(), &other_therapist(), hour(10))),
            Write::InsertAvailability(slot(&other_therapist(), Weekday::Mon, window(0, 60))),
        ] {
            let change = Change { writes: vec![audited(write)], ..Change::default() };
            assert!(!world.apply_if_current(&seen, &change).await);
        }
        assert_eq!(world.meeting(elsewhere.id).await, Some(taken));
    }
}

fn scope_of(client: &UserId, at: chrono::DateTime<chrono::Utc>) -> Scope {
    Scope {
        people: [client.clone(), therapist()].into(),
        busy_within: Span::new(at, at + chrono::TimeDelta::hours(1)).into(),
        hours_of: Some(therapist()),
        record: Some((client.clone(), key(&at.to_string()))),
        ..Scope::default()
    }
}

fn booking(meeting: &Meeting) -> Change {
    Change {
        writes: vec![audited(Write::InsertMeeting(meeting.clone()))],
        events: vec![booked(meeting)],
        record: Some(Record {
            user: meeting.client.clone(),
            key: key(&meeting.start.to_string()),
            fingerprint: Fingerprint([1; 32]),
            answer: Answer::Meeting(Box::new(meeting.clone())),
            created_at: now(),
        }),
    }
}
