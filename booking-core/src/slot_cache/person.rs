//! What is remembered of one person, and for how long it is believed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;
use tokio::time::Instant;

use crate::kept::DiaryCalendar;
use crate::span::SpanSet;

/// How long something is believed, from before it was read or asked whether it still holds: other
/// processes' changes show within a second even if nobody says anything, for one may die between its
/// commit and its signal.
const BELIEVED: Duration = Duration::from_millis(900);
/// From when on it is asked about when others are.
const DUE: Duration = Duration::from_millis(450);
/// How many dates of one person are kept, of either kind.
const MOST_DATES: usize = 32;

/// What is known of somebody.
pub(super) struct Person {
    /// Since when nothing was missed; see [`Hub::epoch`](crate::Hub).
    pub(super) epoch: u64,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Of which all the days are; `None` where the store does not count.
    revision: Option<Revision>,
    /// Their days as a therapist.
    receives: Days<Option<DiaryCalendar>>,
    /// Their days as somebody's client.
    busy: Days<SpanSet>,
}

/// How often a calendar had changed, and no earlier than when that was read.
#[derive(Clone, Copy)]
struct Revision {
    number: u64,
    since: Instant,
}

/// A day that is remembered.
pub(super) struct Recalled<T> {
    pub(super) what: Arc<T>,
    pub(super) belief: Belief,
}

/// Whether it may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Belief {
    Firm,
    /// Not before somebody has asked whether the calendar's revision is still the same.
    Doubted,
}

/// What was found out of somebody, and when that began.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub(super) date: NaiveDate,
    pub(super) began: Instant,
    pub(super) revision: Option<u64>,
}

impl Person {
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch, known: Mutex::default() }
    }

    pub(super) fn receives(
        &self,
        date: NaiveDate,
        now: Instant,
    ) -> Option<Recalled<Option<DiaryCalendar>>> {
        let known = self.lock();
        known.receives.recall(date, now, known.revision)
    }

    pub(super) fn busy(&self, date: NaiveDate, now: Instant) -> Option<Recalled<SpanSet>> {
        let known = self.lock();
        known.busy.recall(date, now, known.revision)
    }

    pub(super) fn note_receives(&self, reading: Reading, what: &Arc<Option<DiaryCalendar>>) {
        self.lock().note(reading, |known| known.receives.note(reading, what));
    }

    pub(super) fn note_busy(&self, reading: Reading, what: &Arc<SpanSet>) {
        self.lock().note(reading, |known| known.busy.note(reading, what));
    }

    /// Whether it is worth asking how often their calendar has changed.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let revision = self.lock().revision;
        revision.is_some_and(|revision| now.saturating_duration_since(revision.since) >= DUE)
    }

    /// Told the number of the revision, after it was asked for at this time: what is remembered holds
    /// for longer, or is forgotten.
    pub(super) fn judge(&self, number: Option<u64>, asked: Instant) {
        let mut known = self.lock();
        let Some(revision) = &mut known.revision else { return };
        if Some(revision.number) == number {
            revision.since = revision.since.max(asked);
        } else if revision.since < asked {
            *known = Known::default();
        }
    }

    /// What is behind this lock is right after every statement.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// All days are of one revision: what was read of another takes the place of everything.
    fn note(&mut self, reading: Reading, note: impl FnOnce(&mut Self)) {
        let number = self.revision.map(|revision| revision.number);
        if number != reading.revision {
            if self.revision.is_some_and(|revision| revision.since > reading.began) {
                return;
            }
            *self = Self::default();
        }
        self.revision = reading.revision.map(|number| {
            let before = self.revision.map(|revision| revision.since);
            Revision { number, since: before.map_or(reading.began, |at| at.max(reading.began)) }
        });
        note(self);
    }
}

/// What was read of some dates, those noted last behind.
struct Days<T>(Vec<Day<T>>);

struct Day<T> {
    date: NaiveDate,
    /// No later than when it began to be read.
    began: Instant,
    what: Arc<T>,
}

impl<T> Default for Days<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Days<T> {
    fn recall(
        &self,
        date: NaiveDate,
        now: Instant,
        revision: Option<Revision>,
    ) -> Option<Recalled<T>> {
        let day = self.0.iter().find(|day| day.date == date)?;
        let since = revision.map_or(day.began, |revision| revision.since);
        let belief = match (is_believed(since, now), revision) {
            (true, _) => Belief::Firm,
            (false, Some(_)) => Belief::Doubted,
            (false, None) => return None,
        };
        Some(Recalled { what: day.what.clone(), belief })
    }

    fn note(&mut self, reading: Reading, what: &Arc<T>) {
        let Reading { date, began, revision } = reading;
        let now = Instant::now();
        let is_kept = |day: &Day<T>| revision.is_some() || is_believed(day.began, now);
        self.0.retain(|day| day.date != date && is_kept(day));
        if self.0.len() == MOST_DATES {
            self.0.remove(0);
        }
        self.0.push(Day { date, began, what: what.clone() });
    }
}

fn is_believed(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < BELIEVED
}
