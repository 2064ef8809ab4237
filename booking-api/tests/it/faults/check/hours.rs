//! Nobody was given a time for which there was no availability: none that had been closed, and said
//! to be, before they asked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::operations::{Fate, Operation, Operations};
use super::replay::Replayed;
use super::{Fault, Violations};
use crate::faults::history::{Asked, Minute, Place, Tag, Window};

const DAY: Minute = 24 * 60;
/// Windows and sessions begin and end on half hours.
const STEP: i64 = 30;

/// A window as somebody set it, and when it may have been there.
struct Stretch<'a> {
    window: &'a Window,
    begun: Duration,
    /// For ever, as far as is known, where there is none.
    ended: Option<Duration>,
}

type Stretches<'a> = BTreeMap<&'a str, Vec<Stretch<'a>>>;

pub(super) fn check(
    operations: &Operations<'_>,
    replayed: &BTreeMap<&str, Replayed>,
    violations: &mut Violations,
) {
    let stretches = stretches(operations);
    for meeting in replayed.values() {
        let first = meeting.born.map(|tag| (tag, &meeting.booked));
        // To go from one therapist to another takes two steps, of which the last counts.
        let steps: BTreeMap<Tag, &Place> =
            meeting.steps.iter().map(|(tag, place)| (*tag, place)).collect();
        for (tag, place) in first.into_iter().chain(steps) {
            let Some(operation) = operations.get(tag) else { continue };
            let places = match operation.asked() {
                Asked::Book { .. } => true,
                Asked::Update { patch, .. } => patch.moves(),
                _ => false,
            };
            // Of one that is not known to have been done nobody knows when it was.
            if places && operation.fate() == Fate::Done && !is_open(&stretches, operation, place) {
                let detail = format!("{:?} at {place:?}", operation.request);
                violations.add(Fault::Closed, detail);
            }
        }
    }
}

/// Whether there may have been availability for all of it while it was asked for.
fn is_open(stretches: &Stretches<'_>, operation: &Operation<'_>, place: &Place) -> bool {
    let begun = operation.attempts.iter().map(|attempt| attempt.begun).min().unwrap_or_default();
    let ended = operation.attempts.iter().map(|attempt| attempt.ended).max().unwrap_or_default();
    let theirs = stretches.get(place.therapist.as_str()).map(Vec::as_slice).unwrap_or_default();
    let mut steps = (place.start..place.end()).step_by(STEP as usize);
    steps.all(|minute| {
        // The first day of 1970 was a Thursday.
        let (weekday, from) = ((minute.div_euclid(DAY) + 4).rem_euclid(7), minute.rem_euclid(DAY));
        theirs.iter().any(|Stretch { window, begun: since, ended: until }| {
            window.is_on
                && (window.weekday, window.from <= from) == (weekday, true)
                && from + STEP <= window.to
                && *since <= ended
                && until.is_none_or(|until| begun <= until)
        })
    })
}

fn stretches<'a>(operations: &Operations<'a>) -> Stretches<'a> {
    let mut changes: BTreeMap<&str, Vec<&Operation<'_>>> = BTreeMap::new();
    for operation in operations.by_tag.values().filter(|change| change.fate() == Fate::Done) {
        if let Asked::Change { slot, .. } | Asked::Close { slot } = operation.asked() {
            changes.entry(slot).or_default().push(operation);
        }
    }
    let mut stretches = Stretches::new();
    for operation in operations.by_tag.values().filter(|op| op.fate() != Fate::Refused) {
        let (window, slot) = match operation.asked() {
            Asked::Open(window) => (window, operation.slot().map(|slot| slot.id.as_str())),
            Asked::Change { slot, window } => (window, Some(slot.as_str())),
            _ => continue,
        };
        let attempt = operation.attempts[0];
        let changes = slot.and_then(|slot| changes.get(slot)).into_iter().flatten();
        let ends = changes.filter(|change| {
            let is_later =
                operation.fate() == Fate::Done && change.attempts[0].begun > attempt.ended;
            // What is closed stays so; other changes may have come before this one.
            matches!(change.asked(), Asked::Close { .. }) || is_later
        });
        let ended = ends.map(|change| change.attempts[0].ended).min();
        let stretch = Stretch { window, begun: attempt.begun, ended };
        stretches.entry(operation.request.by.id.as_str()).or_default().push(stretch);
    }
    stretches
}
