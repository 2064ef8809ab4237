//! The store port: lock, decide, apply.
//!
//! Every write goes through [`Store::change`], or does as that would: the store locks the calendars of
//! the people in a [`Scope`], reads the [`Calendars`], asks a pure [`Decide`] function, and applies the
//! [`Change`] that it returns, all of it or nothing. The rules live in `decide`; a store only keeps promises,
//! and the conformance suite (feature `testing`) checks that it does.
//!
//! A store that counts how often each calendar changes can do without the locks as long as nobody
//! is faster: [`Store::apply_if_current`].

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use crate::audited::Audited;
use crate::availability::AvailabilitySlot;
use crate::calendars::{Calendars, ScopeTooNarrow};
use crate::diary::{Diaries, DiariesQuery};
use crate::directory::DirectoryId;
use crate::event::Event;
use crate::hold::Hold;
use crate::id::{AvailabilityId, HoldId, MeetingId, OverrideId, SeriesId, UserId};
use crate::idempotency::{IdempotencyKey, Record};
use crate::meeting::{Meeting, MeetingStatus};
use crate::overrides::AvailabilityOverride;
use crate::refusal::Refusal;
use crate::series::Series;
use crate::settings::TherapistSettings;
use crate::span::{Span, SpanSet};

/// Where bookings are kept.
///
/// # What an implementation promises
/// - [`change`](Self::change) does as if it locked the calendars of all people in the scope, in the
///   order in which the scope names them, **before it reads anything**, and held them until the change
///   is committed. The key is the person, not the role: one person may be therapist in one meeting
///   and client in another.
/// - What `decide` is shown when its change is applied is all that was committed before the locks
///   were granted, or is part of nothing. A refusal may rest on what was committed at any moment of
///   the call.
/// - Writes, their entries in the audit log, events and the idempotency record of a change commit
///   together or not at all.
/// - `decide` may be called several times; what its last call returned is what is applied.
/// - When `decide` declines, or panics, nothing is written and nothing stays locked.
/// - A change whose future is dropped is made as a whole or not at all, and keeps nobody waiting.
/// - A change that has been answered survives a crash of the process and of the machine.
#[async_trait]
pub trait Store: Send + Sync {
    /// One consistent look at what the scope names. No locks are taken.
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError>;

    /// Locks, decides and applies; returns what was applied.
    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError>;

    /// Applies a change that was decided by looking at `seen`, which was [read](Self::read) without
    /// locks, if that is still how things are; else writes nothing and says `false`. Then, or when
    /// the store cannot tell, it takes [`change`](Self::change) to find out.
    ///
    /// The promise is that of `change`: as if the calendars had been locked before `seen` was read.
    /// [`Calendars::vouch_for`] says which changes [`Calendars::revisions`] can answer for.
    async fn apply_if_current(
        &self,
        _seen: &Calendars,
        _change: &Change,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// The directory that this store keeps, if it answers [`Scope::users`] and [`Scope::related`]
    /// from it: what else the scope names comes with it, in one question.
    fn directory(&self) -> Option<DirectoryId> {
        None
    }

    /// What lists of slots are made of: one consistent look, and one question, however many therapists
    /// it is about. It finds what [`read`](Self::read) finds of them.
    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError>;

    /// How often the calendars of these people have changed, as [`Calendars::revisions`] says;
    /// whoever is not counted is left out.
    async fn revisions(
        &self,
        people: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, u64>, StoreError> {
        let scope = Scope { people: people.clone(), ..Scope::default() };
        Ok(self.read(&scope).await?.revisions)
    }

    /// The meetings of one person, in either role, by start and then by id: as many as
    /// [`MeetingQuery::is_full`] lets there be. What does not come is not loaded either.
    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// A decision: pure, replayable, and unable to wait for anything.
pub type Decide<'a> = &'a (dyn Fn(&Calendars) -> Result<Change, Decline> + Send + Sync);

/// What a decision may look at, and whose calendars it locks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Whose calendars are locked, in this order, and whose live meetings are loaded.
    pub people: BTreeSet<UserId>,
    /// Load the live meetings of `people` that overlap any of these spans.
    pub busy_within: SpanSet,
    /// Load the meetings of the therapist [`hours_of`](Self::hours_of) that begin in this span and
    /// were completed or missed: those that count for limits and are not live.
    pub counted_within: Option<Span>,
    /// Load all weekly availability of this therapist, and the holds on their time.
    pub hours_of: Option<UserId>,
    /// Load the overrides of that therapist that have a date from one to another, that one included.
    pub overrides_on: Option<(NaiveDate, NaiveDate)>,
    /// Load the holds that this user has placed.
    pub placed_by: Option<UserId>,
    /// Load the scheduling settings of these therapists.
    pub settings_of: BTreeSet<UserId>,
    /// Load this meeting, whatever its status.
    pub meeting: Option<MeetingId>,
    /// Load this series and all of its meetings, whatever their status.
    pub series: Option<SeriesId>,
    /// Load this availability slot, whoever's it is.
    pub availability: Option<AvailabilityId>,
    /// Load this override, whoever's it is.
    pub override_with: Option<OverrideId>,
    /// Look for earlier meetings of two people.
    pub earlier: Option<Earlier>,
    /// Load this user's record under this key, expired or not.
    pub record: Option<(UserId, IdempotencyKey)>,
    /// Look up these users in the [directory](Store::directory) that the store keeps.
    pub users: BTreeSet<UserId>,
    /// Is the first of these a client of the second? By the same directory.
    pub related: Option<(UserId, UserId)>,
}

/// Have the two met before an instant? Cancelled meetings do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The client in those meetings.
    pub client: UserId,
    /// The therapist in those meetings.
    pub therapist: UserId,
    /// Meetings that start before this instant count.
    pub before: DateTime<Utc>,
}

/// All that a decision changes, in the order in which it is applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// Rows to write, each with its entry of the audit log.
    pub writes: Vec<Audited>,
    /// What to tell the rest of the platform, in order.
    pub events: Vec<Event>,
    /// What to answer a repeat of the request with; not without a write.
    pub record: Option<Record>,
}

impl Change {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.events.is_empty() && self.record.is_none()
    }
}

/// One row written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// A new meeting.
    InsertMeeting(Meeting),
    /// The meeting with this id, as it is from now on.
    UpdateMeeting(Meeting),
    /// A new series, after its meetings.
    InsertSeries(Series),
    /// A new availability slot.
    InsertAvailability(AvailabilitySlot),
    /// The availability slot with this id, as it is from now on.
    UpdateAvailability(AvailabilitySlot),
    /// No such availability slot any more.
    DeleteAvailability(AvailabilityId),
    /// The settings of this therapist, as they are from now on.
    PutSettings(TherapistSettings),
    /// A new override.
    InsertOverride(AvailabilityOverride),
    /// The override with this id, as it is from now on.
    UpdateOverride(AvailabilityOverride),
    /// No such override any more.
    DeleteOverride(OverrideId),
    /// A hold, in place of the one that its holder had with this therapist. Others on that therapist's
    /// time that had expired when it was made may go.
    PutHold(Hold),
    /// No such hold any more.
    DeleteHold(HoldId),
}

/// Which meetings to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingQuery {
    /// Whose, in either role.
    pub person: UserId,
    /// In one of these; empty for any.
    pub statuses: BTreeSet<MeetingStatus>,
    /// Starting at or after; a whole millisecond.
    pub from: Option<DateTime<Utc>>,
    /// Starting before; a whole millisecond.
    pub to: Option<DateTime<Utc>>,
    /// Only what comes after this place in the order.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
    /// Whether descriptions and notes come along.
    pub texts: MeetingTexts,
}

/// What a list of meetings says of their descriptions and session notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingTexts {
    /// All of them; so there is an end to how many come at once: [`MeetingQuery::MAX_TEXT_BYTES`].
    Whole,
    /// Nothing: each is `None`, whatever it is.
    LeftOut,
}

impl MeetingQuery {
    /// With its texts, a list ends early: with the meeting by which they come to so many bytes, in UTF-8.
    /// Twice and more what one meeting can have.
    pub const MAX_TEXT_BYTES: usize = 2 * 1_024 * 1_024;

    /// Whether the list ends here; if not, the next meeting follows, should there be one.
    ///
    /// ```
    /// # use booking_core::{MeetingQuery, MeetingTexts, UserId};
    /// let query = MeetingQuery {
    ///     person: UserId::new("client_123")?,
    ///     statuses: [].into(),
    ///     from: None,
    ///     to: None,
    ///     after: None,
    ///     limit: 0,
    ///     texts: MeetingTexts::Whole,
    /// };
    /// assert!(query.is_full(&[]));
    /// assert!(!MeetingQuery { limit: 1, ..query }.is_full(&[]));
    /// # Ok::<(), booking_core::InvalidId>(())
    /// ```
    #[must_use]
    pub fn is_full(&self, so_far: &[Meeting]) -> bool {
        let texts = || so_far.iter().map(Meeting::text_bytes).sum::<usize>();
        so_far.len() >= self.limit as usize
            || (self.texts == MeetingTexts::Whole && texts() >= Self::MAX_TEXT_BYTES)
    }
}

/// A place in the order of meetings: by start, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The start of the meeting at that place.
    pub start: DateTime<Utc>,
    /// Its id.
    pub id: MeetingId,
}

/// Why a decision changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Decline {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The rules cannot tell from what they were shown.
    #[error("{}", ScopeTooNarrow)]
    ScopeTooNarrow,
}

impl From<ScopeTooNarrow> for Decline {
    fn from(ScopeTooNarrow: ScopeTooNarrow) -> Self {
        Self::ScopeTooNarrow
    }
}

/// Why a store could not do its work; the source has the cause.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It does not answer, or not in time; trying again later may help.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answered with something that should not be there, or a promise was broken.
    #[error("the store holds what it should not")]
    Corrupt(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why [`Store::change`] changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The decision was not to.
    #[error(transparent)]
    Declined(#[from] Decline),
    /// The store failed; if it did so after the change was sent, it may still have committed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
