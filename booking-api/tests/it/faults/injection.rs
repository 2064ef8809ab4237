//! What goes wrong, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use super::database::Database;
use super::world::World;

/// Something that goes wrong, and is right again afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    KillProcess,
    KillProcessAndDatabase,
    KillPostmaster,
    KillWholeDatabase,
    KillBackend,
    StopDatabase,
    EndSessions,
    PauseDatabase,
    /// Longer than any call to the store takes.
    PauseDatabaseForLong,
    CutNetwork,
    LoseAnswers,
    LoseCommits,
    StallNetwork,
    /// Nobody takes webhooks.
    ReceiverAway,
    KillNats,
    /// Gone for longer than a process tries to deliver one event.
    KillNatsForLong,
}

/// What goes wrong in the course of so many operations, in an order of chance.
const PACK: [(Fault, usize); 16] = [
    (Fault::KillProcess, 9),
    (Fault::KillProcessAndDatabase, 2),
    (Fault::KillPostmaster, 2),
    (Fault::KillWholeDatabase, 2),
    (Fault::KillBackend, 4),
    (Fault::StopDatabase, 4),
    (Fault::EndSessions, 3),
    (Fault::PauseDatabase, 2),
    (Fault::PauseDatabaseForLong, 1),
    (Fault::CutNetwork, 3),
    (Fault::LoseAnswers, 2),
    (Fault::LoseCommits, 4),
    (Fault::StallNetwork, 1),
    (Fault::ReceiverAway, 3),
    (Fault::KillNats, 3),
    (Fault::KillNatsForLong, 1),
];
const OPERATIONS_PER_PACK: usize = 10_000;
/// So many operations succeed between two faults: then everything is well again.
const CALM: usize = 60;

/// How often each has happened.
pub(crate) type Faults = BTreeMap<Fault, usize>;

impl Fault {
    /// How many processes, or whole servers, it kills.
    pub(crate) fn kills(self) -> usize {
        match self {
            Self::KillProcessAndDatabase => 2,
            Self::KillProcess
            | Self::KillPostmaster
            | Self::KillWholeDatabase
            | Self::KillBackend
            | Self::StopDatabase
            | Self::KillNats
            | Self::KillNatsForLong => 1,
            _ => 0,
        }
    }
}

/// Faults over the course of so many operations, one after the other.
pub(crate) async fn inject(world: &World, database: &Database, operations: usize) -> Faults {
    let mut rng = Rng::with_seed(world.seed);
    let mut faults = Vec::new();
    for _ in 0..operations.div_ceil(OPERATIONS_PER_PACK) {
        let mut pack: Vec<Fault> =
            PACK.iter().flat_map(|&(fault, count)| vec![fault; count]).collect();
        rng.shuffle(&mut pack);
        faults.extend(pack);
    }
    let mut done = Faults::new();
    let every = operations / (faults.len() + 1);
    for (n, &fault) in faults.iter().enumerate() {
        let due = (every * (n + 1)).max(world.acknowledged() + CALM);
        while world.acknowledged() < due {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cause(fault, world, database, &mut rng).await;
        *done.entry(fault).or_default() += 1;
    }
    done
}

async fn cause(fault: Fault, world: &World, database: &Database, rng: &mut Rng) {
    let fleet = &world.fleet;
    let one = rng.usize(0..fleet.len());
    let moment = Duration::from_millis(rng.u64(0..300));
    match fault {
        Fault::KillProcess => {
            fleet.kill(one);
            tokio::time::sleep(moment).await;
            fleet.start_again(one).await;
        }
        Fault::KillProcessAndDatabase => {
            fleet.kill(one);
            database.stop().await;
            tokio::time::sleep(moment).await;
            database.resume().await;
            fleet.start_again(one).await;
        }
        Fault::KillPostmaster => {
            database.kill_postmaster().await;
            tokio::time::sleep(moment).await;
            database.resume().await;
        }
        Fault::KillWholeDatabase => {
            database.kill_everything().await;
            tokio::time::sleep(moment).await;
            database.resume().await;
        }
        Fault::KillBackend => database.kill_backend(rng.usize(..)).await,
        Fault::StopDatabase => {
            database.stop().await;
            tokio::time::sleep(moment).await;
            database.resume().await;
        }
        Fault::EndSessions => database.end_sessions().await,
        Fault::PauseDatabase => database.pause(Duration::from_millis(rng.u64(1_500..3_500))).await,
        Fault::PauseDatabaseForLong => database.pause(Duration::from_secs(11)).await,
        Fault::CutNetwork => fleet.network(one).cut(),
        Fault::LoseAnswers => fleet.network(one).lose_answers(moment).await,
        Fault::LoseCommits => fleet.network(one).lose_commits(2 * moment).await,
        Fault::StallNetwork => fleet.network(one).stall(Duration::from_millis(2_500)).await,
        Fault::ReceiverAway => {
            let pause = Duration::from_millis(rng.u64(1_000..2_000));
            world.sinks.receiver.go_away(pause).await;
        }
        Fault::KillNats => world.sinks.kill_nats(3 * moment).await,
        Fault::KillNatsForLong => world.sinks.kill_nats(Duration::from_secs(12)).await,
    }
}
