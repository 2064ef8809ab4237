//! Whether what was found at the end is what the history allows. Pure, so that broken histories made
//! by hand prove that it would see them.

mod bookings;
mod busy;
mod changes;
mod hours;
mod operations;
mod order;
mod replay;
mod slots;
mod story;
mod tests;

use std::fmt::Display;

use self::operations::Operations;
use super::found::Found;
use super::history::Attempt;

/// What must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// Acknowledged, and not there.
    Lost,
    /// Two live meetings of one person at one time, or two windows of one therapist.
    Overlap,
    /// There in part: a meeting without its event, its record or its busy time, or one of them
    /// without the meeting.
    Half,
    /// Done more than once.
    Twice,
    /// Refused or never asked for, and there.
    Unasked,
    /// A version that stands for two changes, for none, or that goes back.
    Version,
    /// An event that is missing, doubled, out of order or wrong.
    Event,
    /// Not what was asked for.
    Wrong,
    /// A meeting at a time for which there was no availability when it got there.
    Closed,
    /// An event that is in the outbox, and came to nobody, or not to all.
    Undelivered,
    /// An event that came to somebody, and is not in the outbox.
    Uncommitted,
    /// A change without its entry of the audit log, with two, or an entry without its change.
    Unrecorded,
    /// A meeting's events that came, or joined the log, in another order than they were written.
    Disorder,
}

/// One thing that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) fault: Fault,
    pub(crate) detail: String,
}

/// What was noticed so far.
#[derive(Debug, Default)]
struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, fault: Fault, detail: impl Display) {
        self.0.push(Violation { fault, detail: detail.to_string() });
    }
}

/// Everything that is wrong with what was found.
pub(crate) fn check(history: &[Attempt], found: &Found) -> Vec<Violation> {
    let operations = Operations::of(history);
    let mut violations = Violations::default();
    let replayed = replay::replay(&operations, found, &mut violations);
    bookings::check(&operations, found, &replayed, &mut violations);
    changes::check(&operations, found, &replayed, &mut violations);
    hours::check(&operations, &replayed, &mut violations);
    order::check(history, &mut violations);
    busy::check(found, &mut violations);
    slots::check(&operations, found, &mut violations);
    violations.0
}
