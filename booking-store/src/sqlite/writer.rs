//! The one connection that writes, and whose turn it is.
//!
//! Most of what a change costs is its commit, which waits for the disk. So changes that are there
//! at the same time share one: a [`Batch`] is a transaction with the changes of several callers in
//! it. Who finds none begins one. Those whose change is in it queue up once more, behind those who
//! have come meanwhile, and the first of them commits for all: a change that is alone waits for
//! nobody. Nobody is answered before that commit.
//!
//! Whatever fails, all of the batch is undone, and each of its callers tries again alone: what they
//! are told then is their own doing, or the disk's, and not a neighbour's.
//!
//! A caller's future may be left lying at any `await`. So it holds nothing that others wait for: a
//! task has its turn, and gives the caller a while to decide.

use std::sync::Arc;
use std::time::Duration;

use booking_core::{Calendars, Change, ChangeError, Decline, Scope};
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::alone::Alone;
use super::pace::Pace;
use super::{ACQUIRE_TIMEOUT, change, read};
use crate::error::Failure;

/// How long a turn waits for its caller's decision, which is made as soon as somebody polls it.
const DECIDES_WITHIN: Duration = Duration::from_secs(1);

/// How long a caller waits for the commit of what it decided.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Cheap to clone; clones share the connection.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    /// Exactly one connection. Left to the file's lock, writers would poll for it, and some would
    /// wait for seconds.
    pub(super) pool: SqlitePool,
    queue: Queue,
    /// Whoever comes later than that finds the batch closed. Meanwhile it keeps other processes from
    /// writing, and those in it from their answers.
    pub(super) takes_in_for: Duration,
}

/// Callers have their turn first come, first served, and leave an open batch to whoever is next.
type Queue = Arc<Mutex<Line>>;
pub(super) type Place = OwnedMutexGuard<Line>;

#[derive(Debug, Default)]
pub(super) struct Line {
    batch: Option<Batch>,
    pub(super) pace: Pace,
}

/// What is under way in the connection, with everybody who waits for its end. Dropped, it is undone.
#[derive(Debug)]
struct Batch {
    transaction: Transaction<'static, Sqlite>,
    begun: Instant,
    waiting: Vec<Answer>,
    /// Each [`Member`] has one too.
    token: Arc<()>,
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
        Self { pool, queue: Queue::default(), takes_in_for: Duration::from_millis(10) }
    }

    /// What there is to decide on, in a batch: the open one, or a new one.
    pub(super) async fn look(
        &self,
        company: Company,
        until: Instant,
        scope: &Scope,
    ) -> Result<(Calendars, Undecided), Failure> {
        let (found, look) = oneshot::channel();
        let (decision, decided) = oneshot::channel();
        tokio::spawn(self.clone().attend(company, until, scope.clone(), found, decided));
        Ok((look.await.map_err(Failure::unavailable)??, Undecided { decision }))
    }

    /// A transaction of one's own, after the batch that is open.
    pub(super) async fn alone(&self) -> Result<Alone, Failure> {
        let writer = self.clone();
        let (mut handed, alone) = oneshot::channel();
        // Those in the batch wait for its commit also if this caller does not.
        tokio::spawn(async move {
            let Some(place) = writer.place(Instant::now() + ACQUIRE_TIMEOUT, &mut handed).await
            else {
                return;
            };
            let begun = async {
                let mut place = place?;
                place.commit().await;
                let transaction = writer.begin(&mut place).await?;
                Ok(Alone::of(transaction, place))
            };
            let _gone = handed.send(begun.await);
        });
        alone.await.map_err(Failure::unavailable)?
    }

    /// One caller's turn, from its place in the queue to its answer.
    async fn attend(
        self,
        company: Company,
        until: Instant,
        scope: Scope,
        mut found: oneshot::Sender<Result<Calendars, Failure>>,
        decided: oneshot::Receiver<Decision>,
    ) {
        let Some(place) = self.place(until, &mut found).await else { return };
        let looked = async {
            let mut turn = self.turn(place?, company).await?;
            let calendars = turn.read(&scope).await?;
            Ok((turn, calendars))
        };
        match looked.await {
            Ok((turn, calendars)) => {
                if found.send(Ok(calendars)).is_ok() {
                    turn.end(decided).await;
                }
            }
            Err(failure) => {
                let _gone = found.send(Err(failure));
            }
        }
    }

    /// Waits for its turn in this process, as long as the caller does.
    async fn place<T>(
        &self,
        until: Instant,
        caller: &mut oneshot::Sender<T>,
    ) -> Option<Result<Place, Failure>> {
        tokio::select! {
            biased;
            () = caller.closed() => None,
            place = timeout_at(until, self.queue.clone().lock_owned()) => {
                Some(place.map_err(|_| sqlx::Error::PoolTimedOut.into()))
            }
        }
    }

    /// Commits the batch that is open there if it may not be joined, and begins one if there is none.
    async fn turn(&self, mut place: Place, company: Company) -> Result<Turn, Failure> {
        let is_closed = |batch: &Batch| batch.begun.elapsed() > self.takes_in_for;
        if company == Company::Nobody || place.batch.as_ref().is_some_and(is_closed) {
            place.commit().await;
        }
        if place.batch.is_none() {
            let transaction = self.begin(&mut place).await?;
            let (begun, token) = (Instant::now(), Arc::default());
            place.batch = Some(Batch { transaction, begun, waiting: vec![], token });
        }
        Ok(Turn { place, queue: self.queue.clone(), company, is_halfway: false })
    }

    /// Waits for other processes.
    async fn begin(&self, place: &mut Place) -> Result<Transaction<'static, Sqlite>, Failure> {
        place.pace.keep().await;
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

impl Line {
    async fn commit(&mut self) {
        let Some(batch) = self.batch.take() else { return };
        let begun = batch.begun;
        batch.commit().await;
        self.pace.taken_since(begun);
    }

    fn undo(&mut self) {
        let Some(batch) = self.batch.take() else { return };
        self.pace.taken_since(batch.begun);
        batch.undo();
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

    fn has_members(&self) -> bool {
        Arc::strong_count(&self.token) > 1
    }
}

/// The side of whoever asked.
#[derive(Debug)]
pub(super) struct Undecided {
    decision: oneshot::Sender<Decision>,
}

/// Nothing is to be written if there is no change.
type Decision = (Option<Arc<Change>>, Answer);

impl Undecided {
    /// Returns once the change, and all that was looked at, is committed.
    ///
    /// A change is applied to its end, also if whoever asked for it is gone in the middle of it.
    pub(super) async fn decide(self, change: Option<Arc<Change>>) -> Result<(), Trouble> {
        let (answer, answered) = oneshot::channel();
        // That took too long, and others had their turn.
        self.decision.send((change, answer)).map_err(|_| Trouble::Undone)?;
        let unknown = "nobody knows what became of the change";
        let end = timeout(ENDS_WITHIN, answered).await;
        end.map_err(|_| Failure::unavailable(unknown))?
            .map_err(|_| Failure::unavailable(unknown))?
    }
}

/// Holds the connection, within a batch, for one change.
///
/// Dropped at any point, it leaves the changes of others as they were. If there are none, or it was
/// in the middle of something, all of the batch is undone.
#[derive(Debug)]
struct Turn {
    place: Place,
    queue: Queue,
    company: Company,
    /// Or SQLite may have undone all of the batch by itself.
    is_halfway: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.is_halfway || !self.place.batch.as_ref().is_some_and(Batch::has_members) {
            self.place.undo();
        }
    }
}

impl Turn {
    fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        let batch = self.place.batch.as_mut();
        let batch = batch.ok_or_else(|| Failure::unavailable("the batch has come to its end"))?;
        Ok(&mut batch.transaction)
    }

    async fn read(&mut self, scope: &Scope) -> Result<Calendars, Failure> {
        self.is_halfway = true;
        let calendars = read::calendars(self.connection()?, scope).await?;
        self.is_halfway = false;
        Ok(calendars)
    }

    async fn write(&mut self, change: &Change) -> Result<(), Failure> {
        self.is_halfway = true;
        change::apply(self.connection()?, change).await?;
        self.is_halfway = false;
        Ok(())
    }

    /// Whoever has not decided by then finds nobody to tell.
    async fn end(self, mut decided: oneshot::Receiver<Decision>) {
        let decision = match timeout(DECIDES_WITHIN, &mut decided).await {
            Ok(decision) => decision.ok(),
            Err(_) => {
                decided.close();
                decided.try_recv().ok()
            }
        };
        match decision {
            Some((Some(change), answer)) => self.see_through(change, answer).await,
            Some((None, answer)) => self.stand_by(answer).await,
            None => {}
        }
    }

    async fn see_through(mut self, change: Arc<Change>, answer: Answer) {
        if let Err(failure) = self.write(&change).await {
            drop(self);
            let _gone = answer.send(Err(failure.into()));
            return;
        }
        // The caller has the only one again.
        drop(change);
        self.join(answer).await;
    }

    async fn stand_by(self, answer: Answer) {
        if self.place.batch.as_ref().is_some_and(Batch::has_members) {
            self.join(answer).await;
        } else {
            drop(self);
            let _gone = answer.send(Ok(()));
        }
    }

    async fn join(mut self, answer: Answer) {
        let Some(batch) = self.place.batch.as_mut() else { return };
        batch.waiting.push(answer);
        if self.company == Company::Nobody {
            self.place.commit().await;
            return;
        }
        let member = Member { queue: self.queue.clone(), token: Some(batch.token.clone()) };
        drop(self);
        member.commit().await;
    }
}

/// Sees to the end of a batch that it has a part in. The tasks of the others may be gone: theirs may
/// be another runtime.
#[derive(Debug)]
struct Member {
    queue: Queue,
    token: Option<Arc<()>>,
}

impl Member {
    async fn commit(mut self) {
        let mut place = self.queue.clone().lock_owned().await;
        let token = self.token.take();
        // Somebody else may have closed it.
        if place.batch.as_ref().map(|batch| Arc::as_ptr(&batch.token))
            == token.as_ref().map(Arc::as_ptr)
        {
            place.commit().await;
        }
    }
}

impl Drop for Member {
    /// Without its turn: frees the file if nobody is left to do so. Who has a turn meanwhile does that
    /// after it.
    fn drop(&mut self) {
        if self.token.take().is_none() {
            return;
        }
        let Ok(mut place) = self.queue.try_lock() else { return };
        if !place.batch.as_ref().is_some_and(Batch::has_members) {
            place.undo();
        }
    }
}
