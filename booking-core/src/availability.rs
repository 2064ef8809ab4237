//! When a therapist receives clients: weekly windows of wall-clock time.
//!
//! A window is civil time and stays civil time: it is turned into instants for one span at a time,
//! by the zone's rules for that span (contract, "Availability").

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::id::{AvailabilityId, UserId};
use crate::span::{Span, SpanSet, join};
use crate::text::Notes;
use crate::zone::{Clocks, DAY, Seconds, Stretch, stretches};

/// The days of the week as the contract numbers them: Sunday is 0.
pub const WEEKDAYS: [Weekday; 7] = [
    Weekday::Sun,
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
];

/// A time of day to the minute, from `00:00` to `24:00`, in the therapist's zone.
///
/// ```
/// use booking_core::WallTime;
///
/// let nine: WallTime = "09:00".parse()?;
/// assert_eq!(nine.minutes(), 540);
/// assert_eq!(nine.to_string(), "09:00");
/// assert!("9:00".parse::<WallTime>().is_err());
/// assert!("24:01".parse::<WallTime>().is_err());
/// # Ok::<(), booking_core::InvalidWallTime>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct WallTime(u16);

/// A text that is no time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time of day in the form HH:MM, from 00:00 to 24:00")]
pub struct InvalidWallTime;

impl WallTime {
    const MINUTES_A_DAY: u16 = 1_440;

    /// The time this many minutes after `00:00`; `None` past 1 440.
    #[must_use]
    pub fn from_minutes(minutes: u16) -> Option<Self> {
        (minutes <= Self::MINUTES_A_DAY).then_some(Self(minutes))
    }

    /// Minutes on the clock's face since `00:00`.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for WallTime {
    type Err = InvalidWallTime;

    fn from_str(text: &str) -> Result<Self, InvalidWallTime> {
        let [h1, h2, b':', m1, m2] = text.as_bytes() else { return Err(InvalidWallTime) };
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
        let pair = |tens, ones| Some(digit(tens)? * 10 + digit(ones)?);
        let (hours, minutes) = pair(h1, h2).zip(pair(m1, m2)).ok_or(InvalidWallTime)?;
        let valid = minutes < 60;
        valid.then(|| Self::from_minutes(hours * 60 + minutes)).flatten().ok_or(InvalidWallTime)
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for WallTime {
    type Error = InvalidWallTime;

    fn try_from(text: String) -> Result<Self, InvalidWallTime> {
        text.parse()
    }
}

impl From<WallTime> for String {
    fn from(time: WallTime) -> Self {
        time.to_string()
    }
}

/// A part of a day on the wall clock, half-open: `[start, end)`, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Edges")]
pub struct Window {
    start: WallTime,
    end: WallTime,
}

/// Two times of a day that nobody has compared yet.
#[derive(Deserialize)]
struct Edges {
    start: WallTime,
    end: WallTime,
}

impl TryFrom<Edges> for Window {
    type Error = &'static str;

    fn try_from(edges: Edges) -> Result<Self, Self::Error> {
        Self::new(edges.start, edges.end).ok_or("a window must start before it ends")
    }
}

impl Window {
    /// The window between two times of a day; `None` unless `start` is before `end`.
    #[must_use]
    pub fn new(start: WallTime, end: WallTime) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// The first minute.
    #[must_use]
    pub const fn start(self) -> WallTime {
        self.start
    }

    /// The first minute after.
    #[must_use]
    pub const fn end(self) -> WallTime {
        self.end
    }

    /// Whether two windows of one weekday share a minute.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// One row of a therapist's weekly availability (contract, "Availability Management").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailabilitySlot {
    /// Which one.
    pub id: AvailabilityId,
    /// Whose.
    pub therapist: UserId,
    /// On which day of the week, in the therapist's zone.
    pub weekday: Weekday,
    /// From when to when, in the therapist's zone.
    pub window: Window,
    /// Whether it counts: one that is switched off offers nothing, but keeps its place.
    pub is_available: bool,
    /// The therapist's remarks.
    pub notes: Option<Notes>,
    /// When it was made, to the millisecond.
    pub created_at: DateTime<Utc>,
    /// When it last changed, to the millisecond.
    pub updated_at: DateTime<Utc>,
}

impl AvailabilitySlot {
    /// The most that a weekday has: as many as half hours. Every booking looks at all of a therapist's,
    /// so that there must be an end to them.
    pub const MOST_A_DAY: usize = 48;
}

/// The weekly windows of one therapist that count.
///
/// ```
/// use booking_core::{Span, WeeklyHours, Window};
/// use chrono::Weekday;
/// # fn at(text: &str) -> chrono::DateTime<chrono::Utc> { text.parse().unwrap() }
///
/// let night = Window::new("01:00".parse()?, "04:00".parse()?).unwrap();
/// let hours: WeeklyHours = [(Weekday::Sun, night)].into_iter().collect();
///
/// // In New York, 2026-03-08 has no 02:00–03:00: three hours on the clock are two.
/// let day = Span::new(at("2026-03-08T05:00:00Z"), at("2026-03-09T04:00:00Z")).unwrap();
/// let open = hours.spans(chrono_tz::America::New_York, day);
/// let expected = Span::new(at("2026-03-08T06:00:00Z"), at("2026-03-08T08:00:00Z")).unwrap();
/// assert_eq!(open.as_slice(), [expected]);
/// # Ok::<(), booking_core::InvalidWallTime>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WeeklyHours {
    /// In seconds from Sunday's midnight: sorted, and no two overlap or touch.
    week: Vec<Seconds>,
}

const WEEK: i64 = 7 * DAY;

/// 1970-01-01 was a Thursday.
const FIRST_SUNDAY: i64 = 3 * DAY;

/// Availability that covers less than the week has a gap in every week, and a gap can fall into a
/// clock change's gap at most now and then: no run is anywhere near this long.
const LONGEST_RUN: i64 = 64 * DAY;

impl WeeklyHours {
    /// The instants of `within` at which wall clocks in `zone` show a time inside a window.
    ///
    /// The work is in proportion to the length of `within`.
    #[must_use]
    pub fn spans(&self, zone: Tz, within: Span) -> SpanSet {
        let seconds = Seconds::around(within);
        stretches(zone, seconds)
            .flat_map(|stretch| self.open_in(stretch, seconds.start))
            .filter_map(|open| open.to_span()?.intersection(within))
            .collect()
    }

    /// Whether there is no minute of the week without a window.
    #[must_use]
    pub fn cover_the_week(&self) -> bool {
        self.week == [Seconds { start: 0, end: WEEK }]
    }

    /// In seconds from Sunday's midnight: sorted, and no two overlap or touch.
    pub(crate) fn week(&self) -> &[Seconds] {
        &self.week
    }

    /// Shows the runs of availability that share a second with `part`, earliest first, as far as the
    /// clocks show: windows that touch are one.
    pub(crate) fn each_run(&self, clocks: &Clocks, part: Seconds, mut show: impl FnMut(Seconds)) {
        let mut run: Option<Seconds> = None;
        for stretch in clocks.stretches() {
            if stretch.seconds.end <= part.start {
                continue;
            }
            for open in self.open_in(stretch, part.start) {
                match &mut run {
                    Some(run) if run.end == open.start => run.end = open.end,
                    _ => {
                        run.into_iter().for_each(&mut show);
                        if part.end <= open.start {
                            return;
                        }
                        run = Some(open);
                    }
                }
            }
        }
        run.into_iter().for_each(show);
    }

    /// When the availability that holds at `second` began, however long ago; `second` itself when
    /// there was none just before it, or never was any other.
    pub(crate) fn began(&self, clocks: &Clocks, second: i64) -> i64 {
        let mut clocks = *clocks;
        let mut start = second;
        while second - start < LONGEST_RUN {
            let before = start - 1;
            if before < clocks.start() {
                clocks = clocks.elsewhere(before);
            }
            let open = self.open_in(clocks.at(before), before).next();
            let Some(open) = open.filter(|open| open.contains(before)) else { return start };
            start = open.start;
        }
        second
    }

    /// The windows that end after `from` within a stretch, cut to it.
    fn open_in(&self, stretch: Stretch, from: i64) -> impl Iterator<Item = Seconds> {
        let to_utc = FIRST_SUNDAY - stretch.offset;
        let from = from.max(stretch.seconds.start) - to_utc;
        let mut sunday = from.div_euclid(WEEK) * WEEK;
        let mut next = self.week.partition_point(|window| window.end <= from - sunday);
        std::iter::from_fn(move || {
            if next == self.week.len() {
                (next, sunday) = (0, sunday + WEEK);
            }
            let window = self.week.get(next)?.later_by(sunday + to_utc);
            next += 1;
            window.intersection(stretch.seconds)
        })
    }
}

/// In any order; windows may overlap.
impl FromIterator<(Weekday, Window)> for WeeklyHours {
    fn from_iter<I: IntoIterator<Item = (Weekday, Window)>>(windows: I) -> Self {
        let of_week = |(weekday, window): (Weekday, Window)| {
            let midnight = i64::from(weekday.num_days_from_sunday()) * DAY;
            let at = |time: WallTime| midnight + i64::from(time.0) * 60;
            Seconds { start: at(window.start), end: at(window.end) }
        };
        let mut week: Vec<Seconds> = windows.into_iter().map(of_week).collect();
        join(&mut week, |window| window.start, |window| &mut window.end);
        Self { week }
    }
}

/// The slots that are switched on.
impl<'a> FromIterator<&'a AvailabilitySlot> for WeeklyHours {
    fn from_iter<I: IntoIterator<Item = &'a AvailabilitySlot>>(slots: I) -> Self {
        slots
            .into_iter()
            .filter(|slot| slot.is_available)
            .map(|slot| (slot.weekday, slot.window))
            .collect()
    }
}
