//! Everything in a Postgres database.
//!
//! A change is read, decided, and written by one statement that looks whether the calendars are
//! still what they were: two round trips, no locks while anybody decides. Where they are not, it is
//! one transaction under READ COMMITTED, which locks the rows of the people's calendars, in order,
//! before anything else; what it reads after that is at least as new as its locks. The steps are a
//! handful of round trips, however much is read or written.

mod audit;
mod change;
mod codes;
mod copies;
mod deliveries;
mod diaries;
mod directory;
mod feeds;
mod holds;
mod links;
mod outbox;
mod pool;
mod read;
mod series;
mod signals;
mod subscribers;
mod terms;
mod turns;
mod user_news;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use booking_core::{
    Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, DirectoryId, Meeting,
    MeetingQuery, Scope, Store, StoreError, UserId,
};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use self::codes::{is_lock_timeout, is_lost_race};
use self::pool::{Lost, Plans, Pool};
use self::turns::Turns;
use crate::PoolState;
use crate::error::Failure;

pub(crate) use self::codes::may_pass;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Those who read never wait behind those who wait for a calendar.
const READERS: u32 = 8;
const WRITERS: u32 = 8;
/// Nor do bookings wait behind events on their way.
const RELAYS: u32 = 4;
/// Whatever the server's default is: under REPEATABLE READ, what is read after the locks would be
/// older than they are.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// How often a transaction begins again after it met others in a circle. For a change, with all
/// calendars locked in order, that takes somebody who writes to the tables directly.
const MAX_TRIES: u32 = 3;
/// How long a migration waits for the one of another process, and for a connection.
const MIGRATION_WAIT: Duration = Duration::from_secs(60);
/// How long it leaves bookings alone when it did not get its locks in time.
const MIGRATE_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A store, a directory, an outbox, its deliveries, calendar feeds, linked calendars and the audit log in one Postgres database; tested on Postgres
/// 15.
///
/// Cheap to clone; clones share their connections, 20 at most (8 to read, 8 to change, 4 for events
/// on their way), and one more for whoever [listens](booking_core::Signals::listen). Any number of
/// processes may use one database at the same time.
///
/// A change that was answered is as durable as the server's commits are (`synchronous_commit`, on
/// unless somebody turned it off). One that nobody waits for any more, because its future was
/// dropped, is applied as a whole or not at all.
///
/// A call ends within 10 seconds (to remove a subscriber is a call per 10 000 of their deliveries),
/// whatever happens to the server or to the network: then it fails with
/// [`StoreError::Unavailable`]. When the server is back, calls succeed again; there is no need to
/// open another store.
///
/// ```no_run
/// use booking_core::Store;
/// use booking_store::PostgresStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::open("postgres://booking:secret@localhost/booking").await?;
/// store.ping().await?;
/// store.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    options: PgConnectOptions,
    readers: Pool,
    writers: Pool,
    relays: Pool,
    turns: Turns,
    sender: Uuid,
    directory: DirectoryId,
}

/// Without the URL, which may have a password in it.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("pools", &self.pools()).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects to the database, which must exist, and brings its tables up to date.
    ///
    /// They are to have a database of their own, or a schema that is made before: others may have tables
    /// of the same names, and sqlx's own list of migrations is one of them. Such a schema goes into the
    /// URL, before the one of the extension `btree_gist`: `?options[search_path]=booking,public`.
    ///
    /// `url` is such as `postgres://user:password@host:5432/database?sslmode=verify-full`; what it
    /// leaves open is taken from the `PG…` variables of the environment, as `psql` does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server does not let us in or the URL is none,
    /// [`StoreError::Corrupt`] when the tables are not ours, or of a later version.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse().map_err(Failure::unavailable)?;
        let options = options.application_name("booking");
        let lost = Lost::default();
        let readers = Pool::new(&options, READERS, Plans::Once, &lost);
        let writers = Pool::new(&options, WRITERS, Plans::Once, &lost);
        let relays = Pool::new(&options, RELAYS, Plans::EachTime, &lost);
        let store = Self {
            options,
            readers,
            writers,
            relays,
            turns: Turns::default(),
            sender: signals::new_sender(),
            directory: DirectoryId::unique(),
        };
        store.migrate().await?;
        Ok(store)
    }

    /// Brings the tables up to date. Several processes may do so at the same time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server does not answer, or another process takes more
    /// than a minute to do the same, [`StoreError::Corrupt`] when the tables are not ours, or of a
    /// later version.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        // A connection of its own: a migration may take longer than other calls do, and its lock
        // goes with the connection, however this ends.
        let run = async {
            let connecting = tokio::time::timeout(MIGRATION_WAIT, self.options.connect());
            let connected = connecting.await.map_err(Failure::unavailable)?;
            let mut connection = connected.map_err(Failure::unavailable)?;
            let wait = format!("SET lock_timeout = {}", MIGRATION_WAIT.as_millis());
            sqlx::raw_sql(sqlx::AssertSqlSafe(wait)).execute(&mut connection).await?;
            let deadline = Instant::now() + MIGRATION_WAIT;
            loop {
                match MIGRATIONS.run_direct(None, &mut connection, false).await {
                    Ok(()) => break,
                    Err(error) if is_lock_timeout(&error) && Instant::now() < deadline => {
                        tokio::time::sleep(MIGRATE_AGAIN_AFTER).await;
                    }
                    Err(error) => return Err(Failure::of_migration(&MIGRATIONS)(error)),
                }
            }
            connection.close().await?;
            Ok::<(), Failure>(())
        };
        Ok(run.await?)
    }

    /// Waits for the calls that are under way, and closes all connections. Later calls are
    /// [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
        self.relays.close().await;
    }

    /// How the connections are used, kind by kind.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolState> {
        let pools =
            [("readers", &self.readers), ("writers", &self.writers), ("relays", &self.relays)];
        pools.map(|(name, pool)| pool.state(name)).into()
    }

    async fn try_change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let mut session = self.writers.session().await?;
        let outcome = change_on(session.connection(), scope, decide).await;
        let failure = match &outcome {
            Err(ChangeError::Store(failure)) => Some(failure),
            Ok(_) | Err(ChangeError::Declined(_)) => None,
        };
        session.release(failure);
        outcome
    }
}

async fn change_on(
    connection: &mut PgConnection,
    scope: &Scope,
    decide: Decide<'_>,
) -> Result<Change, ChangeError> {
    let people = read::names(&scope.people);
    let mut seen = read::calendars(connection, scope).await?;
    let mut change = decide(&seen)?;
    if !change.is_empty() && seen.revisions.len() < people.len() {
        change::add_calendars(connection, &people).await?;
        seen = read::calendars(connection, scope).await?;
        change = decide(&seen)?;
    }
    let is_done = change.is_empty()
        || seen.vouch_for(&change) && change::apply_if_current(connection, &seen, &change).await?;
    if is_done {
        return Ok(change);
    }
    in_transaction(connection, &people, scope, decide).await
}

/// Dropped before it commits, by a declining or panicking decision, by an error, or because nobody
/// waits for the answer any more, the transaction rolls back.
async fn in_transaction(
    connection: &mut PgConnection,
    people: &[String],
    scope: &Scope,
    decide: Decide<'_>,
) -> Result<Change, ChangeError> {
    let mut transaction = connection.begin_with(BEGIN).await.map_err(Failure::from)?;
    if change::lock(&mut transaction, people).await? < people.len() {
        return Err(Failure::corrupt("a calendar has gone").into());
    }
    let calendars = read::calendars(&mut transaction, scope).await?;
    let change = decide(&calendars)?;
    if !change.is_empty() {
        change::apply(&mut transaction, &change).await?;
        transaction.commit().await.map_err(Failure::from)?;
    }
    Ok(change)
}

#[async_trait]
impl Store for PostgresStore {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        let call = self.readers.call(async |connection| read::calendars(connection, scope).await);
        call.await
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let tries = async {
            // Whoever queues too long for a calendar says nothing about the connections.
            let _turn = pool::patient(self.turns.wait(&scope.people)).await?;
            let mut tries = 1;
            loop {
                match self.try_change(scope, decide).await {
                    Err(ChangeError::Store(lost)) if is_lost_race(&lost) && tries < MAX_TRIES => {
                        tries += 1;
                    }
                    outcome => return outcome,
                }
            }
        };
        self.writers.bounded(tries).await
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        // Whoever is before us is about to make it out of date.
        let turn = seen.vouch_for(change).then(|| self.turns.take(&seen.scope.people)).flatten();
        let Some(_turn) = turn else { return Ok(false) };
        let apply =
            async |one: &mut PgConnection| change::apply_if_current(one, seen, change).await;
        match self.writers.call(apply).await {
            Err(lost) if is_lost_race(&lost) => Ok(false),
            outcome => outcome,
        }
    }

    fn directory(&self) -> Option<DirectoryId> {
        Some(self.directory)
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.readers.call(async |connection| diaries::diaries(connection, query).await).await
    }

    async fn revisions(
        &self,
        people: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, u64>, StoreError> {
        self.readers.call(async |connection| diaries::revisions(connection, people).await).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.readers.call(async |connection| read::meetings(connection, query).await).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.readers.call(async |connection| read::ping(connection).await).await
    }
}
