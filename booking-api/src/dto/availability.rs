//! Weekly availability.

use booking_core::{AvailabilityPatch, AvailabilitySlot, NewAvailability, Notes, UserId};
use booking_core::{WallTime, Window};
use chrono::{DateTime, Utc, Weekday};
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;

use crate::body::{patch, plain, request_body};
use crate::problem::{FieldError, Problem};
use crate::wire::Wire;

request_body! {
    /// A weekly window to add.
    TherapistAvailabilityCreateDto {
        /// On which day, in the therapist's zone.
        day_of_week: Wire<Weekday>,
        /// From when, in the therapist's zone.
        start_time: Wire<WallTime>,
        /// Until when, in the therapist's zone; up to `24:00`.
        end_time: Wire<WallTime>,
        /// Remarks.
        #[oai(nullable)]
        notes: MaybeUndefined<Wire<Notes>>,
    }
}

request_body! {
    /// What is to change about an availability slot; fields that are left out stay.
    TherapistAvailabilityUpdateDto {
        /// Another day.
        day_of_week: Option<Wire<Weekday>>,
        /// Another start.
        start_time: Option<Wire<WallTime>>,
        /// Another end.
        end_time: Option<Wire<WallTime>>,
        /// Other remarks; null empties them.
        #[oai(nullable)]
        notes: MaybeUndefined<Wire<Notes>>,
        /// On or off.
        is_available: Option<Wire<bool>>,
    }
}

/// A weekly window of availability.
#[derive(Debug, Object)]
#[oai(rename = "AvailabilitySlot", rename_all = "camelCase")]
pub(crate) struct AvailabilityDto {
    /// Which one.
    id: String,
    /// Whose.
    therapist_id: Wire<UserId>,
    /// On which day, in the therapist's zone.
    day_of_week: Wire<Weekday>,
    /// From when, in the therapist's zone.
    start_time: Wire<WallTime>,
    /// Until when, in the therapist's zone.
    end_time: Wire<WallTime>,
    /// Whether it counts.
    is_available: bool,
    /// Remarks.
    #[oai(nullable)]
    notes: Option<Wire<Notes>>,
    /// When it was made.
    created_at: Wire<DateTime<Utc>>,
    /// When it last changed.
    updated_at: Wire<DateTime<Utc>>,
}

/// The thing is gone.
#[derive(Debug, Object)]
#[oai(rename = "Deleted")]
pub(crate) struct DeletedDto {
    /// Always true.
    success: bool,
}

impl DeletedDto {
    pub(crate) const DONE: Self = Self { success: true };
}

fn window(start: WallTime, end: WallTime) -> Result<Window, Problem> {
    let inverted = || FieldError::at("startTime", "must be before endTime");
    Window::new(start, end).ok_or_else(|| Problem::invalid(vec![inverted()]))
}

impl TryFrom<TherapistAvailabilityCreateDto> for NewAvailability {
    type Error = Problem;

    fn try_from(dto: TherapistAvailabilityCreateDto) -> Result<Self, Problem> {
        let window = window(dto.start_time.0, dto.end_time.0)?;
        Ok(Self { weekday: dto.day_of_week.0, window, notes: plain(dto.notes.take()) })
    }
}

impl TryFrom<TherapistAvailabilityUpdateDto> for AvailabilityPatch {
    type Error = Problem;

    fn try_from(dto: TherapistAvailabilityUpdateDto) -> Result<Self, Problem> {
        let (start, end) = (plain(dto.start_time), plain(dto.end_time));
        if let Some((start, end)) = start.zip(end) {
            window(start, end)?;
        }
        Ok(Self {
            weekday: plain(dto.day_of_week),
            start,
            end,
            notes: patch(dto.notes),
            is_available: plain(dto.is_available),
        })
    }
}

impl From<AvailabilitySlot> for AvailabilityDto {
    fn from(slot: AvailabilitySlot) -> Self {
        Self {
            id: slot.id.to_string(),
            therapist_id: Wire(slot.therapist),
            day_of_week: Wire(slot.weekday),
            start_time: Wire(slot.window.start()),
            end_time: Wire(slot.window.end()),
            is_available: slot.is_available,
            notes: slot.notes.map(Wire),
            created_at: Wire(slot.created_at),
            updated_at: Wire(slot.updated_at),
        }
    }
}
