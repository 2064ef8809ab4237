//! When to try a delivery again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::delivery::SubscriberId;

/// The schedule that Standard Webhooks recommends
/// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>):
/// ten attempts over a little more than three days.
const SCHEDULE: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// How long to wait after so many failures, give or take a tenth; `None` when that was the last
/// attempt.
///
/// The tenth differs from event to event and from attempt to attempt, so that what failed together
/// does not come back together; it is always the same for one of them.
///
/// ```
/// use booking_core::{SubscriberId, retry_delay};
///
/// let crm = SubscriberId::new("crm")?;
/// assert!(retry_delay(1, &crm, 7).is_some_and(|delay| (4.5..5.5).contains(&delay.as_secs_f64())));
/// assert_eq!(retry_delay(10, &crm, 7), None);
/// # Ok::<(), booking_core::InvalidId>(())
/// ```
#[must_use]
pub fn retry_delay(failures: u32, subscriber: &SubscriberId, sequence: u64) -> Option<Duration> {
    let delay = SCHEDULE.get(usize::try_from(failures.saturating_sub(1)).ok()?)?;
    Some(spread(*delay, (failures, subscriber, sequence)))
}

/// When to look at a linked calendar again that has failed so often in a row, give or take a tenth: in
/// one minute first, twice as long each time, and at most six hours or as long as it takes anyway.
#[cfg(feature = "ical")]
pub(crate) fn copy_delay(failures: u32, every: Duration, of: impl Hash) -> Duration {
    const FIRST: Duration = Duration::from_mins(1);
    const LONGEST: Duration = Duration::from_hours(6);
    let delay = match failures.checked_sub(1) {
        None => every,
        Some(again) => FIRST.saturating_mul(1 << again.min(16)).min(LONGEST.max(every)),
    };
    spread(delay, of)
}

/// Give or take a tenth.
fn spread(delay: Duration, of: impl Hash) -> Duration {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    let fraction = f64::from((hasher.finish() >> 32) as u32) / f64::from(u32::MAX);
    delay.mul_f64(0.9 + 0.2 * fraction)
}
