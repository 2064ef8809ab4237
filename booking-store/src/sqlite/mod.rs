//! Everything in one SQLite file.
//!
//! One connection writes, in transactions that begin with `BEGIN IMMEDIATE`: that lock is taken
//! before anything is read, and it covers all calendars at once, in this process and in every other
//! that has the file open. Changes that come at the same time share such a transaction ([`writer`]).
//! A few more connections read, each transaction one snapshot (WAL).

mod alone;
mod audit;
#[cfg(test)]
mod batches;
mod change;
mod codes;
mod copies;
mod deliveries;
#[cfg(test)]
mod delivery_plans;
mod diaries;
mod directory;
mod feeds;
mod holds;
mod links;
mod outbox;
mod pace;
#[cfg(test)]
mod plans;
mod read;
mod series;
#[cfg(test)]
mod steps;
mod subscribers;
mod terms;
mod user_news;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, DirectoryId, Meeting,
    MeetingQuery, Scope, Signals, Store, StoreError, UserId,
};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Sqlite, Transaction};
use tokio::time::Instant;

use self::alone::Alone;
use self::codes::is_busy;
use self::writer::{Company, Trouble, Writer};
use crate::PoolState;
use crate::error::Failure;

pub(crate) use self::codes::may_pass;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a connection waits for other processes that have the file open.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection, behind the others of this process.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

/// A store, a directory, an outbox, its deliveries, calendar feeds, linked calendars and the audit log in one SQLite file.
///
/// Cheap to clone; clones share their connections. Several stores may have one file open, in one
/// process or in several, but all on one machine: the file must not lie on a network drive.
///
/// A change that was answered survives `kill -9` and a power cut. One that nobody waits for any
/// more, because its future was dropped, is applied as a whole or not at all. Changes that come at
/// the same time share a commit, and each is answered after it. A call waits at most
/// 5 seconds for its turn in this process, and a writer as long again for other processes; then it
/// fails with [`StoreError::Unavailable`]. So does a change whose commit takes longer than 10 seconds:
/// it may be there nevertheless. A change whose future is kept without being polled holds up nobody.
///
/// ```
/// use booking_core::{MeetingQuery, MeetingTexts, Store, UserId};
/// use booking_store::SqliteStore;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("booking.db");
/// # let url = format!("sqlite:{}", path.display());
/// // Such as `sqlite:booking.db`; the file is made, and its tables are.
/// let store = SqliteStore::open(&url).await?;
/// let query = MeetingQuery {
///     person: UserId::new("client_123")?,
///     statuses: [].into(),
///     from: None,
///     to: None,
///     after: None,
///     limit: 10,
///     texts: MeetingTexts::LeftOut,
/// };
/// assert!(store.meetings(&query).await?.is_empty());
/// store.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
    directory: DirectoryId,
}

impl SqliteStore {
    /// Opens the file, which is made if need be, and brings its tables up to date.
    ///
    /// `url` is `sqlite:` and a path, or a path alone. The path is taken as it stands, without any
    /// escapes or parameters; its folder must exist.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened or the URL names none,
    /// [`StoreError::Corrupt`] when it is not one of ours, or is of a later version.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let path = path_of(url)?;
        let writer = Writer::over(writer(&path).await?);
        let store = Self { writer, readers: readers(&path), directory: DirectoryId::unique() };
        store.migrate().await?;
        Ok(store)
    }

    /// Brings the tables up to date. Several processes may do so at the same time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when another process keeps the file locked,
    /// [`StoreError::Corrupt`] when the tables are not ours, or of a later version.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        // All in one transaction that holds the lock from the start: whoever comes second finds
        // nothing left to do, and a crash leaves nothing half done.
        let run = async {
            let mut transaction = self.begin_write().await?;
            let migrated = MIGRATIONS.run_direct(None, &mut *transaction, false).await;
            migrated.map_err(Failure::of_migration(&MIGRATIONS))?;
            transaction.commit().await?;
            Ok::<(), Failure>(())
        };
        Ok(run.await?)
    }

    /// Waits for the calls that are under way, and closes the file. Later calls are
    /// [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.pool.close().await;
    }

    /// How the connections are used, kind by kind.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolState> {
        let state = |(name, pool): (_, &SqlitePool)| PoolState {
            name,
            most: pool.options().get_max_connections(),
            open: pool.size(),
            idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
            waiting: None,
        };
        [("readers", &self.readers), ("writers", &self.writer.pool)].map(state).into()
    }

    /// Waits for its turn in this process, and then for other processes. For all writers but those
    /// of [`Store::change`].
    async fn begin_write(&self) -> Result<Alone, Failure> {
        self.writer.alone().await
    }

    /// One snapshot for all reads within; taken by the first.
    async fn begin_read(&self) -> Result<Transaction<'static, Sqlite>, Failure> {
        Ok(self.readers.begin().await?)
    }

    async fn try_change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let until = Instant::now() + ACQUIRE_TIMEOUT;
        match self.change_among(Company::Others, until, scope, decide).await {
            Err(Trouble::Undone) => {
                Ok(self.change_among(Company::Nobody, until, scope, decide).await?)
            }
            done => Ok(done?),
        }
    }

    async fn change_among(
        &self,
        company: Company,
        until: Instant,
        scope: &Scope,
        decide: Decide<'_>,
    ) -> Result<Change, Trouble> {
        let (calendars, undecided) = self.writer.look(company, until, scope).await?;
        match decide(&calendars) {
            Ok(change) if !change.is_empty() => {
                let change = Arc::new(change);
                undecided.decide(Some(change.clone())).await?;
                Ok(Arc::unwrap_or_clone(change))
            }
            // That may rest on what others have written, who were not answered yet either.
            unchanged => {
                undecided.decide(None).await?;
                Ok(unchanged?)
            }
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        let mut snapshot = self.begin_read().await?;
        Ok(read::calendars(&mut snapshot, scope).await?)
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        self.try_change(scope, decide).await
    }

    fn directory(&self) -> Option<DirectoryId> {
        Some(self.directory)
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        Ok(diaries::diaries(&self.readers, query).await?)
    }

    /// Nothing is counted here.
    async fn revisions(
        &self,
        _people: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, u64>, StoreError> {
        Ok(BTreeMap::new())
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        Ok(read::meetings(&self.readers, query).await?)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let answered = sqlx::query("SELECT EXISTS (SELECT 1 FROM meeting)").execute(&self.readers);
        Ok(answered.await.map(drop).map_err(Failure::from)?)
    }
}

/// Other processes look into the file from time to time.
impl Signals for SqliteStore {}

fn path_of(url: &str) -> Result<PathBuf, Failure> {
    let path = match url.strip_prefix("sqlite:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None => url,
    };
    if path.is_empty() || path == ":memory:" || path.contains(['?', '\0']) {
        return Err(Failure::unavailable("a SQLite URL is `sqlite:` and the path of a file"));
    }
    Ok(PathBuf::from(path))
}

fn options(path: &PathBuf) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT).foreign_keys(true)
}

fn pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // An error within SQLite may end a transaction that the driver takes for open; it could
        // never begin another one on that connection.
        .before_acquire(|connection, _| {
            Box::pin(async move { Ok(!connection.is_in_transaction()) })
        })
}

async fn writer(path: &PathBuf) -> Result<SqlitePool, Failure> {
    #[cfg(unix)]
    make_private(path);
    let options = options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit waits until the disk has it. With NORMAL, a power cut could take back bookings
        // that were already answered (https://sqlite.org/pragma.html#pragma_synchronous).
        .synchronous(SqliteSynchronous::Full);
    // Whoever opens a new file first turns it to WAL, and for that moment the others are refused
    // without any wait (https://sqlite.org/wal.html#sometimes_queries_return_sqlite_busy_in_wal_mode).
    let mut waited = Duration::ZERO;
    loop {
        match pool().max_connections(1).connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && waited < BUSY_TIMEOUT => {
                tokio::time::sleep(OPEN_AGAIN_AFTER).await;
                waited += OPEN_AGAIN_AFTER;
            }
            opened => return Ok(opened?),
        }
    }
}

/// Makes a new file that nobody else may read; its log gets the same rights. What stands in the way
/// of that stands in the way of opening it too, and is told there.
#[cfg(unix)]
fn make_private(path: &PathBuf) {
    use std::os::unix::fs::OpenOptionsExt;
    let _made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

/// They open when first used.
fn readers(path: &PathBuf) -> SqlitePool {
    pool().max_connections(READERS).connect_lazy_with(options(path).read_only(true))
}

const OPEN_AGAIN_AFTER: Duration = Duration::from_millis(10);
