//! A therapist's calendar with the holds beside it: they come and go by the clock, and are not the same
//! for everybody.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::calendar::{Calendar, Sight};
use crate::hold::{Hold, Viewer};
use crate::look::kept_free;
use crate::settings::{Buffers, Settings};
use crate::slot::{Day, Slot};
use crate::span::{Span, SpanSet};
use crate::terms::Terms;

/// What a therapist's calendar is, before it is known who looks at it and when.
#[derive(Debug, Clone)]
pub struct DiaryCalendar {
    calendar: Calendar,
    kept: Option<Box<Kept>>,
}

/// What is needed where there are holds.
#[derive(Debug, Clone)]
struct Kept {
    holds: Vec<Hold>,
    settings: Settings,
    /// When those of the therapist's meetings begin that count for limits.
    starts: Vec<DateTime<Utc>>,
}

impl DiaryCalendar {
    /// With the starts that count for limits, which `calendar` has counted; they are looked at where
    /// there are holds.
    pub(crate) fn new(
        calendar: Calendar,
        holds: Vec<Hold>,
        settings: &Settings,
        starts: impl Iterator<Item = DateTime<Utc>>,
    ) -> Self {
        let kept = (!holds.is_empty()).then(|| {
            Box::new(Kept { holds, settings: settings.clone(), starts: starts.collect() })
        });
        Self { calendar, kept }
    }

    /// What a booking of this viewer would have to fit into.
    #[must_use]
    pub fn seen_by(&self, viewer: Viewer<'_>) -> CalendarView<'_> {
        let Self { calendar, kept } = self;
        let Calendar { taken, terms, .. } = calendar;
        let view =
            CalendarView { calendar, taken: Cow::Borrowed(taken), terms: Cow::Borrowed(terms) };
        match kept.as_ref().filter(|kept| kept.from(viewer).next().is_some()) {
            Some(kept) => kept.taken_out_of(view, viewer),
            None => view,
        }
    }

    /// When it becomes another for this viewer because a hold expires, if nothing else happens.
    #[must_use]
    pub fn changes_at(&self, viewer: Viewer<'_>) -> Option<DateTime<Utc>> {
        self.kept.as_ref()?.from(viewer).map(|hold| hold.expires_at).min()
    }
}

impl Kept {
    fn from(&self, viewer: Viewer<'_>) -> impl Iterator<Item = &Hold> {
        self.holds.iter().filter(move |hold| hold.keeps_from(viewer))
    }

    fn taken_out_of<'a>(&self, view: CalendarView<'a>, viewer: Viewer<'_>) -> CalendarView<'a> {
        let Self { holds, settings, starts } = self;
        let held = taken_by(holds, viewer, settings.buffers).collect();
        let starts = starts.iter().copied().chain(self.from(viewer).map(|hold| hold.start));
        let terms = Cow::Owned(Terms::counting(settings, view.calendar.zone, starts));
        CalendarView { terms, ..view }.and_busy(&held)
    }
}

/// A [`Calendar`] as one viewer sees it. It borrows all that is the same for everybody.
#[derive(Debug, Clone)]
pub struct CalendarView<'a> {
    calendar: &'a Calendar,
    taken: Cow<'a, SpanSet>,
    terms: Cow<'a, Terms>,
}

impl<'a> CalendarView<'a> {
    /// The same for somebody who is busy themselves then.
    #[must_use]
    pub fn and_busy(self, busy: &SpanSet) -> Self {
        if busy.is_empty() {
            return self;
        }
        Self { taken: Cow::Owned(self.taken.union(busy)), ..self }
    }

    /// The IANA zone in which the hours are meant.
    #[must_use]
    pub const fn zone(&self) -> Tz {
        self.calendar.zone
    }

    /// What else has to hold of a start.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// As [`Calendar::slots`].
    #[must_use]
    pub fn slots(&self, date: NaiveDate, now: DateTime<Utc>) -> Vec<Slot> {
        self.sight().slots(date, now)
    }

    /// As [`Calendar::days`].
    pub fn days(&self, first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = Day<'_>> {
        self.sight().days(first, last)
    }

    fn sight(&self) -> Sight<'_> {
        Sight { calendar: self.calendar, taken: &self.taken, terms: &self.terms }
    }
}

/// When holds of others are in the way of a session that would be booked with these buffers.
pub(crate) fn taken_by(
    holds: &[Hold],
    viewer: Viewer<'_>,
    new: Buffers,
) -> impl Iterator<Item = Span> {
    let kept = holds.iter().filter(move |hold| hold.keeps_from(viewer));
    kept.filter_map(move |hold| Some(kept_free(hold.span()?, hold.buffers, new)))
}
