//! Several processes and one Postgres under random load, while both are killed, paused and cut off
//! from each other, and a history that tells whether anything was lost.
//!
//! Workers ask the real command, over HTTP, to book, move, hand over, confirm, complete and cancel
//! sessions of few people at few times, and to change availability; meanwhile `injection` does its
//! worst. Every request is remembered with what came of it: acknowledged, refused, or unknown where
//! the connection broke or the store was unavailable. In the end everything is restarted, and
//! `check` compares the tables, the outbox and what the API tells with that history: whatever was
//! acknowledged is there, whatever was refused is not, and whatever is unknown is there as a whole
//! or not at all.
//!
//! Each process also delivers events, to a receiver of webhooks that fails now and then and to a
//! NATS server, which go away and are killed too. In the end `arrivals` compares what came to both
//! with the outbox: every event came, and no other, and those of each meeting in their order.
//!
//! Two variables make a longer run, or the same choices again (not the same run: no seed decides
//! which of two requests comes first):
//!
//! ```sh
//! BOOKING_FAULTS_OPERATIONS=100000 BOOKING_FAULTS_SEED=7 cargo test -p booking-api --test it faults
//! ```

mod arrivals;
mod ask;
mod audited;
mod check;
mod database;
mod delivery;
mod figures;
mod fleet;
mod found;
mod history;
mod injection;
mod network;
mod receiver;
mod sinks;
mod worker;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use self::database::Database;
use self::delivery::{Delivered, release_claims};
use self::figures::Figures;
use self::history::{Asked, Outcome, Request, Tag};
use self::injection::{Faults, inject};
use self::world::World;
use crate::signing::unix_now;

const PROCESSES: usize = 3;
const WORKERS: usize = 14;
/// Changes that must be acknowledged.
const OPERATIONS: usize = 10_000;
/// For each so many of them this many servers are killed, at least.
const KILLS: usize = 20;
/// How long a run may take, and what each operation beyond the first ones adds: ten times of what it
/// takes on two cores that do nothing else.
const DEADLINE: Duration = Duration::from_secs(1_200);
const DEADLINE_PER_OPERATION: Duration = Duration::from_millis(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_and_nobody_is_in_two_places() {
    let operations = setting("BOOKING_FAULTS_OPERATIONS").map_or(OPERATIONS, |n| n as usize);
    let seed = setting("BOOKING_FAULTS_SEED").unwrap_or_else(unix_now);
    say(format_args!("faults: seed {seed}, {operations} operations\n"));
    let beyond = operations.saturating_sub(OPERATIONS) as u32;
    let deadline = DEADLINE + DEADLINE_PER_OPERATION * beyond;
    let run = tokio::time::timeout(deadline, run(seed, operations)).await;
    let figures = run.unwrap_or_else(|_| panic!("seed {seed}: not done after {deadline:?}"));
    say(format_args!("{figures}"));
    assert_eq!(figures.violations.len(), 0, "{figures}");
    assert!(figures.operations() >= operations, "{figures}");
    assert!(figures.kills() >= KILLS * operations / OPERATIONS, "{figures}");
}

async fn run(seed: u64, operations: usize) -> Figures {
    let begun = Instant::now();
    let database = Database::start().await;
    let world = Arc::new(World::new(&database, PROCESSES, seed).await);
    let faults = load(&world, &database, operations).await;

    // Once nobody is left who could commit, everything starts from what is on the disk.
    for process in 0..PROCESSES {
        world.fleet.kill(process);
    }
    database.wait_until_idle().await;
    database.stop().await;
    database.resume().await;
    let abandoned = release_claims(&database).await;
    world.fleet.start_all().await;
    repeat_bookings(&world).await;
    let mut delivered = Delivered::wait(&database).await;
    delivered.abandoned = abandoned;

    let found = found::read_tables(&database).await;
    found::check_as_told(&world, &found).await;
    let history = world.history();
    let mut violations = check::check(&history, &found);
    violations.extend(delivered.check(&database, &world.sinks).await);
    violations.extend(audited::check(&history, &found, &audited::read(&database).await));
    let took = begun.elapsed();
    let mut figures = Figures::of(&world, &history, &found, faults, took, violations);
    figures.delivered = delivered;
    figures
}

/// Workers and faults, until there was enough of both.
async fn load(world: &Arc<World>, database: &Database, operations: usize) -> Faults {
    let mut workers = JoinSet::new();
    for n in 0..WORKERS as u64 {
        workers.spawn(worker::work(world.clone(), world.seed.wrapping_mul(1_000).wrapping_add(n)));
    }
    let enough = async {
        let faults = inject(world, database, operations).await;
        // Some of what is counted here are repeats.
        while world.acknowledged() < operations + operations / 50 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        faults
    };
    let faults = tokio::select! {
        faults = enough => faults,
        // They go on until they are told to stop, unless one has seen what must not be.
        Some(Err(failed)) = workers.join_next() => {
            say(format_args!("{}\n", world.fleet.logs()));
            std::panic::resume_unwind(failed.into_panic())
        }
    };
    world.end();
    while let Some(ended) = workers.join_next().await {
        ended.expect("a worker ends when it is told to");
    }
    faults
}

/// A booking with a key can always be asked for again. One that is there is there once.
async fn repeat_bookings(world: &World) {
    const MOST_OF_EACH: usize = 200;
    let mut bookings: BTreeMap<Tag, (Request, bool)> = BTreeMap::new();
    for attempt in world.history() {
        if matches!(attempt.request.asked, Asked::Book { key: Some(_), .. }) {
            let is_done = matches!(attempt.outcome, Outcome::Acked(_));
            let (_, done) = bookings.entry(attempt.request.tag).or_insert((attempt.request, false));
            *done |= is_done;
        }
    }
    for was_done in [true, false] {
        let alike = bookings.values().filter(|(_, done)| *done == was_done);
        for (n, (request, _)) in alike.take(MOST_OF_EACH).enumerate() {
            let outcome = world.send(n % PROCESSES, request).await;
            let is_settled = matches!(outcome, Outcome::Acked(_) | Outcome::Refused(_));
            assert!(is_settled, "{request:?}: {outcome:?}, with everything up");
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// To be read even where the test succeeds, whose output is otherwise kept from sight.
fn say(text: std::fmt::Arguments<'_>) {
    let _nobody_reads = std::io::stderr().write_fmt(text).is_err();
}
