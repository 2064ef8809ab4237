//! How far a booking, or a list of slots, has to look, and what becomes of what it sees: the calendar
//! that a therapist's hours, overrides, settings and meetings make together.
//!
//! A therapist's settings say how far: with none that is the span itself. What is kept free between meetings takes it further, and
//! limits of a day or a week take in all of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::availability::WeeklyHours;
use crate::calendar::Calendar;
use crate::calendars::{Busy, Calendars, ScopeTooNarrow};
use crate::diary::{Diaries, DiariesQuery, Diary};
use crate::hold::Viewer;
use crate::id::{MeetingId, UserId};
use crate::kept;
use crate::overrides::{AvailabilityOverride, Overrides};
use crate::settings::{Buffers, Settings, TherapistSettings};
use crate::span::{Span, SpanSet};
use crate::store::Scope;
use crate::terms::{FullDates, Terms, monday_of};
use crate::tzdb::local_time;

/// A local date lies within so many hours of the date of UTC with the same name.
const DATE_OFF_BY: TimeDelta = TimeDelta::hours(16);

/// What is to be loaded of a therapist's meetings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// For [`Scope::busy_within`].
    busy: Span,
    /// For [`Scope::counted_within`].
    counted: Option<Span>,
}

impl Look {
    /// What has to be seen to tell what can begin, or take place, within `span`.
    pub(crate) fn of(therapist: &TherapistSettings, zone: Tz, span: Span) -> Self {
        let TherapistSettings { settings, widest, .. } = therapist;
        let Buffers { before, after } = settings.buffers;
        let near = hull(
            span.start() - (widest.after.to_delta() + before.to_delta()),
            span.end() + (widest.before.to_delta() + after.to_delta()),
            span,
        );
        let counted = counting_within(settings, zone, span);
        let busy = counted.map_or(near, |counted| hull(counted.start(), counted.end(), near));
        Self { busy, counted }
    }

    /// What has to be seen for each of some spans: live meetings around each, and those that are over
    /// in one piece, as few of them are ever still to come.
    pub(crate) fn around(
        therapist: &TherapistSettings,
        zone: Tz,
        spans: impl Iterator<Item = Span>,
    ) -> (SpanSet, Option<Span>) {
        let looks: Vec<Self> = spans.map(|span| Self::of(therapist, zone, span)).collect();
        let counted = looks.iter().filter_map(|look| look.counted);
        let counted = counted.reduce(|one, other| hull(one.start(), one.end(), other));
        (looks.iter().map(|look| look.busy).collect(), counted)
    }

    /// Whether all of it was loaded: live meetings, where `busy` says so, and those that are over.
    pub(crate) fn is_within(&self, busy: impl Fn(Span) -> bool, counted: Option<Span>) -> bool {
        let is_loaded = |wanted| counted.is_some_and(|loaded| loaded.encloses(wanted));
        busy(self.busy) && self.counted.is_none_or(is_loaded)
    }

    /// Whether something that begins then counts for a limit.
    fn counts(&self, start: DateTime<Utc>) -> bool {
        self.counted.is_some_and(|counted| counted.contains(start))
    }

    /// What has to be seen for this and for another.
    fn and(self, other: Self) -> Self {
        let both = |one: Span, other: Span| hull(one.start(), one.end(), other);
        let counted = match (self.counted, other.counted) {
            (Some(one), Some(other)) => Some(both(one, other)),
            (one, other) => one.or(other),
        };
        Self { busy: both(self.busy, other.busy), counted }
    }
}

/// What holds at least `from` to `to`, and another span.
fn hull(from: DateTime<Utc>, to: DateTime<Utc>, span: Span) -> Span {
    Span::new(from.min(span.start()), to.max(span.end())).unwrap_or(span)
}

/// In which all meetings begin that count for limits of the dates on which something begins in `span`.
fn counting_within(settings: &Settings, zone: Tz, span: Span) -> Option<Span> {
    let dates = [span.start(), span.end()].map(|at| local_time(zone, at).date_naive());
    let [first, last] = match (settings.most_a_day, settings.most_a_week) {
        (None, None) => return None,
        (_, Some(_)) => [monday_of(dates[0]), monday_of(dates[1]) + Days::new(6)],
        (Some(_), None) => dates,
    };
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    Span::new(midnight(first) - DATE_OFF_BY, midnight(last) + TimeDelta::days(1) + DATE_OFF_BY)
}

/// When a meeting, and whatever a therapist keeps free around it, is in the way of one that would be
/// booked with these buffers.
pub(crate) fn kept_free(span: Span, buffers: Buffers, new: Buffers) -> Span {
    let start = span.start() - (new.after.to_delta() + buffers.before.to_delta());
    let end = span.end() + (buffers.after.to_delta() + new.before.to_delta());
    hull(start, end, span)
}

impl Terms {
    /// What a therapist's settings come to, in their zone, when their meetings begin at these times.
    pub(crate) fn counting(
        settings: &Settings,
        zone: Tz,
        starts: impl Iterator<Item = DateTime<Utc>>,
    ) -> Self {
        let mut terms = Self::of(settings);
        let Settings { most_a_day, most_a_week, .. } = settings;
        if most_a_day.is_none() && most_a_week.is_none() {
            return terms;
        }
        let mut a_day: BTreeMap<NaiveDate, u32> = BTreeMap::new();
        let mut a_week: BTreeMap<NaiveDate, u32> = BTreeMap::new();
        for start in starts {
            let date = local_time(zone, start).date_naive();
            *a_day.entry(date).or_default() += 1;
            *a_week.entry(monday_of(date)).or_default() += 1;
        }
        let full = |counts: BTreeMap<NaiveDate, u32>, most: Option<u32>| {
            let is_full = move |count: u32| most.is_some_and(|most| count >= most);
            counts.into_iter().filter(move |(_, count)| is_full(*count)).map(|(date, _)| date)
        };
        terms.full = FullDates {
            days: full(a_day, most_a_day.map(Into::into)).collect(),
            weeks: full(a_week, most_a_week.map(Into::into)).collect(),
        };
        terms
    }
}

impl Calendars {
    /// What a booking with `therapist` has to fit into: their hours, meant in their zone, minus what
    /// keeps any of `people` busy within `span`, and the terms of their settings. The zone is `zone`,
    /// the directory's, unless the settings name another. `except` is a meeting that does not count:
    /// the one that moves. `viewer` is who wants to book: what is held for others is taken.
    ///
    /// # Errors
    /// [`ScopeTooNarrow`] when the scope does not cover the question.
    pub fn calendar(
        &self,
        therapist: &UserId,
        zone: Tz,
        people: &[&UserId],
        span: Span,
        except: Option<MeetingId>,
        viewer: Viewer<'_>,
    ) -> Result<Calendar, ScopeTooNarrow> {
        let of_therapist = self.settings_of(therapist)?;
        let settings = &of_therapist.settings;
        let zone = settings.zone.unwrap_or(zone);
        let (look, dates) = (Look::of(&of_therapist, zone, span), Overrides::dates_around(span));
        let covered = self.scope.hours_of.as_ref() == Some(therapist)
            && people.iter().all(|person| self.scope.people.contains(*person))
            && self.names_overrides(dates)
            && look
                .is_within(|busy| self.scope.busy_within.encloses(busy), self.scope.counted_within);
        if !covered {
            return Err(ScopeTooNarrow);
        }
        // Not more than has to be seen, whatever else was loaded: each session of a series costs what
        // it would by itself.
        let is_taken = |busy: &Busy| {
            if Some(busy.meeting) == except || !busy.span.overlaps(look.busy) {
                None
            } else if busy.therapist == *therapist && people.contains(&therapist) {
                Some(kept_free(busy.span, busy.buffers, settings.buffers))
            } else {
                busy.concerns(people).then_some(busy.span)
            }
        };
        let held = kept::taken_by(&self.holds, viewer, settings.buffers);
        let linked = self.external.iter().filter(|_| people.contains(&therapist));
        let linked = linked.filter(|span| span.overlaps(look.busy));
        let linked = linked.map(|span| kept_free(*span, Buffers::NONE, settings.buffers));
        let meetings = self.busy.iter().filter_map(is_taken);
        let taken: SpanSet = meetings.chain(held).chain(linked).collect();
        let terms = self.terms(therapist, settings, zone, except, look, viewer);
        let hours = WeeklyHours::from_iter(&self.hours);
        let is_near = |one: &&AvailabilityOverride| {
            one.dates.first() <= dates.1 && dates.0 <= one.dates.last()
        };
        let overrides = self.overrides.iter().filter(is_near).collect();
        Ok(Calendar { zone, hours, overrides, taken, terms })
    }

    fn names_overrides(&self, (first, last): (NaiveDate, NaiveDate)) -> bool {
        let loaded = self.scope.overrides_on;
        loaded.is_some_and(|(from, to)| from <= first && last <= to)
    }

    /// All overrides of a therapist, whose calendar must be locked.
    ///
    /// # Errors
    /// [`ScopeTooNarrow`] when the scope does not cover the question.
    pub fn overrides_of(
        &self,
        therapist: &UserId,
    ) -> Result<&[AvailabilityOverride], ScopeTooNarrow> {
        let loaded = self.scope.hours_of.as_ref() == Some(therapist)
            && self.names_overrides((NaiveDate::MIN, NaiveDate::MAX));
        let locked = self.scope.people.contains(therapist);
        if loaded && locked { Ok(&self.overrides) } else { Err(ScopeTooNarrow) }
    }

    /// The settings of a therapist: those that hold for everybody, if they have set nothing.
    ///
    /// # Errors
    /// [`ScopeTooNarrow`] when the scope does not cover the question.
    pub fn settings_of(
        &self,
        therapist: &UserId,
    ) -> Result<Cow<'_, TherapistSettings>, ScopeTooNarrow> {
        if !self.scope.settings_of.contains(therapist) {
            return Err(ScopeTooNarrow);
        }
        let unset = || Cow::Owned(TherapistSettings::unset(therapist.clone()));
        Ok(self.settings.get(therapist).map_or_else(unset, Cow::Borrowed))
    }

    /// The same, as far as the meetings are loaded.
    pub(crate) fn terms(
        &self,
        therapist: &UserId,
        settings: &Settings,
        zone: Tz,
        except: Option<MeetingId>,
        look: Look,
        viewer: Viewer<'_>,
    ) -> Terms {
        let live = self.busy.iter().filter(|busy| busy.therapist == *therapist);
        let live = live.map(|busy| (busy.meeting, busy.span.start()));
        let over = self.counted.iter().map(|counted| (counted.meeting, counted.start));
        let counts = |(meeting, start): &(MeetingId, DateTime<Utc>)| {
            Some(*meeting) != except && look.counts(*start)
        };
        let all = live.chain(over).filter(counts).map(|(_, start)| start);
        let kept = self.holds.iter().filter(|hold| hold.keeps_from(viewer)).map(|hold| hold.start);
        Terms::counting(settings, zone, all.chain(kept.filter(|start| look.counts(*start))))
    }

    /// The scope that has all that bears on what begins, or takes place, in `span`, where this one has
    /// not: the therapist's settings ask for more than is known before they are read. `zone` is that
    /// of the directory.
    pub(crate) fn wider(&self, therapist: &UserId, zone: Tz, span: Span) -> Option<Scope> {
        let settings = self.settings_of(therapist).ok()?;
        let look = Look::of(&settings, settings.settings.zone.unwrap_or(zone), span);
        let Scope { busy_within, counted_within, .. } = &self.scope;
        let wider = || Scope {
            busy_within: look.busy.into(),
            counted_within: look.counted,
            ..self.scope.clone()
        };
        let is_narrow = !look.is_within(|busy| busy_within.encloses(busy), *counted_within);
        is_narrow.then(wider)
    }
}

impl Diaries {
    /// The query that finds all that bears on what begins, or takes place, in `span`, where this one
    /// has not.
    pub(crate) fn wider(&self, query: &DiariesQuery, span: Span) -> Option<DiariesQuery> {
        let look = |diary: &Diary| {
            let settings = diary.settings.as_ref()?;
            Some(Look::of(settings, diary.zone()?, span))
        };
        let looks = self.therapists.values().filter_map(look);
        let Look { busy, counted } = looks.reduce(Look::and)?;
        let wider =
            || DiariesQuery { within: Some(busy), counted_within: counted, ..query.clone() };
        let is_loaded = |wanted| query.within.is_some_and(|within| within.encloses(wanted));
        (!Look { busy, counted }.is_within(is_loaded, query.counted_within)).then(wider)
    }
}
