//! Writes what is kept for whom, within the transaction that holds the locks.

use booking_core::{Hold, HoldId};
use sqlx::PgConnection;

use crate::error::Failure;

pub(super) async fn put(connection: &mut PgConnection, hold: &Hold) -> Result<(), Failure> {
    let put = sqlx::query_file!(
        "queries/put_hold.sql",
        hold.id.uuid(),
        hold.holder.as_str(),
        hold.therapist.as_str(),
        hold.start,
        i64::from(hold.duration.minutes()),
        i64::from(hold.buffers.before.minutes()),
        i64::from(hold.buffers.after.minutes()),
        hold.created_at,
        hold.expires_at,
        hold.clears_until(),
    );
    put.execute(connection).await?;
    Ok(())
}

pub(super) async fn delete(connection: &mut PgConnection, id: HoldId) -> Result<(), Failure> {
    sqlx::query!("DELETE FROM hold WHERE id = $1", id.uuid()).execute(connection).await?;
    Ok(())
}
