//! How long a session may be, and which lengths there are to choose from.

use serde::{Deserialize, Serialize};

use chrono::{DateTime, TimeDelta, Utc};

use crate::span::Span;

/// The length of a session: 30, 60, 90 or 120 minutes (contract, "Session Durations").
///
/// ```
/// use booking_core::SessionDuration;
///
/// assert_eq!(SessionDuration::try_from(90)?.minutes(), 90);
/// assert!(SessionDuration::try_from(45).is_err());
/// # Ok::<(), booking_core::InvalidDuration>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub enum SessionDuration {
    /// 30 minutes.
    HalfHour,
    /// 60 minutes.
    Hour,
    /// 90 minutes.
    HourAndHalf,
    /// 120 minutes.
    TwoHours,
}

/// A number of minutes that no session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 30, 60, 90 or 120 (minutes)")]
pub struct InvalidDuration;

impl SessionDuration {
    /// All of them, shortest first.
    pub const ALL: [Self; 4] = [Self::HalfHour, Self::Hour, Self::HourAndHalf, Self::TwoHours];

    /// The longest.
    pub const MAX: Self = Self::TwoHours;

    /// The length in minutes.
    #[must_use]
    pub const fn minutes(self) -> u32 {
        match self {
            Self::HalfHour => 30,
            Self::Hour => 60,
            Self::HourAndHalf => 90,
            Self::TwoHours => 120,
        }
    }

    pub(crate) const fn seconds(self) -> i64 {
        self.minutes() as i64 * 60
    }

    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The length as a difference of instants.
    #[must_use]
    pub const fn to_delta(self) -> TimeDelta {
        TimeDelta::minutes(self.minutes() as i64)
    }

    /// The instants that a session takes which begins then; `None` where time has no room for it.
    ///
    /// ```
    /// use booking_core::SessionDuration;
    /// use chrono::{DateTime, Utc};
    ///
    /// let start = DateTime::UNIX_EPOCH;
    /// let end = SessionDuration::Hour.span_from(start).map(|span| span.end().timestamp());
    /// assert_eq!(end, Some(3_600));
    /// assert_eq!(SessionDuration::Hour.span_from(DateTime::<Utc>::MAX_UTC), None);
    /// ```
    #[must_use]
    pub fn span_from(self, start: DateTime<Utc>) -> Option<Span> {
        Span::new(start, start.checked_add_signed(self.to_delta())?)
    }
}

impl TryFrom<u32> for SessionDuration {
    type Error = InvalidDuration;

    fn try_from(minutes: u32) -> Result<Self, InvalidDuration> {
        Self::ALL.into_iter().find(|d| d.minutes() == minutes).ok_or(InvalidDuration)
    }
}

impl From<SessionDuration> for u32 {
    fn from(duration: SessionDuration) -> Self {
        duration.minutes()
    }
}

/// Some lengths of sessions; never none.
///
/// ```
/// use booking_core::{Durations, SessionDuration};
///
/// let short = Durations::new([SessionDuration::Hour, SessionDuration::HalfHour]).unwrap();
/// assert!(short.contains(SessionDuration::Hour));
/// assert!(short.iter().eq([SessionDuration::HalfHour, SessionDuration::Hour]));
/// assert_eq!(Durations::new([]), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Vec<u32>", try_from = "Vec<u32>")]
pub struct Durations(u8);

/// A list that names no lengths of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a list of one or more of 30, 60, 90 and 120 (minutes), each once")]
pub struct InvalidDurations;

impl Durations {
    /// All that there are.
    pub const ALL: Self = Self(0b1111);

    /// These; `None` where there are none.
    #[must_use]
    pub fn new(durations: impl IntoIterator<Item = SessionDuration>) -> Option<Self> {
        let bits = durations.into_iter().fold(0, |bits, duration| bits | duration.bit());
        (bits != 0).then_some(Self(bits))
    }

    /// All that are no longer than this.
    #[must_use]
    pub fn up_to(longest: SessionDuration) -> Self {
        Self((longest.bit() << 1) - 1)
    }

    /// Whether this is one of them.
    #[must_use]
    pub const fn contains(self, duration: SessionDuration) -> bool {
        self.0 & duration.bit() != 0
    }

    /// They, shortest first.
    pub fn iter(self) -> impl Iterator<Item = SessionDuration> {
        SessionDuration::ALL.into_iter().filter(move |duration| self.contains(*duration))
    }

    /// The longest of them.
    #[must_use]
    pub fn longest(self) -> SessionDuration {
        self.iter().last().unwrap_or_else(|| unreachable!("there is one at least"))
    }

    /// Those that are in both; `None` where there are none.
    #[must_use]
    pub const fn and(self, others: Self) -> Option<Self> {
        Self::of_bits(self.0 & others.0)
    }

    /// Those that are no longer than so many seconds; `None` where there are none.
    pub(crate) const fn within(self, seconds: i64) -> Option<Self> {
        // Asked for every start of the grid, most of which are taken: one comparison tells.
        let fitting = if seconds < SessionDuration::HalfHour.seconds() {
            0
        } else if seconds < SessionDuration::Hour.seconds() {
            0b1
        } else if seconds < SessionDuration::HourAndHalf.seconds() {
            0b11
        } else if seconds < SessionDuration::TwoHours.seconds() {
            0b111
        } else {
            0b1111
        };
        if self.0 & fitting == 0 { None } else { Some(Self(self.0 & fitting)) }
    }

    /// A bit for each: the lowest for the shortest.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn of_bits(bits: u8) -> Option<Self> {
        if bits == 0 || bits > Self::ALL.0 { None } else { Some(Self(bits)) }
    }
}

impl std::fmt::Debug for Durations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(SessionDuration::minutes)).finish()
    }
}

impl TryFrom<Vec<u32>> for Durations {
    type Error = InvalidDurations;

    fn try_from(minutes: Vec<u32>) -> Result<Self, InvalidDurations> {
        let mut bits = 0;
        for minutes in minutes {
            let bit = SessionDuration::try_from(minutes).map_err(|_| InvalidDurations)?.bit();
            if bits & bit != 0 {
                return Err(InvalidDurations);
            }
            bits |= bit;
        }
        Self::of_bits(bits).ok_or(InvalidDurations)
    }
}

impl From<Durations> for Vec<u32> {
    fn from(durations: Durations) -> Self {
        durations.iter().map(SessionDuration::minutes).collect()
    }
}
