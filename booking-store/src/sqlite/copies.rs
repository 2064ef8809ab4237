//! What became of copies of linked calendars, and of what was written into them.

use booking_core::{BusyTimes, Copied, CopyState, LinkedCalendar, Unwritten};
use chrono_tz::Tz;

use super::SqliteStore;
use super::links::{bind_copy, pairs};
use crate::error::Failure;

pub(super) const NOTE: &str = "
    UPDATE linked_calendar SET
        validators = ?5, fetched_ms = ?6, expanded_ms = ?7, checked_ms = ?8, failures = ?9,
        unwritten = ?10 + max(unwritten - ?4, 0),
        written_to_ms = ?11,
        fault = CASE WHEN unwritten > ?4 AND (?9 = 0 OR ?12 IS NULL) THEN fault ELSE ?12 END,
        fault_detail = CASE
            WHEN unwritten > ?4 AND (?9 = 0 OR ?12 IS NULL) THEN fault_detail ELSE ?13
        END,
        next_ms = ?14, unread = ?15
    WHERE id = ?1 AND location = ?2 AND next_ms = ?3 AND zone IS ?16 AND write_back = ?17";

pub(super) const UNWRITTEN: &str = "
    UPDATE linked_calendar SET
        unwritten = unwritten + 1, fault = ?2, fault_detail = ?3
    WHERE id = ?1 AND write_back = 'on'";

/// All of the index is meant.
const ALL_UNWRITTEN: &str = "
    UPDATE linked_calendar SET
        unwritten = unwritten + 1, fault = ?1, fault_detail = ?2
    WHERE write_back = 'on'";

/// Times of a calendar (`?2`) that are not among others (`?3`, pairs of bounds). With `NOT IN`, SQLite
/// would look through all of the others for each.
pub(super) const DELETE_TIMES: &str = "
    DELETE FROM external_busy
    WHERE therapist_id = ?1 AND calendar_id = ?2
        AND (starts_ms, ends_ms) IN (
            SELECT starts_ms, ends_ms FROM external_busy
            WHERE therapist_id = ?1 AND calendar_id = ?2
            EXCEPT SELECT value ->> 0, value ->> 1 FROM json_each(?3)
        )";

const INSERT_TIMES: &str = "
    INSERT OR IGNORE INTO external_busy (therapist_id, calendar_id, starts_ms, ends_ms)
    SELECT ?1, ?2, value ->> 0, value ->> 1 FROM json_each(?3)";

impl SqliteStore {
    pub(super) async fn note_copy(
        &self,
        claimed: &LinkedCalendar,
        copy: &CopyState,
        times: Option<&BusyTimes>,
    ) -> Result<Copied, Failure> {
        let mut transaction = self.begin_write().await?;
        let note = sqlx::query(NOTE)
            .bind(claimed.id.uuid())
            .bind(&claimed.location.0[..])
            .bind(claimed.copy.next_at.timestamp_millis())
            .bind(claimed.copy.unwritten);
        let note = bind_copy(note, copy)?
            .bind(claimed.zone.map(Tz::name))
            .bind(claimed.write_back.as_str());
        let noted = note.execute(&mut *transaction).await?;
        if noted.rows_affected() == 0 {
            return Ok(Copied::Outdated);
        }
        let mut changed = 0;
        if let Some(times) = times {
            let times = pairs(times.as_slice().iter().copied())?;
            for statement in [DELETE_TIMES, INSERT_TIMES] {
                let put = sqlx::query(statement)
                    .bind(claimed.therapist.as_str())
                    .bind(claimed.id.uuid())
                    .bind(&times);
                changed += put.execute(&mut *transaction).await?.rows_affected();
            }
        }
        transaction.commit().await?;
        Ok(if changed > 0 { Copied::Changed } else { Copied::Same })
    }

    pub(super) async fn note_unwritten(&self, what: &Unwritten) -> Result<(), Failure> {
        let mut transaction = self.begin_write().await?;
        let note = match what.link {
            Some(id) => sqlx::query(UNWRITTEN).bind(id.uuid()),
            None => sqlx::query(ALL_UNWRITTEN),
        };
        let note = note.bind(what.fault.as_str()).bind(what.detail.as_str());
        note.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}
