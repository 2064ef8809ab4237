//! Changes that come at the same time share a commit: who is told what, and when.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use booking_core::testing::fixtures::{
    audited, booked, client, hour, meeting, other_client, text, therapist,
};
use booking_core::testing::{World, race};
use booking_core::{
    Change, ChangeError, Meeting, Refusal, Scope, SessionDuration, Span, StoreError, Write,
};

use super::early::{Early, Hasty};
use super::{connect, new_file, open, world, world_over};

const FAILS: &str = "fails at the commit";

/// A meeting of that title can be written, but not committed.
async fn let_some_fail(path: &Path) {
    let tables = "
        CREATE TABLE whole (id TEXT PRIMARY KEY);
        CREATE TABLE part (id TEXT REFERENCES whole (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER let_some_fail AFTER INSERT ON meeting WHEN NEW.title = 'fails at the commit'
        BEGIN INSERT INTO part VALUES ('of nothing'); END";
    sqlx::raw_sql(tables).execute(&mut connect(path).await).await.unwrap();
}

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

/// How many commits are in the log beside the file: a frame that ends one says how large the file is
/// (<https://sqlite.org/fileformat2.html#the_write_ahead_log>).
fn commits(path: &Path) -> usize {
    let log = std::fs::read(format!("{}-wal", path.display())).unwrap();
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    let page = number(&log[8..12]) as usize;
    log[32..].chunks_exact(24 + page).filter(|frame| number(&frame[4..8]) != 0).count()
}

/// Their disk writes, that is: each is a change of its own in every other respect.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_that_come_together_share_commits() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let before = commits(&path);
    let outcomes = race((0..32).map(|n| {
        let world = world.clone();
        async move { write(&world, &at(n)).await }
    }));
    for outcome in outcomes.await {
        outcome.unwrap();
    }
    let shared = commits(&path) - before;
    assert!((1..32).contains(&shared), "{shared} commits");

    let before = commits(&path);
    for n in 32..40 {
        write(&world, &at(n)).await.unwrap();
    }
    assert_eq!(commits(&path) - before, 8, "who is alone waits for nobody");
    assert_eq!(world.events().await.len(), 40);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_pays_for_a_neighbour() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let_some_fail(&path).await;
    write(&world, &at(100)).await.unwrap();
    // Of each four, one cannot be committed, and one cannot even be written.
    let outcomes = race((0..64).map(|n| {
        let world = world.clone();
        async move {
            let mut meeting = at(if n % 4 == 1 { 100 } else { n });
            if n % 4 == 0 {
                meeting.title = text(FAILS);
            }
            (n, meeting.id, write(&world, &meeting).await)
        }
    }));
    let mut written = 1;
    for (n, id, outcome) in outcomes.await {
        if n % 4 < 2 {
            let own = matches!(outcome, Err(ChangeError::Store(StoreError::Corrupt(_))));
            assert!(own, "{n}: {outcome:?}");
            assert_eq!(world.meeting(id).await, None);
        } else {
            outcome.unwrap();
            assert!(world.meeting(id).await.is_some());
            written += 1;
        }
    }
    assert_eq!(world.events().await.len(), written);
}

/// It waits for the commit of what it rests on, and when that fails, it is decided again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refusal_rests_on_nothing_that_is_undone() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let_some_fail(&path).await;
    let seen = AtomicU32::new(0);
    for n in 0..32 {
        let mut fails = at(n);
        fails.title = text(FAILS);
        let books = meeting(&other_client(), &therapist(), fails.start);
        let scope = Scope {
            people: [other_client(), therapist()].into(),
            busy_within: Span::new(books.start, books.start + SessionDuration::Hour.to_delta())
                .into(),
            ..Scope::default()
        };
        let change = booking(&books);
        let decide = |calendars: &booking_core::Calendars| {
            if calendars.busy.is_empty() {
                return Ok(change.clone());
            }
            seen.fetch_add(1, Ordering::Relaxed);
            Err(Refusal::SlotConflict.into())
        };
        let (failed, done) = tokio::join!(write(&world, &fails), world.change(&scope, &decide));
        assert!(matches!(failed, Err(ChangeError::Store(_))), "{failed:?}");
        assert_eq!(done.unwrap(), change);
        assert_eq!(world.meeting(books.id).await, Some(books));
    }
    assert!(seen.into_inner() > 0, "nobody saw what was then undone");
    assert_eq!(world.events().await.len(), 32);
}

/// Callers that look for what another has just written, or not yet: how many saw it.
async fn what_is_seen_is_committed(world: World) -> u32 {
    let mut seen = 0;
    for n in 0..64 {
        let first = at(n);
        let scope = Scope { meeting: Some(first.id), ..Scope::default() };
        let saw = AtomicBool::new(false);
        let look = |calendars: &booking_core::Calendars| {
            saw.store(calendars.meeting.is_some(), Ordering::Relaxed);
            Ok(Change::default())
        };
        let looked = async {
            world.change(&scope, &look).await.unwrap();
            (saw.load(Ordering::Relaxed), world.meeting(first.id).await.is_some())
        };
        let (written, (saw, is_there)) = tokio::join!(write(&world, &first), looked);
        written.unwrap();
        assert!(is_there || !saw, "it saw what was not committed");
        seen += u32::from(saw);
    }
    seen
}

/// A repeat that finds what its first try has written answers no sooner than that.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_changes_nothing_waits_for_what_it_saw() {
    let (_folder, path) = new_file();
    let seen = what_is_seen_is_committed(world(open(&path).await).await).await;
    assert!(seen > 0, "nobody saw anything");

    let (_folder, path) = new_file();
    let hasty = world_over(open(&path).await, Hasty::over).await;
    let refused = tokio::spawn(what_is_seen_is_committed(hasty)).await;
    assert!(refused.unwrap_err().is_panic(), "a store that answers early is found out");
}

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
                    0 => Duration::from_secs(30),
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
        let outcomes = tokio::time::timeout(Duration::from_secs(30), outcomes).await;
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
/// for the next one. Without the gaps that are left for it, it waits for seconds, and often in vain.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn other_processes_come_in_between() {
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
                    write(&busy, &at(next.fetch_add(1, Ordering::Relaxed))).await.unwrap();
                }
            })
        })
        .collect();
    let mut waits = Vec::new();
    for _ in 0..7 {
        let begun = Instant::now();
        // It may have bad luck.
        let _done = write(&other, &at(next.fetch_add(1, Ordering::Relaxed))).await;
        waits.push(begun.elapsed());
        // Until the others have the file again, and it would have to poll.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for task in tasks {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled(), "all the while others wrote");
    }
    waits.sort();
    assert!(waits[3] < Duration::from_secs(2), "{waits:?}");
}
