//! The text formats: whatever is accepted is written back as text that is accepted as the same, and
//! nothing panics.

#![no_main]

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use booking_core::{
    AvailabilityId, Description, Email, EventId, EventPayload, EventType, FeedId, FeedKey,
    IdempotencyKey, MeetingId, MeetingStatus, MeetingType, MeetingUrl, Recurrence, Role, SeriesId,
    SeriesMode, StartTime, SubscriberId, Title, UserId, WallTime, WebhookId, Window,
    format_instant,
};
use chrono::{DateTime, Utc};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|text: &str| {
    spelled::<MeetingId>(text);
    spelled::<AvailabilityId>(text);
    spelled::<EventId>(text);
    spelled::<WebhookId>(text);
    spelled::<FeedId>(text);
    spelled::<WallTime>(text);
    spelled::<Role>(text);
    spelled::<MeetingStatus>(text);
    spelled::<MeetingType>(text);
    spelled::<EventType>(text);
    spelled::<SeriesId>(text);
    spelled::<SeriesMode>(text);
    spelled::<Recurrence>(text);
    expanded(text);

    same(text, UserId::new(text).ok().as_ref().map(UserId::as_str));
    same(text, IdempotencyKey::new(text).ok().as_ref().map(IdempotencyKey::as_str));
    same(text, Title::new(text).ok().as_ref().map(Title::as_str));
    same(text, Description::new(text).ok().as_ref().map(Description::as_str));
    same(text, MeetingUrl::new(text).ok().as_ref().map(MeetingUrl::as_str));
    same(text, Email::new(text).ok().as_ref().map(Email::as_str));
    same(text, SubscriberId::new(text).ok().as_ref().map(SubscriberId::as_str));

    stored::<Window>(text);
    stored::<EventPayload>(text);

    if let Ok(key) = text.parse::<FeedKey>() {
        let again = key.reveal().parse::<FeedKey>().map(|key| key.reveal());
        assert_eq!(again, Ok(key.reveal()));
    }
    if let Ok(instant) = text.parse::<DateTime<Utc>>()
        && let Ok(start) = StartTime::new(instant)
    {
        assert_eq!(format_instant(start.instant()).parse(), Ok(instant));
    }
});

/// A value that has one spelling at least: its own.
fn spelled<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let again = value.to_string().parse::<T>().ok();
        assert_eq!(again.as_ref(), Some(&value));
    }
}

/// A rule comes to an end, whenever and wherever it begins.
fn expanded(text: &str) {
    let Ok(rule) = text.parse::<Recurrence>() else { return };
    // A leap day, a month's end, days on which clocks change, and where the calendar ends.
    for first in
        ["2024-02-29T09:00Z", "2024-01-31T23:30Z", "2025-03-30T00:30Z", "9990-12-31T12:00Z"]
    {
        let instant: DateTime<Utc> = first.replace('Z', ":00Z").parse().expect("an instant");
        let first = StartTime::new(instant).expect("a whole minute");
        for zone in [chrono_tz::UTC, chrono_tz::Europe::London, chrono_tz::Pacific::Apia] {
            if let Ok(found) = rule.occurrences(first, zone, &BTreeSet::new()) {
                assert!((1..=104).contains(&found.starts.len()));
            }
        }
    }
}

/// A text that is kept as it came, or not at all.
fn same(text: &str, kept: Option<&str>) {
    assert!(kept.is_none_or(|kept| kept == text));
}

/// A value that stores keep as JSON: it comes back as it was written.
fn stored<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    if let Ok(value) = serde_json::from_str::<T>(text) {
        let json = serde_json::to_string(&value).expect("what was read can be written");
        assert_eq!(serde_json::from_str::<T>(&json).ok().as_ref(), Some(&value), "{json}");
    }
}
