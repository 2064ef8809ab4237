//! Changes that come at the same time share a commit: who is told what, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use booking_core::testing::fixtures::{audited, booked, client, hour, meeting, therapist};
use booking_core::testing::{World, race};
use booking_core::{Change, ChangeError, Meeting, Scope, StoreError, Write};

use sqlx::Executor as _;

use super::early::Early;
use super::{connect, new_file, open, world, world_over};

fn booking(meeting: &Meeting) -> Change {
    Change {
        writes: vec![audited(Write::InsertMeeting(meeting.clone()))],
        events: vec![booked(meeting)],
        record: None,
    }
}

fn at(n: u32) -> Meeting {
    meeting(&client(), &therapist(), hour(n.into()))
}

async fn write(world: &World, meeting: &Meeting) -> Result<Change, ChangeError> {
    let change = booking(meeting);
    world.change(&Scope::default(), &|_| Ok(change.clone())).await
}

async fn write_nothing(world: &World) -> Result<Change, ChangeError> {
    world.change(&Scope::default(), &|_| Ok(Change::default())).await
}

/// Each finds what it was answered where only committed changes are seen, as soon as it is.
async fn what_is_answered_is_committed(world: World) {
    let outcomes = race((0..64).map(|n| {
        let world = world.clone();
        async move {
            let meeting = at(n);
            write(&world, &meeting).await.unwrap();
            let found = world.meeting(meeting.id).await;
            assert_eq!(found, Some(meeting), "it was answered");
        }
    }));
    outcomes.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_come_after_the_commit() {
    let (_folder, path) = new_file();
    what_is_answered_is_committed(world(open(&path).await).await).await;

    let (_folder, path) = new_file();
    let early = world_over(open(&path).await, Early::over).await;
    let refused = tokio::spawn(what_is_answered_is_committed(early)).await;
    assert!(refused.unwrap_err().is_panic(), "a store that answers early is found out");
}

/// Nobody waits that long, but for ever.
const PATIENCE: Duration = Duration::from_mins(5);

/// Callers that give up, at every point of a batch that others are in too.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_gives_up_leaves_the_others_their_places() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    for round in 0..8 {
        let outcomes = race((0..24).map(|n| {
            let world = world.clone();
            async move {
                let meeting = at(round * 24 + n);
                let patience = match n % 3 {
                    0 => PATIENCE,
                    _ => Duration::from_micros(u64::from(round * 24 + n) * 40),
                };
                let done = tokio::select! {
                    biased;
                    done = write(&world, &meeting) => Some(done),
                    () = spin(patience) => None,
                };
                (n, meeting, done)
            }
        }));
        let outcomes = tokio::time::timeout(PATIENCE, outcomes).await;
        // Waits for whatever those who gave up have left behind.
        let nothing = write_nothing(&world).await;
        nothing.expect("nothing stays locked");
        let events = world.events().await;
        for (n, meeting, done) in outcomes.expect("nobody waits for ever") {
            let is_there = world.meeting(meeting.id).await.is_some();
            let is_told = events.iter().any(|e| e.event.payload.meeting() == meeting.id);
            assert_eq!(is_there, is_told, "torn");
            match done {
                Some(done) => assert!(done.is_ok() && is_there, "{done:?}"),
                None => assert!(n % 3 != 0, "nobody told it to give up"),
            }
        }
    }
}

/// Timers are too coarse to hit every point.
async fn spin(patience: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if patience > Duration::from_secs(1) {
            tokio::time::sleep(patience).await;
        }
        tokio::task::yield_now().await;
    }
}

/// A rule with a bug takes nobody along.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_panic_is_nobody_elses() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let outcomes = race((0..32).map(|n| {
        let world = world.clone();
        tokio::spawn(async move {
            let change = booking(&at(n));
            let decide = |_: &_| match n % 2 {
                0 => Ok(change.clone()),
                _ => std::panic::resume_unwind(Box::new("a bug in a rule")),
            };
            world.change(&Scope::default(), &decide).await
        })
    }));
    let (done, panicked): (Vec<_>, Vec<_>) = outcomes.await.into_iter().partition(Result::is_ok);
    assert_eq!(panicked.len(), 16);
    for done in done {
        done.unwrap().unwrap();
    }
    assert_eq!(world.events().await.len(), 16);
}

/// Deliveries, the directory and all the others have their turn between batches.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn other_writers_come_in_between() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let users = race((0..64).map(|n| {
        let world = world.clone();
        async move {
            let new = booking_core::testing::fixtures::id(&format!("new_{n}"));
            if n % 4 == 0 {
                let user = booking_core::testing::fixtures::user(&new);
                let by = booking_core::testing::fixtures::by();
                world.directory().put_user(&user, by).await.unwrap();
                assert_eq!(world.directory().user(&new).await.unwrap(), Some(user));
            } else {
                write(&world, &at(n)).await.unwrap();
            }
        }
    }));
    users.await;
    assert_eq!(world.events().await.len(), 48);
}

/// Who polls for the file finds it free now and then, however long batches are and however many wait
/// for the next one: for a seventh of the time, and without the gaps that are left for it, less than half
/// as often.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn other_processes_come_in_between() {
    const PROBES: u32 = 600;
    let (_folder, path) = new_file();
    let busy = world(open(&path).await).await;
    let other = world(open(&path).await).await;
    // As on a slow disk.
    let slow = "
        CREATE TRIGGER slow AFTER INSERT ON outbox BEGIN
            SELECT (WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 80000)
                SELECT count(*) FROM n);
        END";
    sqlx::raw_sql(slow).execute(&mut connect(&path).await).await.unwrap();
    let next = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (busy, next) = (busy.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    is_written(&busy, &next).await;
                }
            })
        })
        .collect();
    // It waits for nobody.
    let mut prober = connect(&path).await;
    prober.execute("PRAGMA busy_timeout = 0").await.unwrap();
    let mut free = 0;
    for _ in 0..PROBES {
        tokio::time::sleep(Duration::from_millis(3)).await;
        if prober.execute("BEGIN IMMEDIATE").await.is_ok() {
            prober.execute("ROLLBACK").await.unwrap();
            free += 1;
        }
    }
    let mut written = 0;
    for _ in 0..7 {
        written += u32::from(is_written(&other, &next).await);
    }
    for task in tasks {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled(), "all the while others wrote");
    }
    assert!(free > PROBES / 12, "found free {free} times of {PROBES}");
    assert!(written > 3, "{written} of 7, the others in vain");
}

/// Or somebody else had the file for too long.
async fn is_written(world: &World, next: &AtomicU32) -> bool {
    match write(world, &at(next.fetch_add(1, Ordering::Relaxed))).await {
        Ok(_) => true,
        Err(ChangeError::Store(StoreError::Unavailable(_))) => false,
        Err(error) => panic!("{error:?}"),
    }
}
