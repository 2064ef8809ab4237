//! What goes wrong in a database, as the two kinds that callers tell apart.

use std::error::Error;

use booking_core::{ChangeError, StoreError};
use sqlx::error::DatabaseError;
use sqlx::migrate::{MigrateError, Migrator};

/// What the inside of this crate fails with: lets `?` turn a driver's error into the port's.
#[derive(Debug)]
pub(crate) struct Failure(StoreError);

/// A stored value that is none of the domain's.
#[derive(Debug, thiserror::Error)]
#[error("a stored {what} is not valid")]
pub(crate) struct Malformed {
    what: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Malformed {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { what, source: None }
    }

    /// For `map_err`.
    pub(crate) fn because<E>(what: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Error + Send + Sync + 'static,
    {
        move |source| Self { what, source: Some(Box::new(source)) }
    }
}

/// Somebody has run a later version of this program on the database.
#[derive(Debug, thiserror::Error)]
#[error(
    "its tables are of version {version} or later, and this program knows those up to {latest}: \
     it takes a later version of the program"
)]
struct LaterTables {
    version: i64,
    latest: i64,
}

impl Failure {
    /// The store answered with what should not be.
    pub(crate) fn corrupt(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(StoreError::Corrupt(cause.into()))
    }

    /// The store cannot be used right now.
    pub(crate) fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(StoreError::Unavailable(cause.into()))
    }
}

#[cfg(feature = "sqlite")]
impl Failure {
    /// For everybody who waited for it.
    pub(crate) fn of_commit(error: &sqlx::Error) -> Self {
        let cause = format!("the commit failed: {error}");
        if may_pass(error) { Self::unavailable(cause) } else { Self::corrupt(cause) }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if may_pass(&error) { Self::unavailable(error) } else { Self::corrupt(error) }
    }
}

impl Failure {
    /// For `map_err`: why the migrations of this program did not run.
    pub(crate) fn of_migration(migrations: &Migrator) -> impl FnOnce(MigrateError) -> Self {
        let latest = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
        move |error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            MigrateError::VersionMissing(version) if version > latest => {
                Self::corrupt(LaterTables { version, latest })
            }
            error => Self::corrupt(error),
        }
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::corrupt(malformed)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<Failure> for ChangeError {
    fn from(failure: Failure) -> Self {
        Self::Store(failure.0)
    }
}

/// Whether the same call may succeed later, or once somebody has looked after the machine.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => database_may_pass(error.as_ref()),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::InvalidSavePointStatement
        | sqlx::Error::BeginFailed => true,
        _ => false,
    }
}

/// Each database has codes of its own.
fn database_may_pass(error: &dyn DatabaseError) -> bool {
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return crate::postgres::may_pass(error.code());
    }
    #[cfg(feature = "sqlite")]
    if let Some(error) = error.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
        return crate::sqlite::may_pass(error);
    }
    false
}
