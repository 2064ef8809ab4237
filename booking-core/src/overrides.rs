//! Time off, and other exceptions: civil dates on which other windows count than the weekly ones.
//!
//! Like weekly availability they are civil time and stay civil time: no zone, and no change of one,
//! makes an override mean other dates than it names.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::availability::Window;
use crate::id::{OverrideId, UserId};
use crate::span::{Span, join};
use crate::text::Notes;
use crate::zone::{DAY, Seconds};

/// The civil dates of an override: from one to another, that one included, at most 366.
///
/// ```
/// use booking_core::Dates;
///
/// let week = Dates::new("2024-07-01".parse()?, "2024-07-07".parse()?).unwrap();
/// assert!(week.contain("2024-07-07".parse()?));
/// assert!(Dates::new("2024-07-07".parse()?, "2024-07-01".parse()?).is_err());
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Ends")]
pub struct Dates {
    first: NaiveDate,
    last: NaiveDate,
}

/// Two dates that nobody has compared yet.
#[derive(Deserialize)]
struct Ends {
    first: NaiveDate,
    last: NaiveDate,
}

/// Two dates between which there is no override.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDates {
    /// The last is before the first.
    #[error("must not be before the first date")]
    Reversed,
    /// There are too many dates in between.
    #[error("must be at most {} days after the first date", Dates::MOST_DAYS - 1)]
    TooMany,
    /// Not of the years that can be written.
    #[error("must be of a year from 0000 to 9999")]
    Unwritable,
}

impl Dates {
    /// The most dates that one override has.
    pub const MOST_DAYS: i64 = 366;

    /// Checks order, length and years.
    ///
    /// # Errors
    /// [`InvalidDates`] says what is wrong.
    pub fn new(first: NaiveDate, last: NaiveDate) -> Result<Self, InvalidDates> {
        let years = 0..=9999;
        if last < first {
            Err(InvalidDates::Reversed)
        } else if !years.contains(&first.year()) || !years.contains(&last.year()) {
            Err(InvalidDates::Unwritable)
        } else if (last - first).num_days() >= Self::MOST_DAYS {
            Err(InvalidDates::TooMany)
        } else {
            Ok(Self { first, last })
        }
    }

    /// The first date.
    #[must_use]
    pub const fn first(self) -> NaiveDate {
        self.first
    }

    /// The last date.
    #[must_use]
    pub const fn last(self) -> NaiveDate {
        self.last
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contain(self, date: NaiveDate) -> bool {
        self.first <= date && date <= self.last
    }

    /// Whether the two share a date.
    #[must_use]
    pub fn overlap(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl TryFrom<Ends> for Dates {
    type Error = InvalidDates;

    fn try_from(ends: Ends) -> Result<Self, InvalidDates> {
        Self::new(ends.first, ends.last)
    }
}

/// The windows of one date, earliest first: none that overlap, and perhaps none at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Window>", into = "Vec<Window>")]
pub struct DayWindows(Vec<Window>);

/// Windows that no date has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWindows {
    /// Two of them share a minute.
    #[error("must not overlap")]
    Overlapping,
    /// There are too many of them.
    #[error("must be at most {}", DayWindows::MOST)]
    TooMany,
}

impl DayWindows {
    /// The most windows: as many as a date has half hours.
    pub const MOST: usize = 48;

    /// In any order; windows may touch.
    ///
    /// # Errors
    /// [`InvalidWindows`] says what is wrong.
    pub fn new(windows: impl IntoIterator<Item = Window>) -> Result<Self, InvalidWindows> {
        let mut windows: Vec<Window> = windows.into_iter().take(Self::MOST + 1).collect();
        if windows.len() > Self::MOST {
            return Err(InvalidWindows::TooMany);
        }
        windows.sort_unstable();
        let overlap = |pair: &[Window]| pair[0].overlaps(pair[1]);
        if windows.windows(2).any(overlap) {
            return Err(InvalidWindows::Overlapping);
        }
        Ok(Self(windows))
    }

    /// The windows, earliest first.
    #[must_use]
    pub fn as_slice(&self) -> &[Window] {
        &self.0
    }
}

impl TryFrom<Vec<Window>> for DayWindows {
    type Error = InvalidWindows;

    fn try_from(windows: Vec<Window>) -> Result<Self, InvalidWindows> {
        Self::new(windows)
    }
}

impl From<DayWindows> for Vec<Window> {
    fn from(windows: DayWindows) -> Self {
        windows.0
    }
}

/// Dates on which a therapist's weekly windows do not count, but others, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailabilityOverride {
    /// Which one.
    pub id: OverrideId,
    /// Whose.
    pub therapist: UserId,
    /// On which dates, by the calendar of the therapist's zone.
    pub dates: Dates,
    /// When the therapist receives clients on each of them.
    pub windows: DayWindows,
    /// The therapist's remarks.
    pub notes: Option<Notes>,
    /// When it was made, to the millisecond.
    pub created_at: DateTime<Utc>,
    /// When it last changed, to the millisecond.
    pub updated_at: DateTime<Utc>,
}

impl AvailabilityOverride {
    /// The most that one therapist has, those of the past included.
    pub const MOST: usize = 400;
}

/// What counts on some dates instead of weekly hours.
///
/// ```
/// use booking_core::{Calendar, Dates, DayWindows, Overrides, SpanSet, Terms, Window};
/// use chrono::{DateTime, NaiveDate, Weekday};
///
/// let morning = Window::new("09:00".parse()?, "10:30".parse()?).unwrap();
/// let monday: NaiveDate = "2024-01-15".parse()?;
/// let closed = (Dates::new(monday, monday)?, DayWindows::default());
/// let calendar = Calendar {
///     zone: chrono_tz::Europe::London,
///     hours: [(Weekday::Mon, morning)].into_iter().collect(),
///     overrides: Overrides::from_iter([closed]),
///     taken: SpanSet::default(),
///     terms: Terms::default(),
/// };
/// assert!(calendar.slots(monday, DateTime::UNIX_EPOCH).is_empty());
/// assert_eq!(calendar.slots("2024-01-22".parse()?, DateTime::UNIX_EPOCH).len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// By their first date.
    dates: Vec<Override>,
}

/// Dates in days from 1970-01-01, and windows in seconds from midnight, of which no two touch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Override {
    first: i64,
    last: i64,
    windows: Vec<Seconds>,
}

/// How many days before a date its grid may begin: longer than any run of weekly windows that do not
/// cover the week, in which a change of clocks may swallow one gap.
pub(crate) const GRID_DAYS: i64 = 16;

impl Overrides {
    /// The dates of overrides that bear on what begins, or takes place, in a span, in whatever zone.
    pub(crate) fn dates_around(span: Span) -> (NaiveDate, NaiveDate) {
        let before = chrono::Days::new((GRID_DAYS + 4).unsigned_abs());
        let first = span.start().date_naive().checked_sub_days(before);
        let last = span.end().date_naive().checked_add_days(chrono::Days::new(4));
        (first.unwrap_or(NaiveDate::MIN), last.unwrap_or(NaiveDate::MAX))
    }

    /// Whether starts of a date, in days from 1970-01-01, may have to do with any of them.
    pub(crate) fn bear_on(&self, day: i64) -> bool {
        let is_near = |one: &Override| one.first <= day + 2 && day - GRID_DAYS - 2 <= one.last;
        !self.dates.is_empty() && self.dates.iter().any(is_near)
    }

    /// What counts on a date instead of weekly windows, if anything does.
    pub(crate) fn on(&self, day: i64) -> Option<&[Seconds]> {
        let begun = self.dates.partition_point(|one| one.first <= day);
        let last = self.dates.get(begun.checked_sub(1)?)?;
        (day <= last.last).then_some(&last.windows)
    }
}

/// In any order. Where two have a date in common, the one that begins later counts.
impl FromIterator<(Dates, DayWindows)> for Overrides {
    fn from_iter<I: IntoIterator<Item = (Dates, DayWindows)>>(overrides: I) -> Self {
        let all = overrides.into_iter();
        let mut dates: Vec<Override> =
            all.map(|(dates, windows)| Override::of(dates, &windows)).collect();
        dates.sort_by_key(|one| one.first);
        Self { dates }
    }
}

impl<'a> FromIterator<&'a AvailabilityOverride> for Overrides {
    fn from_iter<I: IntoIterator<Item = &'a AvailabilityOverride>>(overrides: I) -> Self {
        overrides.into_iter().map(|one| (one.dates, one.windows.clone())).collect()
    }
}

impl Override {
    fn of(dates: Dates, windows: &DayWindows) -> Self {
        let seconds = |window: &Window| Seconds {
            start: i64::from(window.start().minutes()) * 60,
            end: i64::from(window.end().minutes()) * 60,
        };
        let mut windows: Vec<Seconds> = windows.0.iter().map(seconds).collect();
        join(&mut windows, |window| window.start, |window| &mut window.end);
        let [first, last] = [dates.first, dates.last].map(|date| i64::from(date.to_epoch_days()));
        Self { first, last, windows }
    }
}

/// The part of a list of seconds that is on one of its days, which begin at midnight.
pub(crate) fn on_day(week: &[Seconds], day: i64) -> impl Iterator<Item = Seconds> {
    let midnight = day * DAY;
    let of_day = Seconds { start: midnight, end: midnight + DAY };
    week.iter().filter_map(move |window| Some(window.intersection(of_day)?.later_by(-midnight)))
}
