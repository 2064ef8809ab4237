//! Idempotency keys of requests that this process is working on right now.
//!
//! Between processes the store's locks do the same job: the later one waits and then replays.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::Actor;
use crate::id::UserId;
use crate::idempotency::IdempotencyKey;
use crate::refusal::Refusal;

type Keys = HashSet<(UserId, IdempotencyKey)>;

#[derive(Debug, Clone, Default)]
pub(crate) struct InFlight(Arc<Mutex<Keys>>);

/// Holds the key until it is dropped.
#[derive(Debug)]
pub(crate) struct Flight {
    keys: InFlight,
    key: (UserId, IdempotencyKey),
}

impl InFlight {
    /// `None` where there is no key to hold.
    pub(crate) fn enter(
        &self,
        actor: &Actor,
        key: Option<&IdempotencyKey>,
    ) -> Result<Option<Flight>, Refusal> {
        let Some(key) = key else { return Ok(None) };
        let key = (actor.id.clone(), key.clone());
        if self.with(|keys| keys.insert(key.clone())) {
            Ok(Some(Flight { keys: self.clone(), key }))
        } else {
            Err(Refusal::IdempotencyInFlight)
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Keys) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.keys.with(|keys| keys.remove(&self.key));
    }
}
