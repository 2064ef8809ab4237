//! Instants and the wall clocks of IANA zones.
//!
//! Everything rests on [`stretches`]: a time zone is a sequence of stretches in which the wall
//! clock differs from UTC by one fixed offset. Within a stretch civil time and instants translate
//! by plain addition, so gaps, folds and missing dates need no cases of their own.

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::span::{Span, SpanSet};

pub(crate) const DAY_SECONDS: i64 = 86_400;

/// Zones have been up to 15 hours 58 minutes away from UTC.
const LARGEST_OFFSET: TimeDelta = TimeDelta::hours(16);

/// No zone of the database changes its offset twice within 167 hours (America/Recife in October
/// 2000 and Asia/Gaza in October 2040 come closest), so two looks this far apart miss no stretch
/// between them.
const PROBE: TimeDelta = TimeDelta::hours(144);

/// Dates outside these years have no slots. RFC 3339 writes the years 0 to 9999; zones may be a day
/// off at either end. chrono counts much further, but not without end.
const YEARS: std::ops::RangeInclusive<i32> = -1..=10_000;

/// A part of a span in which `zone` has one offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) span: Span,
    /// Wall clock minus UTC, in seconds.
    pub(crate) offset: i64,
}

/// Cuts `within` where the zone's offset changes; earliest part first, nothing left out.
pub(crate) fn stretches(zone: Tz, within: Span) -> Vec<Stretch> {
    let mut parts = Vec::with_capacity(2);
    let mut begin = within.start();
    let mut offset = offset_at(zone, begin);
    let mut seen = begin;
    while seen < within.end() {
        let next = seen.checked_add_signed(PROBE).map_or(within.end(), |at| at.min(within.end()));
        let offset_then = offset_at(zone, next);
        if offset_then != offset {
            let change = first_instant_after_change(zone, offset, seen, next);
            parts.extend(Span::new(begin, change).map(|span| Stretch { span, offset }));
            (begin, offset) = (change, offset_then);
        }
        seen = next;
    }
    parts.extend(Span::new(begin, within.end()).map(|span| Stretch { span, offset }));
    parts
}

/// The date that wall clocks in `zone` show at `instant`; `None` outside [`YEARS`].
pub(crate) fn local_date(zone: Tz, instant: DateTime<Utc>) -> Option<NaiveDate> {
    let known = YEARS.contains(&instant.year());
    known.then(|| zone.from_utc_datetime(&instant.naive_utc()).date_naive())
}

/// The instants at which wall clocks in `zone` show `date`.
///
/// None, where the zone skipped the date (Apia, 2011-12-30). Two spans, where clocks were set back
/// across midnight (St John's, until 2011). One of 23, 24 or 25 hours as a rule. None outside
/// [`YEARS`].
pub(crate) fn date_spans(zone: Tz, date: NaiveDate) -> SpanSet {
    let midnight = date.and_time(chrono::NaiveTime::MIN).and_utc();
    around(date)
        .into_iter()
        .flat_map(|reach| stretches(zone, reach))
        .filter_map(|stretch| {
            let start = midnight - TimeDelta::seconds(stretch.offset);
            Span::new(start, start + TimeDelta::seconds(DAY_SECONDS))?.intersection(stretch.span)
        })
        .collect()
}

/// When it is `date` in any zone; `None` outside [`YEARS`].
pub(crate) fn around(date: NaiveDate) -> Option<Span> {
    if !YEARS.contains(&date.year()) {
        return None;
    }
    let midnight = date.and_time(chrono::NaiveTime::MIN).and_utc();
    Span::new(
        midnight - LARGEST_OFFSET,
        midnight + TimeDelta::seconds(DAY_SECONDS) + LARGEST_OFFSET,
    )
}

fn offset_at(zone: Tz, instant: DateTime<Utc>) -> i64 {
    i64::from(zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc())
}

/// Bisects for the change, to the second: `before` is the offset at `from`, and not that at `to`.
fn first_instant_after_change(
    zone: Tz,
    before: i64,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> DateTime<Utc> {
    let (mut low, mut high) = (from, to);
    while high - low > TimeDelta::seconds(1) {
        let middle = low + TimeDelta::seconds((high - low).num_seconds() / 2);
        if offset_at(zone, middle) == before {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
