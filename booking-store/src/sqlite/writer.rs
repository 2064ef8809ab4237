//! The one connection that writes, and whose turn it is.
//!
//! Most of what a change costs is its commit, which waits for the disk. So changes that are there
//! at the same time share one: a [`Batch`] is a transaction with the changes of several callers in
//! it. Who finds none begins one. The first whose change is in it queues up once more, behind those
//! who have come meanwhile, and then commits for all of them: a change that is alone waits for
//! nobody. Nobody is answered before that commit.
//!
//! Whatever fails, all of the batch is undone, and each of its callers tries again alone: what they
//! are told then is their own doing, or the disk's, and not a neighbour's.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use booking_core::{Change, ChangeError, Decline};
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::{Instant, timeout_at};

use super::{ACQUIRE_TIMEOUT, change};
use crate::error::Failure;

/// Whoever comes later than that finds the batch closed. Meanwhile it keeps other processes from
/// writing, and those in it from their answers.
const TAKES_IN_FOR: Duration = Duration::from_millis(10);

/// Cheap to clone; clones share the connection.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    /// Exactly one connection. Left to the file's lock, writers would poll for it, and some would
    /// wait for seconds.
    pub(super) pool: SqlitePool,
    queue: Queue,
}

/// Callers have their turn first come, first served, and leave an open batch to whoever is next.
type Queue = Arc<Mutex<Option<Batch>>>;

/// What is under way in the connection, with everybody who waits for its end. Dropped, it is undone.
#[derive(Debug)]
struct Batch {
    transaction: Transaction<'static, Sqlite>,
    begun: Instant,
    waiting: Vec<Answer>,
}

type Answer = oneshot::Sender<Result<(), Trouble>>;

/// Who may be in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    Others,
    Nobody,
}

/// Why a change is not committed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Something failed that others had a part in; nothing of the change is there.
    Undone,
    Own(ChangeError),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Own(failure.into())
    }
}

impl From<Decline> for Trouble {
    fn from(decline: Decline) -> Self {
        Self::Own(decline.into())
    }
}

impl From<Trouble> for ChangeError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Own(error) => error,
            Trouble::Undone => Failure::unavailable("what it was written with was undone").into(),
        }
    }
}

impl Writer {
    pub(super) fn over(pool: SqlitePool) -> Self {
        Self { pool, queue: Queue::default() }
    }

    /// A turn in a batch: the open one, or a new one.
    pub(super) async fn turn(&self, company: Company, until: Instant) -> Result<Turn, Failure> {
        let mut place = self.place(company, until).await?;
        if place.is_none() {
            let transaction = self.begin().await?;
            *place = Some(Batch { transaction, begun: Instant::now(), waiting: vec![] });
        }
        Ok(Turn { place, queue: self.queue.clone(), company, is_halfway: false })
    }

    /// A transaction of one's own, after the batch that is open.
    pub(super) async fn alone(&self) -> Result<Alone, Failure> {
        let place = self.place(Company::Nobody, Instant::now() + ACQUIRE_TIMEOUT).await?;
        Ok(Alone { transaction: self.begin().await?, _place: place })
    }

    /// Waits for its turn in this process, and commits the batch that is open there if it may not be
    /// joined.
    async fn place(
        &self,
        company: Company,
        until: Instant,
    ) -> Result<OwnedMutexGuard<Option<Batch>>, Failure> {
        let place = timeout_at(until, self.queue.clone().lock_owned()).await;
        let mut place = place.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let is_closed =
            |batch: &mut Batch| company == Company::Nobody || batch.begun.elapsed() > TAKES_IN_FOR;
        let Some(batch) = place.take_if(is_closed) else { return Ok(place) };
        // Those in it wait for that also if this caller does not.
        let committed = tokio::spawn(async move {
            batch.commit().await;
            place
        });
        committed.await.map_err(Failure::unavailable)
    }

    /// Waits for other processes.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, Failure> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

impl Batch {
    async fn commit(self) {
        let committed = self.transaction.commit().await;
        let is_shared = self.waiting.len() > 1;
        for waiting in self.waiting {
            let end = match &committed {
                Ok(()) => Ok(()),
                // The others' changes may be why; what the database did not answer, nobody knows.
                Err(sqlx::Error::Database(_)) if is_shared => Err(Trouble::Undone),
                Err(error) => Err(Failure::of_commit(error).into()),
            };
            let _gone = waiting.send(end);
        }
    }

    fn undo(self) {
        // Sent off before anybody tries again.
        drop(self.transaction);
        for waiting in self.waiting {
            let _gone = waiting.send(Err(Trouble::Undone));
        }
    }
}

/// Holds the connection, within a batch, for one change.
///
/// Dropped at any point, it leaves the changes of others as they were. If there are none, or it was
/// halfway through its own, all of the batch is undone.
#[derive(Debug)]
pub(super) struct Turn {
    place: OwnedMutexGuard<Option<Batch>>,
    queue: Queue,
    company: Company,
    is_halfway: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let is_over = |batch: &mut Batch| self.is_halfway || batch.waiting.is_empty();
        if let Some(batch) = self.place.take_if(is_over) {
            batch.undo();
        }
    }
}

impl Turn {
    /// To read with; what is written goes through [`apply`](Self::apply).
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        let batch = self.place.as_mut();
        let batch = batch.ok_or_else(|| Failure::unavailable("the batch has come to its end"))?;
        Ok(&mut batch.transaction)
    }

    /// Ends the batch for everybody: SQLite may have undone all of it by itself.
    pub(super) fn fail(mut self) {
        self.is_halfway = true;
    }

    /// Returns once all that was looked at is committed.
    pub(super) async fn stand_by(mut self) -> Result<(), Trouble> {
        let (answer, answered) = oneshot::channel();
        match self.place.as_mut() {
            Some(batch) if !batch.waiting.is_empty() => batch.waiting.push(answer),
            _ => return Ok(()),
        }
        drop(self);
        end_of(answered).await
    }

    /// Applies a change; returns once it is committed.
    ///
    /// A task of its own does so to its end: whoever asked for it may be gone in the middle of it.
    pub(super) async fn apply(self, change: Arc<Change>) -> Result<(), Trouble> {
        let (answer, answered) = oneshot::channel();
        tokio::spawn(self.see_through(change, answer));
        end_of(answered).await
    }

    async fn see_through(mut self, change: Arc<Change>, answer: Answer) {
        if let Err(failure) = self.write(&change).await {
            self.fail();
            let _gone = answer.send(Err(failure.into()));
            return;
        }
        // The caller has the only one again.
        drop(change);
        let Some(batch) = self.place.as_mut() else { return };
        batch.waiting.push(answer);
        if batch.waiting.len() > 1 {
            return;
        }
        if self.company == Company::Others {
            let queue = self.queue.clone();
            drop(self);
            let mut place = queue.lock_owned().await;
            // Somebody else may have closed it.
            if let Some(batch) = place.take() {
                batch.commit().await;
            }
        } else if let Some(batch) = self.place.take() {
            batch.commit().await;
        }
    }

    async fn write(&mut self, change: &Change) -> Result<(), Failure> {
        self.is_halfway = true;
        change::apply(self.connection()?, change).await?;
        self.is_halfway = false;
        Ok(())
    }
}

async fn end_of(answered: oneshot::Receiver<Result<(), Trouble>>) -> Result<(), Trouble> {
    let unknown = |_| Failure::unavailable("nobody knows what became of the change");
    answered.await.map_err(unknown)?
}

/// A transaction that nobody else has a part in. Dropped before it commits, it rolls back.
#[derive(Debug)]
pub(super) struct Alone {
    // Ends first.
    transaction: Transaction<'static, Sqlite>,
    _place: OwnedMutexGuard<Option<Batch>>,
}

impl Alone {
    pub(super) async fn commit(self) -> Result<(), Failure> {
        Ok(self.transaction.commit().await?)
    }
}

impl Deref for Alone {
    type Target = SqliteConnection;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

impl DerefMut for Alone {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.transaction
    }
}
