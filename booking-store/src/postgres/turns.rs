//! Those of this process who want the same calendar wait for each other here, and not in the
//! database: there each would keep a connection meanwhile, and find in the end that what they had
//! read is out of date.
//!
//! Nothing is promised by it. What others do, in other processes too, the revisions tell, or locks.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use booking_core::UserId;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Two people who fall on the same place wait for each other without need; nothing worse.
const PLACES: u64 = 1_024;

/// Whose turn it is, person by person.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<[Arc<Mutex<()>>]>);

/// Over when it is dropped.
pub(super) struct Turn {
    _places: Vec<OwnedMutexGuard<()>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self((0..PLACES).map(|_| Arc::default()).collect())
    }
}

impl Turns {
    /// Waits until nobody else is at any of these calendars; first come, first served.
    pub(super) async fn wait(&self, people: &BTreeSet<UserId>) -> Turn {
        let mut places = Vec::with_capacity(people.len());
        for place in self.places(people) {
            places.push(place.lock_owned().await);
        }
        Turn { _places: places }
    }

    /// None, while somebody else is at one of these calendars.
    pub(super) fn take(&self, people: &BTreeSet<UserId>) -> Option<Turn> {
        let places = self.places(people).map(|place| place.try_lock_owned().ok());
        Some(Turn { _places: places.collect::<Option<_>>()? })
    }

    /// Each once, and in one order for everybody: nobody waits in a circle.
    fn places(&self, people: &BTreeSet<UserId>) -> impl Iterator<Item = Arc<Mutex<()>>> {
        let place = |person: &UserId| {
            let mut hasher = DefaultHasher::new();
            person.hash(&mut hasher);
            usize::try_from(hasher.finish() % PLACES).ok()
        };
        let places: BTreeSet<usize> = people.iter().filter_map(place).collect();
        places.into_iter().filter_map(|place| self.0.get(place).cloned())
    }
}
