//! What one booking has to fit into.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::availability::WeeklyHours;
use crate::duration::SessionDuration;
use crate::overrides::Overrides;
use crate::refusal::Refusal;
use crate::slot::{self, Day, Slot};
use crate::span::{Span, SpanSet};
use crate::terms::Terms;
use crate::zone::{DATE_ANYWHERE, DAY, DAYS};

/// A therapist's weekly hours, overrides and zone, with the spans that are taken: by the therapist's own live
/// meetings and, where a particular client asks, by that client's.
///
/// ```
/// use booking_core::{Calendar, Overrides, SessionDuration, SpanSet, Terms, Window};
/// use chrono::{DateTime, NaiveDate, Utc, Weekday};
///
/// let morning = Window::new("09:00".parse()?, "10:30".parse()?).unwrap();
/// let calendar = Calendar {
///     zone: chrono_tz::Europe::London,
///     hours: [(Weekday::Mon, morning)].into_iter().collect(),
///     overrides: Overrides::default(),
///     taken: SpanSet::default(),
///     terms: Terms::default(),
/// };
/// let now: DateTime<Utc> = "2024-01-01T12:00:00Z".parse()?;
/// let monday = NaiveDate::from_ymd_opt(2024, 1, 15).unwrap();
///
/// let slots = calendar.slots(monday, now);
/// let starts: Vec<String> = slots.iter().map(|slot| slot.start.instant().to_rfc3339()).collect();
/// assert_eq!(
///     starts,
///     ["2024-01-15T09:00:00+00:00", "2024-01-15T09:30:00+00:00", "2024-01-15T10:00:00+00:00"]
/// );
/// assert_eq!(slots[0].durations.longest(), SessionDuration::HourAndHalf);
///
/// // What is offered books, and nothing else does.
/// assert!(calendar.admit(slots[0].start.instant(), SessionDuration::HourAndHalf, now).is_ok());
/// assert!(calendar.admit(slots[0].start.instant(), SessionDuration::TwoHours, now).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Calendar {
    /// The IANA zone in which the hours are meant.
    pub zone: Tz,
    /// When the therapist receives clients, week by week.
    pub hours: WeeklyHours,
    /// Dates on which other windows count than those of the week.
    pub overrides: Overrides,
    /// When a new meeting would overlap another, or come too close to it.
    pub taken: SpanSet,
    /// What else has to hold of a start.
    pub terms: Terms,
}

impl Calendar {
    /// The starts on `date`, a civil date in the therapist's zone, that can be booked at `now`;
    /// earliest first. None on a date that the zone skipped, or far outside the years 0 to 9999.
    #[must_use]
    pub fn slots(&self, date: NaiveDate, now: DateTime<Utc>) -> Vec<Slot> {
        Sight::from(self).slots(date, now)
    }

    /// The civil dates of the therapist's zone from one to another, that one included. What
    /// [`slots`](Self::slots) works out for each date by itself is worked out once for all of them.
    ///
    /// ```
    /// # use booking_core::{Calendar, Overrides, SpanSet, Terms, Window};
    /// # use chrono::{DateTime, NaiveDate, Weekday};
    /// # let morning = Window::new("09:00".parse()?, "10:30".parse()?).unwrap();
    /// # let calendar = Calendar {
    /// #     zone: chrono_tz::Europe::London,
    /// #     hours: [(Weekday::Mon, morning)].into_iter().collect(),
    /// #     overrides: Overrides::default(),
    /// #     taken: SpanSet::default(),
    /// #     terms: Terms::default(),
    /// # };
    /// # let now = DateTime::UNIX_EPOCH;
    /// let (first, last): (NaiveDate, NaiveDate) = ("2024-01-01".parse()?, "2024-01-31".parse()?);
    /// for day in calendar.days(first, last) {
    ///     assert_eq!(day.slots(now), calendar.slots(day.date(), now));
    /// }
    /// assert_eq!(calendar.days(first, last).map(|day| day.slots(now).len()).sum::<usize>(), 5 * 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn days(&self, first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = Day<'_>> {
        Sight::from(self).days(first, last)
    }

    /// Whether a session of `duration` can be booked at `start`.
    ///
    /// # Errors
    /// The first of [`Refusal::InThePast`], [`Refusal::TooSoon`], [`Refusal::BeyondHorizon`],
    /// [`Refusal::DurationNotOffered`], [`Refusal::OutsideAvailability`], [`Refusal::NotOnGrid`],
    /// [`Refusal::DayFull`], [`Refusal::WeekFull`] and [`Refusal::SlotConflict`] that applies.
    pub fn admit(
        &self,
        start: DateTime<Utc>,
        duration: SessionDuration,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let day = Day::of(self.into(), start).ok_or(Refusal::OutsideAvailability)?;
        day.room(start).admit(duration, &day.terms(now))
    }

    /// A span that encloses the [`reach`](Self::reach) of `date` in whatever zone: for who does not
    /// know the zone yet. `None` where dates have no slots.
    #[must_use]
    pub fn reach_in_any_zone(date: NaiveDate) -> Option<Span> {
        let day = i64::from(date.to_epoch_days());
        DAYS.contains(&day).then(|| DATE_ANYWHERE.later_by(day * DAY).to_span())?
    }

    /// The span in which meetings can bear on the slots of `date`; `None` for a date that the zone
    /// skipped.
    #[must_use]
    pub fn reach(zone: Tz, date: NaiveDate) -> Option<Span> {
        slot::reach(zone, date)
    }
}

/// A calendar, and beside it what is taken and which terms hold for whoever looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) calendar: &'a Calendar,
    pub(crate) taken: &'a SpanSet,
    pub(crate) terms: &'a Terms,
}

/// With its own.
impl<'a> From<&'a Calendar> for Sight<'a> {
    fn from(calendar: &'a Calendar) -> Self {
        let Calendar { taken, terms, .. } = calendar;
        Self { calendar, taken, terms }
    }
}

impl<'a> Sight<'a> {
    /// As [`Calendar::slots`].
    pub(crate) fn slots(self, date: NaiveDate, now: DateTime<Utc>) -> Vec<Slot> {
        let day = Day::new(self, date.to_epoch_days().into());
        day.map(|day| day.slots(now)).unwrap_or_default()
    }

    /// As [`Calendar::days`].
    pub(crate) fn days(self, first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = Day<'a>> {
        let first = i64::from(first.to_epoch_days()).max(*DAYS.start());
        let last = i64::from(last.to_epoch_days()).min(*DAYS.end());
        let mut day: Option<Day<'a>> = None;
        (first..=last).filter_map(move |number| {
            match &mut day {
                Some(day) => day.move_on(),
                None => day = Day::new(self, number),
            }
            day
        })
    }
}
