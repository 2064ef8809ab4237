//! The outbox port: the events of all changes, as one log.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::event::Event;
use crate::id::UserId;
use crate::store::StoreError;

/// An event in its place of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Grows with each event of the store; gaps are possible. Within one meeting it follows the
    /// order of the changes.
    pub sequence: u64,
    /// What happened.
    pub event: Event,
}

/// Which events of the log to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuery {
    /// Those with a greater sequence.
    pub after: u64,
    /// Those that concern this person; `None` for everybody's.
    pub person: Option<UserId>,
    /// At most so many.
    pub limit: u32,
}

/// The events that a [`Store`](crate::Store) wrote together with their changes.
///
/// A committed event joins the log when somebody calls [`publish`](Self::publish), at the latest.
/// From then on it has its sequence, and no event will ever join before it: whoever has read up to a sequence has
/// read everything up to there.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Lets at most `limit` committed events join the log, and with each, in one transaction, a
    /// delivery, due `now`, for every active [`Subscriber`](crate::Subscriber) that wants it.
    /// Returns how many it had to do with; fewer than `limit` when there are no more. A store in
    /// which events are in the log as soon as they are committed may count only those that some
    /// subscriber is still to be asked about.
    ///
    /// Any number of processes may call it at the same time.
    async fn publish(&self, now: DateTime<Utc>, limit: u32) -> Result<u32, StoreError>;

    /// Events of the log, oldest first.
    async fn events(&self, query: &EventQuery) -> Result<Vec<Recorded>, StoreError>;

    /// The sequence of the event that joined the log last, whether or not it was forgotten since;
    /// 0 when none ever did.
    async fn last_sequence(&self) -> Result<u64, StoreError>;

    /// How many committed events [`publish`](Self::publish) has still to do with, up to `limit`.
    async fn unpublished(&self, limit: u32) -> Result<u32, StoreError>;

    /// Deletes events of the log that occurred before an instant, those of the longest ago first,
    /// at most `limit`, with their deliveries; those with a delivery still pending stay. Returns
    /// how many went. Their sequences are not used again.
    async fn forget(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, StoreError>;
}
