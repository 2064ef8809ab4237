//! What Postgres answers when something is in the way:
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use booking_core::StoreError;
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;

/// Whether the same call may succeed later, or once somebody has looked after the server.
pub(crate) fn may_pass(sqlstate: &str) -> bool {
    MAY_PASS.iter().any(|prefix| sqlstate.starts_with(prefix))
}

/// Whether the server gave up this transaction for the sake of others: it may begin again.
pub(super) fn is_lost_race(error: &StoreError) -> bool {
    let error = driver(error).and_then(sqlx::Error::as_database_error);
    error.and_then(DatabaseError::code).is_some_and(|code| LOST_RACES.contains(&code.as_ref()))
}

/// Whether a migration waited too long for a lock.
pub(super) fn is_lock_timeout(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    error.as_database_error().and_then(DatabaseError::code).as_deref() == Some(LOCK_TIMEOUT)
}

/// Whether the connection, and with it very likely all others, has come to its end, or leads to where
/// nothing can be written any more.
pub(super) fn is_lost_connection(error: &StoreError) -> bool {
    match driver(error) {
        Some(sqlx::Error::Io(_)) => true,
        Some(sqlx::Error::Database(error)) => {
            error.code().is_some_and(|code| code.starts_with(SHUTDOWN) || code == READ_ONLY)
        }
        _ => false,
    }
}

fn driver(error: &StoreError) -> Option<&sqlx::Error> {
    match error {
        StoreError::Unavailable(cause) => cause.downcast_ref(),
        StoreError::Corrupt(_) => None,
    }
}

/// Serialization failure and deadlock.
const LOST_RACES: [&str; 2] = ["40001", "40P01"];

const LOCK_TIMEOUT: &str = "55P03";

/// By an administrator or after a crash; and `57P03`, not accepting connections yet.
const SHUTDOWN: &str = "57P";

/// Of a standby. No transaction of ours is read-only by its own wish.
const READ_ONLY: &str = "25006";

/// Codes, and classes of two letters.
const MAY_PASS: [&str; 11] = [
    "08", // connections
    READ_ONLY,
    "25P03", // too long idle in a transaction
    "28",    // nobody of that name, or another password
    "3D000", // no such database
    "40",    // lost races
    "42501", // not allowed to
    "53",    // too many connections, disk full, out of memory
    LOCK_TIMEOUT,
    "57", // cancelled, shutting down
    "58", // errors of the machine
];
