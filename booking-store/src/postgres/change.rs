//! Locks, and applies what was decided, within one transaction.

use std::collections::HashSet;

use booking_core::{
    Audited, AvailabilitySlot, Calendars, Change, Event, Meeting, Record, Series, Text, UserId,
    Write,
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit::Entries;
use super::{series, terms};
use crate::error::Failure;
use crate::rows;

/// Locks the calendars of `people`, who come in order: nobody waits in a circle. Tells how many of
/// them have one.
pub(super) async fn lock(
    connection: &mut PgConnection,
    people: &[String],
) -> Result<usize, Failure> {
    if people.is_empty() {
        return Ok(0);
    }
    // Locked one by one as they come out of the sort.
    let locked = sqlx::query_scalar!(
        "SELECT person_id FROM calendar WHERE person_id = ANY($1::text[])
         ORDER BY person_id FOR UPDATE",
        people,
    );
    Ok(locked.fetch_all(connection).await?.len())
}

/// Gives everybody a calendar. Not within the transaction that locks: it would hold new calendars
/// while it waits for old ones, and others the other way round.
pub(super) async fn add_calendars(
    connection: &mut PgConnection,
    people: &[String],
) -> Result<(), Failure> {
    let insert = sqlx::query!(
        "INSERT INTO calendar (person_id)
         SELECT person_id FROM unnest($1::text[]) AS person_id ORDER BY person_id
         ON CONFLICT DO NOTHING",
        people,
    );
    insert.execute(connection).await?;
    Ok(())
}

/// Under the locks of the transaction; almost always in one statement.
pub(super) async fn apply(connection: &mut PgConnection, change: &Change) -> Result<(), Failure> {
    let mut batches = batches(&change.writes)?;
    let mut last = batches.pop().unwrap_or_default();
    for batch in &batches {
        terms::put(connection, &batch.terms).await?;
        write(connection, batch, None, &Known::default()).await?;
    }
    terms::put(connection, &last.terms).await?;
    for event in &change.events {
        last.events.push(event)?;
    }
    write(connection, &last, change.record.as_ref(), &Known::default()).await?;
    for series in series_of(change) {
        series::insert(connection, series).await?;
    }
    Ok(())
}

/// In one statement that is a transaction of its own: if the calendars still have the revisions that
/// were `seen`, which [vouch](Calendars::vouch_for) for the change. Tells whether they had.
pub(super) async fn apply_if_current(
    connection: &mut PgConnection,
    seen: &Calendars,
    change: &Change,
) -> Result<bool, Failure> {
    let mut batches = batches(&change.writes)?;
    let is_one = series_of(change).next().is_none() && batches.len() == 1;
    let Some(mut batch) = batches.pop().filter(|batch| is_one && batch.terms.is_empty()) else {
        return Ok(false);
    };
    for event in &change.events {
        batch.events.push(event)?;
    }
    let mut known = Known::default();
    for (person, revision) in &seen.revisions {
        known.people.push(person.as_str().to_owned());
        known.revisions.push(i64::try_from(*revision).map_err(Failure::corrupt)?);
    }
    write(connection, &batch, change.record.as_ref(), &known).await
}

/// They take a statement of their own: no booking of a single meeting pays for them.
fn series_of(change: &Change) -> impl Iterator<Item = &Series> {
    change.writes.iter().filter_map(|audited| match audited.write() {
        Write::InsertSeries(series) => Some(series),
        _ => None,
    })
}

/// Writes in their order, cut where a row comes a second time.
fn batches(writes: &[Audited]) -> Result<Vec<Batch<'_>>, Failure> {
    let mut batches = Vec::new();
    let mut batch = Batch::default();
    let mut seen = HashSet::new();
    for audited in writes {
        let write = audited.write();
        let row = row_of(write);
        if !seen.insert(row) {
            batches.push(std::mem::take(&mut batch));
            seen = HashSet::from([row]);
        }
        match write {
            Write::InsertMeeting(meeting) => batch.meetings.push(New(true), meeting)?,
            Write::UpdateMeeting(meeting) => batch.meetings.push(New(false), meeting)?,
            Write::InsertSeries(_) => {}
            Write::InsertAvailability(slot) => batch.slots.push(New(true), slot),
            Write::UpdateAvailability(slot) => batch.slots.push(New(false), slot),
            Write::DeleteAvailability(id) => batch.deleted_slots.push(id.uuid()),
            Write::PutSettings(_)
            | Write::InsertOverride(_)
            | Write::UpdateOverride(_)
            | Write::DeleteOverride(_)
            | Write::PutHold(_)
            | Write::DeleteHold(_) => batch.terms.push(write),
        }
        batch.audited.push(audited.entry())?;
    }
    batches.push(batch);
    Ok(batches)
}

/// Which row a write is of.
#[derive(PartialEq, Eq, Hash, Clone, Copy)]
enum RowOf<'a> {
    Id(Uuid),
    Settings(&'a UserId),
}

fn row_of(write: &Write) -> RowOf<'_> {
    match write {
        Write::InsertMeeting(meeting) | Write::UpdateMeeting(meeting) => {
            RowOf::Id(meeting.id.uuid())
        }
        Write::InsertSeries(series) => RowOf::Id(series.id.uuid()),
        Write::InsertAvailability(slot) | Write::UpdateAvailability(slot) => {
            RowOf::Id(slot.id.uuid())
        }
        Write::DeleteAvailability(id) => RowOf::Id(id.uuid()),
        Write::InsertOverride(one) | Write::UpdateOverride(one) => RowOf::Id(one.id.uuid()),
        Write::DeleteOverride(id) => RowOf::Id(id.uuid()),
        Write::PutHold(hold) => RowOf::Id(hold.id.uuid()),
        Write::DeleteHold(id) => RowOf::Id(id.uuid()),
        Write::PutSettings(settings) => RowOf::Settings(&settings.therapist),
    }
}

/// Tells whether the calendars had the known revisions, and all was written therefore.
async fn write(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
    record: Option<&Record>,
    known: &Known,
) -> Result<bool, Failure> {
    let Batch { meetings, slots, deleted_slots, audited, events, terms: _ } = batch;
    let [person_1, person_2, person_3] = &audited.people;
    let answer = record.map(|record| rows::json(&record.answer)).transpose()?;
    let expires_at = record.map(Record::expires_at);
    let apply = sqlx::query_file!(
        "queries/apply.sql",
        &meetings.is_new,
        &meetings.id,
        &meetings.version,
        &meetings.client_id,
        &meetings.therapist_id,
        &meetings.start_at,
        &meetings.duration_minutes,
        &meetings.status,
        &meetings.meeting_type,
        &meetings.title,
        &meetings.description as &[Option<String>],
        &meetings.meeting_url as &[Option<String>],
        &meetings.session_notes as &[Option<String>],
        &meetings.created_at,
        &meetings.updated_at,
        &slots.is_new,
        &slots.id,
        &slots.therapist_id,
        &slots.weekday,
        &slots.start_minute,
        &slots.end_minute,
        &slots.is_available,
        &slots.notes as &[Option<String>],
        &slots.created_at,
        &slots.updated_at,
        &deleted_slots,
        &events.event_id,
        &events.meeting_id,
        &events.occurred_at,
        &events.payload,
        record.map(|record| record.user.as_str()),
        record.map(|record| record.key.as_str()),
        record.map(|record| &record.fingerprint.0[..]),
        answer,
        record.map(|record| record.created_at),
        expires_at,
        &audited.at,
        &audited.id,
        &audited.author_id,
        &audited.author_role,
        &audited.action,
        &audited.subject_kind,
        &audited.subject_id,
        person_1 as &[Option<String>],
        person_2 as &[Option<String>],
        person_3 as &[Option<String>],
        &audited.fields,
        &known.people,
        &known.revisions,
        &meetings.buffer_before_minutes,
        &meetings.buffer_after_minutes,
    );
    let applied = apply.fetch_one(connection).await?;
    // An update was decided by looking at the row: it is there.
    if applied.is_current && applied.updated != batch.updates() {
        return Err(Failure::corrupt("the row to update is not there"));
    }
    Ok(applied.is_current)
}

/// Which calendars must be as they were; nobody's, where they are locked.
#[derive(Default)]
struct Known {
    people: Vec<String>,
    revisions: Vec<i64>,
}

/// Whether a row is to be inserted; else it is to be updated.
#[derive(Clone, Copy)]
struct New(bool);

/// Writes of different rows, as columns.
#[derive(Default)]
struct Batch<'a> {
    meetings: Meetings,
    slots: Slots,
    deleted_slots: Vec<Uuid>,
    audited: Entries,
    events: Events,
    /// Of these statements are their own: few ever write them, and only under the locks.
    terms: Vec<&'a Write>,
}

#[derive(Default)]
struct Meetings {
    is_new: Vec<bool>,
    id: Vec<Uuid>,
    version: Vec<i64>,
    client_id: Vec<String>,
    therapist_id: Vec<String>,
    start_at: Vec<DateTime<Utc>>,
    duration_minutes: Vec<i64>,
    buffer_before_minutes: Vec<i64>,
    buffer_after_minutes: Vec<i64>,
    status: Vec<String>,
    meeting_type: Vec<String>,
    title: Vec<String>,
    description: Vec<Option<String>>,
    meeting_url: Vec<Option<String>>,
    session_notes: Vec<Option<String>>,
    created_at: Vec<DateTime<Utc>>,
    updated_at: Vec<DateTime<Utc>>,
}

#[derive(Default)]
struct Slots {
    is_new: Vec<bool>,
    id: Vec<Uuid>,
    therapist_id: Vec<String>,
    weekday: Vec<i64>,
    start_minute: Vec<i64>,
    end_minute: Vec<i64>,
    is_available: Vec<bool>,
    notes: Vec<Option<String>>,
    created_at: Vec<DateTime<Utc>>,
    updated_at: Vec<DateTime<Utc>>,
}

#[derive(Default)]
struct Events {
    event_id: Vec<Uuid>,
    meeting_id: Vec<Uuid>,
    occurred_at: Vec<DateTime<Utc>>,
    payload: Vec<String>,
}

impl Batch<'_> {
    fn updates(&self) -> i64 {
        let all = self.meetings.is_new.iter().chain(&self.slots.is_new);
        all.map(|&is_new| i64::from(!is_new)).sum()
    }
}

impl Meetings {
    fn push(&mut self, New(is_new): New, meeting: &Meeting) -> Result<(), Failure> {
        self.is_new.push(is_new);
        self.id.push(meeting.id.uuid());
        self.version.push(i64::try_from(meeting.version).map_err(Failure::corrupt)?);
        self.client_id.push(meeting.client.as_str().to_owned());
        self.therapist_id.push(meeting.therapist.as_str().to_owned());
        self.start_at.push(meeting.start);
        self.duration_minutes.push(meeting.duration.minutes().into());
        self.buffer_before_minutes.push(meeting.buffers.before.get().into());
        self.buffer_after_minutes.push(meeting.buffers.after.get().into());
        self.status.push(meeting.status.as_str().to_owned());
        self.meeting_type.push(meeting.meeting_type.as_str().to_owned());
        self.title.push(meeting.title.as_str().to_owned());
        self.description.push(owned(meeting.description.as_ref()));
        self.meeting_url.push(meeting.meeting_url.as_ref().map(|url| url.as_str().to_owned()));
        self.session_notes.push(owned(meeting.session_notes.as_ref()));
        self.created_at.push(meeting.created_at);
        self.updated_at.push(meeting.updated_at);
        Ok(())
    }
}

impl Slots {
    fn push(&mut self, New(is_new): New, slot: &AvailabilitySlot) {
        self.is_new.push(is_new);
        self.id.push(slot.id.uuid());
        self.therapist_id.push(slot.therapist.as_str().to_owned());
        self.weekday.push(rows::weekday_of(slot));
        self.start_minute.push(slot.window.start().minutes().into());
        self.end_minute.push(slot.window.end().minutes().into());
        self.is_available.push(slot.is_available);
        self.notes.push(owned(slot.notes.as_ref()));
        self.created_at.push(slot.created_at);
        self.updated_at.push(slot.updated_at);
    }
}

impl Events {
    fn push(&mut self, event: &Event) -> Result<(), Failure> {
        self.event_id.push(event.id.uuid());
        self.meeting_id.push(event.payload.meeting().uuid());
        self.occurred_at.push(event.occurred_at);
        self.payload.push(rows::json(&event.payload)?);
        Ok(())
    }
}

fn owned<const MAX: usize>(text: Option<&Text<MAX>>) -> Option<String> {
    text.map(|text| text.as_str().to_owned())
}
