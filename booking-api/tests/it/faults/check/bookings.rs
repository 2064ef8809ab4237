//! Every booking that was acknowledged is there once and whole; any other is there so or not at all.

use std::collections::BTreeMap;

use super::operations::{Fate, Operation, Operations};
use super::replay::Replayed;
use super::{Fault, Violations};
use crate::faults::found::{Found, Record};
use crate::faults::history::{Asked, Meeting, Tag};

pub(super) fn check(
    operations: &Operations<'_>,
    found: &Found,
    replayed: &BTreeMap<&str, Replayed>,
    violations: &mut Violations,
) {
    for id in found.meetings.keys() {
        if !replayed.contains_key(id.as_str()) {
            violations.add(Fault::Half, format!("{id} has no event that it was booked"));
        }
    }
    let mut born: BTreeMap<Tag, Vec<&str>> = BTreeMap::new();
    for (id, replayed) in replayed {
        if let Some(tag) = replayed.born {
            born.entry(tag).or_default().push(id);
        }
    }
    let mut records: BTreeMap<(&str, &str), &Record> = BTreeMap::new();
    for record in &found.records {
        records.insert((&record.user, &record.key), record);
    }
    for operation in operations.by_tag.values() {
        let Asked::Book { key, .. } = operation.asked() else { continue };
        let ids = born.get(&operation.tag()).map(Vec::as_slice).unwrap_or_default();
        check_one(operation, ids, found, violations);
        if let Some(key) = key {
            let record = records.remove(&(&operation.request.by.id, key));
            check_record(operation, ids, record, violations);
        }
    }
    for record in records.into_values() {
        violations.add(Fault::Unasked, format!("nobody asked for {record:?}"));
    }
}

fn check_one(operation: &Operation<'_>, ids: &[&str], found: &Found, violations: &mut Violations) {
    let Operation { request, .. } = operation;
    if ids.len() > 1 {
        violations.add(Fault::Twice, format!("{request:?} was booked as {ids:?}"));
    }
    // Events of operations that were refused are told by the replay.
    let mut first: Option<&Meeting> = None;
    for meeting in operation.meetings() {
        if !found.meetings.contains_key(&meeting.id) {
            violations.add(Fault::Lost, format!("{meeting:?} was booked, and is not there"));
        } else if !ids.contains(&meeting.id.as_str()) {
            violations.add(Fault::Event, format!("{meeting:?} was booked, and not published"));
        }
        if !is_as_asked(operation, meeting) {
            violations.add(Fault::Wrong, format!("{request:?} was answered with {meeting:?}"));
        }
        if first.is_some_and(|first| first != meeting) {
            violations.add(Fault::Twice, format!("{request:?}: {first:?}, then {meeting:?}"));
        }
        first = Some(meeting);
    }
}

fn is_as_asked(operation: &Operation<'_>, meeting: &Meeting) -> bool {
    let Asked::Book { client, place, status, .. } = operation.asked() else { return false };
    (meeting.version, meeting.title.as_str()) == (1, operation.tag().to_string().as_str())
        && (&meeting.client, &meeting.place, meeting.status.as_str()) == (client, place, *status)
}

/// The record is there exactly when the meeting is, and repeats what was answered.
fn check_record(
    operation: &Operation<'_>,
    ids: &[&str],
    record: Option<&Record>,
    violations: &mut Violations,
) {
    let Operation { request, .. } = operation;
    match record {
        Some(record) if !ids.contains(&record.answer.id.as_str()) => {
            violations.add(Fault::Half, format!("{record:?} of {request:?}, booked as {ids:?}"));
        }
        Some(record) if !is_as_asked(operation, &record.answer) => {
            violations.add(Fault::Wrong, format!("{request:?} left {record:?}"));
        }
        None if !ids.is_empty() => {
            violations.add(Fault::Half, format!("{request:?} left no record, and {ids:?}"));
        }
        None if operation.fate() == Fate::Done => {
            violations.add(Fault::Lost, format!("{request:?} was done, and left no record"));
        }
        _ => {}
    }
}
