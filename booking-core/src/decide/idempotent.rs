//! What a repeat of a request gets.

use chrono::{DateTime, Utc};

use crate::calendars::Calendars;
use crate::id::UserId;
use crate::idempotency::{Answer, Fingerprint, IdempotencyKey, Record};
use crate::refusal::Refusal;

/// A request that must be done at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    pub(crate) user: UserId,
    pub(crate) key: IdempotencyKey,
    pub(crate) fingerprint: Fingerprint,
}

/// An answer, and whether it was given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// The answer.
    pub value: T,
    /// Whether this is a repeat's first answer again, and nothing was done this time.
    pub replayed: bool,
}

impl Intent {
    /// The key under which stores find the record.
    pub(crate) fn record_key(&self) -> (UserId, IdempotencyKey) {
        (self.user.clone(), self.key.clone())
    }

    /// What the request was answered with before, if it was; `pick` takes out the kind of answer
    /// that its operation gives.
    pub(crate) fn replay<T>(
        &self,
        calendars: &Calendars,
        now: DateTime<Utc>,
        pick: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(record) = &calendars.record else { return Ok(None) };
        match record.replay(self.fingerprint, now)? {
            Some(answer) => pick(answer).map(Some).ok_or(Refusal::IdempotencyMismatch),
            None => Ok(None),
        }
    }

    pub(crate) fn record(&self, answer: Answer, now: DateTime<Utc>) -> Record {
        Record {
            user: self.user.clone(),
            key: self.key.clone(),
            fingerprint: self.fingerprint,
            answer,
            created_at: now,
        }
    }
}
