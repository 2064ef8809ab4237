//! Meetings, and the legal ways from one status to another.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::duration::SessionDuration;
use crate::id::{MeetingId, UserId};
use crate::refusal::Refusal;
use crate::settings::Buffers;
use crate::span::Span;
use crate::text::{Description, MeetingUrl, SessionNotes, Text, Title};

/// A session of one client with one therapist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// Which one.
    pub id: MeetingId,
    /// Starts at 1 and grows by one with each change; sent as the `ETag`.
    pub version: u64,
    /// Who receives the session.
    pub client: UserId,
    /// Who gives it.
    pub therapist: UserId,
    /// When it begins.
    pub start: DateTime<Utc>,
    /// How long it is.
    pub duration: SessionDuration,
    /// What the therapist keeps free around it: as their settings were when it was booked, or moved.
    #[serde(default)]
    pub buffers: Buffers,
    /// Where it stands.
    pub status: MeetingStatus,
    /// How the two meet.
    pub meeting_type: MeetingType,
    /// What it is called.
    pub title: Title,
    /// What it is about.
    pub description: Option<Description>,
    /// Where to meet, for video and audio.
    pub meeting_url: Option<MeetingUrl>,
    /// What the therapist wrote down; for the therapist's eyes alone.
    pub session_notes: Option<SessionNotes>,
    /// When it was booked, to the millisecond.
    pub created_at: DateTime<Utc>,
    /// When it last changed, to the millisecond.
    pub updated_at: DateTime<Utc>,
}

impl Meeting {
    /// The title of a meeting that was booked without one.
    pub const DEFAULT_TITLE: &'static str = "Therapy Session";

    /// How long its description and its notes are together, in bytes of UTF-8: all else is short.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let description = self.description.as_ref().map_or("", Text::as_str);
        let notes = self.session_notes.as_ref().map_or("", Text::as_str);
        description.len() + notes.len()
    }

    /// The first instant after the session.
    #[must_use]
    pub fn end(&self) -> DateTime<Utc> {
        self.span().map_or(DateTime::<Utc>::MAX_UTC, Span::end)
    }

    /// The instants that it takes, where that is any at all.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.duration.span_from(self.start)
    }

    /// As which of the two `user` takes part, if at all.
    #[must_use]
    pub fn party(&self, user: &UserId) -> Option<Party> {
        Party::of(user, &self.client, &self.therapist)
    }
}

/// One of the two sides of a meeting: what somebody is there, whatever their role elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// Who receives the session.
    Client,
    /// Who gives it.
    Therapist,
}

impl Party {
    /// Which of the two `user` is, if either.
    pub(crate) fn of(user: &UserId, client: &UserId, therapist: &UserId) -> Option<Self> {
        if user == therapist {
            Some(Self::Therapist)
        } else if user == client {
            Some(Self::Client)
        } else {
            None
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Therapist => "therapist",
        })
    }
}

/// A word that none of the values goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {expected}")]
pub struct UnknownWord {
    pub(crate) expected: &'static str,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }
     expected $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// All of them, in the contract's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands for it on the wire and in stores.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { expected: $expected }),
                }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Where a meeting stands (contract, "Meeting Status Values").
    MeetingStatus {
        /// Booked, and not yet confirmed.
        Scheduled = "SCHEDULED",
        /// Confirmed.
        Confirmed = "CONFIRMED",
        /// It took place.
        Completed = "COMPLETED",
        /// It was called off.
        Cancelled = "CANCELLED",
        /// Somebody did not come.
        NoShow = "NO_SHOW",
    }
    expected "SCHEDULED, CONFIRMED, COMPLETED, CANCELLED, NO_SHOW"
}

words! {
    /// How client and therapist meet (contract, "Meeting Types").
    MeetingType {
        /// Video call.
        Video = "video",
        /// Audio only.
        Audio = "audio",
        /// In one room.
        InPerson = "in_person",
        /// Text.
        Chat = "chat",
    }
    expected "video, audio, in_person, chat"
}

impl MeetingStatus {
    /// Whether a meeting in this status takes its participants' time.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Scheduled | Self::Confirmed)
    }

    /// The table of transitions (contract, "Meetings"): whether `party` may take a meeting that
    /// spans `span` from this status to `next` at `now`. Staying is always legal.
    ///
    /// # Errors
    /// [`Refusal::MeetingClosed`] where nothing leads on, else [`Refusal::InvalidTransition`].
    pub fn check_transition(
        self,
        next: Self,
        party: Party,
        span: Span,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        if self == next {
            return Ok(());
        }
        if !self.is_live() {
            return Err(Refusal::MeetingClosed);
        }
        let legal = match next {
            Self::Scheduled => false,
            Self::Confirmed => now < span.end(),
            Self::Cancelled => true,
            Self::Completed | Self::NoShow => party == Party::Therapist && span.start() <= now,
        };
        if legal { Ok(()) } else { Err(Refusal::InvalidTransition { from: Some(self), to: next }) }
    }
}
