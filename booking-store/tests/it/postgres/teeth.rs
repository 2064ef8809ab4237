//! The conformance suite bites on Postgres too: stores that go about it in the ways that look right
//! fail a case of it, each time.
//!
//! | broken store | what it does | what becomes of it |
//! |---|---|---|
//! | check, then insert | looks for conflicts without locks, and writes later | two bookings of one time |
//! | unsorted locks | locks the therapist first, then the client | two who book each other wait in a circle |
//! | snapshot older than the lock | the very store, under REPEATABLE READ | two bookings of one time |
//! | event outside the transaction | writes the meeting, and then the event | events get lost |
//! | revisions that stand still | the very store, where nobody counts changes | what is out of date is written |
//!
//! The second wall is taken down for them: it would turn a double booking into an error, and the
//! suite has to see it by itself. `conformance_teeth.rs` of booking-core has the same faults, and
//! more, over memory.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::{Harness, World, atomicity, copies, current, published, races};
use booking_core::{
    Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, Meeting, MeetingQuery, Scope,
    Store, StoreError, UserId,
};
use booking_store::PostgresStore;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Postgres, Transaction};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinError;

use super::server::{Cluster, sql};

/// How a store goes about a change.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// As the store does.
    Right,
    /// Locks one by one, in order, beside the transaction that reads and writes: right as well.
    SortedLocks,
    CheckThenInsert,
    UnsortedLocks,
    SnapshotOlderThanLock,
    EventOutsideTransaction,
    Uncounted,
}

const ROUNDS: usize = 16;

struct Faulty {
    /// As in several processes: those of one keep clear of each other by themselves.
    stores: [PostgresStore; 3],
    locks: PgPool,
    way: Way,
    changes: AtomicU32,
    turns: AtomicU32,
}

/// Widens the gap that a fault opens, so that no race has to be lucky.
async fn others_go_first() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

impl Faulty {
    /// Each in turn.
    fn any(&self) -> &PostgresStore {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        &self.stores[turn as usize % self.stores.len()]
    }

    /// Locks nobody.
    async fn apply(&self, change: Change) -> Result<Change, ChangeError> {
        self.any().change(&Scope::default(), &|_| Ok(change.clone())).await
    }

    async fn lock(
        &self,
        people: impl IntoIterator<Item = &UserId>,
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let people: Vec<&UserId> = people.into_iter().collect();
        let mut transaction = self.locks.begin().await?;
        for person in people {
            // Not their rows, which count what is written beside this transaction.
            let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))");
            lock.bind(person.as_str()).execute(&mut *transaction).await?;
            others_go_first().await;
        }
        Ok(transaction)
    }

    async fn change_locked(
        &self,
        people: impl IntoIterator<Item = &UserId>,
        scope: &Scope,
        decide: Decide<'_>,
    ) -> Result<Change, ChangeError> {
        let locked = self.lock(people).await;
        let _locked = locked.map_err(|error| StoreError::Unavailable(error.into()))?;
        self.apply(decide(&self.any().read(scope).await?)?).await
    }
}

#[async_trait]
impl Store for Faulty {
    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        match self.way {
            Way::Right | Way::SnapshotOlderThanLock | Way::Uncounted => {
                self.any().change(scope, decide).await
            }
            Way::SortedLocks => self.change_locked(&scope.people, scope, decide).await,
            Way::CheckThenInsert => {
                let change = decide(&self.any().read(scope).await?)?;
                others_go_first().await;
                self.apply(change).await
            }
            Way::UnsortedLocks => {
                let therapist = scope.hours_of.as_ref();
                let others = scope.people.iter().filter(|person| Some(*person) != therapist);
                self.change_locked(therapist.into_iter().chain(others), scope, decide).await
            }
            Way::EventOutsideTransaction => {
                let events = std::sync::Mutex::new(vec![]);
                let without_events = |calendars: &Calendars| {
                    let mut change = decide(calendars)?;
                    *events.lock().unwrap() = std::mem::take(&mut change.events);
                    Ok(change)
                };
                let mut change = self.any().change(scope, &without_events).await?;
                change.events = events.into_inner().unwrap();
                // A process ends now and then.
                if !self.changes.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
                    let events = change.events.clone();
                    self.apply(Change { events, ..Change::default() }).await?;
                }
                Ok(change)
            }
        }
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        match self.way {
            Way::Right | Way::Uncounted => self.any().apply_if_current(seen, change).await,
            _ => Ok(false),
        }
    }

    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.any().read(scope).await
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.any().diaries(query).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.any().meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.any().ping().await
    }
}

/// On a server that nobody else uses: it can be reached without TLS, which [`through`] has to read.
async fn harness(way: Way) -> Harness {
    static SERVER: OnceLock<Cluster> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let cluster = SERVER.get_or_init(Cluster::start);
    let name = format!("teeth_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    sql(&cluster.url(), &format!("CREATE DATABASE {name}"));
    let direct = format!("{}/{name}", cluster.url().rsplit_once('/').unwrap().0);
    // Makes the tables.
    PostgresStore::open(&direct).await.unwrap().close().await;
    let no_wall = "ALTER TABLE meeting DISABLE TRIGGER meeting_comes_or_goes,
        DISABLE TRIGGER meeting_moves";
    sql(&direct, no_wall);
    if way == Way::Uncounted {
        sql(&direct, "ALTER TABLE meeting DISABLE TRIGGER meeting_is_counted");
        sql(&direct, "ALTER TABLE external_busy DISABLE TRIGGER USER");
    }
    let mut url = direct.clone();
    if way == Way::SnapshotOlderThanLock {
        // Else it comes to the locks now and then only.
        sql(&direct, super::NEVER_CURRENT);
        let port = through(cluster.port()).await.to_string();
        url = direct.replace(&cluster.port().to_string(), &port);
    }
    let open = async || PostgresStore::open(&url).await.unwrap();
    let stores = [open().await, open().await, open().await];
    let inner = stores[0].clone();
    let locks = PgPoolOptions::new().max_connections(32).connect(&direct).await.unwrap();
    let (changes, turns) = Default::default();
    let store = Faulty { stores, locks, way, changes, turns };
    Harness { store: Arc::new(store), ..Harness::new(Arc::new(inner), ()) }
}

/// The way to a server on which transactions get another isolation level than they ask for.
async fn through(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            tokio::spawn(carry(near_read, far_write));
            tokio::spawn(carry(far_read, near_write));
        }
    });
    port
}

async fn carry(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
    const ASKED: &[u8] = b"READ COMMITTED READ WRITE";
    // As long as that: a message says its length.
    const GIVEN: &[u8] = b"REPEATABLE READ          ";
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let bytes = &mut buffer[..read];
        while let Some(place) = bytes.windows(ASKED.len()).position(|part| part == ASKED) {
            bytes[place..place + GIVEN.len()].copy_from_slice(GIVEN);
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

/// Whether the case ends without a panic.
async fn passes<F>(way: Way, case: fn(World) -> F) -> Result<(), JoinError>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move { case(World::new(harness(way).await).await).await }).await
}

macro_rules! fails {
    ($($test:ident: $fault:ident fails $($case:path),+; with $told:literal)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                $(
                    let mut end = Ok(());
                    // A race may have to be run again before it is lost.
                    for _ in 0..ROUNDS {
                        end = passes(Way::$fault, $case).await;
                        if end.is_err() {
                            break;
                        }
                    }
                    let panic = end.expect_err(stringify!($case)).into_panic();
                    let told = panic.downcast_ref::<String>().unwrap();
                    assert!(told.contains($told), "{}: {told}", stringify!($case));
                )+
            }
        )+

        /// Nor is it the taking apart that the cases notice.
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn what_is_right_passes() {
            for way in [Way::Right, Way::SortedLocks] {
                $($(passes(way, $case).await.unwrap();)+)+
            }
        }
    };
}

fails! {
    check_then_insert: CheckThenInsert fails
        races::one_start_has_one_winner,
        races::a_person_with_two_roles_is_in_one_place;
        with "exactly one wins"
    unsorted_locks: UnsortedLocks fails
        races::crossed_bookings_do_not_block_each_other;
        with "deadlock detected"
    snapshot_older_than_lock: SnapshotOlderThanLock fails
        races::one_start_has_one_winner;
        with "exactly one wins"
    event_outside_transaction: EventOutsideTransaction fails
        published::events_exist_exactly_for_changes,
        atomicity::what_is_returned_was_applied;
        with "left == right"
    uncounted: Uncounted fails
        current::what_is_out_of_date_is_not_applied;
        with "was faster"
    uncounted_copies: Uncounted fails
        copies::copies_are_counted;
        with "left == right"
    uncounted_races: Uncounted fails
        races::one_start_has_one_winner;
        with "exactly one wins"
}
