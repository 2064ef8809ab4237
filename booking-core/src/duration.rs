//! How long a session may be.

use serde::{Deserialize, Serialize};

use chrono::TimeDelta;

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

    /// The length as a difference of instants.
    #[must_use]
    pub const fn to_delta(self) -> TimeDelta {
        TimeDelta::minutes(self.minutes() as i64)
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
