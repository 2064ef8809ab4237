//! Callers that give up midway leave all of their change or nothing, and nothing locked.

use std::time::Duration;

use super::atomicity::everything_at_once;
use super::cases;
use super::fixtures::{client, key, therapist};
use crate::{Change, Scope};

const ROUNDS: u16 = 96;
/// How often something that seems torn is looked at, and how long after each other.
const LOOKS: u8 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

cases! {
    ($) conformance_dropped in dropped:

    /// Futures of changes are dropped after some microseconds, at ever other points of their way.
    async fn a_dropped_change_is_all_or_nothing(world: World) {
        let scope = Scope { people: world.people.iter().cloned().collect(), ..Scope::default() };
        for n in 0..ROUNDS {
            let change = everything_at_once(n);
            let decide = |_: &_| Ok(change.clone());
            let patience = Duration::from_micros(u64::from(n) * 20);
            // Woken by hand as well: timers alone are too coarse to hit every point.
            tokio::select! {
                biased;
                _ = world.change(&scope, &decide) => {}
                () = give_up_after(patience, n) => {}
            }
            // Waits for whatever the dropped one still holds.
            let after = world.change(&scope, &|_| Ok(Change::default()));
            after.await.expect("nothing stays locked");
            assert_all_or_nothing(&world, n, &change).await;
        }
    }

    /// Tasks that change something are aborted, some of them while they wait behind others.
    async fn aborted_tasks_leave_all_or_nothing(world: World) {
        let scope = Scope { people: world.people.iter().cloned().collect(), ..Scope::default() };
        let changes: Vec<Change> = (0..ROUNDS).map(everything_at_once).collect();
        let tasks: Vec<_> = changes
            .iter()
            .cloned()
            .map(|change| {
                let (world, scope) = (world.clone(), scope.clone());
                tokio::spawn(async move { world.change(&scope, &|_| Ok(change.clone())).await })
            })
            .collect();
        for (n, task) in tasks.iter().enumerate() {
            if n % 3 != 0 {
                task.abort();
                tokio::task::yield_now().await;
            }
        }
        for (n, task) in tasks.into_iter().enumerate() {
            if n % 3 == 0 {
                let applied = task.await.expect("nobody aborted this one");
                applied.expect("the store applies a change");
            }
        }
        let after = world.change(&scope, &|_| Ok(Change::default()));
        after.await.expect("nothing stays locked");
        for (n, change) in changes.iter().enumerate() {
            let there = assert_all_or_nothing(&world, n.try_into().expect("small"), change).await;
            assert!(there || n % 3 != 0, "what was answered stays");
        }
    }

    /// The same for reads: a dropped one takes nothing with it.
    async fn dropped_reads_leave_the_store_usable(world: World) {
        world.apply(everything_at_once(0)).await;
        let scope = Scope { record: Some((client(), key("number 0"))), ..Scope::default() };
        for n in 0..ROUNDS {
            tokio::select! {
                biased;
                _ = world.read(&scope) => {}
                () = give_up_after(Duration::from_micros(u64::from(n) * 5), n) => {}
            }
        }
        assert!(world.read(&scope).await.record.is_some());
        assert_eq!(world.meetings_of(&therapist()).await.len(), 1);
    }
}

/// After a number of turns of the executor, or some time.
async fn give_up_after(patience: Duration, turns: u16) {
    if turns.is_multiple_of(2) {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    } else {
        let begun = std::time::Instant::now();
        while begun.elapsed() < patience {
            tokio::task::yield_now().await;
        }
    }
}

/// Whether the change is there, as soon as all or nothing of it is: what was dropped on its way to the
/// store may come after whatever waited for locks, and between two of these looks.
async fn assert_all_or_nothing(world: &super::World, n: u16, change: &Change) -> bool {
    for _ in 0..LOOKS {
        let parts = parts_there(world, n, change).await;
        if parts.iter().all(|there| *there == parts[0]) {
            return parts[0];
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    let parts = parts_there(world, n, change).await;
    panic!("torn: {parts:?} of {change:#?}");
}

/// Of its meeting, event, record, availability and entries of the audit log, which are there.
async fn parts_there(world: &super::World, n: u16, change: &Change) -> Vec<bool> {
    let event = &change.events[0];
    let meeting = world.meeting(event.payload.meeting()).await.is_some();
    let recorded = world.events().await.iter().any(|recorded| recorded.event == *event);
    let scope = Scope { record: Some((client(), key(&format!("number {n}")))), ..Scope::default() };
    let record = world.read(&scope).await.record.is_some();
    let start = super::fixtures::window(n, n + 1);
    let hours = world.hours(&therapist()).await.iter().any(|slot| slot.window == start);
    let entries = world.entries().await;
    let audited = change.writes.iter().map(|written| entries.contains(written.entry()));
    [meeting, recorded, record, hours].into_iter().chain(audited).collect()
}
