//! What is kept for whom.

use booking_core::{Hold, HoldId, UserId};
use sqlx::SqliteConnection;

use crate::error::Failure;
use crate::hold_rows::HoldRow;
use crate::rows;

/// On the time of a therapist (`?1`).
pub(super) const OF_THERAPIST: &str = "SELECT * FROM hold WHERE therapist_id = ?1";

/// That somebody (`?1`) has placed.
pub(super) const PLACED: &str = "SELECT * FROM hold WHERE holder_id = ?1";

/// A few others on a therapist's time (`?1`) than this holder's (`?2`) that had expired then (`?3`).
pub(super) const CLEAR: &str = "
    DELETE FROM hold WHERE id IN (
        SELECT id FROM hold WHERE therapist_id = ?1 AND holder_id <> ?2 AND expires_ms <= ?3 LIMIT 16
    )";

const PUT: &str = "
    INSERT INTO hold (
        id, holder_id, therapist_id, start_ms, duration_minutes, buffer_before_minutes,
        buffer_after_minutes, created_ms, expires_ms
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (therapist_id, holder_id) DO UPDATE SET
        id = excluded.id, start_ms = excluded.start_ms,
        duration_minutes = excluded.duration_minutes,
        buffer_before_minutes = excluded.buffer_before_minutes,
        buffer_after_minutes = excluded.buffer_after_minutes,
        created_ms = excluded.created_ms, expires_ms = excluded.expires_ms";

pub(super) const DELETE: &str = "DELETE FROM hold WHERE id = ?1";

/// By a statement of one parameter, which is somebody.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    statement: &'static str,
    whose: &UserId,
) -> Result<Vec<Hold>, Failure> {
    let select = sqlx::query_as::<_, HoldRow>(statement).bind(whose.as_str());
    rows::all(select.fetch_all(connection).await?)
}

pub(super) async fn put(connection: &mut SqliteConnection, hold: &Hold) -> Result<(), Failure> {
    let clear = sqlx::query(CLEAR)
        .bind(hold.therapist.as_str())
        .bind(hold.holder.as_str())
        .bind(hold.clears_until().timestamp_millis());
    clear.execute(&mut *connection).await?;
    let put = sqlx::query(PUT)
        .bind(hold.id.uuid())
        .bind(hold.holder.as_str())
        .bind(hold.therapist.as_str())
        .bind(hold.start.timestamp_millis())
        .bind(hold.duration.minutes())
        .bind(hold.buffers.before.minutes())
        .bind(hold.buffers.after.minutes())
        .bind(hold.created_at.timestamp_millis())
        .bind(hold.expires_at.timestamp_millis());
    put.execute(connection).await?;
    Ok(())
}

pub(super) async fn delete(connection: &mut SqliteConnection, id: HoldId) -> Result<(), Failure> {
    sqlx::query(DELETE).bind(id.uuid()).execute(connection).await?;
    Ok(())
}
