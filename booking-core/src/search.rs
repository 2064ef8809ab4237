//! Free starts of many therapists over many days, as one viewer sees them.
//!
//! Every therapist's day is one of their own zone, and whoever looks for a time has yet another. Here
//! starts are found as [`Calendar::days`] gives them, and sorted into the dates on which the viewer's
//! clocks show them: what is Monday evening in Los Angeles is Tuesday in Auckland.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::calendar::Calendar;
use crate::diary::DiariesQuery;
use crate::duration::SessionDuration;
use crate::id::UserId;
use crate::kept::CalendarView;
use crate::refusal::Refusal;
use crate::request::PageLimit;
use crate::slot::Slot;
use crate::span::Span;
use crate::zone::{Clocks, DAYS, Seconds};

/// Who looks for a time, with whom and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotSearch {
    /// With whom: 1 to [`DiariesQuery::MAX_THERAPISTS`].
    pub therapists: BTreeSet<UserId>,
    /// The first date, in `zone`.
    pub from: NaiveDate,
    /// The last date, in `zone`; at most [`MAX_DAYS`](Self::MAX_DAYS) with the first.
    pub to: NaiveDate,
    /// Whose clocks the viewer goes by.
    pub zone: Tz,
    /// Only starts that have room for so long; `None` for any.
    pub duration: Option<SessionDuration>,
    /// Only dates from this one on: a page's [`SlotsFound::next`].
    pub page: Option<NaiveDate>,
    /// A page ends before the date with which it would hold more starts, unless it is its first.
    pub limit: PageLimit,
}

/// A page of what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotsFound {
    /// Those who are therapists, by id.
    pub therapists: Vec<FirstFree>,
    /// Those who are none.
    pub unknown: Vec<UserId>,
    /// The dates that have starts.
    pub days: Vec<DayFound>,
    /// The first date of the next page, when there is more.
    pub next: Option<NaiveDate>,
}

/// When a therapist can be had first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstFree {
    /// Who.
    pub therapist: UserId,
    /// The first start between the dates of the search, whichever page it is on.
    pub first: Option<Slot>,
}

/// A date of the viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFound {
    /// Which.
    pub date: NaiveDate,
    /// The therapists who have starts on it, by id.
    pub therapists: Vec<SlotsOf>,
}

/// A therapist's starts on a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotsOf {
    /// With whom.
    pub therapist: UserId,
    /// When; earliest first.
    pub slots: Vec<Slot>,
}

/// How far a therapist's date may be from the viewer's at the same instant: zones have been up to
/// 32 hours apart.
const DATES_APART: Days = Days::new(2);

impl SlotSearch {
    /// How many dates a search is about at most.
    pub const MAX_DAYS: usize = 62;

    /// Whether there is anything to search.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] names the field that is wrong, as the API calls it.
    pub fn check(&self) -> Result<(), Refusal> {
        let wrong = |field, detail| Err(Refusal::Invalid { field, detail });
        let length = self.to.signed_duration_since(self.from).num_days();
        if self.therapists.is_empty() {
            wrong("therapistIds", "must name a therapist")
        } else if self.therapists.len() > DiariesQuery::MAX_THERAPISTS {
            wrong("therapistIds", "must name at most 50 therapists")
        } else if length < 0 {
            wrong("to", "must not be before from")
        } else if usize::try_from(length).is_ok_and(|days| days >= Self::MAX_DAYS) {
            wrong("to", "must be at most 62 days, with both ends")
        } else if self.page.is_some_and(|page| page < self.from || self.to < page) {
            wrong("cursor", "must be a cursor of the same search")
        } else {
            Ok(())
        }
    }

    /// What a store is asked, for this client's eyes; `None` where no date has slots.
    pub(crate) fn reach(&self) -> Option<Span> {
        let first = Calendar::reach_in_any_zone(self.from.max(first_date()?))?;
        let last = Calendar::reach_in_any_zone(self.to.min(last_date()?))?;
        Span::new(first.start(), last.end())
    }
}

fn first_date() -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(i32::try_from(*DAYS.start()).ok()?)
}

fn last_date() -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(i32::try_from(*DAYS.end()).ok()?)
}

/// A page that is being filled, one therapist after the other.
///
/// It keeps little more than what it will show, however much is found: what comes on a page can only
/// become less as more therapists are added.
pub(crate) struct Found<'a> {
    search: &'a SlotSearch,
    dates: Dates,
    /// By place of the date: how many starts it has, and those that may come on the page.
    days: Vec<(usize, Vec<SlotsOf>)>,
    /// The place of the page's first date.
    first: usize,
    /// Where the page ends, as far as is known.
    end: usize,
    therapists: Vec<FirstFree>,
}

impl<'a> Found<'a> {
    /// Nobody was looked at yet.
    pub(crate) fn new(search: &'a SlotSearch) -> Self {
        let dates = Dates::new(search);
        let page = search.page.unwrap_or(search.from);
        let first = usize::try_from(page.signed_duration_since(search.from).num_days());
        let count = dates.count;
        let days = (0..count).map(|_| (0, Vec::new())).collect();
        let first = first.unwrap_or(0);
        Self { search, dates, days, first, end: count, therapists: Vec::new() }
    }

    /// Looks at a therapist's calendar, in which what keeps the client busy is taken too. Therapists
    /// come in the order of their ids.
    pub(crate) fn add(
        &mut self,
        therapist: UserId,
        calendar: &CalendarView<'_>,
        now: DateTime<Utc>,
    ) {
        let SlotSearch { from, to, duration, .. } = *self.search;
        let begin = from.checked_sub_days(DATES_APART).unwrap_or(from);
        let end = to.checked_add_days(DATES_APART).unwrap_or(to);
        let mut by_date: Vec<Vec<Slot>> = (0..self.days.len()).map(|_| Vec::new()).collect();
        let mut of_day = Vec::new();
        let mut first: Option<Slot> = None;
        for day in calendar.days(begin, end) {
            day.add_slots(now, &mut of_day);
            for slot in of_day.drain(..) {
                if duration.is_some_and(|duration| !slot.durations.contains(duration)) {
                    continue;
                }
                let Some(place) = self.dates.place(slot.start.instant().timestamp()) else {
                    continue;
                };
                if first.is_none_or(|first| slot.start < first.start) {
                    first = Some(slot);
                }
                by_date[place].push(slot);
            }
        }
        for (place, mut slots) in by_date.into_iter().enumerate() {
            let (count, days) = &mut self.days[place];
            *count += slots.len();
            if !slots.is_empty() && (self.first..self.end).contains(&place) {
                // Where clocks are set back across midnight, dates take turns.
                slots.sort_unstable_by_key(|slot| slot.start);
                days.push(SlotsOf { therapist: therapist.clone(), slots });
            }
        }
        self.therapists.push(FirstFree { therapist, first });
        self.shorten();
    }

    /// Drops the dates that can be on this page no more.
    fn shorten(&mut self) {
        let limit = usize::try_from(self.search.limit.get()).unwrap_or(usize::MAX);
        let mut slots = 0;
        for (place, (count, _)) in self.days.iter().enumerate().take(self.end) {
            if place < self.first {
                continue;
            }
            if slots > 0 && slots + count > limit {
                self.end = place;
                break;
            }
            slots += count;
        }
        for (_, days) in self.days.iter_mut().rev().take(self.dates.count - self.end) {
            *days = Vec::new();
        }
    }

    /// The page.
    pub(crate) fn finish(self, unknown: Vec<UserId>) -> SlotsFound {
        let Self { search, days, end, therapists, .. } = self;
        let date = |place: usize| search.from.checked_add_days(Days::new(place as u64));
        let next = (end..days.len()).find(|place| days[*place].0 > 0).and_then(date);
        let on_page = days.into_iter().enumerate().filter(|(_, (_, day))| !day.is_empty());
        let days = on_page.filter_map(|(place, (_, therapists))| {
            Some(DayFound { date: date(place)?, therapists })
        });
        SlotsFound { therapists, unknown, days: days.collect(), next }
    }
}

/// When the viewer's clocks show which date.
struct Dates {
    /// How many there are.
    count: usize,
    /// Earliest first, with the place of the date.
    parts: Vec<(Seconds, usize)>,
    /// The part that was asked for last.
    last: usize,
}

impl Dates {
    fn new(search: &SlotSearch) -> Self {
        let first = i64::from(search.from.to_epoch_days());
        let last = i64::from(search.to.to_epoch_days());
        let mut parts = Vec::new();
        let mut clocks: Option<Clocks> = None;
        for day in first.max(*DAYS.start())..=last.min(*DAYS.end()) {
            match &mut clocks {
                Some(clocks) => clocks.move_on(day),
                None => clocks = Clocks::near_day(search.zone, day),
            }
            let place = usize::try_from(day - first).unwrap_or(usize::MAX);
            let of_day = clocks.iter().flat_map(|clocks| clocks.date(day)).flatten();
            parts.extend(of_day.map(|part| (part, place)));
        }
        parts.sort_unstable_by_key(|(part, _)| part.start);
        let count = usize::try_from(last - first + 1).unwrap_or(0);
        Self { count, parts, last: 0 }
    }

    /// The date of a second, by its place; `None` when it is not one that is searched.
    fn place(&mut self, second: i64) -> Option<usize> {
        if !self.parts.get(self.last).is_some_and(|(part, _)| part.contains(second)) {
            let after = self.parts.partition_point(|(part, _)| part.start <= second);
            self.last = after.checked_sub(1)?;
        }
        let (part, place) = self.parts.get(self.last)?;
        part.contains(second).then_some(*place)
    }
}
