//! Who may do what (contract, "Who may do what").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::UserId;
use crate::meeting::{Meeting, Party, UnknownWord, words};
use crate::refusal::Refusal;
use crate::series::{Series, SeriesMeetings, SeriesView};

words! {
    /// What a user is on the platform.
    Role {
        /// Books sessions for themself.
        Client = "client",
        /// Gives sessions, and keeps their own availability.
        Therapist = "therapist",
        /// Keeps the directory; takes part in no session.
        Admin = "admin",
    }
    expected "client, therapist, admin"
}

/// Who asks: always the subject of a verified token, or whoever the embedding service vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub id: UserId,
    /// What they are.
    pub role: Role,
}

/// What can be asked for, as far as roles go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Book a meeting.
    Book,
    /// List one's own meetings.
    ListMeetings,
    /// See or change one meeting.
    UseMeeting,
    /// List or change one's own availability.
    ManageAvailability,
    /// List the slots of a therapist.
    ListSlots,
    /// Keep users and relationships.
    ManageDirectory,
    /// Say which endpoints get events.
    ManageWebhooks,
    /// Read who changed what.
    ReadAudit,
    /// Keep one's own calendar feeds.
    ManageFeeds,
}

impl Actor {
    /// Whether the actor's role may do this at all.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`] when not.
    pub fn may(&self, operation: Operation) -> Result<(), Refusal> {
        let allowed = match operation {
            Operation::Book | Operation::ListMeetings | Operation::ManageFeeds => {
                self.role != Role::Admin
            }
            Operation::UseMeeting | Operation::ListSlots => true,
            Operation::ManageAvailability => self.role == Role::Therapist,
            Operation::ManageDirectory | Operation::ManageWebhooks | Operation::ReadAudit => {
                self.role == Role::Admin
            }
        };
        if allowed { Ok(()) } else { Err(Refusal::RoleRequired { operation }) }
    }

    /// The side on which the actor takes part in a meeting.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] when on neither, which includes every admin.
    pub fn party_to(&self, meeting: &Meeting) -> Result<Party, Refusal> {
        self.side(meeting.party(&self.id))
    }

    /// The side on which the actor takes part in a series.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] when on neither, which includes every admin.
    pub fn party_to_series(&self, series: &Series) -> Result<Party, Refusal> {
        self.side(series.party(&self.id))
    }

    /// Admins are on neither side, whatever else they are there.
    fn side(&self, party: Option<Party>) -> Result<Party, Refusal> {
        party.filter(|_| self.role != Role::Admin).ok_or(Refusal::Forbidden)
    }

    /// The series as the actor may see it: without meetings that went to another therapist.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] when the actor takes no part in it.
    pub fn view_series(&self, found: SeriesMeetings) -> Result<SeriesView, Refusal> {
        self.party_to_series(&found.series)?;
        let own = found.meetings.iter().filter(|meeting| self.party_to(meeting).is_ok());
        Ok(SeriesView { meetings: own.map(Into::into).collect(), series: found.series })
    }

    /// The meeting as the actor may see it: a therapist's notes are for the therapist alone.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] when the actor takes no part in it.
    pub fn view(&self, mut meeting: Meeting) -> Result<Meeting, Refusal> {
        if self.party_to(&meeting)? != Party::Therapist {
            meeting.session_notes = None;
        }
        Ok(meeting)
    }
}
