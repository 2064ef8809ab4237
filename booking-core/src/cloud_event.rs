//! Events as they travel: CloudEvents 1.0 in structured JSON
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::duration::SessionDuration;
use crate::event::{
    AppointmentBooked, AppointmentCancelled, AppointmentCompleted, AppointmentRescheduled,
    AttendanceStatus, EventPayload, EventType,
};
use crate::id::{EventId, MeetingId, UserId};
use crate::instant;
use crate::outbox::Recorded;

/// The media type of a [`CloudEvent`] in JSON.
pub const CLOUD_EVENTS_JSON: &str = "application/cloudevents+json";

/// An event in its envelope. Serializes to the JSON that consumers get.
///
/// `data` has exactly the fields that the contract documents. Consumers deduplicate by `id`, and
/// find the order of events in `sequence`.
///
/// ```
/// use booking_core::*;
///
/// # let payload = serde_json::json!({"type": "AppointmentRescheduled", "data": {
/// #     "appointmentId": "meeting_01h455vb4pex5vsknk084sn02q", "clientId": "client_123",
/// #     "therapistId": "therapist_456", "rescheduledBy": "client_123",
/// #     "originalStartTime": "2024-01-15T14:00:00Z", "newStartTime": "2024-01-15T15:00:00Z",
/// #     "rescheduleReason": "Rescheduled by client"}});
/// # let event = Event {
/// #     id: "event_01h455vb4pex5vsknk084sn02q".parse()?,
/// #     occurred_at: "2024-01-15T09:00:00Z".parse()?,
/// #     payload: serde_json::from_value(payload)?,
/// # };
/// let recorded = Recorded { sequence: 7, event };
/// let json = serde_json::to_value(CloudEvent::of(&recorded, "/booking"))?;
/// assert_eq!(json["type"], "booking.appointment.rescheduled.v1");
/// assert_eq!(json["subject"], "meeting_01h455vb4pex5vsknk084sn02q");
/// assert_eq!(json["data"]["newStartTime"], "2024-01-15T15:00:00.000Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize)]
pub struct CloudEvent<'a> {
    specversion: &'static str,
    id: EventId,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: EventType,
    subject: MeetingId,
    #[serde(serialize_with = "instant::serialize")]
    time: DateTime<Utc>,
    datacontenttype: &'static str,
    /// Twenty digits, so that sequences compare as texts, as the extension asks
    /// (<https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/sequence.md>).
    sequence: String,
    data: Data<'a>,
}

/// The documented fields.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Booked(&'a AppointmentBooked),
    Rescheduled(&'a AppointmentRescheduled),
    Cancelled(&'a AppointmentCancelled),
    Completed(&'a AppointmentCompleted),
    CompletedWithoutNotes(CompletedWithoutNotes<'a>),
}

/// [`AppointmentCompleted`] for those who may not read the therapist's notes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct CompletedWithoutNotes<'a> {
    appointment_id: MeetingId,
    client_id: &'a UserId,
    therapist_id: &'a UserId,
    #[serde(serialize_with = "instant::serialize")]
    completed_at: DateTime<Utc>,
    duration: SessionDuration,
    attendance_status: AttendanceStatus,
}

impl<'a> CloudEvent<'a> {
    /// The event as the rest of the platform gets it. `source` says whose events these are: a URI
    /// reference, the same for all of one service.
    #[must_use]
    pub fn of(recorded: &'a Recorded, source: &'a str) -> Self {
        let event = &recorded.event;
        let data = match &event.payload {
            EventPayload::AppointmentBooked(event) => Data::Booked(event),
            EventPayload::AppointmentRescheduled(event) => Data::Rescheduled(event),
            EventPayload::AppointmentCancelled(event) => Data::Cancelled(event),
            EventPayload::AppointmentCompleted(event) => Data::Completed(event),
        };
        Self {
            specversion: "1.0",
            id: event.id,
            source,
            event_type: event.payload.event_type(),
            subject: event.payload.meeting(),
            time: event.occurred_at,
            datacontenttype: "application/json",
            sequence: format!("{:020}", recorded.sequence),
            data,
        }
    }

    /// The event as `reader` may see it: the therapist's notes are for that therapist alone.
    #[must_use]
    pub fn seen_by(recorded: &'a Recorded, source: &'a str, reader: &UserId) -> Self {
        let mut seen = Self::of(recorded, source);
        if let EventPayload::AppointmentCompleted(event) = &recorded.event.payload
            && event.therapist_id != *reader
        {
            seen.data = Data::CompletedWithoutNotes(CompletedWithoutNotes::of(event));
        }
        seen
    }
}

impl<'a> CompletedWithoutNotes<'a> {
    const fn of(event: &'a AppointmentCompleted) -> Self {
        Self {
            appointment_id: event.appointment_id,
            client_id: &event.client_id,
            therapist_id: &event.therapist_id,
            completed_at: event.completed_at,
            duration: event.duration,
            attendance_status: event.attendance_status,
        }
    }
}
