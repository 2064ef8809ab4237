//! Nobody is in two places at once, and the second wall stands where the live meetings are.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fault, Violations};
use crate::faults::found::{Busy, Found};

pub(super) fn check(found: &Found, violations: &mut Violations) {
    let mut expected = BTreeSet::new();
    for meeting in found.meetings.values().filter(|meeting| meeting.is_live()) {
        for person in meeting.people() {
            expected.insert(Busy {
                meeting: meeting.id.clone(),
                person: person.to_owned(),
                from: meeting.place.start,
                to: meeting.place.end(),
            });
        }
    }
    let there: BTreeSet<Busy> = found.busy.iter().cloned().collect();
    for missing in expected.difference(&there) {
        violations.add(Fault::Half, format!("{missing:?} is missing"));
    }
    for extra in there.difference(&expected) {
        violations.add(Fault::Half, format!("{extra:?} without a live meeting"));
    }
    let mut calendars: BTreeMap<&str, Vec<&Busy>> = BTreeMap::new();
    for busy in &expected {
        calendars.entry(&busy.person).or_default().push(busy);
    }
    for calendar in calendars.values_mut() {
        calendar.sort_by_key(|busy| busy.from);
        for two in calendar.windows(2).filter(|two| two[0].to > two[1].from) {
            violations.add(Fault::Overlap, format!("{two:?}"));
        }
    }
}
