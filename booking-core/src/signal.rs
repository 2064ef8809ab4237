//! The signal port: how processes over one store wake each other.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::id::UserId;
use crate::store::StoreError;

/// What another process says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Something about these people's calendars has changed, and there may be new events.
    Changed(BTreeSet<UserId>),
    /// Signals may have been missed: anything may have changed.
    Missed,
}

/// Signals to other processes over the same store. They may get lost, and whoever listens looks
/// again from time to time; they only make things faster.
///
/// A store of one process alone has nobody to tell: `impl Signals for MyStore {}` is all it takes.
#[async_trait]
pub trait Signals: Send + Sync {
    /// Tells the others that something about these people has changed; after the commit, and not
    /// in its transaction.
    async fn signal(&self, people: &BTreeSet<UserId>) -> Result<(), StoreError> {
        let _nobody_listens = people;
        Ok(())
    }

    /// What the others say from now on.
    async fn listen(&self) -> Result<Box<dyn Listening>, StoreError> {
        Ok(Box::new(Silence))
    }
}

/// Somebody who listens.
#[async_trait]
pub trait Listening: Send {
    /// The next signal. Dropped while it waits, it misses nothing.
    ///
    /// # Errors
    /// [`StoreError`] when nothing will be heard any more: listen anew.
    async fn next(&mut self) -> Result<Signal, StoreError>;
}

/// Nobody ever says anything.
struct Silence;

#[async_trait]
impl Listening for Silence {
    async fn next(&mut self) -> Result<Signal, StoreError> {
        std::future::pending().await
    }
}
