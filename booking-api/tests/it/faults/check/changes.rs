//! Every change of a meeting that was acknowledged is there, has a version of its own and was
//! published; every version is somebody's change.

use std::collections::{BTreeMap, BTreeSet};

use super::operations::{Fate, Operation, Operations};
use super::replay::Replayed;
use super::{Fault, Violations};
use crate::faults::found::Found;
use crate::faults::history::{Asked, Meeting, Patch, Place, Tag};

pub(super) fn check(
    operations: &Operations<'_>,
    found: &Found,
    replayed: &BTreeMap<&str, Replayed>,
    violations: &mut Violations,
) {
    for id in operations.changes_of.keys() {
        if !found.meetings.contains_key(*id) {
            violations.add(Fault::Lost, format!("{id} was seen, and is not there"));
        }
    }
    for meeting in found.meetings.values() {
        // One without events has been told of.
        let Some(replayed) = replayed.get(meeting.id.as_str()) else { continue };
        let mut done = BTreeMap::new();
        for operation in operations.changes(&meeting.id) {
            for seen in operation.meetings() {
                if let Some((other, _)) = done.insert(seen.version, (operation, seen)) {
                    let other = other.request;
                    let detail = format!("{:?} and {other:?} made {seen:?}", operation.request);
                    violations.add(Fault::Version, detail);
                }
                if !is_as_asked(operation, seen) {
                    let detail = format!("{:?} was answered with {seen:?}", operation.request);
                    violations.add(Fault::Wrong, detail);
                }
            }
        }
        check_versions(operations, meeting, replayed, &done, violations);
        check_published(replayed, &done, violations);
    }
}

/// Changes that were acknowledged, by the version that they made.
type Done<'a> = BTreeMap<u64, (&'a Operation<'a>, &'a Meeting)>;

/// As far as the request says: the rest depends on what was there before.
fn is_as_asked(operation: &Operation<'_>, seen: &Meeting) -> bool {
    let follows =
        |expected: &Option<u64>| expected.is_none_or(|version| seen.version == version + 1);
    match operation.asked() {
        Asked::Update { meeting, patch, expected } => {
            let Patch { start, minutes, therapist, status } = patch;
            let Place { therapist: with, start: at, minutes: long } = &seen.place;
            seen.id == *meeting
                && seen.title == operation.tag().to_string()
                && follows(expected)
                && start.is_none_or(|start| start == *at)
                && minutes.is_none_or(|minutes| minutes == *long)
                && therapist.as_ref().is_none_or(|therapist| therapist == with)
                && status.is_none_or(|status| status == seen.status)
        }
        Asked::Cancel { meeting, expected, .. } => {
            seen.id == *meeting && seen.status == "CANCELLED" && follows(expected)
        }
        _ => false,
    }
}

/// The last version is that of the last change, and there are as many as there are changes.
fn check_versions(
    operations: &Operations<'_>,
    meeting: &Meeting,
    replayed: &Replayed,
    done: &Done<'_>,
    violations: &mut Violations,
) {
    if let Some((version, (operation, seen))) = done.last_key_value()
        && (*version > meeting.version || *version == meeting.version && *seen != meeting)
    {
        let detail = format!("{:?} led to {seen:?}; there is {meeting:?}", operation.request);
        violations.add(Fault::Lost, detail);
    }
    let (mut published, mut quiet) = (0, 0);
    for operation in operations.changes(&meeting.id) {
        if operation.fate() == Fate::Unknown {
            let was_published = replayed.steps.iter().any(|(tag, _)| *tag == operation.tag());
            *if was_published { &mut published } else { &mut quiet } += 1;
        }
    }
    // Those that are not known to have been done, and publish nothing, may have been.
    let least = 1 + done.len() as u64 + published;
    let most = least + quiet;
    if meeting.version < least {
        let detail = format!("{meeting:?} has seen at least {} changes", least - 1);
        violations.add(Fault::Lost, detail);
    } else if meeting.version > most {
        let detail = format!("{meeting:?} has seen at most {} changes", most - 1);
        violations.add(Fault::Version, detail);
    }
    check_title(operations, meeting, violations);
}

/// What is there was asked for by somebody who was not refused.
fn check_title(operations: &Operations<'_>, meeting: &Meeting, violations: &mut Violations) {
    let operation = Tag::parse(&meeting.title).and_then(|tag| operations.get(tag));
    let is_of_it = operation.is_some_and(|operation| match operation.asked() {
        Asked::Book { .. } => operation.fate() != Fate::Refused,
        Asked::Update { meeting: id, .. } => *id == meeting.id && operation.fate() != Fate::Refused,
        _ => false,
    });
    if !is_of_it {
        violations.add(Fault::Unasked, format!("nobody asked for {meeting:?}"));
    }
}

/// What was acknowledged was published, once, in the order of the versions, unless there was
/// nothing to tell.
fn check_published(replayed: &Replayed, done: &Done<'_>, violations: &mut Violations) {
    let positions: BTreeMap<Tag, usize> =
        replayed.steps.iter().enumerate().map(|(n, (tag, _))| (*tag, n)).collect();
    let mut last = None;
    for (operation, seen) in done.values() {
        let at = positions.get(&operation.tag()).copied();
        match at {
            Some(at) if last.is_some_and(|last| last > at) => {
                let detail = format!("{seen:?} was published before what came before it");
                violations.add(Fault::Event, detail);
            }
            Some(at) => last = Some(at),
            None if publishes(operation) && !was_there(replayed, done, seen) => {
                violations.add(Fault::Event, format!("{:?} was not published", operation.request));
            }
            None => {}
        }
    }
}

fn publishes(operation: &Operation<'_>) -> bool {
    match operation.asked() {
        Asked::Update { patch, .. } => patch.moves() || patch.closes().is_some(),
        Asked::Cancel { .. } => true,
        _ => false,
    }
}

/// Whether the meeting may have been at this place already when it was moved there, which is no
/// news: by the events between those of the changes before and after.
fn was_there(replayed: &Replayed, done: &Done<'_>, seen: &Meeting) -> bool {
    if !seen.is_live() {
        return false;
    }
    let tags = |versions: &mut dyn Iterator<Item = &(&Operation<'_>, &Meeting)>| {
        versions.map(|(operation, _)| operation.tag()).collect::<BTreeSet<Tag>>()
    };
    let before = tags(&mut done.range(..seen.version).map(|(_, change)| change));
    let after = tags(&mut done.range(seen.version + 1..).map(|(_, change)| change));
    let steps = &replayed.steps;
    let from = steps.iter().rposition(|(tag, _)| before.contains(tag));
    let to = steps.iter().position(|(tag, _)| after.contains(tag)).unwrap_or(steps.len());
    // Before the first step it was where it was booked.
    let booked = from.is_none().then_some(&replayed.booked);
    let between = &steps[from.unwrap_or(0).min(to)..to];
    booked.into_iter().chain(between.iter().map(|(_, place)| place)).any(|p| *p == seen.place)
}
