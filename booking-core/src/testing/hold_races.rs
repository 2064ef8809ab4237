//! Many want what is held, or what they would hold.

use super::fixtures::{as_client, client, hour, id, now, other_client, therapist};
use super::holds::{keep, refusal};
use super::{Tally, World, cases, race};
use crate::{
    AuditAction, DailyLimit, Hold, Refusal, SessionDuration, Settings, TherapistSettings, UserId,
    Write,
};

/// How often each race is run; an unlocked read loses within a few.
const ROUNDS: i64 = 6;

cases! {
    ($) conformance_hold_races in hold_races:

    /// Of many who want to hold one start, one does.
    async fn one_held_start_has_one_winner(world: World) {
        let (world, clients) = with_clients(world).await;
        for round in 0..ROUNDS {
            let at = hour(24 * round + 9);
            let holders = clients.iter().cloned().map(|client| {
                let world = world.clone();
                async move { keep(&world, &as_client(&client), at).await }
            });
            let tally: Tally<Hold> = race(holders).await.into_iter().collect();
            let won = tally.one_winner(&Refusal::SlotConflict);
            let kept = world.holds_of(&therapist()).await;
            assert_eq!(kept.iter().filter(|hold| hold.start == at).collect::<Vec<_>>(), [&won]);
        }
    }

    /// Of those who hold a start and those who book it, one wins, and the others are told.
    async fn a_hold_and_a_booking_keep_each_other_out(world: World) {
        let (world, clients) = with_clients(world).await;
        for round in 0..ROUNDS {
            let at = hour(24 * round + 9);
            let all = (0..).zip(clients.clone()).map(|(n, client)| {
                let world = world.clone();
                async move {
                    if n % 2 == 0 {
                        return keep(&world, &as_client(&client), at).await.map(|_| true);
                    }
                    let hour = SessionDuration::Hour;
                    world.book(&client, &therapist(), at, hour).await.map(|_| false)
                }
            });
            let tally: Tally<bool> = race(all).await.into_iter().collect();
            let is_held = tally.one_winner(&Refusal::SlotConflict);
            let holds = world.holds_of(&therapist()).await;
            assert_eq!(holds.iter().any(|hold| hold.start == at), is_held);
        }
        world.assert_no_overlap().await;
    }

    /// A hold that has expired is none in a race either.
    async fn what_has_expired_has_one_winner(world: World) {
        world.open(&therapist()).await;
        for round in 0..ROUNDS {
            let at = hour(24 * round + 9);
            let kept = keep(&world, &as_client(&client()), at).await.expect("it is free");
            world.clock.set(kept.expires_at);
            let bookers = [client(), other_client()].map(|client| {
                let world = world.clone();
                async move { world.book(&client, &therapist(), at, SessionDuration::Hour).await }
            });
            let tally: Tally<_> = race(bookers).await.into_iter().collect();
            tally.one_winner(&Refusal::SlotConflict);
        }
        world.assert_no_overlap().await;
    }

    /// The holder books while others try to: the holder does, and the hold is used up once.
    async fn a_holder_gets_what_is_held(world: World) {
        let (world, clients) = with_clients(world).await;
        for round in 0..ROUNDS {
            let at = hour(24 * round + 9);
            let kept = keep(&world, &as_client(&clients[0]), at).await.expect("it is free");
            let bookers = clients.iter().chain([&clients[0]]).cloned().map(|client| {
                let world = world.clone();
                async move { world.book(&client, &therapist(), at, SessionDuration::Hour).await }
            });
            let tally: Tally<_> = race(bookers).await.into_iter().collect();
            let won = tally.one_winner(&Refusal::SlotConflict).value.meeting;
            assert_eq!(won.client, clients[0]);
            let entries = world.entries().await;
            let used = entries.iter().filter(|entry| {
                entry.action == AuditAction::HoldUsed && entry.subject.id == kept.id.to_string()
            });
            assert_eq!(used.count(), 1);
        }
    }

    /// Of many holds of one holder, the last is there alone, and each of the others was given up.
    async fn of_many_holds_one_is_left(world: World) {
        world.open(&therapist()).await;
        let holders = (0..8).map(|n| {
            let world = world.clone();
            async move { keep(&world, &as_client(&client()), hour(2 * n)).await }
        });
        let tally: Tally<Hold> = race(holders).await.into_iter().collect();
        assert_eq!(tally.refused, [], "what they hold is in nobody's way but others'");
        let left = world.holds_of(&therapist()).await;
        assert_eq!(left.len(), 1, "{left:#?}");
        assert!(tally.won.contains(&left[0]));
        let entries = world.entries().await;
        let count = |action| entries.iter().filter(|entry| entry.action == action).count();
        assert_eq!((count(AuditAction::HoldPlaced), count(AuditAction::HoldReleased)), (8, 7));
    }

    /// Whoever holds another time lets go of the first, in one change: it is theirs, or it is free.
    async fn a_replaced_hold_frees_its_time(world: World) {
        world.open(&therapist()).await;
        for round in 0..ROUNDS {
            let (old, new) = (hour(24 * round + 9), hour(24 * round + 14));
            keep(&world, &as_client(&client()), old).await.expect("it is free");
            let moves = [(client(), new), (other_client(), old)].map(|(client, at)| {
                let world = world.clone();
                async move { keep(&world, &as_client(&client), at).await }
            });
            let outcomes = race(moves).await;
            let [moved, wished] = &outcomes[..] else { unreachable!("two of them") };
            assert_eq!(moved.as_ref().expect("nobody else wants it").start, new);
            let starts: Vec<_> =
                world.holds_of(&therapist()).await.iter().map(|hold| hold.start).collect();
            assert!(starts.contains(&new), "{starts:?}");
            match wished {
                Ok(_) => assert!(starts.contains(&old), "{starts:?}"),
                Err(_) => {
                    keep(&world, &as_client(&other_client()), old).await.expect("it is free now");
                }
            }
        }
    }

    /// A held place counts: of those who want a day's only one, to hold or to book, one gets it; and
    /// whoever holds it can book it.
    async fn the_last_place_is_held_or_booked(world: World) {
        let (world, clients) = with_clients(world).await;
        let settings = Settings { most_a_day: Some(DailyLimit::MIN), ..Settings::DEFAULT };
        let unset = TherapistSettings::unset(therapist());
        let put = TherapistSettings { version: 1, settings, updated_at: Some(now()), ..unset };
        world.write([Write::PutSettings(put)]).await;
        for round in 0..ROUNDS {
            let all = (0..).zip(clients.clone()).map(|(n, client)| {
                let world = world.clone();
                let at = hour(24 * round + 2 * n);
                async move {
                    if n % 2 == 0 {
                        return keep(&world, &as_client(&client), at).await.map(Some);
                    }
                    let hour = SessionDuration::Hour;
                    world.book(&client, &therapist(), at, hour).await.map(|_| None)
                }
            });
            let tally: Tally<Option<Hold>> = race(all).await.into_iter().collect();
            let Some(kept) = tally.one_winner(&Refusal::DayFull) else { continue };
            let Hold { holder, start, .. } = kept;
            let late = hour(24 * round + 20);
            let told = world.book(&clients[1], &therapist(), late, SessionDuration::Hour).await;
            assert_eq!(told.map(drop).map_err(refusal), Err(Refusal::DayFull));
            world.book(&holder, &therapist(), start, SessionDuration::Hour).await.expect("theirs");
        }
    }
}

/// Eight more clients, and a therapist who receives them all week.
async fn with_clients(mut world: World) -> (World, Vec<UserId>) {
    world.open(&therapist()).await;
    let clients: Vec<UserId> = (0..8).map(|n| id(&format!("client_{n}"))).collect();
    for client in &clients {
        world.add_client(client).await;
    }
    (world, clients)
}
