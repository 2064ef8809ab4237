//! Whether what arrived is what was committed. Pure, like [`check`](super::check).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::check::{Fault, Violation};

/// An event of the outbox, and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) event: String,
    pub(crate) meeting: String,
    /// In the order in which they were written, for one meeting.
    pub(crate) written: i64,
    /// What the log calls its sequence; none while it has not joined.
    pub(crate) position: Option<i64>,
}

/// An event that came to somebody, perhaps not for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) event: String,
    pub(crate) meeting: String,
    pub(crate) sequence: u64,
    /// Since the run began.
    pub(crate) at: Duration,
    /// Whether the receiver said that it has it.
    pub(crate) is_taken: bool,
}

impl Arrival {
    /// From the envelope; not taken yet.
    pub(crate) fn of(event: &Value, at: Duration) -> Option<Self> {
        Some(Self {
            event: event["id"].as_str()?.to_owned(),
            meeting: event["subject"].as_str()?.to_owned(),
            sequence: event["sequence"].as_str()?.parse().ok()?,
            at,
            is_taken: false,
        })
    }
}

/// What is wrong with the log: whoever is in it has a place of their own, and a meeting's events
/// have theirs in the order in which they were written.
pub(crate) fn check_log(log: &[Logged]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut wrong = |fault, detail| violations.push(Violation { fault, detail });
    let mut by_writing: Vec<&Logged> = log.iter().collect();
    by_writing.sort_by_key(|logged| logged.written);
    let mut positions = BTreeSet::new();
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for logged in by_writing {
        let Some(position) = logged.position else {
            wrong(Fault::Undelivered, format!("{logged:?} never joined the log"));
            continue;
        };
        if !positions.insert(position) {
            wrong(Fault::Disorder, format!("{logged:?} is not alone there"));
        }
        if last.insert(&logged.meeting, position).is_some_and(|last| last >= position) {
            wrong(Fault::Disorder, format!("{logged:?} was written after what it is before"));
        }
    }
    violations
}

/// What is wrong with what came to `whom`, in the order in which it came: of all that was committed
/// nothing may be missing; nothing else may come; and, of each meeting, nothing may come for the
/// first time before something earlier has. What comes again is only told apart by its id.
pub(crate) fn check_arrivals(whom: &str, log: &[Logged], arrivals: &[Arrival]) -> Vec<Violation> {
    let committed: BTreeMap<&str, &Logged> =
        log.iter().map(|logged| (logged.event.as_str(), logged)).collect();
    let mut violations = Vec::new();
    let mut wrong = |fault, detail| {
        violations.push(Violation { fault, detail: format!("{whom}: {detail}") });
    };
    for arrival in arrivals {
        let is_known = committed.get(arrival.event.as_str()).is_some_and(|logged| {
            let position = logged.position.and_then(|position| u64::try_from(position).ok());
            (&logged.meeting, position) == (&arrival.meeting, Some(arrival.sequence))
        });
        if !is_known {
            wrong(Fault::Uncommitted, format!("{arrival:?} is nowhere in the outbox"));
        }
    }
    // A receiver that failed may have kept the event all the same: both those who believe what was
    // refused and those who do not must see each meeting in order.
    for arrival in out_of_order(arrivals.iter()) {
        wrong(Fault::Disorder, format!("{arrival:?} comes too late"));
    }
    let taken = || arrivals.iter().filter(|arrival| arrival.is_taken);
    for arrival in out_of_order(taken()) {
        wrong(Fault::Disorder, format!("{arrival:?} is taken too late"));
    }
    let taken: BTreeSet<&str> = taken().map(|arrival| arrival.event.as_str()).collect();
    for logged in log.iter().filter(|logged| !taken.contains(logged.event.as_str())) {
        wrong(Fault::Undelivered, format!("{logged:?} was never taken"));
    }
    violations
}

fn out_of_order<'a>(arrivals: impl Iterator<Item = &'a Arrival>) -> Vec<&'a Arrival> {
    let mut seen = BTreeSet::new();
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut late = Vec::new();
    for arrival in arrivals.filter(|arrival| seen.insert(arrival.event.as_str())) {
        let newest = newest.entry(&arrival.meeting).or_default();
        if arrival.sequence < *newest {
            late.push(arrival);
        }
        *newest = arrival.sequence.max(*newest);
    }
    late
}

mod tests {
    use super::*;

    /// Two meetings: one is booked, moved and cancelled; meanwhile the other is booked and moved.
    /// Their numbers are drawn in another order than they join the log.
    fn log() -> Vec<Logged> {
        let logged = |event: &str, written, position| Logged {
            event: event.to_owned(),
            meeting: event[..1].to_owned(),
            written,
            position: Some(position),
        };
        vec![
            logged("a1", 1, 2),
            logged("b1", 2, 1),
            logged("a2", 4, 3),
            logged("b2", 7, 5),
            logged("a3", 8, 4),
        ]
    }

    /// Of the events by these names, in this order; not taken where there is a `!`.
    fn arrivals(names: &str) -> Vec<Arrival> {
        let log = log();
        let arrival = |name: &str| {
            let event = name.trim_end_matches('!');
            let logged = log.iter().find(|logged| logged.event == event);
            Arrival {
                event: event.to_owned(),
                meeting: event[..1].to_owned(),
                sequence: logged.and_then(|logged| logged.position).map_or(9, i64::unsigned_abs),
                at: Duration::ZERO,
                is_taken: !name.ends_with('!'),
            }
        };
        names.split(' ').map(arrival).collect()
    }

    #[track_caller]
    fn finds(faults: &[Fault], violations: &[Violation]) {
        let found: Vec<Fault> = violations.iter().map(|violation| violation.fault).collect();
        assert_eq!(found, faults, "{violations:#?}");
    }

    #[track_caller]
    fn finds_of(faults: &[Fault], names: &str) {
        finds(faults, &check_arrivals("somebody", &log(), &arrivals(names)));
    }

    #[track_caller]
    fn finds_in_log(faults: &[Fault], difference: impl FnOnce(&mut Vec<Logged>)) {
        let mut log = log();
        difference(&mut log);
        finds(faults, &check_log(&log));
    }

    #[test]
    fn all_is_well_with_meetings_in_any_order_and_with_repeats() {
        finds_in_log(&[], |_| {});
        finds_of(&[], "a1 b1 a2 b2 a3");
        finds_of(&[], "b1 b2 a1 a2 a3");
        finds_of(&[], "a1! a1 b1 a2! b2 a2 a3");
        // Who had it says so too late, and is asked again.
        finds_of(&[], "a1 a1 a2 a1 b1 b1 a3 a2 b2 a3");
    }

    #[test]
    fn what_is_missing_is_found() {
        finds_of(&[Fault::Undelivered], "a1 b1 a2 b2");
        finds_of(&[Fault::Undelivered], "a1 b1 b2 a3");
        // It came, and was not taken.
        finds_of(&[Fault::Undelivered], "a1 b1 a2 b2! a3");
        finds(&[Fault::Undelivered; 5], &check_arrivals("nobody", &log(), &[]));
    }

    #[test]
    fn what_nobody_committed_is_found() {
        finds_of(&[Fault::Uncommitted], "a1 b1 a2 b2 a3 c1");
        finds_of(&[Fault::Uncommitted], "a1 b1 a2 b2 a3 a4!");
        for change in [
            |arrival: &mut Arrival| arrival.meeting = "c".to_owned(),
            |arrival: &mut Arrival| arrival.sequence = 6,
        ] {
            let mut arrivals = arrivals("a1 b1 a2 b2 a3");
            change(&mut arrivals[3]);
            finds(&[Fault::Uncommitted], &check_arrivals("somebody", &log(), &arrivals));
        }
    }

    #[test]
    fn what_comes_out_of_order_is_found() {
        finds_of(&[Fault::Disorder, Fault::Disorder], "a1 b1 a3 a2 b2");
        finds_of(&[Fault::Disorder, Fault::Disorder], "a1 b2 a2 b1 b2 a3");
        // In order for who believes what was refused, and for who does not.
        finds_of(&[Fault::Disorder], "a1 b1! b2 b1 a2 a3");
        finds_of(&[Fault::Disorder], "a1 b2! b1 b2 a2 a3");
    }

    #[test]
    fn a_log_with_a_hole_or_in_disorder_is_found() {
        finds_in_log(&[Fault::Undelivered], |log| log[4].position = None);
        finds_in_log(&[Fault::Disorder], |log| log[3].position = Some(4));
        finds_in_log(&[Fault::Disorder], |log| {
            (log[2].position, log[4].position) = (Some(4), Some(3));
        });
    }
}
