//! Changes that come at the same time share a commit: who is told what, and when. Here a batch is open
//! for whoever comes, however long that takes on a busy machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::fixtures::{
    audited, booked, client, hour, meeting, other_client, text, therapist,
};
use booking_core::testing::{Harness, World, race};
use booking_core::{
    Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, Meeting, MeetingQuery, Refusal,
    Scope, SessionDuration, Span, Store, StoreError, Write,
};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::SqliteStore;
use super::plans::new_store;

async fn new_patient_store() -> (TempDir, SqliteStore) {
    let (folder, mut store) = new_store().await;
    store.writer.takes_in_for = Duration::from_mins(10);
    (folder, store)
}

async fn world(store: &SqliteStore) -> World {
    World::new(Harness::new(Arc::new(store.clone()), ())).await
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

const FAILS: &str = "fails at the commit";

/// A meeting of that title can be written, but not committed.
async fn let_some_fail(store: &SqliteStore) {
    let tables = "
        CREATE TABLE whole (id TEXT PRIMARY KEY);
        CREATE TABLE part (id TEXT REFERENCES whole (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER let_some_fail AFTER INSERT ON meeting WHEN NEW.title = 'fails at the commit'
        BEGIN INSERT INTO part VALUES ('of nothing'); END";
    sqlx::raw_sql(tables).execute(&store.writer.pool).await.unwrap();
}

/// Whenever something is about to be committed.
async fn at_each_commit(store: &SqliteStore, mut then: impl FnMut() + Send + 'static) {
    let mut connection = store.writer.pool.acquire().await.unwrap();
    connection.lock_handle().await.unwrap().set_commit_hook(move || {
        then();
        true
    });
}

/// Their disk writes, that is: each is a change of its own in every other respect.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_that_come_together_share_commits() {
    let (_folder, store) = new_patient_store().await;
    let world = world(&store).await;
    let commits = Arc::<AtomicU32>::default();
    let counter = commits.clone();
    at_each_commit(&store, move || {
        counter.fetch_add(1, Ordering::Relaxed);
    })
    .await;
    let outcomes = race((0..32).map(|n| {
        let world = world.clone();
        async move { write(&world, &at(n)).await }
    }));
    for outcome in outcomes.await {
        outcome.unwrap();
    }
    let shared = commits.swap(0, Ordering::Relaxed);
    assert!((1..32).contains(&shared), "{shared} commits");

    for n in 32..40 {
        write(&world, &at(n)).await.unwrap();
    }
    assert_eq!(commits.load(Ordering::Relaxed), 8, "who is alone waits for nobody");
    assert_eq!(world.events().await.len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_pays_for_a_neighbour() {
    let (_folder, store) = new_patient_store().await;
    let world = world(&store).await;
    let_some_fail(&store).await;
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
    let (_folder, store) = new_patient_store().await;
    let world = world(&store).await;
    let_some_fail(&store).await;
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
        let decide = |calendars: &Calendars| {
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

/// Callers that look for what another has just written, or not yet: how many saw it. Each says when it
/// has looked whether that is committed.
async fn what_is_seen_is_committed(world: World, looked: impl Fn() + Send) -> u32 {
    let mut seen = 0;
    for n in 0..64 {
        let first = at(n);
        let scope = Scope { meeting: Some(first.id), ..Scope::default() };
        let saw = AtomicBool::new(false);
        let look = |calendars: &Calendars| {
            saw.store(calendars.meeting.is_some(), Ordering::Relaxed);
            Ok(Change::default())
        };
        // Who looks comes while the other has its turn, and so before its commit.
        let begun = Notify::new();
        let (anything, change) = (Scope::default(), booking(&first));
        let write = |_: &_| {
            begun.notify_one();
            Ok(change.clone())
        };
        let looking = async {
            begun.notified().await;
            world.change(&scope, &look).await.unwrap();
            let is_there = world.meeting(first.id).await.is_some();
            looked();
            (saw.load(Ordering::Relaxed), is_there)
        };
        let (written, (saw, is_there)) = tokio::join!(world.change(&anything, &write), looking);
        written.unwrap();
        assert!(is_there || !saw, "it saw what was not committed");
        seen += u32::from(saw);
    }
    seen
}

/// A repeat that finds what its first try has written answers no sooner than that.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_changes_nothing_waits_for_what_it_saw() {
    let (_folder, store) = new_patient_store().await;
    let seen = what_is_seen_is_committed(world(&store).await, || ()).await;
    assert!(seen > 0, "nobody saw anything");

    let (_folder, store) = new_patient_store().await;
    let mut harness = Harness::new(Arc::new(store.clone()), ());
    harness.store = Arc::new(Hasty(store.clone()));
    let world = World::new(harness).await;
    // Who answers early is early, however late others have their turn.
    let (looked, has_looked) = std::sync::mpsc::channel();
    at_each_commit(&store, move || {
        let _gone_or_late = has_looked.recv_timeout(Duration::from_secs(60));
    })
    .await;
    let looked = move || looked.send(()).unwrap();
    let refused = tokio::spawn(what_is_seen_is_committed(world, looked)).await;
    assert!(refused.unwrap_err().is_panic(), "a store that answers early is found out");
}

/// It does not wait for the others' commit where it changes nothing itself.
struct Hasty(SqliteStore);

#[async_trait]
impl Store for Hasty {
    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let unchanged = Notify::new();
        let decide = |calendars: &Calendars| {
            let decided = decide(calendars);
            if decided.as_ref().is_ok_and(Change::is_empty) {
                unchanged.notify_one();
            }
            decided
        };
        tokio::select! {
            biased;
            done = self.0.change(scope, &decide) => done,
            () = unchanged.notified() => Ok(Change::default()),
        }
    }

    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.0.read(scope).await
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.0.diaries(query).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.0.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}
