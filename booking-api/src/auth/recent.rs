//! Tokens that were verified a moment ago: a client sends the same one with each request, and to
//! verify it is most of what a small request costs.

use booking_core::{Clock, Role, SystemClock, UserId};
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use ring::digest;

/// How many are kept, of the size of a few hundred bytes each; those used least go first.
const CAPACITY: usize = 10_000;

/// A token whose signature and claims are good. When it is, and by which key, is looked at again
/// each time.
#[derive(Clone)]
pub(super) struct Verified {
    pub(super) id: UserId,
    pub(super) role: Option<Role>,
    /// The key that its head names, and the one that it was verified with.
    pub(super) kid: Option<String>,
    pub(super) print: [u8; 32],
    /// From when on it is not accepted; `None` beyond the calendar.
    pub(super) ends_at: Option<DateTime<Utc>>,
}

impl Verified {
    fn has_ended(&self) -> bool {
        self.ends_at.is_some_and(|at| at <= SystemClock.now())
    }
}

/// By a hash of the token, so that no token lies about in memory.
pub(super) struct Recent(Cache<[u8; 32], Verified>);

impl Recent {
    pub(super) fn new() -> Self {
        Self(Cache::new(CAPACITY))
    }

    /// Not those that have expired. One that was valid before stays so until then, unless somebody
    /// turns back the machine's clock.
    pub(super) fn find(&self, token: &str) -> Option<Verified> {
        let name = name(token);
        let found = self.0.get(&name)?;
        if found.has_ended() {
            self.0.remove(&name);
            return None;
        }
        Some(found)
    }

    pub(super) fn remember(&self, token: &str, verified: &Verified) {
        self.0.insert(name(token), verified.clone());
    }

    pub(super) fn forget(&self, token: &str) {
        self.0.remove(&name(token));
    }
}

fn name(token: &str) -> [u8; 32] {
    let mut name = [0; 32];
    name.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    name
}
