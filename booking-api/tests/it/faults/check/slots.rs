//! Availability that was acknowledged is there, as it was last changed, and never overlaps.

use std::collections::{BTreeMap, BTreeSet};

use super::operations::{Fate, Operation, Operations};
use super::{Fault, Violations};
use crate::faults::found::Found;
use crate::faults::history::{Asked, Outcome, Slot, Tag, Window};

pub(super) fn check(operations: &Operations<'_>, found: &Found, violations: &mut Violations) {
    let mut changes: BTreeMap<&str, Vec<&Operation<'_>>> = BTreeMap::new();
    for operation in operations.by_tag.values() {
        if let Asked::Change { slot, .. } | Asked::Close { slot } = operation.asked() {
            changes.entry(slot).or_default().push(operation);
        }
    }
    let changes_of = |id: &str| changes.get(id).map(Vec::as_slice).unwrap_or_default();
    let mut opened = BTreeSet::new();
    for operation in operations.by_tag.values() {
        let Asked::Open(_) = operation.asked() else { continue };
        if let Some(slot) = operation.slot() {
            opened.insert(slot.id.as_str());
            let may_be_closed = changes_of(&slot.id).iter().any(|change| may_have_closed(change));
            if !found.slots.contains_key(&slot.id) && !may_be_closed {
                violations.add(Fault::Lost, format!("{slot:?} was opened, and is not there"));
            }
        }
    }
    let mut unknown = BTreeSet::new();
    for slot in found.slots.values() {
        check_last_change(operations, slot, changes_of(&slot.id), violations);
        // Nobody knows it, so that nobody has changed it.
        if !opened.contains(slot.id.as_str()) && !unknown.insert(&slot.notes) {
            violations.add(Fault::Twice, format!("{slot:?}, and another by the same request"));
        }
    }
    check_overlaps(found, violations);
}

fn may_have_closed(change: &Operation<'_>) -> bool {
    matches!(change.asked(), Asked::Close { .. }) && change.fate() != Fate::Refused
}

/// The window is as somebody wanted it, and nobody changed it later.
fn check_last_change(
    operations: &Operations<'_>,
    slot: &Slot,
    changes: &[&Operation<'_>],
    violations: &mut Violations,
) {
    let last = Tag::parse(&slot.notes).and_then(|tag| operations.get(tag));
    let wanted =
        last.filter(|last| last.fate() != Fate::Refused).and_then(|last| match last.asked() {
            Asked::Open(window) => Some((last, Window { is_on: true, ..window.clone() })),
            Asked::Change { slot: id, window } if *id == slot.id => Some((last, window.clone())),
            _ => None,
        });
    let Some((last, wanted)) = wanted else {
        return violations.add(Fault::Unasked, format!("nobody asked for {slot:?}"));
    };
    if slot.window != wanted {
        violations.add(Fault::Wrong, format!("{:?} led to {slot:?}", last.request));
    }
    // One that is not known to have been done may have been done at any later time.
    let last_ended = (last.fate() == Fate::Done).then(|| last.attempts[0].ended);
    for change in changes {
        let attempt = change.attempts[0];
        let is_done = matches!(attempt.outcome, Outcome::Acked(_));
        let is_closing = matches!(change.asked(), Asked::Close { .. });
        let is_later = last_ended.is_some_and(|ended| ended < attempt.begun);
        if is_done && (is_closing || is_later) {
            violations
                .add(Fault::Lost, format!("{:?} was done; there is {slot:?}", change.request));
        }
    }
}

fn check_overlaps(found: &Found, violations: &mut Violations) {
    let mut days: BTreeMap<(&str, i64), Vec<&Slot>> = BTreeMap::new();
    for slot in found.slots.values() {
        days.entry((&slot.therapist, slot.window.weekday)).or_default().push(slot);
    }
    for day in days.values_mut() {
        day.sort_by_key(|slot| slot.window.from);
        for two in day.windows(2).filter(|two| two[0].window.to > two[1].window.from) {
            violations.add(Fault::Overlap, format!("{two:?}"));
        }
    }
}
