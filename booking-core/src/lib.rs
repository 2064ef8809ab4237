//! Bookings that never collide.
//!
//! `booking-core` generates slots, checks overlaps and decides state transitions for sessions of
//! clients with therapists, over storage that you plug in. It knows no SQL and no HTTP, and takes the
//! time from a [`Clock`].
//!
//! # A tour
//!
//! ```
//! use std::sync::Arc;
//!
//! use booking_core::*;
//! use chrono::{DateTime, NaiveDate, Utc, Weekday};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! // The ports: a store, a directory of users, a clock and a source of ids. The memory store is a
//! // directory as well.
//! let store = Arc::new(MemoryStore::default());
//! let now: DateTime<Utc> = "2024-01-01T12:00:00Z".parse()?;
//! let clock = Arc::new(ManualClock::new(now));
//! let booking = Booking::new(store.clone(), store.clone(), clock, Arc::new(RandomIds));
//!
//! // Who is there, and who belongs to whom.
//! let jane = User {
//!     id: UserId::new("therapist_456")?,
//!     role: Role::Therapist,
//!     first_name: Text::new("Jane")?,
//!     last_name: Text::new("Smith")?,
//!     email: Email::new("jane.smith@example.com")?,
//!     zone: Some(chrono_tz::America::New_York),
//! };
//! let john = User { id: UserId::new("client_123")?, role: Role::Client, ..jane.clone() };
//! let by = || By::system(SystemName::of("tour"), now, &RandomIds);
//! store.put_user(&jane, by()).await?;
//! store.put_user(&john, by()).await?;
//! store.relate(&john.id, &jane.id, by()).await?;
//!
//! // Jane receives on Mondays from 9 to 12, on the clocks of New York. (The last argument could be
//! // an idempotency key, which makes repeats safe.)
//! let therapist = Actor { id: jane.id.clone(), role: Role::Therapist };
//! let window = Window::new("09:00".parse()?, "12:00".parse()?).ok_or("empty")?;
//! let new = NewAvailability { weekday: Weekday::Mon, window, notes: None };
//! booking.add_availability(&therapist, &new, None).await?;
//!
//! // John sees six starts on January 15th, and books the first.
//! let client = Actor { id: john.id, role: Role::Client };
//! let date = NaiveDate::from_ymd_opt(2024, 1, 15).ok_or("no such date")?;
//! let slots = booking.slots(&client, &jane.id, date).await?;
//! assert_eq!(slots.len(), 6);
//! let request = BookRequest::new(jane.id.clone(), slots[0].start, SessionDuration::Hour);
//! let booked = booking.book(&client, &request, None).await?.value;
//! assert_eq!(booked.meeting.status, MeetingStatus::Scheduled);
//!
//! // Nobody can have it twice, and it is no longer offered.
//! let again = booking.book(&client, &request, None).await;
//! assert!(matches!(again, Err(BookingError::Refused(Refusal::SlotConflict))));
//! assert_eq!(booking.slots(&client, &jane.id, date).await?.len(), 4);
//!
//! // The rest of the platform hears of it.
//! store.publish(now, 10).await?;
//! let events = store.events(&EventQuery { after: 0, person: None, limit: 10 }).await?;
//! assert_eq!(events[0].event.payload.name(), "AppointmentBooked");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | slots and checks alone, without any store | [`Calendar`] |
//! | everything, over a store | [`Booking`] |
//! | a store of your own | [`Store`], [`Outbox`], and the suite in `testing` (feature `testing`) |
//! | users from your own system | [`Directory`] |
//! | users that admins keep here | [`UserDirectory`] |
//! | how a therapist wants to be booked | [`Settings`] |
//! | why something was turned down | [`Refusal`] |
//! | what the rest of the platform is told | [`EventPayload`], [`EventSink`], [`Relay`], [`Webhooks`] |
//! | what changes while somebody looks on | [`Live`], [`Announced`] |
//! | listings from memory | [`SlotCache`] |
//! | calendars for calendar apps | [`CalendarFeeds`], [`ical`] |
//! | calendars from elsewhere | [`CalendarLinks`]; with the feature `ical`, `external_times` and `Copier` |
//! | who changed what, and when | [`AuditLog`], [`By`] |

// Pure: values in, values out.
mod access;
mod audited;
mod audited_terms;
mod availability;
mod backoff;
mod calendar;
mod calendars;
mod causes;
mod cloud_event;
mod dated;
mod decide;
mod duration;
mod event;
#[cfg(feature = "ical")]
mod external;
mod hold;
pub mod ical;
mod id;
mod idempotency;
mod instant;
mod kept;
mod look;
mod meeting;
mod overrides;
mod recurrence;
mod refusal;
mod request;
mod search;
mod series;
mod settings;
mod slot;
mod span;
mod terms;
mod text;
pub mod tzdb;
mod unread;
mod user_news;
mod zone;

// Ports: traits, and the values that cross them.
mod audit;
mod calendar_feed;
mod clock;
mod delivery;
mod diary;
mod directory;
mod linked_calendar;
mod outbox;
mod signal;
mod sink;
mod store;

// Shell: effects, through the ports only.
mod announced;
mod booking;
#[cfg(feature = "ical")]
mod copier;
mod hub;
mod in_flight;
mod live;
mod memory;
mod relay;
mod slot_cache;
mod store_ext;

#[cfg(feature = "testing")]
pub mod testing;

pub use access::{Actor, Operation, Role};
pub use announced::Announced;
pub use audit::{
    AuditAction, AuditEntry, AuditLog, AuditPlace, AuditQuery, AuditSubject, Author, By,
    FieldChange, SubjectKind, SystemName,
};
pub use audited::Audited;
pub use availability::{
    AvailabilitySlot, InvalidWallTime, WEEKDAYS, WallTime, WeeklyHours, Window,
};
pub use backoff::retry_delay;
pub use booking::{
    Booking, BookingError, CalendarFeeds, CalendarLinks, LinkPatch, NewLink, NewWebhook,
    UserDirectory, Webhooks,
};
pub use calendar::Calendar;
pub use calendar_feed::{CalendarFeed, FeedContent, FeedDigest, FeedKey, FeedName, Feeds, NewFeed};
pub use calendars::{Busy, Calendars, CountedMeeting, ScopeTooNarrow};
pub use causes::with_causes;
pub use clock::{Clock, ManualClock, ShiftedClock, SystemClock};
pub use cloud_event::{CLOUD_EVENTS_JSON, CloudEvent};
#[cfg(feature = "ical")]
pub use copier::{Behind, CalendarSource, Copier, Fetched, SourceError};
pub use decide::{
    Answered, AvailabilityPatch, ExpectedVersion, MeetingPatch, NewAvailability, NewOverride,
    Patch, admit_subscriber, check_relationship,
};
pub use delivery::{
    Added, Attempt, Backlog, ChangeSubscriber, Claim, Claimed, Deliveries, Delivery, DeliveryQuery,
    DeliveryState, Outcome, Replay, Settled, Subscriber, SubscriberId,
};
pub use diary::{Diaries, DiariesDraft, DiariesQuery, Diary, DiaryMeeting, DiaryOwner};
pub use directory::{Directory, DirectoryAdmin, DirectoryId, Email, InvalidEmail, User};
pub use duration::{Durations, InvalidDuration, InvalidDurations, SessionDuration};
pub use event::{
    AppointmentBooked, AppointmentCancelled, AppointmentCompleted, AppointmentRescheduled,
    AttendanceStatus, Event, EventPayload, EventType,
};
#[cfg(feature = "ical")]
pub use external::{
    ExternalTimes, Unclear, UnclearEvent, UnreadableCalendar, external_times, external_times_of,
};
pub use hold::{Hold, HoldMinutes, HoldRequest, Viewer};
pub use hub::{Hearing, Hub, Watching};
pub use id::{
    AuditId, AvailabilityId, CountedIds, EventId, FeedId, HoldId, IdSource, InvalidId,
    LinkedCalendarId, MeetingId, OverrideId, RandomIds, SeriesId, UserId, WebhookId,
};
pub use idempotency::{Answer, Fingerprint, IdempotencyKey, InvalidIdempotencyKey, Record};
pub use instant::{InvalidStart, StartTime, format_instant};
pub use kept::{CalendarView, DiaryCalendar};
pub use linked_calendar::{
    BusyTimes, CalendarHost, CalendarKind, CalendarLabel, Copied, CopyClaim, CopyFault, CopyState,
    FaultDetail, Linked, LinkedCalendar, LinkedCalendars, Refresh, SealedLocation, TooBusy,
    Unwritten, Validators, WriteBack,
};
pub use live::{EventStream, Live, SlotStream};
pub use meeting::{Meeting, MeetingStatus, MeetingType, Party, UnknownWord};
pub use memory::MemoryStore;
pub use outbox::{EventQuery, Outbox, Recorded};
pub use overrides::{
    AvailabilityOverride, Dates, DayWindows, InvalidDates, InvalidWindows, Overrides,
};
pub use recurrence::{InvalidRecurrence, Occurrences, Recurrence};
pub use refusal::Refusal;
pub use relay::{EventStore, Passed, Relay, Sinks};
pub use request::{BookRequest, MeetingFilter, MeetingView, Page, PageLimit};
pub use search::{DayFound, FirstFree, SlotSearch, SlotsFound, SlotsOf};
pub use series::{
    BookedSeries, LeftOut, Occurrence, Series, SeriesMeeting, SeriesMeetings, SeriesMode,
    SeriesPreview, SeriesRequest, SeriesView,
};
pub use settings::{
    Bounded, Buffer, Buffers, DailyLimit, Days, Horizon, InvalidTemplate, MeetingUrlTemplate,
    Minutes, Notice, OutOfBounds, Settings, SlotInterval, TherapistSettings, Things, Unit,
    WeeklyLimit,
};
pub use signal::{Listening, Signal, Signals};
pub use sink::{EventSink, SinkError, Then, sink_fn};
pub use slot::{Day, Slot};
pub use slot_cache::{SlotCache, SlotCacheCounts};
pub use span::{Span, SpanSet};
pub use store::{
    Change, ChangeError, Decide, Decline, Earlier, MeetingQuery, MeetingTexts, Place, Scope, Store,
    StoreError, Write,
};
pub use terms::{FullDates, Terms};
pub use text::{
    Description, InvalidUrl, MeetingUrl, Name, Notes, Reason, SessionNotes, Text, TextError, Title,
};
pub use unread::{UnreadEvent, UnreadEvents, UnreadPart};
pub use user_news::{
    DirectoryEntry, LastNews, NewsOutcome, UserChange, UserNews, UserProfile, UserStanding,
};
