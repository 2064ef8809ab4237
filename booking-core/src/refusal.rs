//! Every business "no", as data.

use serde::{Deserialize, Serialize};

use crate::availability::AvailabilitySlot;
use crate::calendar_feed::CalendarFeed;
use crate::delivery::Subscriber;
use crate::linked_calendar::LinkedCalendar;
use crate::meeting::MeetingStatus;
use crate::overrides::AvailabilityOverride;
use crate::series::LeftOut;

/// Why a request was turned down; nothing has changed.
///
/// The texts are for the person who asked: they never name another person or another meeting.
///
/// Stores keep those that were part of an answer, which are about times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The actor's role may not do this at all.
    #[error("your role may not do this")]
    #[serde(skip)]
    RoleRequired {
        /// What was asked for.
        operation: crate::access::Operation,
    },
    /// Not a participant, not the owner, or not for this side of the meeting to do.
    #[error("this is not yours to see or change")]
    Forbidden,
    /// Client and therapist are not related.
    #[error("client and therapist are not related")]
    NoRelationship,
    /// There is no therapist with this id.
    #[error("there is no such therapist")]
    TherapistNotFound,
    /// There is no meeting with this id.
    #[error("there is no such meeting")]
    MeetingNotFound,
    /// There is no series with this id.
    #[error("there is no such series")]
    SeriesNotFound,
    /// There is no availability slot with this id.
    #[error("there is no such availability slot")]
    AvailabilityNotFound,
    /// The directory does not know this user.
    #[error("the directory has no such user")]
    UserNotFound,
    /// There is no such calendar feed, or it is not to be read.
    #[error("there is no such calendar feed")]
    FeedNotFound,
    /// Somebody has as many calendar feeds as they may have.
    #[error("you have {} calendar feeds, and cannot have more", CalendarFeed::MAX_PER_OWNER)]
    TooManyFeeds,
    /// The actor holds nothing with this id, or does so no more.
    #[error("you hold nothing with this id")]
    HoldNotFound,
    /// There is no linked calendar with this id.
    #[error("there is no such linked calendar")]
    CalendarNotFound,
    /// A therapist has linked as many calendars as they may.
    #[error(
        "you have linked {} calendars, and cannot link more",
        LinkedCalendar::MAX_PER_THERAPIST
    )]
    TooManyCalendars,
    /// There is no webhook with this id.
    #[error("there is no webhook with this id")]
    WebhookNotFound,
    /// There are as many webhooks as there can be.
    #[error("there can be at most {} webhooks", Subscriber::MAX_WEBHOOKS)]
    TooManyWebhooks,
    /// There is no override with this id.
    #[error("there is no such override")]
    OverrideNotFound,
    /// A field's value is well-formed but makes no sense together with the others.
    #[error("{field}: {detail}")]
    #[serde(skip)]
    Invalid {
        /// The field, by its name on the wire.
        #[serde(skip)]
        field: &'static str,
        /// What is wrong with it.
        #[serde(skip)]
        detail: &'static str,
    },
    /// The meeting, or whatever else it is, has changed since the version that the actor has seen.
    #[error("it has changed since; read it again")]
    VersionMismatch,
    /// The start is not in the future.
    #[error("the start is not in the future")]
    InThePast,
    /// Part of the session lies outside the therapist's availability.
    #[error("the therapist is not available for all of that time")]
    OutsideAvailability,
    /// The start is not one of the therapist's slots.
    #[error("the start is not on the therapist's grid of slots")]
    NotOnGrid,
    /// The start is sooner than the therapist takes bookings for.
    #[error("the start is sooner than the therapist takes bookings for")]
    TooSoon,
    /// The start is later than the therapist takes bookings for yet.
    #[error("the therapist does not take bookings for that date yet")]
    BeyondHorizon,
    /// The therapist gives no sessions of that length.
    #[error("the therapist does not offer sessions of that length")]
    DurationNotOffered,
    /// As many of the therapist's meetings begin on that date as may.
    #[error("the therapist has no place left on that date")]
    DayFull,
    /// As many of the therapist's meetings begin in that week as may.
    #[error("the therapist has no place left in that week")]
    WeekFull,
    /// It is too close to the start for a client to cancel.
    #[error("it is too late for a client to cancel the meeting")]
    TooLateToCancel,
    /// It is too close to the start for a client to move the meeting.
    #[error("it is too late for a client to move the meeting")]
    TooLateToReschedule,
    /// The session would overlap another live meeting of the therapist or of the client, or time of the
    /// therapist's that is held for somebody else, or come closer to one of the therapist's than they
    /// want.
    #[error("the time is taken")]
    SlotConflict,
    /// Two availability slots of one weekday would overlap.
    #[error("overlaps another availability slot of the same day")]
    AvailabilityOverlap,
    /// A weekday has as many availability slots as it may have.
    #[error(
        "this day has {} availability slots, and cannot have more",
        AvailabilitySlot::MOST_A_DAY
    )]
    TooMuchAvailability,
    /// Two overrides would have a date in common.
    #[error("another override has one of these dates")]
    OverrideOverlap,
    /// A therapist has as many overrides as they may have.
    #[error(
        "there are {} overrides, and cannot be more; delete some that are past",
        AvailabilityOverride::MOST
    )]
    TooManyOverrides,
    /// Sessions of a series that is to be booked as a whole, or all of them, cannot be booked.
    #[error("{} of the sessions cannot be booked, so none was", .0.len())]
    #[serde(skip)]
    SeriesRefused(Vec<LeftOut>),
    /// The meeting is completed, cancelled or a no-show: nothing about it changes any more.
    #[error("the meeting is completed, cancelled or a no-show, and can no longer change")]
    MeetingClosed,
    /// The status cannot be reached from where the meeting stands, by this side, at this time.
    #[error("the status cannot become {to} now, or not by you")]
    InvalidTransition {
        /// Where the meeting stands; `None` for one that is being booked.
        from: Option<MeetingStatus>,
        /// What was asked for.
        to: MeetingStatus,
    },
    /// The idempotency key came with another request before.
    #[error("this Idempotency-Key was used for a different request")]
    IdempotencyMismatch,
    /// The first request with this idempotency key is still being worked on.
    #[error("a request with this Idempotency-Key is still being worked on")]
    IdempotencyInFlight,
}
