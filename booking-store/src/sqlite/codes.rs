//! What SQLite returns when something is in the way: <https://sqlite.org/rescode.html>.

use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

/// Whether another connection to the file is in the way.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().and_then(|error| error.try_downcast_ref());
    error.and_then(primary) == Some(BUSY)
}

/// Whether the same call may succeed later, or once somebody has looked after the machine.
pub(crate) fn may_pass(error: &SqliteError) -> bool {
    primary(error).is_some_and(|code| MAY_PASS.contains(&code))
}

/// The low byte of a result code.
fn primary(error: &SqliteError) -> Option<u32> {
    let extended: u32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}

const BUSY: u32 = 5;

/// BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN and PROTOCOL.
const MAY_PASS: [u32; 9] = [BUSY, 6, 7, 8, 9, 10, 13, 14, 15];
