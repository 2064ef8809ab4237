//! What callers ask the service for, and what they get.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::directory::User;
use crate::duration::SessionDuration;
use crate::id::UserId;
use crate::instant::StartTime;
use crate::meeting::{Meeting, MeetingStatus, MeetingType};
use crate::settings::{Bounded, Things};
use crate::store::Place;
use crate::text::{Description, Title};

/// A session that somebody wants to book (contract, `MeetingCreateDto`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BookRequest {
    /// With whom.
    pub therapist: UserId,
    /// For whom; clients leave it out, therapists must say.
    pub client: Option<UserId>,
    /// From when.
    pub start: StartTime,
    /// For how long.
    pub duration: SessionDuration,
    /// The first status: `SCHEDULED` unless a therapist says `CONFIRMED`.
    pub status: Option<MeetingStatus>,
    /// How the two meet; by video when nobody says.
    pub meeting_type: Option<MeetingType>,
    /// What it is called; [`Meeting::DEFAULT_TITLE`] when nobody says.
    pub title: Option<Title>,
    /// What it is about.
    pub description: Option<Description>,
}

impl BookRequest {
    /// A request with nothing but what every booking needs.
    #[must_use]
    pub const fn new(therapist: UserId, start: StartTime, duration: SessionDuration) -> Self {
        Self {
            therapist,
            client: None,
            start,
            duration,
            status: None,
            meeting_type: None,
            title: None,
            description: None,
        }
    }
}

/// How much of a list one page holds at most: meetings, or starts.
///
/// ```
/// use booking_core::{MeetingFilter, PageLimit};
///
/// let filter = MeetingFilter { limit: PageLimit::new(50)?, ..MeetingFilter::default() };
/// assert_eq!(filter.limit.get(), 50);
/// assert!(PageLimit::new(0).is_err() && PageLimit::new(1_001).is_err());
/// # Ok::<(), booking_core::OutOfBounds>(())
/// ```
pub type PageLimit = Bounded<Things, 1, 1_000>;

/// Which of one's meetings to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingFilter {
    /// In one of these; empty for any.
    pub statuses: BTreeSet<MeetingStatus>,
    /// Starting at or after.
    pub from: Option<DateTime<Utc>>,
    /// Starting before.
    pub to: Option<DateTime<Utc>>,
    /// Only what comes after this place: a page's [`Page::next`].
    pub after: Option<Place>,
    /// At most so many.
    pub limit: PageLimit,
}

/// Everything, in pages as large as they get.
impl Default for MeetingFilter {
    fn default() -> Self {
        Self { statuses: BTreeSet::new(), from: None, to: None, after: None, limit: PageLimit::MAX }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// Where the next part begins, when there is more.
    pub next: Option<Place>,
}

/// A meeting as one of its participants sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingView {
    /// The meeting; without the therapist's notes unless the therapist looks.
    pub meeting: Meeting,
    /// The client, as far as the directory still knows them.
    pub client: Option<User>,
    /// The therapist, as far as the directory still knows them.
    pub therapist: Option<User>,
}
