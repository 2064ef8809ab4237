//! The audit log.

use async_trait::async_trait;
use booking_core::{AuditEntry, AuditLog, AuditQuery, StoreError, UserId};
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::SqliteStore;
use crate::audit_rows::{self, AuditRow};
use crate::error::Failure;
use crate::rows;

pub(super) const INSERT: &str = "
    INSERT INTO audit_entry (
        at_ms, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_2,
        person_3, fields
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// At most `?4` entries from `?1` on that come before `?2` and `?3`, the latest first.
pub(super) const LATEST: &str = "
    SELECT * FROM audit_entry
    WHERE (at_ms, id) < (?2, ?3) AND at_ms >= ?1
    ORDER BY at_ms DESC, id DESC LIMIT ?4";

/// As [`LATEST`], of an author (`?5`).
pub(super) const OF_AUTHOR: &str = "
    SELECT * FROM audit_entry
    WHERE author_id = ?5 AND (at_ms, id) < (?2, ?3) AND at_ms >= ?1
    ORDER BY at_ms DESC, id DESC LIMIT ?4";

/// As [`LATEST`], of a subject (`?5`), and of an author (`?6`) and a person (`?7`) if they are not
/// null.
pub(super) const OF_SUBJECT: &str = "
    SELECT * FROM audit_entry
    WHERE subject_id = ?5 AND (at_ms, id) < (?2, ?3) AND at_ms >= ?1
        AND (?6 IS NULL OR author_id = ?6)
        AND (?7 IS NULL OR ?7 IN (person_1, person_2, person_3))
    ORDER BY at_ms DESC, id DESC LIMIT ?4";

/// As [`LATEST`], of a person (`?5`), and of an author (`?6`) if that is not null. Each part comes in
/// order from its index, and has what the others have not.
pub(super) const OF_PERSON: &str = "
    SELECT * FROM audit_entry
    WHERE person_1 = ?5 AND (at_ms, id) < (?2, ?3) AND at_ms >= ?1
        AND (?6 IS NULL OR author_id = ?6)
    UNION ALL
    SELECT * FROM audit_entry
    WHERE person_2 = ?5 AND (at_ms, id) < (?2, ?3) AND at_ms >= ?1
        AND (?6 IS NULL OR author_id = ?6)
    UNION ALL
    SELECT * FROM audit_entry
    WHERE person_3 = ?5 AND (at_ms, id) < (?2, ?3) AND at_ms >= ?1
        AND (?6 IS NULL OR author_id = ?6)
    ORDER BY at_ms DESC, id DESC LIMIT ?4";

/// A trigger keeps entries from whoever does not say up to when they go.
pub(super) const BEGIN_TO_FORGET: &str =
    "INSERT INTO audit_forgotten (id, before_ms) VALUES (1, ?1)";

pub(super) const FORGET: &str = "
    DELETE FROM audit_entry WHERE (at_ms, id) IN (
        SELECT at_ms, id FROM audit_entry WHERE at_ms < ?1 ORDER BY at_ms, id LIMIT ?2
    )";

pub(super) const END_TO_FORGET: &str = "DELETE FROM audit_forgotten WHERE id = 1";

#[async_trait]
impl AuditLog for SqliteStore {
    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.audit_entries(query).await?)
    }

    async fn forget_audit(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        Ok(self.forget_audit_entries(before, limit).await?)
    }
}

/// Writes the entries of a change in its transaction; none where nothing changed.
pub(super) async fn note<'a>(
    connection: &mut SqliteConnection,
    entries: impl IntoIterator<Item = &'a AuditEntry>,
) -> Result<(), Failure> {
    for entry in entries {
        let [person_1, person_2, person_3] = audit_rows::people(entry)?;
        let insert = sqlx::query(INSERT)
            .bind(entry.at.timestamp_millis())
            .bind(entry.id.uuid())
            .bind(entry.author.id())
            .bind(entry.author.role())
            .bind(entry.action.as_str())
            .bind(entry.subject.kind.as_str())
            .bind(&entry.subject.id)
            .bind(person_1)
            .bind(person_2)
            .bind(person_3)
            .bind(audit_rows::fields(entry)?);
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

impl SqliteStore {
    async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, Failure> {
        let author = query.author.as_ref().map(UserId::as_str);
        let person = query.person.as_ref().map(UserId::as_str);
        let (statement, filters) = match (query.subject.as_deref(), person, author) {
            (Some(subject), ..) => (OF_SUBJECT, vec![Some(subject), author, person]),
            (None, Some(person), _) => (OF_PERSON, vec![Some(person), author]),
            (None, None, Some(author)) => (OF_AUTHOR, vec![Some(author)]),
            (None, None, None) => (LATEST, vec![]),
        };
        let end = audit_rows::end(query).map(|(at, id)| (at.timestamp_millis(), id));
        let (at_ms, id) = end.unwrap_or((i64::MAX, Uuid::nil()));
        let mut select = sqlx::query_as::<_, AuditRow>(statement)
            .bind(query.from.map_or(i64::MIN, |from| from.timestamp_millis()))
            .bind(at_ms)
            .bind(id)
            .bind(query.limit);
        for filter in filters {
            select = select.bind(filter);
        }
        rows::all(select.fetch_all(&self.readers).await?)
    }

    async fn forget_audit_entries(
        &self,
        before: DateTime<Utc>,
        limit: u32,
    ) -> Result<u32, Failure> {
        let mut transaction = self.begin_write().await?;
        let before_ms = before.timestamp_millis();
        sqlx::query(BEGIN_TO_FORGET).bind(before_ms).execute(&mut *transaction).await?;
        let delete = sqlx::query(FORGET).bind(before_ms).bind(limit);
        let gone = delete.execute(&mut *transaction).await?.rows_affected();
        sqlx::query(END_TO_FORGET).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(u32::try_from(gone).unwrap_or(limit))
    }
}
