//! Starts that are kept for somebody while they make up their mind.
//!
//! Whether a hold is still one is asked with the time of the asking, here and nowhere else: nothing has
//! to run for its time to be free again.

use chrono::{DateTime, TimeDelta, Utc};

use crate::duration::SessionDuration;
use crate::id::{HoldId, UserId};
use crate::instant::StartTime;
use crate::request::BookRequest;
use crate::settings::{Bounded, Buffers, Minutes, Notice};
use crate::span::Span;
use crate::terms::Terms;

/// For how long a start is kept.
pub type HoldMinutes = Bounded<Minutes, 1, 10>;

/// By how much the clocks of two processes may differ without one of them losing what is live by its own.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);

/// A therapist's time, kept for somebody: until it expires, nobody else is offered it or can book it.
///
/// There is one of each holder and therapist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Which one.
    pub id: HoldId,
    /// For whom: a client, or the therapist, who books for one.
    pub holder: UserId,
    /// Whose time.
    pub therapist: UserId,
    /// When the session would begin.
    pub start: DateTime<Utc>,
    /// How long it would be.
    pub duration: SessionDuration,
    /// What the therapist keeps free around it.
    pub buffers: Buffers,
    /// When it was placed, to the millisecond.
    pub created_at: DateTime<Utc>,
    /// From when on it is none any more.
    pub expires_at: DateTime<Utc>,
}

impl Hold {
    /// Whether it has not expired.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        now < self.expires_at
    }

    /// What expired before this, when this one is placed, has done so by anybody's clock, and may be
    /// cleared away.
    #[must_use]
    pub fn clears_until(&self) -> DateTime<Utc> {
        self.created_at.checked_sub_signed(CLOCKS_APART).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// The first instant after the session.
    #[must_use]
    pub fn end(&self) -> DateTime<Utc> {
        self.span().map_or(DateTime::<Utc>::MAX_UTC, Span::end)
    }

    /// The instants that the session would take, where that is any at all.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.duration.span_from(self.start)
    }

    /// Whether it keeps its time from this viewer.
    #[must_use]
    pub fn keeps_from(&self, viewer: Viewer<'_>) -> bool {
        self.holder != *viewer.user && self.is_live(viewer.now)
    }
}

/// Who looks at a calendar, and when: what is held by others is taken, what is held by themselves is
/// not.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    /// Who.
    pub user: &'a UserId,
    /// When.
    pub now: DateTime<Utc>,
}

/// A start that somebody wants to be kept for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRequest {
    /// With whom.
    pub therapist: UserId,
    /// For whom; clients leave it out, therapists must say.
    pub client: Option<UserId>,
    /// From when.
    pub start: StartTime,
    /// For how long.
    pub duration: SessionDuration,
    /// For how many minutes from now, if it can be booked for so long.
    pub minutes: HoldMinutes,
}

impl HoldRequest {
    /// For so many minutes where nobody says.
    pub const DEFAULT_MINUTES: HoldMinutes = HoldMinutes::MAX;

    /// What would be booked: who may book may hold.
    pub(crate) fn booking(&self) -> BookRequest {
        BookRequest {
            client: self.client.clone(),
            ..BookRequest::new(self.therapist.clone(), self.start, self.duration)
        }
    }

    /// Until when it would be kept: not for longer than it can be booked.
    pub(crate) fn expires_at(&self, now: DateTime<Utc>, notice: Notice) -> DateTime<Utc> {
        let wanted =
            now.checked_add_signed(self.minutes.to_delta()).unwrap_or(DateTime::<Utc>::MAX_UTC);
        wanted.min(Terms::closes(self.start.instant(), notice))
    }
}
