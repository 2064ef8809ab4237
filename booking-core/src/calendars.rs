//! What a store found, as decisions look at it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use crate::availability::AvailabilitySlot;
use crate::directory::User;
use crate::hold::Hold;
use crate::id::{MeetingId, UserId};
use crate::idempotency::Record;
use crate::meeting::Meeting;
use crate::overrides::AvailabilityOverride;
use crate::series::SeriesMeetings;
use crate::settings::{Buffers, TherapistSettings};
use crate::span::Span;
use crate::store::{Change, Scope, Write};

/// What a store found in a [`Scope`].
///
/// Decisions look at it through methods that check the question against the scope: what was not
/// loaded cannot be mistaken for what is not there.
#[derive(Debug, Clone, Default)]
pub struct Calendars {
    /// What was asked for.
    pub scope: Scope,
    /// Live meetings, for [`Scope::busy_within`], each once.
    pub busy: Vec<Busy>,
    /// For [`Scope::counted_within`]: completed and missed meetings.
    pub counted: Vec<CountedMeeting>,
    /// For [`Scope::busy_within`]: when calendars say so that the therapist [`Scope::hours_of`] has
    /// linked. Spans may overlap.
    pub external: Vec<Span>,
    /// For [`Scope::settings_of`]; who has never set anything is left out.
    pub settings: BTreeMap<UserId, TherapistSettings>,
    /// Weekly availability, for [`Scope::hours_of`], by weekday from Sunday and start.
    pub hours: Vec<AvailabilitySlot>,
    /// For [`Scope::overrides_on`], by their first date.
    pub overrides: Vec<AvailabilityOverride>,
    /// For [`Scope::hours_of`]: what is kept of that therapist's time, in any order. Those that have
    /// expired may be left out once it is certain by any clock that they have.
    pub holds: Vec<Hold>,
    /// For [`Scope::placed_by`], as those.
    pub placed: Vec<Hold>,
    /// For [`Scope::meeting`].
    pub meeting: Option<Meeting>,
    /// For [`Scope::series`].
    pub series: Option<SeriesMeetings>,
    /// For [`Scope::availability`].
    pub availability: Option<AvailabilitySlot>,
    /// For [`Scope::override_with`].
    pub override_with: Option<AvailabilityOverride>,
    /// For [`Scope::earlier`].
    pub has_earlier: bool,
    /// For [`Scope::record`].
    pub record: Option<Record>,
    /// For [`Scope::users`]; unknown ones are left out.
    pub users: HashMap<UserId, User>,
    /// For [`Scope::related`].
    pub are_related: bool,
    /// How often the calendar of each of [`Scope::people`] has changed, where the store counts: a
    /// number that differs after every change of one of their meetings, of their availability, its
    /// overrides, the holds on their time, their settings, and the calendars that they have linked, or,
    /// in the [directory](crate::Store::directory) that the store keeps, of their zone and
    /// role.
    pub revisions: BTreeMap<UserId, u64>,
}

/// A live meeting, as far as conflicts are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// Which meeting.
    pub meeting: MeetingId,
    /// One of the two whom it keeps busy.
    pub client: UserId,
    /// The other.
    pub therapist: UserId,
    /// When.
    pub span: Span,
    /// What the therapist keeps free around it.
    pub buffers: Buffers,
}

impl Busy {
    /// Whether it keeps one of these people busy.
    pub(crate) fn concerns(&self, people: &[&UserId]) -> bool {
        people.contains(&&self.client) || people.contains(&&self.therapist)
    }
}

/// A meeting that was completed or missed, as far as limits are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedMeeting {
    /// Which meeting.
    pub meeting: MeetingId,
    /// When it began.
    pub start: DateTime<Utc>,
}

/// The decision needs to see more than the scope names; ask again with a wider one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decision needs to see more than its scope names")]
pub struct ScopeTooNarrow;

impl Calendars {
    /// All availability slots of a therapist, whose calendar must be locked.
    ///
    /// # Errors
    /// [`ScopeTooNarrow`] when the scope does not cover the question.
    pub fn availability_of(
        &self,
        therapist: &UserId,
    ) -> Result<&[AvailabilitySlot], ScopeTooNarrow> {
        let loaded = self.scope.hours_of.as_ref() == Some(therapist);
        let locked = self.scope.people.contains(therapist);
        if loaded && locked { Ok(&self.hours) } else { Err(ScopeTooNarrow) }
    }

    /// Whether all that these calendars say, and all that `change` overwrites, is as it was for as
    /// long as the [`revisions`](Self::revisions) are.
    #[must_use]
    pub fn vouch_for(&self, change: &Change) -> bool {
        // Live meetings come by people, and linked calendars by whose hours there are; what users are,
        // and in which zone, counts with their calendars.
        let Scope {
            people,
            hours_of,
            settings_of,
            meeting,
            availability,
            override_with,
            earlier,
            record,
            series,
            placed_by,
            // Of the therapist whose hours they are, as are the holds.
            overrides_on: _,
            busy_within: _,
            counted_within: _,
            users: _,
            related: _,
        } = &self.scope;
        let counted = |person: &UserId| self.revisions.contains_key(person);
        let meeting_is_counted = match (meeting, &self.meeting) {
            (None, _) => true,
            (Some(_), Some(found)) => counted(&found.client) && counted(&found.therapist),
            // Whoever makes it, or takes it from others, counts elsewhere.
            (Some(_), None) => false,
        };
        let slot_is_counted = match (availability, &self.availability) {
            (None, _) => true,
            (Some(_), Some(found)) => counted(&found.therapist),
            (Some(_), None) => false,
        };
        let override_is_counted = match (override_with, &self.override_with) {
            (None, _) => true,
            (Some(_), Some(found)) => counted(&found.therapist),
            (Some(_), None) => false,
        };
        let record_is_counted = change.record.as_ref().is_none_or(|written| {
            record.as_ref().is_some_and(|(user, key)| (user, key) == (&written.user, &written.key))
        });
        people.iter().all(counted)
            && hours_of.iter().chain(settings_of).all(counted)
            && earlier.iter().all(|earlier| counted(&earlier.client) && counted(&earlier.therapist))
            && record.iter().all(|(user, _)| counted(user))
            && meeting_is_counted
            && series.is_none()
            && placed_by.is_none()
            && slot_is_counted
            && override_is_counted
            && record_is_counted
            && matches!(&change.writes[..], [one] if self.knows(one.write()))
    }

    /// Whether what this overwrites, or comes beside, is of calendars whose changes are counted.
    fn knows(&self, write: &Write) -> bool {
        let counted = |person: &UserId| self.revisions.contains_key(person);
        match write {
            Write::InsertMeeting(meeting) => {
                counted(&meeting.client) && counted(&meeting.therapist)
            }
            Write::UpdateMeeting(after) => {
                self.meeting.as_ref().is_some_and(|found| found.id == after.id)
                    && counted(&after.client)
                    && counted(&after.therapist)
            }
            Write::InsertAvailability(slot) => counted(&slot.therapist),
            Write::UpdateAvailability(AvailabilitySlot { id, .. })
            | Write::DeleteAvailability(id) => {
                self.availability.as_ref().is_some_and(|found| found.id == *id)
            }
            // Rare enough to be made under the locks; and of what series are made, all or nothing is.
            Write::InsertSeries(_)
            | Write::PutSettings(_)
            | Write::InsertOverride(_)
            | Write::UpdateOverride(_)
            | Write::DeleteOverride(_)
            | Write::PutHold(_)
            | Write::DeleteHold(_) => false,
        }
    }

    /// Whether `meeting` is the first of its two people, by start.
    ///
    /// # Errors
    /// [`ScopeTooNarrow`] when the scope does not cover the question.
    pub fn is_initial(&self, meeting: &Meeting) -> Result<bool, ScopeTooNarrow> {
        let asked = self.scope.earlier.as_ref().is_some_and(|earlier| {
            earlier.client == meeting.client
                && earlier.therapist == meeting.therapist
                && earlier.before == meeting.start
        });
        if asked { Ok(!self.has_earlier) } else { Err(ScopeTooNarrow) }
    }
}
