//! The rules of every change: pure functions from what is to what shall be.
//!
//! Each takes the [`Calendars`](crate::Calendars) that a store found under its locks, what was
//! asked for, and the [`Fresh`] values drawn beforehand, and returns the whole [`Change`] or the
//! reason for none. Beside each stands the scope that it needs to see.

mod availability;
mod book;
mod directory;
mod holds;
mod idempotent;
mod overrides;
mod series;
mod settings;
mod subscribers;
mod update;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::audit::By;
use crate::id::EventId;
use crate::store::{Change, Decline};

pub use availability::{AvailabilityPatch, NewAvailability};
pub(crate) use book::{NewMeeting, Session};
pub use directory::check_relationship;
pub use idempotent::Answered;
pub use overrides::NewOverride;
pub use subscribers::admit_subscriber;
pub use update::{ExpectedVersion, MeetingPatch, Patch};

pub(crate) use availability::{create, delete, revise, scope_of_create, scope_of_one};
pub(crate) use book::{book, scope_of_book};
pub(crate) use holds::{place_hold, release_hold, scope_of_holds, scope_of_release};
pub(crate) use idempotent::Intent;
pub(crate) use overrides::{
    add_override, delete_override, replace_override, scope_of_override, scope_of_overrides,
};
pub(crate) use series::{
    NewSeries, SeriesTarget, admit_all, book_series, cancel_series, scope_of_cancel_series,
    scope_of_series,
};
pub(crate) use settings::{put_settings, scope_of_settings};
pub(crate) use update::{Target, cancel, moves, scope_of_update, update};

/// The present and new ids, drawn before the change so that deciding again decides the same.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    pub(crate) now: DateTime<Utc>,
    /// For the meeting, or whatever else it is, that is made.
    pub(crate) id: Uuid,
    /// No change publishes more.
    pub(crate) events: [EventId; 2],
    /// Who decides, for the audit log: for one row.
    pub(crate) by: By,
    /// The same for a hold that goes with it, or comes in place of another.
    pub(crate) by_too: By,
}

/// A change, and what to tell the person who asked for it.
#[derive(Debug, Clone)]
pub(crate) struct Decided<T> {
    pub(crate) answer: T,
    pub(crate) change: Change,
}

pub(crate) type Decision<T> = Result<Decided<T>, Decline>;

impl<T> Decided<T> {
    pub(crate) fn nothing_to_do(answer: T) -> Self {
        Self { answer, change: Change::default() }
    }
}
