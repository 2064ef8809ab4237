//! The contract's JSON, and its translation to and from the library's types.
//!
//! Fields stand in the contract's order: people read these answers.

mod audit;
mod availability;
mod calendar;
mod directory;
mod hold;
pub(crate) mod link;
mod meeting;
mod overrides;
mod search;
mod series;
mod settings;
mod slot;
#[cfg(feature = "webhooks")]
mod webhook;

pub(crate) use audit::{AuditEntryDto, SubjectId};
pub(crate) use availability::{
    AvailabilityDto, DeletedDto, TherapistAvailabilityCreateDto, TherapistAvailabilityUpdateDto,
};
pub(crate) use calendar::{CalendarFeedCreateDto, CalendarFeedDto, CalendarFeedWithPathDto};
pub(crate) use directory::{UserDto, UserPutDto};
pub(crate) use hold::{HoldCreateDto, HoldDto};
pub(crate) use link::{LinkedCalendarCreateDto, LinkedCalendarDto, LinkedCalendarUpdateDto};
pub(crate) use meeting::{MeetingCancelDto, MeetingCreateDto, MeetingDto, MeetingUpdateDto};
pub(crate) use overrides::{OverrideCreateDto, OverrideDto, OverrideUpdateDto};
pub(crate) use search::{SlotsFoundDto, found_json};
pub(crate) use series::{
    BookedSeriesDto, SeriesCancelDto, SeriesCreateDto, SeriesDto, SeriesPreviewDto,
};
pub(crate) use settings::{SettingsDto, SettingsPutDto};
pub(crate) use slot::SlotDto;
pub use slot::slots_json;
#[cfg(feature = "webhooks")]
pub(crate) use webhook::{
    DeliveryCursor, ReplayedDto, TestedDto, WebhookCreateDto, WebhookDeliveryDto, WebhookDto,
    WebhookReplayDto, WebhookUpdateDto, WebhookWithSecretDto,
};
