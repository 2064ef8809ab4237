//! Starts that are kept for somebody.

use booking_core::{Hold, HoldMinutes, HoldRequest, SessionDuration, StartTime, UserId};
use chrono::{DateTime, Utc};
use poem_openapi::Object;

use crate::body::{plain, request_body};
use crate::wire::Wire;

request_body! {
    /// A start to keep.
    HoldCreateDto {
        /// With whom.
        therapist_id: Wire<UserId>,
        /// When the session would begin: a whole minute, with an offset.
        start_time: Wire<StartTime>,
        /// How long it would be, in minutes.
        duration: Wire<SessionDuration>,
        /// For whom: required when a therapist asks, and not for clients.
        client_id: Option<Wire<UserId>>,
        /// For how many minutes to keep it; 10 when left out.
        minutes: Option<Wire<HoldMinutes>>,
    }
}

/// A start that is kept for the caller.
#[derive(Debug, Object)]
#[oai(rename = "Hold", rename_all = "camelCase")]
pub(crate) struct HoldDto {
    /// Which one.
    id: String,
    /// With whom.
    therapist_id: Wire<UserId>,
    /// When the session would begin.
    start_time: Wire<DateTime<Utc>>,
    /// When it would end.
    end_time: Wire<DateTime<Utc>>,
    /// How long it would be, in minutes.
    duration: Wire<SessionDuration>,
    /// From when on it is kept no more.
    expires_at: Wire<DateTime<Utc>>,
}

impl From<HoldCreateDto> for HoldRequest {
    fn from(dto: HoldCreateDto) -> Self {
        Self {
            therapist: dto.therapist_id.0,
            client: plain(dto.client_id),
            start: dto.start_time.0,
            duration: dto.duration.0,
            minutes: plain(dto.minutes).unwrap_or(Self::DEFAULT_MINUTES),
        }
    }
}

impl From<Hold> for HoldDto {
    fn from(hold: Hold) -> Self {
        Self {
            id: hold.id.to_string(),
            start_time: Wire(hold.start),
            end_time: Wire(hold.end()),
            duration: Wire(hold.duration),
            expires_at: Wire(hold.expires_at),
            therapist_id: Wire(hold.therapist),
        }
    }
}
