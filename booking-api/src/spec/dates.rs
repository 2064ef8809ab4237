//! The document's examples are of January 2024. A server whose clock stands elsewhere can show them
//! as if they were of its own time, so that they can be sent as they stand.

use chrono::{DateTime, Days, NaiveDate, Utc};

/// With what every date of the examples begins.
const MONTH: &str = "2024-01-";
/// A Monday.
const WRITTEN: NaiveDate = NaiveDate::from_ymd_opt(2024, 1, 1).expect("a date");

/// This example's date, for somebody who looks at it now: as many whole weeks later, so that the
/// day of the week stays, as have passed. `None` beyond the calendar.
pub(crate) fn as_of(example: NaiveDate, now: DateTime<Utc>) -> Option<NaiveDate> {
    let days = (now.date_naive() - WRITTEN).num_days().div_euclid(7) * 7;
    let by = Days::new(days.unsigned_abs());
    if days < 0 { example.checked_sub_days(by) } else { example.checked_add_days(by) }
}

/// The week to which examples are moved now; `None` beyond the calendar.
pub(crate) fn week_of(now: DateTime<Utc>) -> Option<NaiveDate> {
    as_of(WRITTEN, now)
}

/// The text with all its examples' dates as of now.
pub(crate) fn all_as_of(text: &str, now: DateTime<Utc>) -> String {
    let mut parts = text.split(MONTH);
    let mut moved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let day = part.get(..2).and_then(|day| day.parse().ok());
        let date = day.and_then(|day| NaiveDate::from_ymd_opt(2024, 1, day));
        match date.and_then(|date| as_of(date, now)) {
            Some(date) => moved += &format!("{date}{}", &part[2..]),
            None => moved += &format!("{MONTH}{part}"),
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::all_as_of;

    #[test]
    fn weekdays_stay_and_the_second_monday_is_always_to_come() {
        let text =
            r#"{"startTime": "2024-01-15T18:00:00.000Z", "date": "2024-01-15", "id": "2024-01-"}"#;
        for (now, monday) in [
            ("2024-01-01T00:00:00Z", "2024-01-15"),
            ("2024-01-07T23:59:59Z", "2024-01-15"),
            ("2024-01-08T00:00:00Z", "2024-01-22"),
            ("2028-02-29T12:00:00Z", "2028-03-13"),
            ("2023-12-31T12:00:00Z", "2024-01-08"),
        ] {
            let moved = all_as_of(text, now.parse().unwrap());
            let wanted = text.replace("2024-01-15", monday);
            assert_eq!(moved, wanted, "{now}");
        }
    }
}
