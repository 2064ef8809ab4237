//! The endpoints, one file per resource. Handlers translate; the library decides.

mod audit;
mod availability;
mod calendar;
mod directory;
mod holds;
mod links;
mod meetings;
mod overrides;
mod search;
mod series;
mod settings;
mod slots;
mod streams;
#[cfg(feature = "webhooks")]
mod webhooks;

use poem_openapi::Tags;

pub(crate) use audit::AuditApi;
pub(crate) use availability::AvailabilityApi;
pub(crate) use calendar::CalendarApi;
pub(crate) use directory::DirectoryApi;
pub(crate) use holds::HoldsApi;
pub(crate) use links::{Linked, LinksApi};
pub(crate) use meetings::MeetingsApi;
pub(crate) use overrides::OverridesApi;
pub(crate) use search::SearchApi;
pub(crate) use series::SeriesApi;
pub(crate) use settings::SettingsApi;
pub(crate) use slots::SlotsApi;
pub(crate) use streams::StreamsApi;
#[cfg(feature = "webhooks")]
pub(crate) use webhooks::WebhooksApi;

/// The contract's chapters.
#[derive(Debug, Tags)]
pub(crate) enum Chapter {
    /// Booking, moving and cancelling sessions.
    Meetings,
    /// Keeping a start for some minutes.
    Holds,
    /// Sessions that recur, booked and cancelled together.
    Series,
    /// When therapists receive clients.
    Availability,
    /// What can be booked.
    Slots,
    /// What calendar apps subscribe to.
    Calendars,
    /// What changes while somebody looks on.
    Live,
    /// Users, and which client belongs to which therapist.
    Directory,
    /// Who changed what.
    Audit,
    /// Who is told of events, and what became of them.
    #[cfg(feature = "webhooks")]
    Webhooks,
}
