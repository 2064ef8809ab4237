//! Repeats of one request: the first answer again, and nothing done twice.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::availability::AvailabilitySlot;
use crate::id::UserId;
use crate::meeting::Meeting;
use crate::overrides::AvailabilityOverride;
use crate::refusal::Refusal;
use crate::series::BookedSeries;

/// What a caller names one intended change by: 1–255 visible ASCII characters or spaces.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(String);

/// A text that is no idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {} visible ASCII characters", IdempotencyKey::MAX_CHARS)]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// The longest key, in characters.
    pub const MAX_CHARS: usize = 255;

    /// Checks length and alphabet.
    ///
    /// # Errors
    /// [`InvalidIdempotencyKey`] when either is off.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidIdempotencyKey> {
        let text = text.into();
        let fits = (1..=Self::MAX_CHARS).contains(&text.len());
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if fits && visible { Ok(Self(text)) } else { Err(InvalidIdempotencyKey) }
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A digest of what was asked for: tells a repeat from another request with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The digest of an operation's name and its request, as parsed: white space and the order of
    /// fields in what came over the wire make no difference.
    pub(crate) fn of<T: Serialize>(operation: &str, request: &T) -> Self {
        let json = serde_json::to_vec(&(operation, request))
            .unwrap_or_else(|never| unreachable!("requests are plain data: {never}"));
        Self(Sha256::digest(json).into())
    }
}

/// What a repeat is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The meeting, as it was when it was booked.
    Meeting(Box<Meeting>),
    /// The availability slot, as it was when it was made.
    Availability(Box<AvailabilitySlot>),
    /// The override, as it was when it was made.
    Override(Box<AvailabilityOverride>),
    /// The series, with its meetings as they were when they were booked.
    Series(Box<BookedSeries>),
}

/// The memory of one request, written in the same transaction as its change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who asked; keys are per user.
    pub user: UserId,
    /// The key that came with the request.
    pub key: IdempotencyKey,
    /// What was asked for.
    pub fingerprint: Fingerprint,
    /// What was answered.
    pub answer: Answer,
    /// When, to the millisecond.
    pub created_at: DateTime<Utc>,
}

impl Record {
    /// How long a repeat gets the first answer (contract, "Meetings").
    pub const LIFETIME: TimeDelta = TimeDelta::hours(24);

    /// From when on the record says nothing any more.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.created_at + Self::LIFETIME
    }

    /// The answer for a repeat of the same request; `None` once the record has expired.
    ///
    /// # Errors
    /// [`Refusal::IdempotencyMismatch`] for another request.
    pub(crate) fn replay(
        &self,
        fingerprint: Fingerprint,
        now: DateTime<Utc>,
    ) -> Result<Option<Answer>, Refusal> {
        if self.expires_at() <= now {
            Ok(None)
        } else if self.fingerprint == fingerprint {
            Ok(Some(self.answer.clone()))
        } else {
            Err(Refusal::IdempotencyMismatch)
        }
    }
}

impl Answer {
    pub(crate) fn into_meeting(self) -> Option<Meeting> {
        match self {
            Self::Meeting(meeting) => Some(*meeting),
            Self::Availability(_) | Self::Override(_) | Self::Series(_) => None,
        }
    }

    pub(crate) fn into_availability(self) -> Option<AvailabilitySlot> {
        match self {
            Self::Availability(slot) => Some(*slot),
            Self::Meeting(_) | Self::Override(_) | Self::Series(_) => None,
        }
    }

    pub(crate) fn into_override(self) -> Option<AvailabilityOverride> {
        match self {
            Self::Override(one) => Some(*one),
            Self::Meeting(_) | Self::Availability(_) | Self::Series(_) => None,
        }
    }

    pub(crate) fn into_series(self) -> Option<BookedSeries> {
        match self {
            Self::Series(booked) => Some(*booked),
            Self::Meeting(_) | Self::Availability(_) | Self::Override(_) => None,
        }
    }
}
