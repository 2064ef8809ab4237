//! Whoever asks later sees what was acknowledged before: versions never go back.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Fault, Violations};
use crate::faults::history::{Asked, Attempt, Outcome, Seen};

/// Somebody saw a version of a meeting.
#[derive(Debug, Clone, Copy)]
struct Sight {
    begun: Duration,
    ended: Duration,
    version: u64,
    /// Made it, rather than found it.
    is_change: bool,
}

pub(super) fn check(history: &[Attempt], violations: &mut Violations) {
    let mut sights: BTreeMap<&str, Vec<Sight>> = BTreeMap::new();
    for attempt in history {
        let Outcome::Acked(Seen::Meeting(meeting)) = &attempt.outcome else { continue };
        // A repeat tells how the meeting was when it was booked.
        let is_change = match attempt.request.asked {
            Asked::Book { .. } => continue,
            Asked::Read { .. } => false,
            _ => true,
        };
        let Attempt { begun, ended, .. } = *attempt;
        let sight = Sight { begun, ended, version: meeting.version, is_change };
        sights.entry(&meeting.id).or_default().push(sight);
    }
    for (id, mut later) in sights {
        let mut earlier = later.clone();
        earlier.sort_by_key(|sight| sight.ended);
        later.sort_by_key(|sight| sight.begun);
        let mut earlier = earlier.into_iter().peekable();
        let mut newest = 0;
        for sight in later {
            while let Some(over) = earlier.next_if(|over| over.ended < sight.begun) {
                newest = newest.max(over.version);
            }
            if sight.version < newest + u64::from(sight.is_change) {
                let detail = format!("{id}: {sight:?}, after somebody saw version {newest}");
                violations.add(Fault::Version, detail);
            }
        }
    }
}
