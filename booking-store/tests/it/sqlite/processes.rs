//! Several processes on one file, and processes that are killed.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use booking_core::testing::fixtures::{hour, id, therapist};
use booking_core::testing::{Harness, World, race};
use booking_core::{BookingError, MeetingId, Refusal, SessionDuration, StoreError};
use tempfile::TempDir;

use super::early::Early;
use super::{connect, new_file, open, world, world_over};
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
    let children = (0..3).map(|n| spawn(&path, [(CLIENT, &format!("client_{n}")), (TRIES, "60")]));
    let children: Vec<Child> = children.collect();
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
    if let Ok(path) = std::env::var(FILE) {
        return book_for_parent(&path);
    }
    const ROUNDS: usize = 5;
    // One after the other, and in batches.
    for tasks in ["1", "16"] {
        let (_folder, path) = opened();
        let mut answered = Vec::new();
        for round in 0..ROUNDS {
            let mut child = spawn(&path, [(TASKS, tasks)]);
            answered.extend(kill(
                &mut child,
                12 + 7 * round,
                Duration::from_micros(700) * round as u32,
            ));
            block_on(assert_sound(&path, &answered));
        }
        assert!(answered.len() >= ROUNDS * 12);
    }
}

/// That is: the same, of a store that answers before its commit, is noticed.
#[test]
fn what_was_answered_too_early_does_not() {
    let (_folder, path) = opened();
    let mut child = spawn(&path, [(TASKS, "16"), (STORE, "early")]);
    let answered = kill(&mut child, 12, Duration::ZERO);
    let lost = block_on(async {
        let there = world(open(&path).await).await.meetings_of(&therapist()).await;
        answered.iter().filter(|id| there.iter().all(|meeting| meeting.id != **id)).count()
    });
    assert!(lost > 0);
}

/// No commit, no answer but that the store is unavailable; and no trace of what was tried.
#[cfg(unix)]
#[test]
fn what_does_not_fit_on_the_disk_was_not_answered() {
    let (_folder, path) = opened();
    // Its commits fail once the log is that long; so does everything after it. How many meetings
    // that are depends on how many share a commit, and thus on the machine: a few at least.
    let limit = std::fs::metadata(path.with_extension("db-wal")).map_or(0, |log| log.len());
    let blocks = (limit + 1_000_000) / 512;
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""));
    shell.arg(std::env::current_exe().unwrap());
    let mut child = spawn_as(shell, &path, [(TASKS, "16"), (UNTIL, "it fails")]);
    let answered = answers(&mut child);
    assert!(child.wait().unwrap().success());
    assert!(!answered.is_empty());
    block_on(async {
        assert_sound(&path, &answered).await;
        let world = world(open(&path).await).await;
        assert_eq!(world.meetings_of(&therapist()).await.len(), answered.len());
    });
}

/// A file in which the therapist can be booked at any time.
fn opened() -> (TempDir, PathBuf) {
    let (folder, path) = new_file();
    block_on(async { world(open(&path).await).await.open(&therapist()).await });
    (folder, path)
}

/// What the child was answered until it was killed, some time after so many answers.
fn kill(child: &mut Child, after: usize, patience: Duration) -> Vec<MeetingId> {
    let mut lines = lines(child);
    let mut answered: Vec<_> = lines.by_ref().take(after).collect();
    std::thread::sleep(patience);
    child.kill().unwrap();
    answered.extend(lines);
    child.wait().unwrap();
    answered
}

/// What a child process does: its tasks book one start after the other, and tell what they were
/// answered.
fn book_for_parent(path: &str) {
    let ask = |name: &str| std::env::var(name).ok();
    let client = id(&ask(CLIENT).unwrap_or_else(|| "client_123".to_owned()));
    let tries = ask(TRIES).map_or(i64::MAX, |tries| tries.parse().unwrap());
    let tasks: usize = ask(TASKS).map_or(1, |tasks| tasks.parse().unwrap());
    block_on(async {
        let store = open(Path::new(path)).await;
        let world = match ask(STORE) {
            Some(_early) => world_over(store.clone(), Early::over).await,
            None => world(store.clone()).await,
        };
        let race = race((0..tasks).map(|task| {
            let (world, client) = (world.clone(), client.clone());
            async move {
                for n in (0..tries).step_by(tasks) {
                    let start = hour(n + i64::try_from(task).unwrap());
                    match world.book(&client, &therapist(), start, SessionDuration::Hour).await {
                        Ok(booked) => tell(booked.value.meeting.id),
                        Err(BookingError::Refused(Refusal::SlotConflict)) => {}
                        Err(BookingError::Store(StoreError::Unavailable(_)))
                            if std::env::var(UNTIL).is_ok() =>
                        {
                            return;
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }
        }));
        race.await;
        store.close().await;
    });
}

fn tell(answered: MeetingId) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{ANSWER}{answered}").unwrap();
    out.flush().unwrap();
}

const FILE: &str = "BOOKING_STORE_CHILD_FILE";
const CLIENT: &str = "BOOKING_STORE_CHILD_CLIENT";
const TRIES: &str = "BOOKING_STORE_CHILD_TRIES";
const TASKS: &str = "BOOKING_STORE_CHILD_TASKS";
const STORE: &str = "BOOKING_STORE_CHILD_STORE";
const UNTIL: &str = "BOOKING_STORE_CHILD_UNTIL";
const ANSWER: &str = "answered ";

/// This very binary, told to run that one test alone, which sees by its environment that it is a
/// child.
fn spawn<const N: usize>(path: &Path, told: [(&str, &str); N]) -> Child {
    spawn_as(Command::new(std::env::current_exe().unwrap()), path, told)
}

fn spawn_as<const N: usize>(mut command: Command, path: &Path, told: [(&str, &str); N]) -> Child {
    let name = concat!(module_path!(), "::what_was_answered_survives_the_process")
        .split_once("::")
        .unwrap()
        .1;
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .envs(told)
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
