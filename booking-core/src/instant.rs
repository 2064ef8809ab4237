//! Instants as they go over the wire, and the instants at which a session may start.

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, SubsecRound, TimeDelta, Timelike, Utc,
};
use serde::{Serialize, Serializer, ser::Error as _};

use crate::zone::DAY;

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
    if StartTime::YEARS.contains(&instant.year()) {
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
    /// The years that RFC 3339 writes.
    const YEARS: std::ops::RangeInclusive<i32> = 0..=9999;

    /// Checks seconds, fractions and year.
    ///
    /// # Errors
    /// [`InvalidStart`] when one of them is off.
    pub fn new(instant: DateTime<Utc>) -> Result<Self, InvalidStart> {
        let whole_minute = instant.second() == 0 && instant.nanosecond() == 0;
        let writable = Self::YEARS.contains(&instant.year());
        if whole_minute && writable { Ok(Self(instant)) } else { Err(InvalidStart) }
    }

    /// The instant.
    #[must_use]
    pub const fn instant(self) -> DateTime<Utc> {
        self.0
    }
}

/// A date of UTC and the second, from 1970-01-01T00:00Z, with which it begins: what is on that date
/// is translated between the two without calendar arithmetic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UtcDate {
    date: NaiveDate,
    midnight: i64,
}

impl UtcDate {
    /// The date that is so many days from 1970-01-01, if chrono counts that far.
    pub(crate) fn new(day: i64) -> Option<Self> {
        let date = NaiveDate::from_epoch_days(i32::try_from(day).ok()?)?;
        Some(Self { date, midnight: day * DAY })
    }

    pub(crate) const fn date(self) -> NaiveDate {
        self.date
    }

    /// In days from 1970-01-01.
    pub(crate) const fn number(self) -> i64 {
        self.midnight / DAY
    }

    /// The date after; the last there is stays.
    pub(crate) fn next(self) -> Self {
        let next = |date| Self { date, midnight: self.midnight + DAY };
        self.date.succ_opt().map_or(self, next)
    }

    /// The second that an instant is in.
    pub(crate) fn second(self, instant: DateTime<Utc>) -> i64 {
        let instant = instant.naive_utc();
        if instant.date() == self.date {
            self.midnight + i64::from(instant.time().num_seconds_from_midnight())
        } else {
            instant.and_utc().timestamp()
        }
    }

    /// The start at a second that is known to be a whole minute's; `None` in a year that cannot be
    /// written.
    pub(crate) fn start_at(self, second: i64) -> Option<StartTime> {
        let since = second - self.midnight;
        if !(0..DAY).contains(&since) {
            return Self::new(second.div_euclid(DAY))?.start_at(second);
        }
        let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::try_from(since).ok()?, 0)?;
        let writable = StartTime::YEARS.contains(&self.date.year());
        writable.then(|| StartTime(self.date.and_time(time).and_utc()))
    }
}
