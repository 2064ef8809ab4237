//! The audit log, between the domain's values and the plain ones that databases keep: as [`rows`].

use std::collections::BTreeSet;

use booking_core::{
    AuditEntry, AuditId, AuditPlace, AuditQuery, AuditSubject, Author, FieldChange, UserId,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Failure, Malformed};
use crate::rows;

/// An entry, as both databases answer.
#[derive(Debug, FromRow)]
pub(crate) struct AuditRow {
    pub(crate) id: Uuid,
    pub(crate) at_ms: i64,
    pub(crate) author_id: String,
    pub(crate) author_role: String,
    pub(crate) action: String,
    pub(crate) subject_kind: String,
    pub(crate) subject_id: String,
    pub(crate) person_1: Option<String>,
    pub(crate) person_2: Option<String>,
    pub(crate) person_3: Option<String>,
    pub(crate) fields: Json<AuditFields>,
}

/// What changed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AuditFields {
    changes: Vec<FieldChange>,
    withheld: Vec<String>,
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = Malformed;

    fn try_from(row: AuditRow) -> Result<Self, Malformed> {
        let Json(AuditFields { changes, withheld }) = row.fields;
        let people = [row.person_1, row.person_2, row.person_3].into_iter().flatten();
        Ok(Self {
            id: AuditId::from_uuid(row.id),
            at: rows::instant(row.at_ms)?,
            author: Author::restore(&row.author_id, &row.author_role)
                .map_err(Malformed::because("author"))?,
            action: rows::word("action", &row.action)?,
            subject: AuditSubject {
                kind: rows::word("kind of subject", &row.subject_kind)?,
                id: row.subject_id,
            },
            people: people.map(|id| rows::user(&id)).collect::<Result<BTreeSet<UserId>, _>>()?,
            changes,
            withheld,
        })
    }
}

/// As the column `fields` has it.
pub(crate) fn fields(entry: &AuditEntry) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Written<'a> {
        changes: &'a [FieldChange],
        withheld: &'a [String],
    }
    rows::json(&Written { changes: &entry.changes, withheld: &entry.withheld })
}

/// For the three columns of people.
pub(crate) fn people(entry: &AuditEntry) -> Result<[Option<&str>; 3], Failure> {
    let mut people = entry.people.iter().map(UserId::as_str);
    let three = [people.next(), people.next(), people.next()];
    if people.next().is_some() {
        return Err(Failure::corrupt("an audit entry concerns three people at most"));
    }
    Ok(three)
}

/// The place before which the entries of a query are; `None` where there is no such end.
pub(crate) fn end(query: &AuditQuery) -> Option<(DateTime<Utc>, Uuid)> {
    let after = query.after.map(|AuditPlace { at, id }| (at, id.uuid()));
    // No entry has the least id: it stands for the place just before all of that time.
    let to = query.to.map(|to| (to, Uuid::nil()));
    match (after, to) {
        (Some(after), Some(to)) => Some(after.min(to)),
        (after, to) => after.or(to),
    }
}
