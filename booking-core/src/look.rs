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
use crate::id::{MeetingId, UserId};
use crate::overrides::{AvailabilityOverride, Overrides};
use crate::settings::{Buffers, Settings, TherapistSettings};
use crate::span::{Span, SpanSet};
use crate::store::{Busy, Calendars, Scope, ScopeTooNarrow};
use crate::terms::{FullDates, Terms, monday_of};

/// A local date lies within so many hours of the date of UTC with the same name.
const DATE_OFF_BY: TimeDelta = TimeDelta::hours(16);

/// What is to be loaded of a therapist's meetings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// For [`Scope::busy_within`].
    busy: Span,
    /// For [`Scope::held_within`].
    held: Option<Span>,
}

impl Look {
    /// What has to be seen to tell what can begin, or take place, within `span`.
    pub(crate) fn of(therapist: &TherapistSettings, zone: Tz, span: Span) -> Self {
        let TherapistSettings { settings, widest, .. } = therapist;
        let Buffers { before, after } = settings.buffers;
        let near = hull(
            span.start() - (widest.after.minutes() + before.minutes()),
            span.end() + (widest.before.minutes() + after.minutes()),
            span,
        );
        let held = counted(settings, zone, span);
        Self { busy: held.map_or(near, |held| hull(held.start(), held.end(), near)), held }
    }

    /// Whether all of it was loaded.
    pub(crate) fn is_within(&self, scope: &Scope) -> bool {
        let covers = |loaded: Option<Span>, wanted| loaded.is_some_and(|l| l.encloses(wanted));
        covers(scope.busy_within, self.busy)
            && self.held.is_none_or(|held| covers(scope.held_within, held))
    }

    /// The scope in which it is.
    pub(crate) fn widen(self, scope: &Scope) -> Scope {
        Scope { busy_within: Some(self.busy), held_within: self.held, ..scope.clone() }
    }
}

/// What holds at least `from` to `to`, and another span.
fn hull(from: DateTime<Utc>, to: DateTime<Utc>, span: Span) -> Span {
    Span::new(from.min(span.start()), to.max(span.end())).unwrap_or(span)
}

/// In which all meetings begin that count for limits of the dates on which something begins in `span`.
fn counted(settings: &Settings, zone: Tz, span: Span) -> Option<Span> {
    let dates = [span.start(), span.end()].map(|at| at.with_timezone(&zone).date_naive());
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
pub(crate) fn kept_free(busy: &Busy, new: Buffers) -> Span {
    let start = busy.span.start() - (new.after.minutes() + busy.buffers.before.minutes());
    let end = busy.span.end() + (busy.buffers.after.minutes() + new.before.minutes());
    hull(start, end, busy.span)
}

impl Calendars {
    /// What a booking with `therapist` has to fit into: their hours, meant in their zone, minus what
    /// keeps any of `people` busy within `span`, and the terms of their settings. The zone is `zone`,
    /// the directory's, unless the settings name another. `except` is a meeting that does not count:
    /// the one that moves.
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
    ) -> Result<Calendar, ScopeTooNarrow> {
        let of_therapist = self.settings_of(therapist)?;
        let settings = &of_therapist.settings;
        let zone = settings.zone.unwrap_or(zone);
        let covered = self.scope.hours_of.as_ref() == Some(therapist)
            && people.iter().all(|person| self.scope.people.contains(*person))
            && self.names_overrides(Overrides::dates_around(span))
            && Look::of(&of_therapist, zone, span).is_within(&self.scope);
        if !covered {
            return Err(ScopeTooNarrow);
        }
        let is_taken = |busy: &Busy| {
            if Some(busy.meeting) == except {
                None
            } else if busy.therapist == *therapist && people.contains(&therapist) {
                Some(kept_free(busy, settings.buffers))
            } else {
                busy.concerns(people).then_some(busy.span)
            }
        };
        let taken: SpanSet = self.busy.iter().filter_map(is_taken).collect();
        let terms = self.terms(therapist, settings, zone, except);
        let hours = WeeklyHours::from_iter(&self.hours);
        Ok(Calendar { zone, hours, overrides: Overrides::from_iter(&self.overrides), taken, terms })
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

    /// When a person is busy within `span`, in whatever role, with nothing kept free around it: for
    /// somebody who wants to be a client.
    ///
    /// # Errors
    /// [`ScopeTooNarrow`] when the scope does not cover the question.
    pub fn busy_of(&self, person: &UserId, span: Span) -> Result<SpanSet, ScopeTooNarrow> {
        let covered = self.scope.people.contains(person)
            && self.scope.busy_within.is_some_and(|within| within.encloses(span));
        let mine = self.busy.iter().filter(|busy| busy.concerns(&[person]));
        if covered { Ok(mine.map(|busy| busy.span).collect()) } else { Err(ScopeTooNarrow) }
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

    /// What a therapist's settings come to, in their zone, as far as the meetings are loaded.
    pub(crate) fn terms(
        &self,
        therapist: &UserId,
        settings: &Settings,
        zone: Tz,
        except: Option<MeetingId>,
    ) -> Terms {
        let mut terms = Terms::of(settings);
        let Settings { most_a_day, most_a_week, .. } = settings;
        if most_a_day.is_none() && most_a_week.is_none() {
            return terms;
        }
        let live = self.busy.iter().filter(|busy| busy.therapist == *therapist);
        let live = live.map(|busy| (busy.meeting, busy.span.start()));
        let held = self.held.iter().map(|held| (held.meeting, held.start));
        let mut a_day: BTreeMap<NaiveDate, u32> = BTreeMap::new();
        let mut a_week: BTreeMap<NaiveDate, u32> = BTreeMap::new();
        for (_, start) in live.chain(held).filter(|(meeting, _)| Some(*meeting) != except) {
            let date = start.with_timezone(&zone).date_naive();
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

    /// The scope that has all that bears on what begins, or takes place, in `span`, where this one has
    /// not: the therapist's settings ask for more than is known before they are read. `zone` is that
    /// of the directory.
    pub(crate) fn wider(&self, therapist: &UserId, zone: Tz, span: Span) -> Option<Scope> {
        let settings = self.settings_of(therapist).ok()?;
        let look = Look::of(&settings, settings.settings.zone.unwrap_or(zone), span);
        (!look.is_within(&self.scope)).then(|| look.widen(&self.scope))
    }
}
