//! Starts that are kept for somebody: as they were written, seen by those whom they concern, and on
//! record.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::cases;
use super::fixtures::{
    as_client, as_therapist, audited, booked, client, hold, hour, id, meeting, now, other_client,
    other_therapist, start, therapist,
};
use crate::{
    Actor, AuditAction, BookRequest, BookingError, Bounded, Buffers, Change, Hold, HoldId,
    HoldMinutes, HoldRequest, Recurrence, Refusal, Scope, SeriesMode, SeriesRequest,
    SessionDuration, Span, Unit, UserId, Write,
};

cases! {
    ($) conformance_holds in holds:

    /// By the therapist whose time it is, and by who has placed them.
    async fn holds_come_back_as_written(world: World) {
        let mut full = hold(&client(), &therapist(), hour(9));
        full.duration = SessionDuration::TwoHours;
        full.buffers = Buffers { before: bounded(119), after: bounded(120) };
        full.created_at = now() + TimeDelta::milliseconds(7);
        full.expires_at = now() + TimeDelta::milliseconds(60_007);
        let all = [
            full,
            hold(&other_client(), &therapist(), hour(12)),
            hold(&therapist(), &therapist(), hour(14)),
            hold(&client(), &other_therapist(), hour(10)),
        ];
        world.write(all.iter().cloned().map(Write::PutHold)).await;
        assert_eq!(world.holds_of(&therapist()).await, all[..3]);
        assert_eq!(world.holds_of(&other_therapist()).await, all[3..]);
        assert_eq!(world.holds_of(&client()).await, []);
        assert_eq!(placed(&world, &client()).await, [all[0].clone(), all[3].clone()]);
        assert_eq!(placed(&world, &therapist()).await, all[2..3]);
        assert_eq!(placed(&world, &other_therapist()).await, []);
        let nobody = world.read(&Scope::default()).await;
        assert!(nobody.holds.is_empty() && nobody.placed.is_empty());
    }

    /// Each holder has one with each therapist: whichever was put last.
    async fn a_hold_replaces_the_one_before(world: World) {
        let others =
            [hold(&other_client(), &therapist(), hour(9)), hold(&client(), &other_therapist(), hour(9))];
        let first = hold(&client(), &therapist(), hour(10));
        let second = hold(&client(), &therapist(), hour(11));
        let third = hold(&client(), &therapist(), hour(11));
        world.write(others.iter().chain([&first]).cloned().map(Write::PutHold)).await;
        world.write([Write::PutHold(second.clone())]).await;
        assert_eq!(world.holds_of(&therapist()).await, [others[0].clone(), second.clone()]);
        // As the service does it.
        world.write([Write::DeleteHold(second.id), Write::PutHold(third.clone())]).await;
        assert_eq!(world.holds_of(&therapist()).await, [others[0].clone(), third.clone()]);
        assert_eq!(placed(&world, &client()).await, [others[1].clone(), third]);
    }

    /// A hold that is deleted is gone, and the others are not; nor does it matter that there is none.
    async fn a_deleted_hold_is_gone(world: World) {
        let (one, other) =
            (hold(&client(), &therapist(), hour(9)), hold(&other_client(), &therapist(), hour(9)));
        world.write([&one, &other].map(|hold| Write::PutHold(hold.clone()))).await;
        for _ in 0..2 {
            world.write([Write::DeleteHold(one.id)]).await;
            assert_eq!(world.holds_of(&therapist()).await, std::slice::from_ref(&other));
            assert_eq!(placed(&world, &client()).await, []);
        }
    }

    /// What is kept now stays, whatever else has expired; and those who hold from time to time do not
    /// leave more and more behind.
    async fn expired_holds_do_not_pile_up(world: World) {
        let mut live = hold(&client(), &therapist(), hour(1));
        live.expires_at = now() + TimeDelta::days(1);
        let mut elsewhere = hold(&client(), &other_therapist(), hour(1));
        elsewhere.expires_at = live.expires_at;
        world.write([&live, &elsewhere].map(|hold| Write::PutHold(hold.clone()))).await;
        for n in 0..20 {
            let created_at = now() + TimeDelta::minutes(11 * n);
            let expires_at = created_at + TimeDelta::minutes(10);
            let holder = id(&format!("client_{n}"));
            let next = Hold { created_at, expires_at, ..hold(&holder, &therapist(), hour(2 + n)) };
            world.write([Write::PutHold(next.clone())]).await;
            let found = world.holds_of(&therapist()).await;
            assert!(found.contains(&live) && found.contains(&next), "{found:#?}");
            assert!(found.len() <= 3, "{found:#?}");
        }
        assert_eq!(world.holds_of(&other_therapist()).await, [elsewhere]);
    }

    /// Whoever decided before it was placed, or before it was given up, decides again.
    async fn holds_count_as_changes_of_a_calendar(world: World) {
        world.open(&therapist()).await;
        let kept = hold(&other_client(), &therapist(), hour(9));
        for (n, write) in (0..).zip([Write::PutHold(kept.clone()), Write::DeleteHold(kept.id)]) {
            let scope = Scope {
                people: [client(), therapist()].into(),
                busy_within: Span::new(hour(9), hour(10)).into(),
                hours_of: Some(therapist()),
                ..Scope::default()
            };
            let seen = world.read(&scope).await;
            world.write([write]).await;
            let wanted = meeting(&client(), &therapist(), hour(9 + n));
            let events = vec![booked(&wanted)];
            let writes = vec![audited(Write::InsertMeeting(wanted))];
            let change = Change { writes, events, record: None };
            assert!(!world.apply_if_current(&seen, &change).await);
        }
    }

    /// Others are neither offered what is held nor can they take it, until it is given up or expires;
    /// its holder is, and can.
    async fn a_held_start_is_its_holders(world: World) {
        world.open(&therapist()).await;
        let (john, mary) = (as_client(&client()), as_client(&other_client()));
        let kept = keep(&world, &john, hour(9)).await.expect("it is free");
        assert_eq!(kept.expires_at, now() + TimeDelta::minutes(10));
        let taken = || Err(Refusal::SlotConflict);
        for (who, offered, told) in [(&mary, false, taken()), (&john, true, Ok(()))] {
            assert_eq!(offers(&world, who, hour(9)).await, offered);
            let again = if offered { Ok(()) } else { keep(&world, who, hour(9)).await.map(drop) };
            assert_eq!(again.map_err(refusal), told);
        }
        let released = world.booking.release_hold(&mary, kept.id).await;
        assert_eq!(released.map_err(refusal), Err(Refusal::HoldNotFound));
        assert!(world.book(&mary.id, &therapist(), hour(9), SessionDuration::Hour).await.is_err());

        world.booking.release_hold(&john, kept.id).await.expect("it is theirs");
        assert!(offers(&world, &mary, hour(9)).await);
        let kept = keep(&world, &john, hour(9)).await.expect("it is free again");
        world.clock.set(kept.expires_at - TimeDelta::milliseconds(1));
        assert!(!offers(&world, &mary, hour(9)).await);
        let theirs = world.booking.holds(&john).await.expect("a list");
        assert_eq!(theirs, std::slice::from_ref(&kept));
        world.clock.set(kept.expires_at);
        assert!(offers(&world, &mary, hour(9)).await);
        assert_eq!(world.booking.holds(&john).await.expect("a list"), []);
        let released = world.booking.release_hold(&john, kept.id).await;
        assert_eq!(released.map_err(refusal), Err(Refusal::HoldNotFound));
        world.book(&mary.id, &therapist(), hour(9), SessionDuration::Hour).await.expect("free");
    }

    /// A booking, a move and a series in the time that is held use it up; elsewhere they leave it.
    async fn what_was_held_is_used_up(world: World) {
        world.open(&therapist()).await;
        let john = as_client(&client());
        let booked = world.book_hour(hour(20)).await.expect("it is free").value.meeting;
        for n in 0..4 {
            let at = hour(24 * n + 9);
            let kept = keep(&world, &john, at).await.expect("it is free");
            let elsewhere = at + TimeDelta::hours(1);
            world.book_hour(elsewhere).await.expect("it is free");
            assert_eq!(world.holds_of(&therapist()).await, std::slice::from_ref(&kept));
            match n {
                0 => drop(world.book_hour(at).await.expect("it is theirs")),
                1 => drop(world.move_to(&booked, at).await.expect("it is theirs")),
                2 => {
                    let first = BookRequest::new(therapist(), start(at), SessionDuration::Hour);
                    let rule: Recurrence = "FREQ=DAILY;INTERVAL=5;COUNT=2".parse().expect("a rule");
                    let (except, mode) = (BTreeSet::new(), SeriesMode::Free);
                    let request = SeriesRequest { first, rule, except, mode };
                    world.booking.book_series(&john, &request, None).await.expect("some are free");
                }
                _ => {
                    // By the therapist, it is not.
                    let request = BookRequest {
                        client: Some(client()),
                        ..BookRequest::new(therapist(), start(at), SessionDuration::Hour)
                    };
                    let jane = as_therapist(&therapist());
                    let told = world.booking.book(&jane, &request, None).await;
                    assert_eq!(told.map(drop).map_err(refusal), Err(Refusal::SlotConflict));
                    assert_eq!(world.holds_of(&therapist()).await, [kept]);
                    continue;
                }
            }
            assert_eq!(world.holds_of(&therapist()).await, []);
            assert_eq!(actions_of(&world, kept.id).await, [AuditAction::HoldPlaced, AuditAction::HoldUsed]);
        }
        world.assert_no_overlap().await;
    }

    /// Each hold has its beginning and its end on record; a refusal leaves all as it was.
    async fn holds_are_on_record(world: World) {
        world.open(&therapist()).await;
        let john = as_client(&client());
        let first = keep(&world, &john, hour(9)).await.expect("it is free");
        let second = keep(&world, &john, hour(11)).await.expect("it is free");
        assert_eq!(world.holds_of(&therapist()).await, std::slice::from_ref(&second));
        world.insert(&[meeting(&other_client(), &therapist(), hour(12))]).await;
        let before = world.everything().await;
        let told = keep(&world, &john, hour(12)).await;
        assert_eq!(told.map_err(refusal), Err(Refusal::SlotConflict));
        assert_eq!(world.everything().await, before);
        world.booking.release_hold(&john, second.id).await.expect("it is theirs");
        for kept in [first, second] {
            let expected = [AuditAction::HoldPlaced, AuditAction::HoldReleased];
            assert_eq!(actions_of(&world, kept.id).await, expected);
        }
    }
}

fn bounded<U: Unit, const MIN: u32, const MAX: u32>(number: u32) -> Bounded<U, MIN, MAX> {
    Bounded::new(number).expect("a number within bounds")
}

/// An hour of the demo therapist's, for ten minutes.
pub(super) async fn keep(
    world: &super::World,
    actor: &Actor,
    from: DateTime<Utc>,
) -> Result<Hold, BookingError> {
    let request = HoldRequest {
        therapist: therapist(),
        client: None,
        start: start(from),
        duration: SessionDuration::Hour,
        minutes: HoldMinutes::MAX,
    };
    world.booking.hold(actor, &request).await
}

pub(super) fn refusal(error: BookingError) -> Refusal {
    match error {
        BookingError::Refused(refusal) => refusal,
        failed => panic!("neither done nor refused: {failed:?}"),
    }
}

/// What somebody has placed, by start.
async fn placed(world: &super::World, holder: &UserId) -> Vec<Hold> {
    let scope = Scope { placed_by: Some(holder.clone()), ..Scope::default() };
    let mut placed = world.read(&scope).await.placed;
    placed.sort_by_key(|hold| (hold.start, hold.id));
    placed
}

/// Whether somebody is offered an hour of the demo therapist's.
async fn offers(world: &super::World, actor: &Actor, from: DateTime<Utc>) -> bool {
    let slots = world.booking.slots(actor, &therapist(), from.date_naive()).await;
    let hour = SessionDuration::Hour;
    let mut slots = slots.expect("a list").into_iter();
    slots.any(|slot| slot.start.instant() == from && slot.durations.contains(hour))
}

/// What became of a hold; all of it happens while the clock stands still.
async fn actions_of(world: &super::World, id: HoldId) -> Vec<AuditAction> {
    let entries = world.entries().await.into_iter();
    let about = entries.filter(|entry| entry.subject.id == id.to_string());
    let mut actions: Vec<_> = about.map(|entry| entry.action).collect();
    actions.sort_unstable();
    actions
}
