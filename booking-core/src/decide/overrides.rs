//! Changing the dates on which a therapist has other windows, or none.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use crate::audited::Audited;
use crate::calendars::Calendars;
use crate::decide::{Answered, Decided, Decision, Fresh, Intent};
use crate::id::{OverrideId, UserId};
use crate::idempotency::Answer;
use crate::overrides::{AvailabilityOverride, Dates, DayWindows};
use crate::refusal::Refusal;
use crate::store::{Change, Decline, Scope};
use crate::text::Notes;

/// Dates that are to have other windows, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewOverride {
    /// Which, by the calendar of the therapist's zone.
    pub dates: Dates,
    /// When the therapist receives clients on each of them.
    pub windows: DayWindows,
    /// Remarks.
    pub notes: Option<Notes>,
}

/// All overrides of a therapist.
pub(crate) fn scope_of_overrides(therapist: &UserId, intent: Option<&Intent>) -> Scope {
    Scope {
        people: BTreeSet::from([therapist.clone()]),
        hours_of: Some(therapist.clone()),
        overrides_on: Some((NaiveDate::MIN, NaiveDate::MAX)),
        record: intent.map(Intent::record_key),
        ..Scope::default()
    }
}

pub(crate) fn scope_of_override(therapist: &UserId, id: OverrideId) -> Scope {
    Scope { override_with: Some(id), ..scope_of_overrides(therapist, None) }
}

pub(crate) fn add_override(
    calendars: &Calendars,
    therapist: &UserId,
    new: &NewOverride,
    intent: Option<&Intent>,
    fresh: &Fresh,
) -> Decision<Answered<AvailabilityOverride>> {
    if let Some(intent) = intent
        && let Some(first) = intent.replay(calendars, fresh.now, Answer::into_override)?
    {
        return Ok(Decided::nothing_to_do(Answered { value: first, replayed: true }));
    }
    let added = AvailabilityOverride {
        id: OverrideId::from_uuid(fresh.id),
        therapist: therapist.clone(),
        dates: new.dates,
        windows: new.windows.clone(),
        notes: new.notes.clone(),
        created_at: fresh.now,
        updated_at: fresh.now,
    };
    check_room(calendars, &added)?;
    let answer = || Answer::Override(Box::new(added.clone()));
    Ok(Decided {
        change: Change {
            writes: vec![Audited::insert_override(fresh.by.clone(), added.clone())],
            record: intent.map(|intent| intent.record(answer(), fresh.now)),
            ..Change::default()
        },
        answer: Answered { value: added, replayed: false },
    })
}

pub(crate) fn replace_override(
    calendars: &Calendars,
    therapist: &UserId,
    id: OverrideId,
    new: &NewOverride,
    fresh: &Fresh,
) -> Decision<AvailabilityOverride> {
    let before = own(calendars, therapist, id)?;
    let NewOverride { dates, windows, notes } = new.clone();
    let mut after = AvailabilityOverride { dates, windows, notes, ..before.clone() };
    if after == *before {
        return Ok(Decided::nothing_to_do(after));
    }
    check_room(calendars, &after)?;
    after.updated_at = fresh.now;
    let writes = vec![Audited::update_override(fresh.by.clone(), before, after.clone())];
    Ok(Decided { answer: after, change: Change { writes, ..Change::default() } })
}

pub(crate) fn delete_override(
    calendars: &Calendars,
    therapist: &UserId,
    id: OverrideId,
    fresh: &Fresh,
) -> Decision<()> {
    let before = own(calendars, therapist, id)?;
    let writes = vec![Audited::delete_override(fresh.by.clone(), before)];
    Ok(Decided { answer: (), change: Change { writes, ..Change::default() } })
}

fn own<'a>(
    calendars: &'a Calendars,
    therapist: &UserId,
    id: OverrideId,
) -> Result<&'a AvailabilityOverride, Refusal> {
    let found = calendars.override_with.as_ref().filter(|found| found.id == id);
    let found = found.ok_or(Refusal::OverrideNotFound)?;
    if found.therapist == *therapist { Ok(found) } else { Err(Refusal::Forbidden) }
}

/// No date has two overrides: nobody could say which counts.
fn check_room(calendars: &Calendars, one: &AvailabilityOverride) -> Result<(), Decline> {
    let all = calendars.overrides_of(&one.therapist)?;
    let others: Vec<_> = all.iter().filter(|other| other.id != one.id).collect();
    if others.iter().any(|other| other.dates.overlap(one.dates)) {
        Err(Refusal::OverrideOverlap.into())
    } else if others.len() >= AvailabilityOverride::MOST {
        Err(Refusal::TooManyOverrides.into())
    } else {
        Ok(())
    }
}
