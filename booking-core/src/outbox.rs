//! The outbox port: events that committed and are yet to be delivered.

use async_trait::async_trait;

use crate::event::Event;
use crate::store::StoreError;

/// An event in the store's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Grows with each event of the store; gaps are possible. Within one meeting it follows the
    /// order of the changes.
    pub sequence: u64,
    /// What happened.
    pub event: Event,
}

/// The events that a [`Store`](crate::Store) wrote together with their changes.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// The undelivered events with a sequence greater than `after`, oldest first, at most `limit`.
    async fn undelivered(&self, after: u64, limit: u32) -> Result<Vec<Recorded>, StoreError>;

    /// Takes events off the list. Unknown and repeated numbers are fine.
    async fn mark_delivered(&self, sequences: &[u64]) -> Result<(), StoreError>;
}
