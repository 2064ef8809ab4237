//! Attempts, put together into operations.

use std::collections::BTreeMap;

use crate::faults::history::{Asked, Attempt, Meeting, Outcome, Request, Seen, Slot, Tag};

/// What became of an operation, as far as the one who asked can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Acknowledged at least once.
    Done,
    /// Perhaps done.
    Unknown,
    /// Not done.
    Refused,
}

/// A request, and all that came of it.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub(super) request: &'a Request,
    pub(super) attempts: Vec<&'a Attempt>,
}

/// By number.
#[derive(Debug)]
pub(super) struct Operations<'a> {
    pub(super) by_tag: BTreeMap<Tag, Operation<'a>>,
    /// Those that change a meeting that is there already.
    pub(super) changes_of: BTreeMap<&'a str, Vec<Tag>>,
}

impl<'a> Operations<'a> {
    pub(super) fn of(history: &'a [Attempt]) -> Self {
        let mut by_tag: BTreeMap<Tag, Operation<'a>> = BTreeMap::new();
        let mut changes_of: BTreeMap<&str, Vec<Tag>> = BTreeMap::new();
        for attempt in history {
            let request = &attempt.request;
            let new = || Operation { request, attempts: Vec::new() };
            by_tag.entry(request.tag).or_insert_with(new).attempts.push(attempt);
            if let Asked::Update { meeting, .. } | Asked::Cancel { meeting, .. } = &request.asked {
                changes_of.entry(meeting).or_default().push(request.tag);
            }
        }
        Self { by_tag, changes_of }
    }

    pub(super) fn get(&self, tag: Tag) -> Option<&Operation<'a>> {
        self.by_tag.get(&tag)
    }

    pub(super) fn changes(&self, meeting: &str) -> impl Iterator<Item = &Operation<'a>> {
        let tags = self.changes_of.get(meeting).into_iter().flatten();
        tags.filter_map(|tag| self.by_tag.get(tag))
    }
}

impl<'a> Operation<'a> {
    pub(super) fn tag(&self) -> Tag {
        self.request.tag
    }

    pub(super) fn asked(&self) -> &'a Asked {
        &self.request.asked
    }

    pub(super) fn fate(&self) -> Fate {
        let any = |is: fn(&Outcome) -> bool| self.attempts.iter().any(|a| is(&a.outcome));
        if any(|outcome| matches!(outcome, Outcome::Acked(_))) {
            Fate::Done
        } else if any(|outcome| matches!(outcome, Outcome::Unknown)) {
            Fate::Unknown
        } else {
            Fate::Refused
        }
    }

    /// What each acknowledgement said of the meeting.
    pub(super) fn meetings(&self) -> impl Iterator<Item = &'a Meeting> {
        self.attempts.iter().filter_map(|attempt| match &attempt.outcome {
            Outcome::Acked(Seen::Meeting(meeting)) => Some(meeting),
            _ => None,
        })
    }

    /// What the acknowledgement said of the window.
    pub(super) fn slot(&self) -> Option<&'a Slot> {
        self.attempts.iter().find_map(|attempt| match &attempt.outcome {
            Outcome::Acked(Seen::Slot(slot)) => Some(slot),
            _ => None,
        })
    }
}
