//! What the rest of the platform is told (contract, "Events Published").
//!
//! The four documented events with exactly the documented fields: their JSON is the contract's.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::duration::SessionDuration;
use crate::id::{EventId, MeetingId, UserId};
use crate::instant;
use crate::meeting::{Meeting, MeetingType, UnknownWord, words};
use crate::text::{Description, SessionNotes, Title};

/// Something that happened to a meeting; it exists exactly when its change committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Which one; consumers deduplicate by it.
    pub id: EventId,
    /// When the change was decided, to the millisecond.
    #[serde(serialize_with = "instant::serialize")]
    pub occurred_at: DateTime<Utc>,
    /// What happened.
    pub payload: EventPayload,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum EventPayload {
    /// A meeting was booked, or moved here from another therapist.
    AppointmentBooked(AppointmentBooked),
    /// A meeting's start or duration changed.
    AppointmentRescheduled(AppointmentRescheduled),
    /// A meeting was cancelled, or moved away to another therapist.
    AppointmentCancelled(AppointmentCancelled),
    /// A meeting took place, or somebody did not come.
    AppointmentCompleted(AppointmentCompleted),
}

/// `AppointmentBookedEvent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppointmentBooked {
    /// The meeting.
    pub appointment_id: MeetingId,
    /// Who receives the session.
    pub client_id: UserId,
    /// Who gives it.
    pub therapist_id: UserId,
    /// When it begins.
    #[serde(serialize_with = "instant::serialize")]
    pub start_time: DateTime<Utc>,
    /// How the two meet.
    pub meeting_type: MeetingType,
    /// Minutes.
    pub duration: SessionDuration,
    /// What it is called.
    pub title: Title,
    /// What it is about; absent when nobody said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<Description>,
    /// Whether the two have no earlier meeting, by start, that was not cancelled.
    pub is_initial_consultation: bool,
}

/// `AppointmentRescheduledEvent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppointmentRescheduled {
    /// The meeting.
    pub appointment_id: MeetingId,
    /// Who receives the session.
    pub client_id: UserId,
    /// Who gives it.
    pub therapist_id: UserId,
    /// Who moved it.
    pub rescheduled_by: UserId,
    /// When it would have begun.
    #[serde(serialize_with = "instant::serialize")]
    pub original_start_time: DateTime<Utc>,
    /// When it begins now.
    #[serde(serialize_with = "instant::serialize")]
    pub new_start_time: DateTime<Utc>,
    /// As given, or `Rescheduled by client` / `Rescheduled by therapist`.
    pub reschedule_reason: String,
}

/// `AppointmentCancelledEvent`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppointmentCancelled {
    /// The meeting.
    pub appointment_id: MeetingId,
    /// Who would have received the session.
    pub client_id: UserId,
    /// Who would have given it.
    pub therapist_id: UserId,
    /// Who cancelled it.
    pub cancelled_by: UserId,
    /// As given, or `Cancelled by client` / `Cancelled by therapist`.
    pub cancellation_reason: String,
    /// When it would have begun.
    #[serde(serialize_with = "instant::serialize")]
    pub original_start_time: DateTime<Utc>,
    /// When it was cancelled.
    #[serde(serialize_with = "instant::serialize")]
    pub cancelled_at: DateTime<Utc>,
    /// Hours from the cancellation to the start; 0 once that has passed.
    pub cancellation_notice: f64,
}

/// `AppointmentCompletedEvent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppointmentCompleted {
    /// The meeting.
    pub appointment_id: MeetingId,
    /// Who received the session.
    pub client_id: UserId,
    /// Who gave it.
    pub therapist_id: UserId,
    /// When it was said to be over.
    #[serde(serialize_with = "instant::serialize")]
    pub completed_at: DateTime<Utc>,
    /// Minutes.
    pub duration: SessionDuration,
    /// What the therapist wrote down; empty when nothing.
    pub session_notes: String,
    /// Whether they came.
    pub attendance_status: AttendanceStatus,
}

words! {
    /// The kinds of event, by the names under which they travel: the `type` of a
    /// [`CloudEvent`](crate::CloudEvent).
    EventType {
        /// [`AppointmentBooked`].
        Booked = "booking.appointment.booked.v1",
        /// [`AppointmentRescheduled`].
        Rescheduled = "booking.appointment.rescheduled.v1",
        /// [`AppointmentCancelled`].
        Cancelled = "booking.appointment.cancelled.v1",
        /// [`AppointmentCompleted`].
        Completed = "booking.appointment.completed.v1",
    }
    expected "booking.appointment. with booked.v1, rescheduled.v1, cancelled.v1 or completed.v1"
}

impl EventType {
    /// The event's name in the contract, without the suffix `Event`: the tag of its payload.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Booked => "AppointmentBooked",
            Self::Rescheduled => "AppointmentRescheduled",
            Self::Cancelled => "AppointmentCancelled",
            Self::Completed => "AppointmentCompleted",
        }
    }
}

/// Whether the participants of a meeting came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AttendanceStatus {
    /// They did.
    Attended,
    /// Somebody did not.
    NoShow,
}

impl EventPayload {
    /// The event's name in the contract, without the suffix `Event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.event_type().name()
    }

    /// Of which kind it is.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::AppointmentBooked(_) => EventType::Booked,
            Self::AppointmentRescheduled(_) => EventType::Rescheduled,
            Self::AppointmentCancelled(_) => EventType::Cancelled,
            Self::AppointmentCompleted(_) => EventType::Completed,
        }
    }

    /// The two whom it concerns: the client, and the therapist.
    #[must_use]
    pub const fn people(&self) -> [&UserId; 2] {
        match self {
            Self::AppointmentBooked(event) => [&event.client_id, &event.therapist_id],
            Self::AppointmentRescheduled(event) => [&event.client_id, &event.therapist_id],
            Self::AppointmentCancelled(event) => [&event.client_id, &event.therapist_id],
            Self::AppointmentCompleted(event) => [&event.client_id, &event.therapist_id],
        }
    }

    /// The meeting that it happened to.
    #[must_use]
    pub const fn meeting(&self) -> MeetingId {
        match self {
            Self::AppointmentBooked(event) => event.appointment_id,
            Self::AppointmentRescheduled(event) => event.appointment_id,
            Self::AppointmentCancelled(event) => event.appointment_id,
            Self::AppointmentCompleted(event) => event.appointment_id,
        }
    }

    pub(crate) fn booked(meeting: &Meeting, is_initial_consultation: bool) -> Self {
        Self::AppointmentBooked(AppointmentBooked {
            appointment_id: meeting.id,
            client_id: meeting.client.clone(),
            therapist_id: meeting.therapist.clone(),
            start_time: meeting.start,
            meeting_type: meeting.meeting_type,
            duration: meeting.duration,
            title: meeting.title.clone(),
            description: meeting.description.clone(),
            is_initial_consultation,
        })
    }

    pub(crate) fn rescheduled(before: &Meeting, after: &Meeting, by: UserId, why: String) -> Self {
        Self::AppointmentRescheduled(AppointmentRescheduled {
            appointment_id: after.id,
            client_id: after.client.clone(),
            therapist_id: after.therapist.clone(),
            rescheduled_by: by,
            original_start_time: before.start,
            new_start_time: after.start,
            reschedule_reason: why,
        })
    }

    pub(crate) fn cancelled(before: &Meeting, by: UserId, why: String, now: DateTime<Utc>) -> Self {
        const MILLIS_AN_HOUR: f64 = 3_600_000.0;
        let notice = (before.start - now).num_milliseconds().max(0);
        Self::AppointmentCancelled(AppointmentCancelled {
            appointment_id: before.id,
            client_id: before.client.clone(),
            therapist_id: before.therapist.clone(),
            cancelled_by: by,
            cancellation_reason: why,
            original_start_time: before.start,
            cancelled_at: now,
            cancellation_notice: notice as f64 / MILLIS_AN_HOUR,
        })
    }

    pub(crate) fn completed(
        after: &Meeting,
        attendance_status: AttendanceStatus,
        now: DateTime<Utc>,
    ) -> Self {
        let notes = after.session_notes.as_ref().map_or("", SessionNotes::as_str);
        Self::AppointmentCompleted(AppointmentCompleted {
            appointment_id: after.id,
            client_id: after.client.clone(),
            therapist_id: after.therapist.clone(),
            completed_at: now,
            duration: after.duration,
            session_notes: notes.to_owned(),
            attendance_status,
        })
    }
}
