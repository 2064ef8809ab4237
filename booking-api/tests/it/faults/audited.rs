//! Whether every change is on record, once, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use booking_core::{AvailabilityId, MeetingId};

use super::check::{Fault, Violation};
use super::database::Database;
use super::found::Found;
use super::history::{Asked, Attempt, Outcome, Tag};

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) action: String,
    pub(crate) subject: String,
    /// Of a meeting.
    pub(crate) version: Option<u64>,
}

/// All entries about meetings and availability.
pub(crate) async fn read(database: &Database) -> Vec<Entry> {
    let rows: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT action, subject_id, (
            SELECT change ->> 'after' FROM json_array_elements(fields -> 'changes') AS change
            WHERE change ->> 'field' = 'version'
         )
         FROM audit_entry WHERE subject_kind IN ('meeting', 'availability')",
    )
    .fetch_all(&mut database.connection().await)
    .await
    .expect("an audit log");
    let entry = |(action, subject, version): (String, String, Option<String>)| {
        let version = version.map(|version| version.parse().expect("a number"));
        Entry { action, subject, version }
    };
    rows.into_iter().map(entry).collect()
}

/// Pure. That the changes are those which were acknowledged is for [`super::check`] to say.
pub(crate) fn check(history: &[Attempt], found: &Found, entries: &[Entry]) -> Vec<Violation> {
    let mut of_subject: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        of_subject.entry(&entry.subject).or_default().push(entry);
    }
    let known = found.meetings.keys().chain(found.slots.keys()).map(String::as_str);
    let subjects: BTreeSet<&str> = known.chain(of_subject.keys().copied()).collect();
    let mut violations = vec![];
    for subject in subjects {
        let entries = of_subject.get(subject).map_or(&[][..], Vec::as_slice);
        let is_well = if subject.parse::<MeetingId>().is_ok() {
            is_each_version_once(found, subject, entries)
        } else {
            assert!(subject.parse::<AvailabilityId>().is_ok(), "{subject}");
            is_each_change_of_hours_once(history, found, subject, entries)
        };
        if !is_well {
            let detail = format!("what is on record of {subject}: {entries:?}");
            violations.push(Violation { fault: Fault::Unrecorded, detail });
        }
    }
    violations
}

fn is_each_version_once(found: &Found, id: &str, entries: &[&Entry]) -> bool {
    let last = found.meetings.get(id).map_or(0, |meeting| meeting.version);
    let mut versions: Vec<_> = entries.iter().map(|entry| entry.version).collect();
    versions.sort_unstable();
    let is_made = |entry: &&&Entry| entry.action == "meeting.created";
    last > 0
        && versions.into_iter().eq((1..=last).map(Some))
        && entries.iter().filter(is_made).map(|entry| entry.version).eq([Some(1)])
}

fn is_each_change_of_hours_once(
    history: &[Attempt],
    found: &Found,
    id: &str,
    entries: &[&Entry],
) -> bool {
    let count = |action: &str| entries.iter().filter(|entry| entry.action == action).count();
    let of_this = history.iter().filter(
        |attempt| matches!(&attempt.request.asked, Asked::Change { slot, .. } if slot == id),
    );
    // One that nobody was told of may have been done, and its repeat too.
    let perhaps: Vec<&Attempt> =
        of_this.filter(|a| matches!(a.outcome, Outcome::Acked(_) | Outcome::Unknown)).collect();
    let acked = perhaps.iter().filter(|attempt| matches!(attempt.outcome, Outcome::Acked(_)));
    let acked: BTreeSet<Tag> = acked.map(|attempt| attempt.request.tag).collect();
    count("availability.created") == 1
        && count("availability.deleted") == usize::from(!found.slots.contains_key(id))
        && (acked.len()..=perhaps.len()).contains(&count("availability.updated"))
}

#[test]
fn what_is_not_on_record_once_is_found() {
    let id = |n| MeetingId::from_uuid(uuid::Uuid::from_u128(n)).to_string();
    let meeting = super::history::Meeting {
        id: id(1),
        version: 2,
        client: "c1".to_owned(),
        place: super::history::Place { therapist: "t1".to_owned(), start: 0, minutes: 60 },
        status: "CANCELLED".to_owned(),
        title: String::new(),
    };
    let found = Found { meetings: [(id(1), meeting)].into(), ..Found::default() };
    let entry = |action: &str, subject: String, version: u64| Entry {
        action: action.to_owned(),
        subject,
        version: Some(version),
    };
    let made = entry("meeting.created", id(1), 1);
    let cancelled = entry("meeting.cancelled", id(1), 2);
    let slot = AvailabilityId::from_uuid(uuid::Uuid::nil()).to_string();
    let hours = |action: &str| entry(action, slot.clone(), 0);
    let wrong = |entries: &[&Entry]| {
        let entries: Vec<Entry> = entries.iter().copied().cloned().collect();
        check(&[], &found, &entries).len()
    };
    assert_eq!(wrong(&[&made, &cancelled]), 0);
    assert_eq!(wrong(&[&made]), 1, "one is missing");
    assert_eq!(wrong(&[&cancelled]), 1);
    assert_eq!(wrong(&[&made, &cancelled, &cancelled]), 1, "one is there twice");
    assert_eq!(wrong(&[&made, &made, &cancelled]), 1);
    assert_eq!(wrong(&[&made, &cancelled, &entry("meeting.created", id(2), 1)]), 1, "no meeting");
    let [opened, closed] = ["availability.created", "availability.deleted"].map(hours);
    assert_eq!(wrong(&[&made, &cancelled, &opened, &closed]), 0);
    assert_eq!(wrong(&[&made, &cancelled, &opened]), 1, "it is no longer there");
    assert_eq!(wrong(&[&made, &cancelled, &closed]), 1);
    let changed = hours("availability.updated");
    assert_eq!(wrong(&[&made, &cancelled, &opened, &changed, &closed]), 1, "nobody asked for it");
}
