//! How many requests somebody may make in a time: the generic cell rate algorithm, which is a bucket
//! of tokens that keeps one number for each.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many requests in so much time. They may come all at once; after that, as many come back as
/// time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many; at least one.
    pub requests: u32,
    /// In which time; a second at least.
    pub window: Duration,
}

impl Quota {
    /// So many each minute.
    #[must_use]
    pub const fn per_minute(requests: u32) -> Self {
        Self { requests, window: Duration::from_mins(1) }
    }
}

/// Of how many callers the number is kept, in each of so many parts with a lock of its own: about
/// 2 MB, whoever calls.
const SHARDS: usize = 16;
const CALLERS_PER_SHARD: usize = 4_096;

/// Who has used how much of a quota. A caller whose quota is whole again is not kept.
#[derive(Debug)]
pub(crate) struct Rates {
    quota: Quota,
    begun: Instant,
    hasher: RandomState,
    /// By the hash of a caller, which nobody outside can aim at: when their quota is whole again, in
    /// nanoseconds.
    shards: [Mutex<HashMap<u64, u64>>; SHARDS],
}

/// What is left for somebody after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) quota: Quota,
    pub(crate) requests: u32,
    /// When all of the quota is there again.
    pub(crate) whole_in: Duration,
    /// When the request may be tried again, if it was one too many.
    pub(crate) refused_for: Option<Duration>,
}

impl Rates {
    pub(crate) fn new(quota: Quota) -> Self {
        let quota = Quota {
            requests: quota.requests.max(1),
            window: quota.window.max(Duration::from_secs(1)),
        };
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { quota, begun: Instant::now(), hasher: RandomState::new(), shards }
    }

    /// Counts a request of this caller.
    pub(crate) fn take(&self, caller: impl Hash) -> Left {
        self.take_at(caller, nanos(self.begun.elapsed()))
    }

    fn take_at(&self, caller: impl Hash, now: u64) -> Left {
        let caller = self.hasher.hash_one(caller);
        let window = nanos(self.quota.window);
        // Finer than a nanosecond, a quota would be divided by nothing.
        let each = (window / u64::from(self.quota.requests)).max(1);
        let shard = &self.shards[(caller % SHARDS as u64) as usize];
        let mut callers = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let whole_at = callers.get(&caller).copied().unwrap_or(0).max(now);
        let then_whole_at = whole_at + each;
        if then_whole_at > now + window {
            let refused_for = Some(Duration::from_nanos(then_whole_at - window - now));
            return Left { refused_for, ..self.left(whole_at - now, each) };
        }
        if callers.len() >= CALLERS_PER_SHARD && !callers.contains_key(&caller) {
            make_room(&mut callers, now);
        }
        callers.insert(caller, then_whole_at);
        self.left(then_whole_at - now, each)
    }

    fn left(&self, used: u64, each: u64) -> Left {
        let free = nanos(self.quota.window).saturating_sub(used) / each;
        Left {
            quota: self.quota,
            requests: u32::try_from(free).unwrap_or(u32::MAX).min(self.quota.requests),
            whole_in: Duration::from_nanos(used),
            refused_for: None,
        }
    }

    #[cfg(test)]
    fn kept(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().expect("nobody panics with it").len()).sum()
    }
}

/// Forgets those whose quota is whole, and if too many are left, the quarter that has used the least:
/// a flood of callers makes nobody who was refused go free, and few of its requests look at them all.
fn make_room(callers: &mut HashMap<u64, u64>, now: u64) {
    callers.retain(|_, whole_at| *whole_at > now);
    let mut surplus = callers.len().saturating_sub(CALLERS_PER_SHARD * 3 / 4);
    if surplus > 0 {
        let mut uses: Vec<u64> = callers.values().copied().collect();
        let (_, &mut most, _) = uses.select_nth_unstable(surplus - 1);
        callers.retain(|_, whole_at| {
            let goes = surplus > 0 && *whole_at <= most;
            surplus -= usize::from(goes);
            !goes
        });
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// In any window, however it lies, nobody gets more than twice the quota: what was saved up, and
    /// what has come back since; and whoever goes on asking gets what comes back.
    #[test]
    fn what_is_used_comes_back_as_time_passes() {
        let rates = Rates::new(Quota { requests: 10, window: Duration::from_secs(10) });
        for used in 1..=10 {
            let left = rates.take_at("a", 0);
            assert_eq!((left.requests, left.refused_for), (10 - used, None));
            assert_eq!(left.whole_in, Duration::from_secs(used.into()));
        }
        let refused = rates.take_at("a", 0);
        assert_eq!((refused.requests, refused.refused_for), (0, Some(Duration::from_secs(1))));
        assert_eq!(rates.take_at("b", 0).refused_for, None, "each has their own");
        assert!(rates.take_at("a", SECOND - 1).refused_for.is_some());
        assert_eq!(rates.take_at("a", SECOND).refused_for, None);
        assert!(rates.take_at("a", SECOND).refused_for.is_some());
        let got = (0..1_000)
            .filter(|tenth| rates.take_at("a", SECOND + tenth * SECOND / 10).refused_for.is_none());
        assert_eq!(got.count(), 99, "one a second");
        assert_eq!(rates.take_at("a", 500 * SECOND).requests, 9, "whole again");
    }

    #[test]
    fn a_quota_of_more_than_one_a_nanosecond_is_one() {
        let rates = Rates::new(Quota { requests: u32::MAX, window: Duration::from_secs(1) });
        let left = rates.take_at("a", 0);
        assert_eq!((left.requests, left.refused_for), (999_999_999, None));
        assert_eq!(left.whole_in, Duration::from_nanos(1));
    }

    #[test]
    fn a_flood_of_callers_takes_no_more_room_and_frees_nobody() {
        let rates = Rates::new(Quota { requests: 3, window: Duration::from_secs(60) });
        for _ in 0..3 {
            rates.take_at("refused", 0);
        }
        for caller in 0..200_000_u32 {
            rates.take_at(caller, u64::from(caller));
        }
        assert!(rates.kept() <= SHARDS * CALLERS_PER_SHARD, "{}", rates.kept());
        assert!(rates.take_at("refused", SECOND).refused_for.is_some());
        // Once they are quiet, those who come next find the room of them all.
        for caller in 0..100_000_u32 {
            rates.take_at(("new", caller), 100 * SECOND);
        }
        assert!(rates.kept() <= SHARDS * CALLERS_PER_SHARD, "{}", rates.kept());
    }
}
