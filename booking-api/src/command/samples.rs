//! What a `dev` server has to show when it starts for the first time: what the examples of the
//! OpenAPI document speak of, so that each of them can be sent as it stands.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use booking_core::{
    Actor, AvailabilityId, BookRequest, Booking, BookingError, By, CalendarFeed, Clock, Dates,
    DayWindows, FeedContent, FeedKey, HoldId, HoldRequest, IdSource, MeetingId, NewAvailability,
    NewOverride, OverrideId, RandomIds, Role, SeriesId, SeriesMode, SeriesRequest, SessionDuration,
    StartTime, Subscriber, Text, UserId, WebhookId, Window,
};
use chrono::{DateTime, NaiveDate, NaiveTime, SubsecRound, Utc, Weekday};
use uuid::Uuid;

use super::Failure;
use super::backend::Backend;
use super::demo::DEMO;
use crate::spec::as_of;
use crate::webhooks::{Endpoint, Secret, WebhookUrl};

/// The ids of the examples.
const WINDOW: &str = "avail_01hk2eaae9evgvyhzqt4s2cek0";
const OVERRIDE: &str = "override_01hk2eaae9evgvyhzqt4s2cek0";
const MEETING: &str = "meeting_01hk2eaafaed38w90cefa02m3n";
const HOLD: &str = "hold_01hk2eaafaed38w90cefa02m3n";
const SERIES: &str = "series_01hk2eaafaed38w90cefa02m3n";
const WEBHOOK: &str = "webhook_01hk2eaafaed38w90cefa02m3n";
/// Opens a demo user's feed, as the examples say to everybody: whose tokens `dev` gives away, too.
const FEED: &str =
    "feed_01hk2eaafaed38w90cefa02m3n-7c1b0a9f3d5e28467c1b0a9f3d5e28467c1b0a9f3d5e2846";

/// Evenings: the day is left to who follows the documentation.
const OPEN: (&str, &str) = ("18:00", "21:00");
const DAYS: [Weekday; 5] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
/// The meeting: on the day after the one that the examples book.
const DAY: NaiveDate = NaiveDate::from_ymd_opt(2024, 1, 16).expect("a date");
/// The override: long after all of them.
const SHORT_DAY: NaiveDate = NaiveDate::from_ymd_opt(2024, 1, 31).expect("a date");
/// The series: Fridays, from some weeks later on.
const FIRST: NaiveDate = NaiveDate::from_ymd_opt(2024, 2, 2).expect("a date");
const RULE: &str = "FREQ=WEEKLY;COUNT=3";
/// The hold: the last hour of that day, which is free again after ten minutes.
const HELD: NaiveDate = NaiveDate::from_ymd_opt(2024, 1, 25).expect("a date");
const LAST_HOUR: NaiveTime = NaiveTime::from_hms_opt(20, 0, 0).expect("a time");
const TIME: NaiveTime = NaiveTime::from_hms_opt(18, 0, 0).expect("a time");
/// Where nobody listens; it is switched off, too.
const RECEIVER: &str = "http://127.0.0.1:9/hooks/booking";

/// Puts it there: five evenings a week of `therapist_456` but for a short one, one meeting, one
/// series, one hold, one calendar feed, one webhook.
pub(super) async fn fill(backend: &Backend, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let now = clock.now();
    let booking = |first: Uuid| {
        let ids = Arc::new(FirstOf(Mutex::new(Some(first))));
        Booking::new(backend.store.clone(), backend.directory.clone(), clock.clone(), ids)
    };
    let therapist = Actor { id: UserId::new("therapist_456")?, role: Role::Therapist };
    let window = Window::new(OPEN.0.parse()?, OPEN.1.parse()?).ok_or("no such window")?;
    for weekday in DAYS {
        let id = match weekday {
            Weekday::Mon => WINDOW.parse::<AvailabilityId>()?.uuid(),
            _ => RandomIds.fresh(now),
        };
        let new = NewAvailability { weekday, window, notes: Some(Text::new("Evening sessions")?) };
        match booking(id).add_availability(&therapist, &new, None).await {
            // Another process has been here.
            Err(BookingError::Refused(_)) => return Ok(()),
            added => drop(added?),
        }
    }
    let short = Window::new(OPEN.0.parse()?, "19:30".parse()?).ok_or("no such window")?;
    let short_day = as_of(SHORT_DAY, now).ok_or("there is no such day")?;
    let new = NewOverride {
        dates: Dates::new(short_day, short_day)?,
        windows: DayWindows::new([short])?,
        notes: Some(Text::new("A concert")?),
    };
    let id = OVERRIDE.parse::<OverrideId>()?.uuid();
    booking(id).add_override(&therapist, &new, None).await?;
    let client = Actor { id: UserId::new("client_123")?, role: Role::Client };
    let session = |day, time| {
        let start = as_of(day, now).ok_or("there is no such day")?.and_time(time).and_utc();
        let (therapist, start) = (therapist.id.clone(), StartTime::new(start)?);
        Ok::<_, Failure>(BookRequest::new(therapist, start, SessionDuration::Hour))
    };
    let request = session(DAY, TIME)?;
    booking(MEETING.parse::<MeetingId>()?.uuid()).book(&client, &request, None).await?;
    let (first, rule) = (session(FIRST, TIME)?, RULE.parse()?);
    let request = SeriesRequest { first, rule, except: BTreeSet::new(), mode: SeriesMode::All };
    booking(SERIES.parse::<SeriesId>()?.uuid()).book_series(&client, &request, None).await?;
    let BookRequest { therapist, start, duration, .. } = session(HELD, LAST_HOUR)?;
    let minutes = HoldRequest::DEFAULT_MINUTES;
    let request = HoldRequest { therapist, client: None, start, duration, minutes };
    booking(HOLD.parse::<HoldId>()?.uuid()).hold(&client, &request).await?;
    add_feed(backend, client.id, now).await?;
    add_webhook(backend, now).await
}

async fn add_feed(backend: &Backend, owner: UserId, now: DateTime<Utc>) -> Result<(), Failure> {
    let key: FeedKey = FEED.parse()?;
    let feed = CalendarFeed {
        id: key.id(),
        owner,
        content: FeedContent::Times,
        name: Some(Text::new("My sessions")?),
        created_at: now.trunc_subsecs(3),
    };
    backend.feeds.add_feed(&feed, &key.digest(), By::system(DEMO, now, &RandomIds)).await?;
    Ok(())
}

async fn add_webhook(backend: &Backend, now: DateTime<Utc>) -> Result<(), Failure> {
    let secret = Secret::random().map_err(|_| "no randomness")?;
    let endpoint = Endpoint::new(WebhookUrl::new(RECEIVER.to_owned())?, None, secret);
    let webhook = Subscriber {
        id: WEBHOOK.parse::<WebhookId>()?.into(),
        event_types: BTreeSet::new(),
        is_active: false,
        settings: endpoint.into_settings(),
        created_at: now.trunc_subsecs(3),
    };
    let by = By::system(DEMO, now, &RandomIds);
    let _added = backend.events.add_subscriber(&webhook, by).await?;
    Ok(())
}

/// This id, and then random ones.
struct FirstOf(Mutex<Option<Uuid>>);

impl IdSource for FirstOf {
    fn fresh(&self, now: DateTime<Utc>) -> Uuid {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.take().unwrap_or_else(|| RandomIds.fresh(now))
    }
}
