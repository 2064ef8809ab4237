//! Slots.

use booking_core::{SessionDuration, Slot, StartTime};
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

impl From<Slot> for SlotDto {
    fn from(slot: Slot) -> Self {
        let duration = |duration: SessionDuration| DurationDto {
            id: duration.minutes().to_string(),
            name: format!("{} minutes", duration.minutes()),
            duration: Wire(duration),
        };
        Self {
            start_time: Wire(slot.start),
            available_durations: slot.durations().map(duration).collect(),
        }
    }
}
