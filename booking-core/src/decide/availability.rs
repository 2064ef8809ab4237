//! Changing a therapist's weekly availability.

use std::collections::BTreeSet;

use chrono::Weekday;
use serde::Serialize;

use crate::audited::Audited;
use crate::availability::{AvailabilitySlot, WallTime, Window};
use crate::calendars::Calendars;
use crate::decide::update::Patch;
use crate::decide::{Answered, Decided, Decision, Fresh, Intent};
use crate::id::{AvailabilityId, UserId};
use crate::idempotency::Answer;
use crate::refusal::Refusal;
use crate::store::{Change, Decline, Scope};
use crate::text::Notes;

/// A weekly window that is to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewAvailability {
    /// On which day of the week, in the therapist's zone.
    pub weekday: Weekday,
    /// From when to when, in the therapist's zone.
    pub window: Window,
    /// Remarks.
    pub notes: Option<Notes>,
}

/// The fields of an availability slot that are to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AvailabilityPatch {
    /// Another day of the week.
    pub weekday: Option<Weekday>,
    /// Another start.
    pub start: Option<WallTime>,
    /// Another end.
    pub end: Option<WallTime>,
    /// Other remarks, or none.
    pub notes: Patch<Notes>,
    /// On or off.
    pub is_available: Option<bool>,
}

pub(crate) fn scope_of_create(therapist: &UserId, intent: Option<&Intent>) -> Scope {
    Scope {
        people: BTreeSet::from([therapist.clone()]),
        hours_of: Some(therapist.clone()),
        record: intent.map(Intent::record_key),
        ..Scope::default()
    }
}

pub(crate) fn scope_of_one(therapist: &UserId, id: AvailabilityId) -> Scope {
    Scope { availability: Some(id), ..scope_of_create(therapist, None) }
}

pub(crate) fn create(
    calendars: &Calendars,
    therapist: &UserId,
    new: &NewAvailability,
    intent: Option<&Intent>,
    fresh: &Fresh,
) -> Decision<Answered<AvailabilitySlot>> {
    if let Some(intent) = intent
        && let Some(slot) = intent.replay(calendars, fresh.now, Answer::into_availability)?
    {
        return Ok(Decided::nothing_to_do(Answered { value: slot, replayed: true }));
    }
    let slot = AvailabilitySlot {
        id: AvailabilityId::from_uuid(fresh.id),
        therapist: therapist.clone(),
        weekday: new.weekday,
        window: new.window,
        is_available: true,
        notes: new.notes.clone(),
        created_at: fresh.now,
        updated_at: fresh.now,
    };
    check_room(calendars, &slot)?;
    let answer = || Answer::Availability(Box::new(slot.clone()));
    Ok(Decided {
        change: Change {
            writes: vec![Audited::insert_availability(fresh.by.clone(), slot.clone())],
            record: intent.map(|intent| intent.record(answer(), fresh.now)),
            ..Change::default()
        },
        answer: Answered { value: slot, replayed: false },
    })
}

pub(crate) fn revise(
    calendars: &Calendars,
    therapist: &UserId,
    id: AvailabilityId,
    patch: &AvailabilityPatch,
    fresh: &Fresh,
) -> Decision<AvailabilitySlot> {
    let before = own(calendars, therapist, id)?;
    let window = Window::new(
        patch.start.unwrap_or(before.window.start()),
        patch.end.unwrap_or(before.window.end()),
    );
    let mut after = AvailabilitySlot {
        weekday: patch.weekday.unwrap_or(before.weekday),
        window: window.ok_or(START_NOT_BEFORE_END)?,
        is_available: patch.is_available.unwrap_or(before.is_available),
        ..before.clone()
    };
    patch.notes.apply(&mut after.notes);
    if after == *before {
        return Ok(Decided::nothing_to_do(after));
    }
    check_room(calendars, &after)?;
    after.updated_at = fresh.now;
    let writes = vec![Audited::update_availability(fresh.by.clone(), before, after.clone())];
    Ok(Decided { answer: after, change: Change { writes, ..Change::default() } })
}

pub(crate) fn delete(
    calendars: &Calendars,
    therapist: &UserId,
    id: AvailabilityId,
    fresh: &Fresh,
) -> Decision<()> {
    let before = own(calendars, therapist, id)?;
    let writes = vec![Audited::delete_availability(fresh.by.clone(), before)];
    Ok(Decided { answer: (), change: Change { writes, ..Change::default() } })
}

const START_NOT_BEFORE_END: Refusal =
    Refusal::Invalid { field: "startTime", detail: "must be before endTime" };

fn own<'a>(
    calendars: &'a Calendars,
    therapist: &UserId,
    id: AvailabilityId,
) -> Result<&'a AvailabilitySlot, Refusal> {
    let slot = calendars.availability.as_ref().filter(|slot| slot.id == id);
    let slot = slot.ok_or(Refusal::AvailabilityNotFound)?;
    if slot.therapist == *therapist { Ok(slot) } else { Err(Refusal::Forbidden) }
}

/// All slots of a day count, switched on or not (contract, "Availability").
fn check_room(calendars: &Calendars, slot: &AvailabilitySlot) -> Result<(), Decline> {
    let others =
        calendars.availability_of(&slot.therapist)?.iter().filter(|other| other.id != slot.id);
    let same_day: Vec<_> = others.filter(|other| other.weekday == slot.weekday).collect();
    if same_day.iter().any(|other| other.window.overlaps(slot.window)) {
        Err(Refusal::AvailabilityOverlap.into())
    } else if same_day.len() >= AvailabilitySlot::MOST_A_DAY {
        Err(Refusal::TooMuchAvailability.into())
    } else {
        Ok(())
    }
}
