//! Linked calendars, between the domain's values and the plain ones that databases keep: as [`rows`].

use booking_core::{CopyState, LinkedCalendar, LinkedCalendarId, SealedLocation, Span, Text};
use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::error::{Failure, Malformed};
use crate::rows;

/// A linked calendar, as both databases answer.
#[derive(Debug, FromRow)]
pub(crate) struct LinkRow {
    pub(crate) id: Uuid,
    pub(crate) therapist_id: String,
    pub(crate) version: i64,
    pub(crate) kind: String,
    pub(crate) label: Option<String>,
    pub(crate) host: String,
    pub(crate) location: Vec<u8>,
    pub(crate) zone: Option<String>,
    pub(crate) write_back: String,
    pub(crate) created_ms: i64,
    pub(crate) validators: Option<String>,
    pub(crate) fetched_ms: Option<i64>,
    pub(crate) expanded_ms: Option<i64>,
    pub(crate) unread: Option<String>,
    pub(crate) checked_ms: Option<i64>,
    pub(crate) failures: i64,
    pub(crate) unwritten: i64,
    pub(crate) written_to_ms: Option<i64>,
    pub(crate) fault: Option<String>,
    pub(crate) fault_detail: Option<String>,
    pub(crate) next_ms: i64,
}

impl TryFrom<LinkRow> for LinkedCalendar {
    type Error = Malformed;

    fn try_from(row: LinkRow) -> Result<Self, Malformed> {
        let instant = |at: Option<i64>| at.map(rows::instant).transpose();
        let fault = row.fault.zip(row.fault_detail).map(|(fault, detail)| {
            let detail = Text::new(detail).map_err(Malformed::because("detail of a fault"))?;
            Ok((rows::word("fault", &fault)?, detail))
        });
        let unread = row.unread.map(|json| rows::from_json("unread events", &json));
        let copy = CopyState {
            validators: rows::optional_text(row.validators)?,
            fetched_at: instant(row.fetched_ms)?,
            expanded_at: instant(row.expanded_ms)?,
            unread: unread.transpose()?.unwrap_or_default(),
            checked_at: instant(row.checked_ms)?,
            failures: row.failures.try_into().map_err(Malformed::because("count"))?,
            unwritten: row.unwritten.try_into().map_err(Malformed::because("count"))?,
            written_to: instant(row.written_to_ms)?,
            fault: fault.transpose()?,
            next_at: rows::instant(row.next_ms)?,
        };
        Ok(Self {
            id: LinkedCalendarId::from_uuid(row.id),
            therapist: rows::user(&row.therapist_id)?,
            version: rows::count(row.version)?,
            kind: rows::word("kind of calendar", &row.kind)?,
            label: rows::optional_text(row.label)?,
            host: Text::new(row.host).map_err(Malformed::because("host"))?,
            location: SealedLocation(row.location),
            zone: rows::zone(row.zone)?,
            write_back: rows::word("write-back", &row.write_back)?,
            created_at: rows::instant(row.created_ms)?,
            copy,
        })
    }
}

/// Nothing for none.
pub(crate) fn unread(copy: &CopyState) -> Result<Option<String>, Failure> {
    (copy.unread.count > 0).then(|| rows::json(&copy.unread)).transpose()
}

/// When a linked calendar says that somebody is busy.
pub(crate) fn busy(start: DateTime<Utc>, end_ms: i64) -> Result<Span, Malformed> {
    Span::new(start, rows::instant(end_ms)?).ok_or(Malformed::new("span"))
}
