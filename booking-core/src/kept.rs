//! A therapist's calendar with the holds beside it: they come and go by the clock, and are not the same
//! for everybody.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::calendar::Calendar;
use crate::hold::{Hold, Viewer};
use crate::look::kept_free;
use crate::settings::{Buffers, Settings};
use crate::span::Span;
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
    pub fn seen_by(&self, viewer: Viewer<'_>) -> Cow<'_, Calendar> {
        match &self.kept {
            Some(kept) if kept.from(viewer).next().is_some() => {
                Cow::Owned(kept.without(&self.calendar, viewer))
            }
            _ => Cow::Borrowed(&self.calendar),
        }
    }

    /// The same of who needs it once.
    #[must_use]
    pub fn into_seen_by(self, viewer: Viewer<'_>) -> Calendar {
        let Self { calendar, kept } = self;
        match kept.filter(|kept| kept.from(viewer).next().is_some()) {
            Some(kept) => kept.without(&calendar, viewer),
            None => calendar,
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

    fn without(&self, calendar: &Calendar, viewer: Viewer<'_>) -> Calendar {
        let Self { holds, settings, starts } = self;
        let held = taken_by(holds, viewer, settings.buffers).collect();
        let starts = starts.iter().copied().chain(self.from(viewer).map(|hold| hold.start));
        Calendar {
            taken: calendar.taken.union(&held),
            terms: Terms::counting(settings, calendar.zone, starts),
            ..calendar.clone()
        }
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
