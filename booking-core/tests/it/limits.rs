//! Texts that name a limit name the one that holds.

use std::collections::BTreeSet;
use std::fmt::Display;

use booking_core::{
    AvailabilityOverride, AvailabilitySlot, CalendarFeed, DiariesQuery, Email, IdempotencyKey,
    LinkedCalendar, PageLimit, Recurrence, Refusal, SlotSearch, StartTime, Subscriber,
    SubscriberId, UserId,
};
use chrono::{DateTime, Days, NaiveDate};
use chrono_tz::Tz;

fn says(text: &impl ToString, limit: impl Display + Copy) {
    let (text, limit) = (text.to_string(), limit.to_string());
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    assert!(numbers.any(|number| number == limit), "{text:?} does not say {limit}");
}

/// What is wrong with a field.
fn detail<T>(refused: Result<T, Refusal>) -> &'static str {
    match refused {
        Err(Refusal::Invalid { detail, .. }) => detail,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[test]
fn refusals_name_the_limits() {
    says(&Refusal::TooManyFeeds, CalendarFeed::MAX_PER_OWNER);
    says(&Refusal::TooManyCalendars, LinkedCalendar::MAX_PER_THERAPIST);
    says(&Refusal::TooManyWebhooks, Subscriber::MAX_WEBHOOKS);
    says(&Refusal::TooMuchAvailability, AvailabilitySlot::MOST_A_DAY);
    says(&Refusal::TooManyOverrides, AvailabilityOverride::MOST);
}

#[test]
fn searches_name_the_limits() {
    let search = |therapists: usize, days: usize| {
        let from = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
        let days = Days::new(u64::try_from(days).unwrap() - 1);
        let search = SlotSearch {
            therapists: (0..therapists).map(|n| UserId::new(format!("t{n}")).unwrap()).collect(),
            from,
            to: from + days,
            zone: Tz::UTC,
            duration: None,
            page: None,
            limit: PageLimit::MAX,
        };
        search.check()
    };
    let (most, longest) = (DiariesQuery::MAX_THERAPISTS, SlotSearch::MAX_DAYS);
    assert_eq!(search(most, longest), Ok(()));
    says(&detail(search(most + 1, longest)), most);
    says(&detail(search(most, longest + 1)), longest);
}

#[test]
fn rules_name_the_limits() {
    let sessions = |rule: &str, year: i32| {
        let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_time(Default::default());
        let first = StartTime::new(first.and_utc()).unwrap();
        rule.parse::<Recurrence>().unwrap().occurrences(first, Tz::UTC, &BTreeSet::new())
    };
    let most = Recurrence::MOST;
    assert!(sessions(&format!("FREQ=DAILY;COUNT={most}"), 2024).is_ok());
    says(&detail(sessions("FREQ=DAILY;UNTIL=20241231", 2024)), most);
    says(&format!("FREQ=DAILY;COUNT={}", most + 1).parse::<Recurrence>().unwrap_err(), most);
    // Two years are at most 731 days.
    assert_eq!(Recurrence::LONGEST_DAYS, 2 * 365 + 1);
    assert!(detail(sessions("FREQ=MONTHLY;COUNT=30", 2024)).contains("within two years"));
    let (first, last) = (1980, 9990);
    for (year, can_be) in [(first - 1, false), (first, true), (last, true), (last + 1, false)] {
        let found = sessions("FREQ=DAILY;COUNT=2", year);
        assert_eq!(found.is_ok(), can_be, "{year}");
        if !can_be {
            let told = detail(found);
            says(&told, first);
            says(&told, last);
        }
    }
    let long = "x".repeat(Recurrence::MAX_CHARS + 1);
    says(&long.parse::<Recurrence>().unwrap_err(), Recurrence::MAX_CHARS);
}

#[test]
fn values_name_the_limits() {
    let long = |chars: usize| "x".repeat(chars + 1);
    says(&UserId::new(long(UserId::MAX_CHARS)).unwrap_err(), UserId::MAX_CHARS);
    let subscriber = SubscriberId::new(long(SubscriberId::MAX_CHARS));
    says(&subscriber.unwrap_err(), SubscriberId::MAX_CHARS);
    let key = IdempotencyKey::new(long(IdempotencyKey::MAX_CHARS));
    says(&key.unwrap_err(), IdempotencyKey::MAX_CHARS);
    let email = Email::new(format!("{}@example.com", long(Email::MAX_BYTES)));
    says(&email.unwrap_err(), Email::MAX_BYTES);
    let after = StartTime::new(DateTime::from_timestamp(253_402_300_800, 0).unwrap());
    says(&after.unwrap_err(), 9999);
    assert!(StartTime::new(DateTime::from_timestamp(253_402_300_740, 0).unwrap()).is_ok());
}
