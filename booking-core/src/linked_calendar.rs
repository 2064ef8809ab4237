//! Calendars from elsewhere that therapists have linked: which, when they were read last, and when they
//! say that their owner is busy.
//!
//! Where such a calendar is, and what opens it, is sealed before it comes here: neither core nor stores
//! can look inside.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::audit::By;
use crate::id::{LinkedCalendarId, UserId};
use crate::meeting::{UnknownWord, words};
use crate::span::{Span, SpanSet};
use crate::store::StoreError;
use crate::text::Text;
use crate::unread::UnreadEvents;

/// What a therapist calls a linked calendar: at most 100 characters.
pub type CalendarLabel = Text<100>;
/// What is shown of where it is: at most 255 characters.
pub type CalendarHost = Text<255>;
/// What the calendar's server said of the copy that was made last, to be asked with next time; only who
/// made it understands it.
pub type Validators = Text<1_024>;
/// A few words on why a calendar could not be read.
pub type FaultDetail = Text<200>;

words! {
    /// How a linked calendar is read.
    CalendarKind {
        /// A file at a URL.
        Ics = "ics",
        /// A collection on a CalDAV server (RFC 4791).
        CalDav = "caldav",
    }
    expected "ics, caldav"
}

words! {
    /// Whether meetings are written into a linked calendar.
    WriteBack {
        /// It is only read.
        Off = "off",
        /// They are, as they are now.
        On = "on",
    }
    expected "on, off"
}

words! {
    /// Why a linked calendar could not be read, or written into.
    CopyFault {
        /// Its address is one that nothing is asked of from here.
        RefusedAddress = "refused_address",
        /// Its server cannot be reached.
        Unreachable = "unreachable",
        /// It took too long.
        TimedOut = "timed_out",
        /// The user name or the password is wrong, or is missing.
        Unauthorized = "unauthorized",
        /// There is nothing at its address.
        NotFound = "not_found",
        /// Its server answered with something else that is no success.
        Status = "status",
        /// It is longer than is read.
        TooLarge = "too_large",
        /// What is there is no calendar.
        NotACalendar = "not_a_calendar",
        /// Its server sends on and on.
        TooManyRedirects = "too_many_redirects",
        /// Its server sends on to where everybody can listen, or to where passwords must not go.
        InsecureRedirect = "insecure_redirect",
        /// There is a calendar, and it cannot be taken apart.
        Unreadable = "unreadable",
        /// It is busy more often than is kept, or recurs more often than can be followed.
        TooBusy = "too_busy",
        /// What is kept of its address cannot be opened: it was sealed with a key that is not there any
        /// more.
        Sealed = "sealed",
    }
    expected "a reason such as unreachable"
}

/// Where a linked calendar is and what opens it, sealed: bytes that only who sealed them understands.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedLocation(pub Vec<u8>);

/// Nothing to look at.
impl fmt::Debug for SealedLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedLocation(…)")
    }
}

/// A calendar from elsewhere, whose busy times keep its therapist's starts from being booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedCalendar {
    /// Which one.
    pub id: LinkedCalendarId,
    /// Whose.
    pub therapist: UserId,
    /// Starts at 1 and grows by one with each change of the link; copies do not count.
    pub version: u64,
    /// How it is read.
    pub kind: CalendarKind,
    /// What its owner calls it.
    pub label: Option<CalendarLabel>,
    /// What is shown of where it is.
    pub host: CalendarHost,
    /// All of where it is.
    pub location: SealedLocation,
    /// In which its dates and its times without a zone are meant; the therapist's when there is none.
    pub zone: Option<Tz>,
    /// Whether meetings are written into it.
    pub write_back: WriteBack,
    /// Since when it is linked, to the millisecond.
    pub created_at: DateTime<Utc>,
    /// What became of reading it.
    pub copy: CopyState,
}

impl LinkedCalendar {
    /// How many calendars a therapist can link.
    pub const MAX_PER_THERAPIST: u32 = 10;

    /// Whether copies of the one are copies of the other: from the same place, in the same zone, and
    /// written into alike. What a calendar is called is nothing to its copies.
    #[must_use]
    pub fn is_copied_as(&self, other: &Self) -> bool {
        let how = |link: &Self| (link.kind, link.zone, link.write_back);
        how(self) == how(other) && self.location == other.location
    }

    /// What is known of copies once this link has taken the place of `before`. If those of before are as
    /// good as ever, nothing changes, not even whose they are to make at this moment. Otherwise the
    /// next begins anew, when this link says; or before, if one was due before.
    #[must_use]
    pub fn copy_after(&self, before: &Self) -> CopyState {
        if self.is_copied_as(before) {
            return before.copy.clone();
        }
        CopyState {
            validators: None,
            written_to: None,
            next_at: self.copy.next_at.min(before.copy.next_at),
            ..before.copy.clone()
        }
    }
}

/// How the copy of a linked calendar is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyState {
    /// Of the copy, if its server gave any.
    pub validators: Option<Validators>,
    /// When the calendar was as the copy last, to the millisecond; `None` if there is no copy yet.
    pub fetched_at: Option<DateTime<Utc>>,
    /// When its busy times were worked out, to the millisecond: they are for a window around that time.
    pub expanded_at: Option<DateTime<Utc>>,
    /// Which events could not be read in full then.
    pub unread: UnreadEvents,
    /// When somebody looked last whether there is another, to the millisecond.
    pub checked_at: Option<DateTime<Utc>>,
    /// How often that has failed since it last went well.
    pub failures: u32,
    /// How often writing into it has failed since all meetings were in it: events may have been given
    /// up.
    pub unwritten: u32,
    /// Where writing all of them anew goes on, to the millisecond: those that begin before have had their
    /// turn. `None` from the first on.
    pub written_to: Option<DateTime<Utc>>,
    /// Why reading it failed last, or else writing; `None` when both went well.
    pub fault: Option<(CopyFault, FaultDetail)>,
    /// When to look again, to the millisecond.
    pub next_at: DateTime<Utc>,
}

impl CopyState {
    /// That of a calendar which nobody has looked at yet, and which is due.
    #[must_use]
    pub const fn due(now: DateTime<Utc>) -> Self {
        Self {
            validators: None,
            fetched_at: None,
            expanded_at: None,
            unread: UnreadEvents { count: 0, first: Vec::new() },
            checked_at: None,
            failures: 0,
            unwritten: 0,
            written_to: None,
            fault: None,
            next_at: now,
        }
    }

    /// Whether meetings may be missing in it, should it be one that they are written into: nobody has
    /// written into it yet, or somebody has in vain.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.validators.is_none() || self.failures > 0 || self.unwritten > 0
    }
}

/// When a linked calendar says that its owner is busy, in the pieces that a store keeps: none is longer
/// than [`MAX_LENGTH`](Self::MAX_LENGTH), no two overlap, and they come in order.
///
/// ```
/// use booking_core::{BusyTimes, Span, SpanSet};
/// # fn at(text: &str) -> chrono::DateTime<chrono::Utc> { text.parse().unwrap() }
///
/// let window = BusyTimes::window(at("2024-01-15T10:00:00Z")).unwrap();
/// let retreat = Span::new(at("2024-01-20T15:00:00Z"), at("2024-01-22T09:00:00Z")).unwrap();
/// let times = BusyTimes::within(window, &SpanSet::from(retreat))?;
/// assert_eq!(times.as_slice().len(), 3);
/// assert_eq!(times.as_slice()[1].start(), at("2024-01-21T00:00:00Z"));
/// # Ok::<(), booking_core::TooBusy>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BusyTimes(Vec<Span>);

/// A calendar is busy more often than is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is busy more than {} times", BusyTimes::MAX)]
pub struct TooBusy;

impl BusyTimes {
    /// How many pieces there are at most.
    pub const MAX: usize = 20_000;
    /// No piece is longer: so who looks for those that overlap a span knows how early they begin.
    pub const MAX_LENGTH: TimeDelta = TimeDelta::days(1);

    /// For which time a calendar is read that is read now: from the day before to 400 days ahead, in whole
    /// days of UTC, so that one which is read again on the same day has the same edges. `None` at the ends of time.
    #[must_use]
    pub fn window(now: DateTime<Utc>) -> Option<Span> {
        let today = now.date_naive();
        let from = today.checked_sub_days(Days::new(1))?;
        let to = today.checked_add_days(Days::new(401))?;
        Span::new(from.and_time(NaiveTime::MIN).and_utc(), to.and_time(NaiveTime::MIN).and_utc())
    }

    /// What of these times lies in a window: cut at midnight, by UTC, wherever they go on after it.
    ///
    /// # Errors
    /// [`TooBusy`] when that are more than [`MAX`](Self::MAX).
    pub fn within(window: Span, times: &SpanSet) -> Result<Self, TooBusy> {
        let mut pieces = Vec::new();
        for span in times.iter().filter_map(|span| span.intersection(window)) {
            let mut rest = Some(span);
            while let Some(span) = rest {
                let (piece, after) = at_midnight(span);
                pieces.push(piece);
                rest = after;
                if pieces.len() > Self::MAX {
                    return Err(TooBusy);
                }
            }
        }
        Ok(Self(pieces))
    }

    /// The pieces, the earliest first.
    #[must_use]
    pub fn as_slice(&self) -> &[Span] {
        &self.0
    }
}

/// The part of a span before the first midnight within it, and the rest.
fn at_midnight(span: Span) -> (Span, Option<Span>) {
    let next = span.start().date_naive().checked_add_days(Days::new(1));
    let midnight = next.map(|date| date.and_time(NaiveTime::MIN).and_utc());
    let cut = midnight.filter(|midnight| *midnight < span.end());
    let parts =
        cut.and_then(|cut| Some((Span::new(span.start(), cut)?, Span::new(cut, span.end())?)));
    parts.map_or((span, None), |(piece, rest)| (piece, Some(rest)))
}

/// What became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// It is there now.
    Done,
    /// Its therapist has as many as somebody can have.
    TooMany,
    /// Its therapist was removed from the directory that the store keeps.
    NobodysAnyMore,
}

/// When somebody wants a link to be looked at sooner. All to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// From when on it is due.
    pub now: DateTime<Utc>,
    /// Unless somebody has looked since.
    pub unless_checked_after: DateTime<Utc>,
    /// Unless it is due by then anyway: somebody may be at it at this moment.
    pub unless_due_by: DateTime<Utc>,
}

/// Who takes on what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyClaim {
    /// What is due by now is claimed, to the millisecond.
    pub now: DateTime<Utc>,
    /// And is due again then, if nobody has said what became of it, to the millisecond; later than now.
    pub until: DateTime<Utc>,
    /// At most so many.
    pub limit: u32,
}

/// Meetings that were not written where they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritten {
    /// Where; `None` for all links that meetings are written into.
    pub link: Option<LinkedCalendarId>,
    /// Why.
    pub fault: CopyFault,
    /// In a few words.
    pub detail: FaultDetail,
}

/// What became of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// Nothing: the link is gone or has changed, or somebody else has claimed it since.
    Outdated,
    /// Its state is kept; its times are as they were.
    Same,
    /// Its state is kept, and its times are others.
    Changed,
}

/// Keeps linked calendars, and when they are busy.
///
/// # What an implementation promises
/// - Each link that is made, changed or removed writes its entry of the audit log in its own
///   transaction. Copies write none.
/// - A link and its busy times go together, and nothing brings them back.
/// - Busy times are part of their therapist's calendar: [`Calendars::external`] and [`Diary::external`]
///   have them, and [`Calendars::revisions`], where the store counts, differs after they have changed. A
///   change that was decided is applied before a copy or after it, never in between.
/// - Where the store keeps a [directory](crate::DirectoryAdmin) too, a user who is removed from it takes
///   their links along, with an entry for each, also those that are being made.
///
/// [`Calendars::external`]: crate::Calendars::external
/// [`Diary::external`]: crate::Diary::external
/// [`Calendars::revisions`]: crate::Calendars::revisions
#[async_trait]
pub trait LinkedCalendars: Send + Sync {
    /// Adds a link, unless its therapist has [as many as somebody can
    /// have](LinkedCalendar::MAX_PER_THERAPIST): also when several are added at the same time.
    async fn link(&self, calendar: &LinkedCalendar, by: By) -> Result<Linked, StoreError>;

    /// A therapist's links, the oldest first.
    async fn linked_to(&self, therapist: &UserId) -> Result<Vec<LinkedCalendar>, StoreError>;

    /// A link.
    async fn linked_calendar(
        &self,
        id: LinkedCalendarId,
    ) -> Result<Option<LinkedCalendar>, StoreError>;

    /// Puts a link in the place of the one with its id, its therapist and the version before its own.
    /// Returns whether there was one. Since when it is linked stays, and so do its busy times; of its copies
    /// is known what [`LinkedCalendar::copy_after`] says, by the link as it is at that moment.
    async fn relink(&self, calendar: &LinkedCalendar, by: By) -> Result<bool, StoreError>;

    /// Removes a link, if it is this therapist's, and its busy times. Returns whether it was.
    async fn unlink(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        by: By,
    ) -> Result<bool, StoreError>;

    /// Makes a link due, if it is this therapist's, and as [`Refresh`] says. Returns whether it is theirs.
    async fn refresh(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        refresh: &Refresh,
    ) -> Result<bool, StoreError>;

    /// Claims links that are due, those first that have been for longest: each for one of those who ask
    /// at the same time. They come with [`CopyState::next_at`] as the claim's end.
    async fn claim_links(&self, claim: &CopyClaim) -> Result<Vec<LinkedCalendar>, StoreError>;

    /// Notes what became of a claimed link, with the times that it is busy in place of those before, if
    /// there is another copy; unless somebody has refreshed, removed or claimed it since, or changed how it
    /// [is copied](LinkedCalendar::is_copied_as).
    ///
    /// What has been noted as [`unwritten`](Self::unwritten) since it was claimed stays: it is added to
    /// [`CopyState::unwritten`], and its fault is kept, unless the state has one of reading
    /// ([`CopyState::failures`]).
    async fn copied(
        &self,
        claimed: &LinkedCalendar,
        state: &CopyState,
        times: Option<&BusyTimes>,
    ) -> Result<Copied, StoreError>;

    /// Notes that meetings were not written: [`CopyState::unwritten`] grows by one, and the fault is this
    /// one. Claims stay as they are, and so does how far all were written anew: who goes on from there does
    /// so with a fault, and begins again after the last. A link that is not there, or that nothing is
    /// written into, is left alone.
    async fn unwritten(&self, what: &Unwritten) -> Result<(), StoreError>;
}
