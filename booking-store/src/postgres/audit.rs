//! The audit log.

use async_trait::async_trait;
use booking_core::{AuditEntry, AuditLog, AuditQuery, StoreError, UserId};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::read::bound;
use super::{BEGIN, PostgresStore};
use crate::audit_rows::{self, AuditFields, AuditRow};
use crate::error::Failure;
use crate::rows;

#[async_trait]
impl AuditLog for PostgresStore {
    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.readers.call(async |connection| entries(connection, query).await).await
    }

    async fn forget_audit(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, StoreError> {
        let call = || self.relays.call(async |one| forget(one, before, limit).await);
        self.relays.persist(call).await
    }
}

/// Entries to write, as columns.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) at: Vec<DateTime<Utc>>,
    pub(super) id: Vec<Uuid>,
    pub(super) author_id: Vec<String>,
    pub(super) author_role: Vec<String>,
    pub(super) action: Vec<String>,
    pub(super) subject_kind: Vec<String>,
    pub(super) subject_id: Vec<String>,
    pub(super) people: [Vec<Option<String>>; 3],
    pub(super) fields: Vec<String>,
}

impl Entries {
    pub(super) fn push(&mut self, entry: &AuditEntry) -> Result<(), Failure> {
        self.at.push(entry.at);
        self.id.push(entry.id.uuid());
        self.author_id.push(entry.author.id());
        self.author_role.push(entry.author.role().to_owned());
        self.action.push(entry.action.as_str().to_owned());
        self.subject_kind.push(entry.subject.kind.as_str().to_owned());
        self.subject_id.push(entry.subject.id.clone());
        for (column, person) in self.people.iter_mut().zip(audit_rows::people(entry)?) {
            column.push(person.map(str::to_owned));
        }
        self.fields.push(audit_rows::fields(entry)?);
        Ok(())
    }
}

/// Writes the entries of a change in its transaction, which is not one of `queries/apply.sql`: in one
/// statement, for who goes may take thousands of relationships with them. None where nothing changed.
pub(super) async fn note<'a>(
    connection: &mut PgConnection,
    noted: impl IntoIterator<Item = &'a AuditEntry>,
) -> Result<(), Failure> {
    let mut entries = Entries::default();
    for entry in noted {
        entries.push(entry)?;
    }
    if entries.id.is_empty() {
        return Ok(());
    }
    let [person_1, person_2, person_3] = &entries.people;
    let insert = sqlx::query!(
        "INSERT INTO audit_entry (
            at, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_2,
            person_3, fields
         )
         SELECT
            at, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_2,
            person_3, fields::json
         FROM unnest(
            $1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::text[], $11::text[]
         ) AS row (
            at, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_2,
            person_3, fields
         )",
        &entries.at,
        &entries.id,
        &entries.author_id,
        &entries.author_role,
        &entries.action,
        &entries.subject_kind,
        &entries.subject_id,
        person_1 as &[Option<String>],
        person_2 as &[Option<String>],
        person_3 as &[Option<String>],
        &entries.fields,
    );
    insert.execute(connection).await?;
    Ok(())
}

async fn entries(
    connection: &mut PgConnection,
    query: &AuditQuery,
) -> Result<Vec<AuditEntry>, Failure> {
    let from = bound(query.from.unwrap_or(DateTime::<Utc>::MIN_UTC));
    let (at, id) = audit_rows::end(query).unwrap_or((DateTime::<Utc>::MAX_UTC, Uuid::nil()));
    let (at, limit) = (bound(at), i64::from(query.limit));
    let author = query.author.as_ref().map(UserId::as_str);
    let person = query.person.as_ref().map(UserId::as_str);
    let rows = match (&query.subject, person, author) {
        (Some(subject), ..) => {
            let select = sqlx::query_file_as!(
                AuditRow,
                "queries/audit_of_subject.sql",
                from,
                at,
                id,
                limit,
                subject,
                author,
                person,
            );
            select.fetch_all(connection).await?
        }
        (None, Some(person), _) => {
            let select = sqlx::query_file_as!(
                AuditRow,
                "queries/audit_of_person.sql",
                from,
                at,
                id,
                limit,
                person,
                author,
            );
            select.fetch_all(connection).await?
        }
        (None, None, Some(author)) => {
            let select = sqlx::query_file_as!(
                AuditRow,
                "queries/audit_of_author.sql",
                from,
                at,
                id,
                limit,
                author,
            );
            select.fetch_all(connection).await?
        }
        (None, None, None) => {
            let select = sqlx::query_file_as!(AuditRow, "queries/audit.sql", from, at, id, limit);
            select.fetch_all(connection).await?
        }
    };
    rows::all(rows)
}

async fn forget(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<u32, Failure> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    // A trigger keeps entries from whoever does not say so.
    let say = sqlx::query!("SELECT set_config('booking.forgets_audit', 'on', TRUE)");
    say.fetch_one(&mut *transaction).await?;
    let delete = sqlx::query!(
        // By their places, which never change: no plan goes through the table for them.
        "DELETE FROM audit_entry WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM audit_entry WHERE at < $1 ORDER BY at, id LIMIT $2
        ))",
        bound(before),
        i64::from(limit),
    );
    let gone = delete.execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    Ok(u32::try_from(gone).unwrap_or(limit))
}
