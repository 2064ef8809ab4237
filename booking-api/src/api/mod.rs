//! The endpoints, one file per resource. Handlers translate; the library decides.

mod availability;
mod directory;
mod meetings;
mod slots;

use poem_openapi::Tags;

pub(crate) use availability::AvailabilityApi;
pub(crate) use directory::DirectoryApi;
pub(crate) use meetings::MeetingsApi;
pub(crate) use slots::SlotsApi;

/// The contract's chapters.
#[derive(Debug, Tags)]
pub(crate) enum Chapter {
    /// Booking, moving and cancelling sessions.
    Meetings,
    /// When therapists receive clients.
    Availability,
    /// What can be booked.
    Slots,
    /// Users, and which client belongs to which therapist.
    Directory,
}
