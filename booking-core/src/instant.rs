//! Instants as they go over the wire, and the instants at which a session may start.

use chrono::{DateTime, Datelike, SecondsFormat, SubsecRound, TimeDelta, Timelike, Utc};
use serde::{Serialize, Serializer, ser::Error as _};

/// RFC 3339 in UTC with exactly three decimals and `Z` (contract, "Address and shape").
///
/// ```
/// use chrono::DateTime;
///
/// let text = booking_core::format_instant(DateTime::UNIX_EPOCH);
/// assert_eq!(text, "1970-01-01T00:00:00.000Z");
/// ```
#[must_use]
pub fn format_instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The next instant, this one included, that stores can tell from others. For a bound on starts,
/// which are whole minutes, the two are the same.
pub(crate) fn ceil_to_millis(instant: DateTime<Utc>) -> DateTime<Utc> {
    let floor = instant.trunc_subsecs(3);
    if floor == instant { instant } else { floor.checked_add_signed(ONE_MILLI).unwrap_or(instant) }
}

const ONE_MILLI: TimeDelta = TimeDelta::milliseconds(1);

/// For `#[serde(serialize_with)]`; reading back is chrono's own.
pub(crate) fn serialize<S: Serializer>(
    instant: &DateTime<Utc>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if (0..=9999).contains(&instant.year()) {
        serializer.serialize_str(&format_instant(*instant))
    } else {
        Err(S::Error::custom("RFC 3339 has no instants outside the years 0000 to 9999"))
    }
}

/// An instant at which a session may start: a whole minute of a year that RFC 3339 can write.
///
/// ```
/// use booking_core::StartTime;
///
/// assert!(StartTime::new("2024-01-15T14:00:00+05:45".parse()?).is_ok());
/// assert!(StartTime::new("2024-01-15T14:00:30Z".parse()?).is_err());
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct StartTime(DateTime<Utc>);

/// An instant at which no session starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole minute (seconds and fractions zero) of a year from 0000 to 9999")]
pub struct InvalidStart;

impl StartTime {
    /// Checks seconds, fractions and year.
    ///
    /// # Errors
    /// [`InvalidStart`] when one of them is off.
    pub fn new(instant: DateTime<Utc>) -> Result<Self, InvalidStart> {
        let whole_minute = instant.second() == 0 && instant.nanosecond() == 0;
        let writable = (0..=9999).contains(&instant.year());
        if whole_minute && writable { Ok(Self(instant)) } else { Err(InvalidStart) }
    }

    /// The instant.
    #[must_use]
    pub const fn instant(self) -> DateTime<Utc> {
        self.0
    }
}
