//! Sessions that recur: booked together, and each a meeting like any other from then on.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::duration::SessionDuration;
use crate::id::{MeetingId, SeriesId, UserId};
use crate::instant::StartTime;
use crate::meeting::{Meeting, MeetingStatus, Party, UnknownWord, words};
use crate::recurrence::Recurrence;
use crate::refusal::Refusal;
use crate::request::BookRequest;

/// What was booked together, as it was booked: it never changes. What became of its meetings is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Which one.
    pub id: SeriesId,
    /// Who receives the sessions.
    pub client: UserId,
    /// Who gives them.
    pub therapist: UserId,
    /// On which dates.
    pub rule: Recurrence,
    /// But not on these, of the therapist's calendar.
    pub except: BTreeSet<NaiveDate>,
    /// From when on: the first session of the rule, whether it was booked or not.
    pub start: DateTime<Utc>,
    /// How long each session is.
    pub duration: SessionDuration,
    /// The therapist's zone when it was booked, in which the rule is meant.
    pub zone: Tz,
    /// When it was booked, to the millisecond.
    pub created_at: DateTime<Utc>,
    /// The meetings that were booked, earliest first; at most [`Recurrence::MOST`].
    pub meetings: Vec<MeetingId>,
}

impl Series {
    /// As which of the two `user` takes part, if at all.
    #[must_use]
    pub fn party(&self, user: &UserId) -> Option<Party> {
        Party::of(user, &self.client, &self.therapist)
    }
}

/// A series with its meetings as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesMeetings {
    /// The series.
    pub series: Series,
    /// Each of [`Series::meetings`], in that order.
    pub meetings: Vec<Meeting>,
}

words! {
    /// What to do about sessions of a series that cannot be booked.
    SeriesMode {
        /// All of them or nothing.
        All = "all",
        /// Those that can be.
        Free = "free",
    }
    expected "all, free"
}

/// Sessions that somebody wants to book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesRequest {
    /// The first of them; the others are like it.
    pub first: BookRequest,
    /// On which dates of the therapist's calendar.
    pub rule: Recurrence,
    /// But not on these. They count towards the rule's `COUNT` all the same.
    pub except: BTreeSet<NaiveDate>,
    /// What to do when some cannot be booked.
    pub mode: SeriesMode,
}

/// What would become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesPreview {
    /// The therapist's zone, in which the rule is meant.
    pub zone: Tz,
    /// Each session, earliest first.
    pub occurrences: Vec<Occurrence>,
    /// Dates on which the clocks never show the time.
    pub skipped: Vec<NaiveDate>,
}

/// A session of a series before it is booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// When it would begin.
    pub start: StartTime,
    /// Why it cannot be booked; `None` when it can.
    pub refusal: Option<Refusal>,
}

/// A session of a series that is not booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its place among the sessions of the series, from 0.
    pub index: usize,
    /// When it would have begun.
    pub start: DateTime<Utc>,
    /// Why.
    pub refusal: Refusal,
}

/// A series that was booked just now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedSeries {
    /// The series.
    pub view: SeriesView,
    /// The sessions that could not be booked.
    pub left_out: Vec<LeftOut>,
    /// Dates on which the clocks never show the time.
    pub skipped: Vec<NaiveDate>,
}

/// A series as one of its participants sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesView {
    /// The series.
    pub series: Series,
    /// Those of its meetings in which the participant takes part, in the order in which they were
    /// booked.
    pub meetings: Vec<SeriesMeeting>,
}

/// A meeting, in the list of its series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesMeeting {
    /// Which one.
    pub id: MeetingId,
    /// When it begins now.
    pub start: DateTime<Utc>,
    /// How long it is now.
    pub duration: SessionDuration,
    /// Where it stands.
    pub status: MeetingStatus,
}

impl From<&Meeting> for SeriesMeeting {
    fn from(meeting: &Meeting) -> Self {
        let Meeting { id, start, duration, status, .. } = *meeting;
        Self { id, start, duration, status }
    }
}
