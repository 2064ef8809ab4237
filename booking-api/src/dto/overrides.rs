//! Time off, and other exceptions from weekly availability.

use booking_core::{AvailabilityOverride, Dates, DayWindows, NewOverride, Notes, UserId};
use booking_core::{InvalidDates, WallTime, Window};
use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;

use crate::body::{plain, request_body};
use crate::problem::{FieldError, Problem};
use crate::wire::Wire;

request_body! {
    /// Dates on which other windows count than the weekly ones, or none at all.
    OverrideCreateDto {
        /// The first date, by the calendar of the therapist's zone.
        first_date: Wire<NaiveDate>,
        /// The last date, at most 365 days later; the first when left out.
        last_date: Option<Wire<NaiveDate>>,
        /// When the therapist receives clients on each of these dates; not at all when left out. They
        /// may touch, but not overlap.
        windows: Option<Wire<DayWindows>>,
        /// Remarks.
        #[oai(nullable)]
        notes: MaybeUndefined<Wire<Notes>>,
    }
}

request_body! {
    /// All of an override, in place of what it was. What is left out is as if it had never been said.
    OverrideUpdateDto {
        /// The first date, by the calendar of the therapist's zone.
        first_date: Wire<NaiveDate>,
        /// The last date, at most 365 days later; the first when left out.
        last_date: Option<Wire<NaiveDate>>,
        /// When the therapist receives clients on each of these dates; not at all when left out. They
        /// may touch, but not overlap.
        windows: Option<Wire<DayWindows>>,
        /// Remarks.
        #[oai(nullable)]
        notes: MaybeUndefined<Wire<Notes>>,
    }
}

/// Dates on which other windows count than the weekly ones, or none at all.
#[derive(Debug, Object)]
#[oai(rename = "AvailabilityOverride", rename_all = "camelCase")]
pub(crate) struct OverrideDto {
    /// Which one.
    id: String,
    /// Whose.
    therapist_id: Wire<UserId>,
    /// The first date, by the calendar of the therapist's zone.
    first_date: Wire<NaiveDate>,
    /// The last date.
    last_date: Wire<NaiveDate>,
    /// When the therapist receives clients on each of these dates, earliest first; not at all when
    /// empty.
    windows: Vec<DayWindowDto>,
    /// Remarks.
    #[oai(nullable)]
    notes: Option<Wire<Notes>>,
    /// When it was made.
    created_at: Wire<DateTime<Utc>>,
    /// When it last changed.
    updated_at: Wire<DateTime<Utc>>,
}

/// A part of a day, in the therapist's zone.
#[derive(Debug, Object)]
#[oai(rename = "DayWindow", rename_all = "camelCase")]
pub(crate) struct DayWindowDto {
    /// From when.
    start_time: Wire<WallTime>,
    /// Until when; up to `24:00`.
    end_time: Wire<WallTime>,
}

fn new_override(
    first: NaiveDate,
    last: Option<Wire<NaiveDate>>,
    windows: Option<Wire<DayWindows>>,
    notes: MaybeUndefined<Wire<Notes>>,
) -> Result<NewOverride, Problem> {
    let dates = Dates::new(first, plain(last).unwrap_or(first));
    let wrong =
        |why: InvalidDates| Problem::invalid(vec![FieldError::at("lastDate", why.to_string())]);
    Ok(NewOverride {
        dates: dates.map_err(wrong)?,
        windows: plain(windows).unwrap_or_default(),
        notes: plain(notes.take()),
    })
}

impl TryFrom<OverrideCreateDto> for NewOverride {
    type Error = Problem;

    fn try_from(dto: OverrideCreateDto) -> Result<Self, Problem> {
        new_override(dto.first_date.0, dto.last_date, dto.windows, dto.notes)
    }
}

impl TryFrom<OverrideUpdateDto> for NewOverride {
    type Error = Problem;

    fn try_from(dto: OverrideUpdateDto) -> Result<Self, Problem> {
        new_override(dto.first_date.0, dto.last_date, dto.windows, dto.notes)
    }
}

impl From<AvailabilityOverride> for OverrideDto {
    fn from(one: AvailabilityOverride) -> Self {
        let window = |window: &Window| DayWindowDto {
            start_time: Wire(window.start()),
            end_time: Wire(window.end()),
        };
        Self {
            id: one.id.to_string(),
            therapist_id: Wire(one.therapist),
            first_date: Wire(one.dates.first()),
            last_date: Wire(one.dates.last()),
            windows: one.windows.as_slice().iter().map(window).collect(),
            notes: one.notes.map(Wire),
            created_at: Wire(one.created_at),
            updated_at: Wire(one.updated_at),
        }
    }
}
