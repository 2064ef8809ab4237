//! Slots: their schema, and their JSON, which is written by hand.
//!
//! Listing what can be booked is what this API is asked most. All of an answer is known beforehand
//! but for its times, so it is put together from constants, straight into the text that is sent. A
//! test holds it to the schema's own form.

use booking_core::{Durations, SessionDuration, Slot, StartTime, format_instant};
use poem_openapi::Object;

use crate::wire::Wire;

/// A start that can be booked.
#[derive(Debug, Object)]
#[oai(rename = "Slot", rename_all = "camelCase")]
pub(crate) struct SlotDto {
    /// When the session would begin.
    start_time: Wire<StartTime>,
    /// How long it can be, shortest first.
    available_durations: Vec<DurationDto>,
}

/// A length of a session.
#[derive(Debug, Object)]
#[oai(rename = "AvailableDuration")]
pub(crate) struct DurationDto {
    /// The minutes, as text.
    id: String,
    /// For people.
    name: String,
    /// The minutes.
    duration: Wire<SessionDuration>,
}

/// What stands in each slot before its time.
const BEFORE: &str = "{\"startTime\":\"";

/// What stands behind the hour and the minute of a slot that has room for these durations.
macro_rules! behind {
    ($first:literal $($minutes:literal)*) => {
        concat!(
            ":00.000Z\",\"availableDurations\":[",
            behind!(@ $first),
            $(",", behind!(@ $minutes),)*
            "]}"
        )
    };
    (@ $minutes:literal) => {
        concat!(
            "{\"id\":\"", $minutes, "\",\"name\":\"", $minutes, " minutes\",\"duration\":", $minutes, "}"
        )
    };
}

/// By [`Durations::bits`]: of each set, the text.
const BEHIND: [&str; 16] = [
    "", // There is one at least.
    behind!(30),
    behind!(60),
    behind!(30 60),
    behind!(90),
    behind!(30 90),
    behind!(60 90),
    behind!(30 60 90),
    behind!(120),
    behind!(30 120),
    behind!(60 120),
    behind!(30 60 120),
    behind!(90 120),
    behind!(30 90 120),
    behind!(60 90 120),
    behind!(30 60 90 120),
];

fn behind(durations: Durations) -> &'static str {
    BEHIND.get(usize::from(durations.bits())).copied().unwrap_or_default()
}

/// The bytes of the longest slot: comma, date and time are 17.
const LONGEST: usize = BEFORE.len() + 17 + BEHIND[15].len();

/// How much of an instant's form is its date: `2024-01-15T`.
const DATE: usize = 11;

/// The body of `GET /booking/slots`, for programs that answer by another framework.
///
/// ```
/// use booking_core::{Durations, SessionDuration, Slot, StartTime};
///
/// let start = StartTime::new("2024-01-15T14:00:00Z".parse().unwrap()).unwrap();
/// let durations = Durations::up_to(SessionDuration::HalfHour);
/// let json = booking_api::slots_json(&[Slot { start, durations }]);
/// assert_eq!(
///     json,
///     "[{\"startTime\":\"2024-01-15T14:00:00.000Z\",\
///      \"availableDurations\":[{\"id\":\"30\",\"name\":\"30 minutes\",\"duration\":30}]}]"
/// );
/// ```
#[must_use]
pub fn slots_json(slots: &[Slot]) -> String {
    let mut json = String::with_capacity(longest(slots.len()));
    write_slots(&mut json, slots);
    json
}

/// How long the JSON of so many slots may be.
pub(crate) const fn longest(slots: usize) -> usize {
    "[]".len() + slots * LONGEST
}

/// The same, at the end of a text.
pub(crate) fn write_slots(json: &mut String, slots: &[Slot]) {
    json.push('[');
    let mut day = None;
    let mut date = String::new();
    for (index, slot) in slots.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        let start = slot.start.instant();
        let minutes = start.timestamp().div_euclid(60);
        let (of_day, minute) = (minutes.div_euclid(24 * 60), minutes.rem_euclid(24 * 60));
        // Most are of one date.
        if day != Some(of_day) {
            day = Some(of_day);
            date = format_instant(start);
            date.truncate(DATE);
        }
        json.push_str(BEFORE);
        json.push_str(&date);
        json.push_str(two_digits(minute / 60));
        json.push(':');
        json.push_str(two_digits(minute % 60));
        json.push_str(behind(slot.durations));
    }
    json.push(']');
}

/// A number below 60.
fn two_digits(number: i64) -> &'static str {
    const DIGITS: &str = "000102030405060708091011121314151617181920212223242526272829\
                          303132333435363738394041424344454647484950515253545556575859";
    let at = usize::try_from(number).map_or(0, |number| 2 * number);
    DIGITS.get(at..at + 2).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use poem_openapi::types::ToJSON;

    use super::*;

    impl From<Slot> for SlotDto {
        fn from(slot: Slot) -> Self {
            let duration = |duration: SessionDuration| DurationDto {
                id: duration.minutes().to_string(),
                name: format!("{} minutes", duration.minutes()),
                duration: Wire(duration),
            };
            Self {
                start_time: Wire(slot.start),
                available_durations: slot.durations.iter().map(duration).collect(),
            }
        }
    }

    #[track_caller]
    fn check(slots: &[Slot]) {
        let expected: Vec<SlotDto> = slots.iter().copied().map(SlotDto::from).collect();
        let json = slots_json(slots);
        assert_eq!(json, expected.to_json_string());
        assert!(json.len() <= 2 + slots.len() * LONGEST, "the text never grows");
    }

    fn slot(start: DateTime<Utc>, durations: Durations) -> Slot {
        Slot { start: StartTime::new(start).expect("a whole minute"), durations }
    }

    /// All sets of durations.
    fn sets() -> Vec<Durations> {
        let chosen = |bits: usize| {
            (0..4).filter(move |n| bits >> n & 1 == 1).map(|n| SessionDuration::ALL[n])
        };
        (1..16).filter_map(|bits| Durations::new(chosen(bits))).collect()
    }

    #[test]
    fn what_is_written_is_the_form_of_the_schema() {
        let instant = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        let ends = ["0000-01-01T00:00:00Z", "9999-12-31T23:59:00Z"].map(instant);
        let of_minutes = |start: DateTime<Utc>, minutes| start + TimeDelta::minutes(minutes);
        check(&[]);
        let sets = sets();
        for durations in sets.iter().copied() {
            check(&ends.map(|end| slot(end, durations)));
            // Each minute of two days, on either side of a leap day and of 1970.
            for begin in ["2024-02-28T12:00:00Z", "1969-12-31T00:00:00Z"].map(instant) {
                let starts = (0..2 * 24 * 60).map(|minutes| of_minutes(begin, minutes));
                check(&starts.map(|start| slot(start, durations)).collect::<Vec<_>>());
            }
        }
        // Any at all, in any order, some of one day.
        let all = (ends[1] - ends[0]).num_minutes();
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let begin = random.i64(0..=all);
            let slots: Vec<Slot> = (0..random.usize(0..50))
                .map(|_| {
                    let far = if random.u8(..4) == 0 { all } else { 3_000 };
                    let minutes = (begin + random.i64(0..=far)).min(all);
                    let durations = sets[random.usize(..sets.len())];
                    slot(of_minutes(ends[0], minutes), durations)
                })
                .collect();
            check(&slots);
        }
    }
}
