//! Connections that are given up in time.
//!
//! The server may be down, restarting, or out of reach without a word. A call ends within
//! [`CALL_TIMEOUT`] all the same, and what was found broken is not used again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use booking_core::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection, Postgres, Row};
use tokio::runtime::Handle;

use super::MAX_TRIES;
use super::codes::{is_lost_connection, is_lost_race};
use crate::PoolState;
use crate::error::Failure;

/// How long a call takes at most, whatever happens.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call waits for a connection, behind others or for the server.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that was idle for so long is tried before it is used. Busy ones are not: the round
/// trip would be a good part of a booking's cost.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(1);
const TEST_TIMEOUT: Duration = Duration::from_secs(1);

/// What the server gives up by itself: nothing stays locked for long, even if we are gone without
/// a word. Statements that are transactions of their own may write, and see what is committed when
/// they begin, whatever the server's defaults are. All statements go from a few rows to a few rows by
/// indexes; also where a table was so small when the plan was made that reading all of it looked
/// cheaper. Last, and on the same way, whether it is a standby.
const SETTINGS: &str = "
    SET default_transaction_isolation = 'read committed';
    SET default_transaction_read_only = off;
    SET statement_timeout = '8s';
    SET lock_timeout = '4s';
    SET idle_in_transaction_session_timeout = '10s';
    SET enable_seqscan = off;
    SET enable_bitmapscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET jit = off;
    SELECT pg_is_in_recovery()";

const STANDBY: &str = "the server is a standby, which takes no writes";

/// When plans are made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Plans {
    /// Once, where there is one way to go, whatever the parameters.
    Once,
    /// Each time, by how much there is now: among several indexes, one that looks as good as
    /// another while a table is empty may soon be the wrong one.
    EachTime,
}

impl Plans {
    const fn setting(self) -> &'static str {
        match self {
            Self::Once => "SET plan_cache_mode = force_generic_plan",
            Self::EachTime => "SET plan_cache_mode = force_custom_plan",
        }
    }
}

/// Connections to one database.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    connections: PgPool,
    /// How many calls wait for a connection.
    waiting: Arc<AtomicU32>,
    lost: Lost,
}

/// One call that waits, until this is dropped.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When a connection was last found broken. Those that are older are broken too, or will not be
/// missed.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost(Arc<Mutex<Option<Instant>>>);

/// A connection in use. One that is not released in good order, since its call failed or nobody
/// waits for it any more, is closed: what state it is in is not worth finding out.
pub(super) struct Session {
    connection: PoolConnection<Postgres>,
    lost: Lost,
    is_in_order: bool,
}

impl Pool {
    /// Connects when first used. Pools of one server share what they know of it.
    pub(super) fn new(
        options: &PgConnectOptions,
        max_connections: u32,
        plans: Plans,
        lost: &Lost,
    ) -> Self {
        let seen = lost.clone();
        let connections = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                let lost = seen.clone();
                Box::pin(async move {
                    let is_suspect = lost.is_after(meta.age);
                    if is_suspect || meta.idle_for < TEST_AFTER_IDLE {
                        return Ok(!is_suspect);
                    }
                    let answers = tokio::time::timeout(TEST_TIMEOUT, connection.ping()).await;
                    let answers = matches!(answers, Ok(Ok(())));
                    if !answers {
                        lost.now();
                    }
                    Ok(answers)
                })
            })
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let told = sqlx::raw_sql(SETTINGS).fetch_one(&mut *connection).await?;
                    // It may be the primary of before a failover, which still has the name, or has it
                    // for some: whoever took it would keep it. The pool asks again, until the call's end.
                    if told.try_get(0)? {
                        return Err(sqlx::Error::Configuration(STANDBY.into()));
                    }
                    sqlx::raw_sql(plans.setting()).execute(connection).await.map(drop)
                })
            })
            .connect_lazy_with(options.clone());
        Self { connections, waiting: Arc::default(), lost: lost.clone() }
    }

    pub(super) async fn session(&self) -> Result<Session, Failure> {
        // Whatever keeps us from connecting, it says nothing of what is stored. Somebody between us
        // and the server who closes what they accepted is a breach of protocol to the driver.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        let connection = self.connections.acquire().await.map_err(Failure::unavailable)?;
        drop(waiting);
        Ok(Session { connection, lost: self.lost.clone(), is_in_order: false })
    }

    /// One call, on a connection of its own.
    pub(super) async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let on_connection = async {
            let mut session = self.session().await?;
            let outcome = call(session.connection()).await.map_err(StoreError::from);
            session.release(outcome.as_ref().err());
            outcome
        };
        self.bounded(on_connection).await
    }

    /// A call that begins again when the server gave it up for the sake of others.
    pub(super) async fn persist<T, Call>(&self, call: impl Fn() -> Call) -> Result<T, StoreError>
    where
        Call: Future<Output = Result<T, StoreError>>,
    {
        let tries = async {
            let mut tries = 1;
            loop {
                match Box::pin(call()).await {
                    Err(lost) if is_lost_race(&lost) && tries < MAX_TRIES => tries += 1,
                    outcome => return outcome,
                }
            }
        };
        self.bounded(tries).await
    }

    /// An answer in time, or none.
    pub(super) async fn bounded<T, E: From<Failure>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let answer = tokio::time::timeout(CALL_TIMEOUT, call).await;
        answer.unwrap_or_else(|late| {
            self.lost.now();
            Err(Failure::unavailable(late).into())
        })
    }

    pub(super) fn state(&self, name: &'static str) -> PoolState {
        PoolState {
            name,
            most: self.connections.options().get_max_connections(),
            open: self.connections.size(),
            idle: u32::try_from(self.connections.num_idle()).unwrap_or(u32::MAX),
            waiting: Some(self.waiting.load(Ordering::Relaxed)),
        }
    }

    /// Ready once somebody closes it.
    pub(super) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.connections.close_event()
    }

    pub(super) async fn close(&self) {
        self.connections.close().await;
    }
}

/// For as long as a call waits for a connection, it may wait for something else.
pub(super) async fn patient<T>(wait: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::time::timeout(ACQUIRE_TIMEOUT, wait).await.map_err(Failure::unavailable)
}

impl Session {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// To be used again, unless the call failed because of the connection.
    pub(super) fn release(mut self, failure: Option<&StoreError>) {
        self.is_in_order = !failure.is_some_and(is_lost_connection);
        if !self.is_in_order {
            self.lost.now();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let runtime = Handle::try_current().ok().filter(|_| self.is_in_order);
        let Some(runtime) = runtime else {
            return self.connection.close_on_drop();
        };
        // Left to itself, the pool would wait for ever to hear from the connection once more, and
        // keep its place, should the network fall silent just now.
        let returning = self.connection.return_to_pool();
        let lost = self.lost.clone();
        runtime.spawn(async move {
            if tokio::time::timeout(TEST_TIMEOUT, returning).await.is_err() {
                lost.now();
            }
        });
    }
}

impl Lost {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_after(&self, age: Duration) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|lost| lost.elapsed() < age)
    }
}
