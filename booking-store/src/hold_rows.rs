//! Holds, as both databases answer.

use booking_core::{Hold, HoldId};
use serde::Deserialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::error::Malformed;
use crate::rows;

#[derive(Debug, FromRow, Deserialize)]
pub(crate) struct HoldRow {
    id: Uuid,
    holder_id: String,
    therapist_id: String,
    start_ms: i64,
    duration_minutes: i64,
    buffer_before_minutes: i64,
    buffer_after_minutes: i64,
    created_ms: i64,
    expires_ms: i64,
}

impl TryFrom<HoldRow> for Hold {
    type Error = Malformed;

    fn try_from(row: HoldRow) -> Result<Self, Malformed> {
        Ok(Self {
            id: HoldId::from_uuid(row.id),
            holder: rows::user(&row.holder_id)?,
            therapist: rows::user(&row.therapist_id)?,
            start: rows::instant(row.start_ms)?,
            duration: rows::duration(row.duration_minutes)?,
            buffers: rows::buffers(row.buffer_before_minutes, row.buffer_after_minutes)?,
            created_at: rows::instant(row.created_ms)?,
            expires_at: rows::instant(row.expires_ms)?,
        })
    }
}

/// From JSON, as it comes among rows of other kinds.
pub(crate) fn from_json(json: &str) -> Result<Hold, Malformed> {
    rows::from_json::<HoldRow>("hold", json)?.try_into()
}
