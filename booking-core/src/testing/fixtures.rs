//! Values for tests: the demo people, instants, meetings, availability, events.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;

use crate::{
    Actor, Audited, AvailabilityId, AvailabilityOverride, AvailabilitySlot, Buffers, By,
    CalendarKind, CopyState, Dates, DayWindows, Email, Event, EventId, EventPayload, Hold, HoldId,
    IdSource, IdempotencyKey, LinkedCalendar, LinkedCalendarId, Meeting, MeetingId, MeetingStatus,
    MeetingType, OverrideId, RandomIds, Role, SealedLocation, Series, SeriesId, SessionDuration,
    StartTime, SystemName, Text, TherapistSettings, User, UserId, Window, Write, WriteBack,
};

/// The demo clients.
pub const CLIENTS: [&str; 2] = ["client_123", "client_124"];
/// The demo therapists. Each is also a client of the other.
pub const THERAPISTS: [&str; 2] = ["therapist_456", "therapist_457"];

/// The instant at which cases begin: 2024-01-01T12:00:00Z, a Monday.
#[must_use]
pub fn now() -> DateTime<Utc> {
    at("2024-01-01T12:00:00Z")
}

/// An RFC 3339 instant.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an RFC 3339 instant")
}

/// So many minutes after the beginning of Monday, 2024-01-15, in UTC.
#[must_use]
pub fn minute(minutes: i64) -> DateTime<Utc> {
    at("2024-01-15T00:00:00Z") + TimeDelta::minutes(minutes)
}

/// So many hours after the beginning of Monday, 2024-01-15, in UTC.
#[must_use]
pub fn hour(hours: i64) -> DateTime<Utc> {
    minute(60 * hours)
}

/// A start for requests.
///
/// # Panics
/// When it is not a whole minute.
#[must_use]
pub fn start(instant: DateTime<Utc>) -> StartTime {
    StartTime::new(instant).expect("a whole minute")
}

/// A user id.
///
/// # Panics
/// When it is not valid.
#[must_use]
pub fn id(text: &str) -> UserId {
    UserId::new(text).expect("a user id")
}

/// `client_123`.
#[must_use]
pub fn client() -> UserId {
    id(CLIENTS[0])
}

/// `client_124`.
#[must_use]
pub fn other_client() -> UserId {
    id(CLIENTS[1])
}

/// `therapist_456`.
#[must_use]
pub fn therapist() -> UserId {
    id(THERAPISTS[0])
}

/// `therapist_457`.
#[must_use]
pub fn other_therapist() -> UserId {
    id(THERAPISTS[1])
}

/// Somebody who acts as a client.
#[must_use]
pub fn as_client(id: &UserId) -> Actor {
    Actor { id: id.clone(), role: Role::Client }
}

/// Somebody who acts as a therapist.
#[must_use]
pub fn as_therapist(id: &UserId) -> Actor {
    Actor { id: id.clone(), role: Role::Therapist }
}

/// A text.
///
/// # Panics
/// When it is not valid.
#[must_use]
pub fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("a valid text")
}

/// An idempotency key.
///
/// # Panics
/// When it is not valid.
#[must_use]
pub fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).expect("an idempotency key")
}

/// A user of the directory in UTC: a therapist if the id says so, else a client.
///
/// # Panics
/// Never.
#[must_use]
pub fn user(id: &UserId) -> User {
    let is_therapist = id.as_str().starts_with("therapist");
    User {
        id: id.clone(),
        role: if is_therapist { Role::Therapist } else { Role::Client },
        first_name: text("Jane"),
        last_name: text("Smith"),
        email: Email::new("jane.smith@example.com").expect("an address"),
        zone: None,
    }
}

/// A fresh meeting: booked [`now`], an hour by video, nothing optional said.
#[must_use]
pub fn meeting(client: &UserId, therapist: &UserId, start: DateTime<Utc>) -> Meeting {
    Meeting {
        id: MeetingId::from_uuid(RandomIds.fresh(now())),
        version: 1,
        client: client.clone(),
        therapist: therapist.clone(),
        start,
        duration: SessionDuration::Hour,
        buffers: Buffers::NONE,
        status: MeetingStatus::Scheduled,
        meeting_type: MeetingType::Video,
        title: text(Meeting::DEFAULT_TITLE),
        description: None,
        meeting_url: None,
        session_notes: None,
        created_at: now(),
        updated_at: now(),
    }
}

/// A series, daily from the first of these meetings on, in UTC.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn series_of(meetings: &[Meeting]) -> Series {
    let first = meetings.first().expect("a series has a meeting");
    Series {
        id: SeriesId::from_uuid(RandomIds.fresh(now())),
        client: first.client.clone(),
        therapist: first.therapist.clone(),
        rule: format!("FREQ=DAILY;COUNT={}", meetings.len()).parse().expect("a rule"),
        except: BTreeSet::new(),
        start: first.start,
        duration: first.duration,
        zone: Tz::UTC,
        created_at: now(),
        meetings: meetings.iter().map(|meeting| meeting.id).collect(),
    }
}

/// A window of the wall clock, in minutes since midnight.
///
/// # Panics
/// When it is empty, or ends after the day.
#[must_use]
pub fn window(from: u16, to: u16) -> Window {
    let time = |minutes| crate::WallTime::from_minutes(minutes).expect("a time of day");
    Window::new(time(from), time(to)).expect("a window")
}

/// A fresh availability slot, switched on.
#[must_use]
pub fn slot(therapist: &UserId, weekday: Weekday, window: Window) -> AvailabilitySlot {
    AvailabilitySlot {
        id: AvailabilityId::from_uuid(RandomIds.fresh(now())),
        therapist: therapist.clone(),
        weekday,
        window,
        is_available: true,
        notes: None,
        created_at: now(),
        updated_at: now(),
    }
}

/// Fresh time off, from one date to another.
///
/// # Panics
/// When they are no dates of an override.
#[must_use]
pub fn off(therapist: &UserId, first: &str, last: &str) -> AvailabilityOverride {
    let date = |text: &str| text.parse().expect("a date");
    AvailabilityOverride {
        id: OverrideId::from_uuid(RandomIds.fresh(now())),
        therapist: therapist.clone(),
        dates: Dates::new(date(first), date(last)).expect("dates of an override"),
        windows: DayWindows::default(),
        notes: None,
        created_at: now(),
        updated_at: now(),
    }
}

/// An hour of a therapist's that is kept for somebody from [`now`] on, for ten minutes.
#[must_use]
pub fn hold(holder: &UserId, therapist: &UserId, start: DateTime<Utc>) -> Hold {
    Hold {
        id: HoldId::from_uuid(RandomIds.fresh(now())),
        holder: holder.clone(),
        therapist: therapist.clone(),
        start,
        duration: SessionDuration::Hour,
        buffers: Buffers::NONE,
        created_at: now(),
        expires_at: now() + TimeDelta::minutes(10),
    }
}

/// A fresh event that happened [`now`].
#[must_use]
pub fn event(payload: EventPayload) -> Event {
    Event { id: EventId::from_uuid(RandomIds.fresh(now())), occurred_at: now(), payload }
}

/// A change that a test makes [`now`], beside the service.
#[must_use]
pub fn by() -> By {
    By::system(SystemName::of("test"), now(), &RandomIds)
}

/// A row with an entry of the audit log; what was there before is not looked at.
///
/// # Panics
/// Never.
#[must_use]
pub fn audited(write: Write) -> Audited {
    match write {
        Write::InsertMeeting(meeting) => Audited::insert_meeting(by(), meeting),
        Write::UpdateMeeting(meeting) => Audited::update_meeting(by(), &meeting.clone(), meeting),
        Write::InsertSeries(series) => Audited::insert_series(by(), series),
        Write::InsertAvailability(slot) => Audited::insert_availability(by(), slot),
        Write::UpdateAvailability(slot) => Audited::update_availability(by(), &slot.clone(), slot),
        Write::DeleteAvailability(id) => {
            let before = AvailabilitySlot { id, ..slot(&therapist(), Weekday::Mon, window(0, 1)) };
            Audited::delete_availability(by(), &before)
        }
        Write::InsertOverride(one) => Audited::insert_override(by(), one),
        Write::UpdateOverride(one) => Audited::update_override(by(), &one.clone(), one),
        Write::DeleteOverride(id) => {
            let before =
                AvailabilityOverride { id, ..off(&therapist(), "2024-01-01", "2024-01-01") };
            Audited::delete_override(by(), &before)
        }
        Write::PutSettings(settings) => {
            let before = TherapistSettings::unset(settings.therapist.clone());
            Audited::put_settings(by(), &before, settings)
        }
        Write::PutHold(hold) => Audited::put_hold(by(), hold),
        Write::DeleteHold(id) => {
            Audited::release_hold(by(), &Hold { id, ..hold(&client(), &therapist(), now()) })
        }
    }
}

/// The event of a booking.
#[must_use]
pub fn booked(meeting: &Meeting) -> Event {
    event(EventPayload::booked(meeting, true))
}

/// A calendar that a therapist has linked, and that is due.
#[must_use]
pub fn link(therapist: &UserId) -> LinkedCalendar {
    LinkedCalendar {
        id: LinkedCalendarId::from_uuid(RandomIds.fresh(now())),
        therapist: therapist.clone(),
        version: 1,
        kind: CalendarKind::Ics,
        label: None,
        host: text("calendar.example.com"),
        location: SealedLocation(vec![1, 2, 3]),
        zone: None,
        write_back: WriteBack::Off,
        created_at: now(),
        copy: CopyState::due(now()),
    }
}
