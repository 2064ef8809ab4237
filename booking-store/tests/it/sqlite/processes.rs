//! Several processes on one file, and processes that are killed.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use booking_core::testing::fixtures::{hour, id, therapist};
use booking_core::testing::{Harness, World};
use booking_core::{BookingError, MeetingId, Refusal, SessionDuration};

use super::{connect, new_file, open, world};
use crate::shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_file_never_book_twice() {
    let (_folder, path) = new_file();
    let worlds = [world(open(&path).await).await, world(open(&path).await).await];
    shared::never_book_twice(worlds).await;
}

/// Three processes try all of 60 starts, each for a client of its own.
#[test]
fn processes_share_the_starts_among_them() {
    let (_folder, path) = new_file();
    block_on(async {
        let mut world = world(open(&path).await).await;
        for n in 0..3 {
            world.add_client(&id(&format!("client_{n}"))).await;
        }
        world.open(&therapist()).await;
    });
    let children: Vec<Child> = (0..3).map(|n| spawn(&path, &format!("client_{n}"), 60)).collect();
    let mut won = Vec::new();
    for mut child in children {
        won.extend(answers(&mut child));
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(won.len(), 60);
    block_on(assert_sound(&path, &won));
}

/// Whatever was answered before `kill -9` is there afterwards, whole, and nothing is in part.
#[test]
fn what_was_answered_survives_the_process() {
    if let Ok(path) = std::env::var(CHILD_FILE) {
        return book_for_parent(&path);
    }
    const ROUNDS: usize = 5;
    let (_folder, path) = new_file();
    block_on(async {
        let world = world(open(&path).await).await;
        world.open(&therapist()).await;
    });
    let mut answered = Vec::new();
    for round in 0..ROUNDS {
        let mut child = spawn(&path, "client_123", i64::MAX);
        let mut lines = lines(&mut child);
        answered.extend(lines.by_ref().take(12 + 7 * round));
        std::thread::sleep(Duration::from_micros(700 * round as u64));
        child.kill().unwrap();
        answered.extend(lines);
        child.wait().unwrap();
        block_on(assert_sound(&path, &answered));
    }
    assert!(answered.len() >= ROUNDS * 12);
}

/// What a child process does: books one start after the other, and tells what it was answered.
fn book_for_parent(path: &str) {
    let client = id(&std::env::var(CHILD_CLIENT).unwrap());
    let tries: i64 = std::env::var(CHILD_TRIES).unwrap().parse().unwrap();
    block_on(async {
        let store = open(Path::new(path)).await;
        let world = world(store.clone()).await;
        for n in 0..tries {
            match world.book(&client, &therapist(), hour(n), SessionDuration::Hour).await {
                Ok(booked) => {
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "\n{ANSWER}{}", booked.value.meeting.id).unwrap();
                    out.flush().unwrap();
                }
                Err(BookingError::Refused(Refusal::SlotConflict)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        store.close().await;
    });
}

const CHILD_FILE: &str = "BOOKING_STORE_CHILD_FILE";
const CHILD_CLIENT: &str = "BOOKING_STORE_CHILD_CLIENT";
const CHILD_TRIES: &str = "BOOKING_STORE_CHILD_TRIES";
const ANSWER: &str = "answered ";

/// This very binary, told to run that one test alone, which sees by its environment that it is a
/// child.
fn spawn(path: &Path, client: &str, tries: i64) -> Child {
    let name = concat!(module_path!(), "::what_was_answered_survives_the_process")
        .split_once("::")
        .unwrap()
        .1;
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD_FILE, path)
        .env(CHILD_CLIENT, client)
        .env(CHILD_TRIES, tries.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn answers(child: &mut Child) -> Vec<MeetingId> {
    lines(child).collect()
}

/// What the child was answered, up to its end. A last line may be cut off by a kill: whether that
/// one was answered nobody can say.
fn lines(child: &mut Child) -> impl Iterator<Item = MeetingId> + use<> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    std::iter::from_fn(move || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line.ends_with('\n').then_some(line)
    })
    .filter_map(|line| line.trim_end().strip_prefix(ANSWER).map(|id| id.parse().unwrap()))
}

/// The file is intact, every answered meeting is in it with its event, and nobody is in two places.
async fn assert_sound(path: &Path, answered: &[MeetingId]) {
    let mut connection = connect(path).await;
    let check = sqlx::query_scalar::<_, String>("PRAGMA integrity_check");
    assert_eq!(check.fetch_all(&mut connection).await.unwrap(), ["ok"]);
    let world = World::new(Harness::new(Arc::new(open(path).await), ())).await;
    world.assert_no_overlap().await;
    let meetings = world.meetings_of(&therapist()).await;
    let events = world.events().await;
    for id in answered {
        assert!(meetings.iter().any(|meeting| meeting.id == *id), "{id} was answered");
        assert!(events.iter().any(|found| found.event.payload.meeting() == *id), "{id}: no event");
    }
    assert_eq!(events.len(), meetings.len(), "an event for each meeting, and no others");
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}
