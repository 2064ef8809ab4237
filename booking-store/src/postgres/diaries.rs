//! What lists of slots are made of.

use std::collections::{BTreeMap, BTreeSet};

use booking_core::{Diaries, DiariesDraft, DiariesQuery, SessionDuration, UserId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::read::{bound, names};
use crate::diary_rows::DiaryRow;
use crate::error::Failure;
use crate::rows;
use crate::terms_rows;

/// All of it, as of one moment.
pub(super) async fn diaries(
    connection: &mut PgConnection,
    query: &DiariesQuery,
) -> Result<Diaries, Failure> {
    let (within, dates) = (query.within, query.dates());
    let found = sqlx::query_file_as!(
        Row,
        "queries/diaries.sql",
        &names(query.people()),
        &names(&query.therapists),
        within.map(|span| bound(span.start()) - SessionDuration::MAX.to_delta()),
        within.map(|span| bound(span.end())),
        query.counted_within.map(|span| bound(span.start())),
        query.counted_within.map(|span| bound(span.end())),
        dates.map(|(first, _)| terms_rows::date_bound(first)),
        dates.map(|(_, last)| terms_rows::date_bound(last)),
    );
    let mut draft = DiariesDraft::new(query);
    for row in found.fetch_all(connection).await? {
        DiaryRow::from(row).add_to(&mut draft)?;
    }
    Ok(draft.finish())
}

/// How often calendars have changed.
pub(super) async fn revisions(
    connection: &mut PgConnection,
    people: &BTreeSet<UserId>,
) -> Result<BTreeMap<UserId, u64>, Failure> {
    let select = sqlx::query!(
        "SELECT person_id, revision FROM calendar WHERE person_id = ANY($1)",
        &names(people)
    );
    let found = select.fetch_all(connection).await?.into_iter();
    found.map(|row| Ok((rows::user(&row.person_id)?, rows::count(row.revision)?))).collect()
}

struct Row {
    kind: i8,
    person: String,
    role: Option<String>,
    zone: Option<String>,
    number: Option<i64>,
    begin: Option<i64>,
    end: Option<i64>,
    at: Option<DateTime<Utc>>,
    json: Option<String>,
}

impl From<Row> for DiaryRow {
    fn from(row: Row) -> Self {
        let Row { kind, person, role, zone, number, begin, end, at, json } = row;
        let at_ms = at.map(|at| at.timestamp_millis());
        Self { kind, person, role, zone, number, begin, end, at_ms, json }
    }
}
