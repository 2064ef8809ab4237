//! Callers that are kept, but not polled, and runtimes that are gone: who waits for them, and how long.

use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use booking_core::testing::fixtures::{audited, booked, client, hour, meeting, therapist};
use booking_core::testing::race;
use booking_core::{Change, ChangeError, Meeting, Scope, Span, Store, StoreError, Write};
use booking_store::SqliteStore;
use sqlx::Executor;
use tokio::time::{sleep, timeout};

use super::{connect, new_file, open};

/// Whoever waits for their turn in vain is told so long before.
const IN_TIME: Duration = Duration::from_secs(60);

fn at(n: u32) -> Meeting {
    meeting(&client(), &therapist(), hour(n.into()))
}

async fn write(store: SqliteStore, n: u32) -> Result<Change, ChangeError> {
    let meeting = at(n);
    let change = Change {
        writes: vec![audited(Write::InsertMeeting(meeting.clone()))],
        events: vec![booked(&meeting)],
        record: None,
    };
    // Of several statements, so that there is much to be parked in.
    let scope = Scope {
        meeting: Some(meeting.id),
        hours_of: Some(therapist()),
        users: [client(), therapist()].into(),
        ..Scope::default()
    };
    store.change(&scope, &|_| Ok(change.clone())).await
}

/// Found by its start: each call makes an id of its own.
async fn is_there(path: &Path, n: u32) -> bool {
    let meeting = at(n);
    let end = meeting.start + meeting.duration.to_delta();
    let scope = Scope {
        people: [client()].into(),
        busy_within: Span::new(meeting.start, end).into(),
        ..Scope::default()
    };
    !open(path).await.read(&scope).await.unwrap().busy.is_empty()
}

/// So many times, whether it asked for that or not, and then no more.
async fn poll_some<T>(future: &mut Pin<Box<impl Future<Output = T>>>, times: u32) -> Option<T> {
    for _ in 0..times {
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(done) = polled {
            return Some(done);
        }
        // What it waits for comes to pass meanwhile.
        sleep(Duration::from_millis(5)).await;
    }
    None
}

/// At every point of its call: its neighbours end, and once it is polled again, so does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_not_polled_holds_up_nobody() {
    let (_folder, path) = new_file();
    let store = open(&path).await;
    let mut was_parked = 0;
    for round in 1..=6 {
        let n = |n: u32| round * 100 + n;
        let mut parked = Box::pin(write(store.clone(), n(0)));
        let done = poll_some(&mut parked, round).await;
        let neighbours = race((1..8).map(|neighbour| write(store.clone(), n(neighbour))));
        for outcome in timeout(IN_TIME, neighbours).await.expect("they wait for it") {
            outcome.unwrap();
        }
        // In other processes too.
        timeout(IN_TIME, write(open(&path).await, n(8))).await.expect("it has the file").unwrap();
        let done = match done {
            Some(done) => done,
            None => {
                was_parked += 1;
                timeout(IN_TIME, parked).await.expect("nobody answers it")
            }
        };
        done.unwrap();
        assert!(is_there(&path, n(0)).await);
    }
    assert!(was_parked > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_not_polled_when_its_turn_comes_holds_up_nobody() {
    let (_folder, path) = new_file();
    let store = open(&path).await;
    let mut other = connect(&path).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let first = tokio::spawn(write(store.clone(), 0));
    sleep(Duration::from_millis(50)).await;
    let mut parked = Box::pin(write(store.clone(), 1));
    assert!(poll_some(&mut parked, 1).await.is_none());
    let neighbours: Vec<_> =
        (2..8).map(|neighbour| tokio::spawn(write(store.clone(), neighbour))).collect();
    sleep(Duration::from_millis(50)).await;
    other.execute("COMMIT").await.unwrap();
    for neighbour in neighbours {
        timeout(IN_TIME, neighbour).await.expect("they wait for it").unwrap().unwrap();
    }
    first.await.unwrap().unwrap();
    assert!(is_there(&path, 0).await);
    drop(parked);
    assert!(!is_there(&path, 1).await, "it never decided");
}

/// At every point of a call, its runtime ends: those of another runtime go on, and so does another
/// process.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_runtime_that_ends_holds_up_nobody() {
    let (_folder, path) = new_file();
    let store = open(&path).await;
    for round in 1..=24 {
        let (gone, theirs) = (store.clone(), store.clone());
        let patience = Duration::from_micros(150) * round;
        let neighbours =
            tokio::spawn(race((1..4).map(move |n| write(theirs.clone(), round * 100 + n))));
        let ended = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let begun = std::time::Instant::now();
            let calls: Vec<_> =
                (4..8).map(|n| runtime.spawn(write(gone.clone(), round * 100 + n))).collect();
            runtime.block_on(async {
                while begun.elapsed() < patience {
                    tokio::task::yield_now().await;
                }
            });
            drop(runtime);
            calls
        });
        let _unanswered = tokio::task::spawn_blocking(|| ended.join()).await.unwrap().unwrap();
        // Without any call in this process that would find what the other runtime has left.
        timeout(IN_TIME, write(open(&path).await, round * 100))
            .await
            .expect("it has the file")
            .unwrap();
        for outcome in timeout(IN_TIME, neighbours).await.expect("they wait for it").unwrap() {
            // It may have ended in the middle of a commit for all of them.
            let unknown = matches!(outcome, Err(ChangeError::Store(StoreError::Unavailable(_))));
            assert!(outcome.is_ok() || unknown, "{outcome:?}");
        }
        timeout(IN_TIME, write(store.clone(), round * 100 + 8))
            .await
            .expect("it is stuck")
            .unwrap();
    }
}
