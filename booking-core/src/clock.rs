//! What time it is: the one place where the library looks at a clock.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// A source of the present instant.
pub trait Clock: Send + Sync {
    /// The present instant, in UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// The machine's clock, moved: it starts wherever it is set and runs on from there.
///
/// ```
/// use booking_core::{Clock, ShiftedClock};
/// use chrono::{DateTime, TimeDelta, Utc};
///
/// let new_year: DateTime<Utc> = "2024-01-01T00:00:00Z".parse()?;
/// let clock = ShiftedClock::default();
/// clock.set(new_year);
/// assert!(clock.now() - new_year < TimeDelta::minutes(1));
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Debug, Default)]
pub struct ShiftedClock {
    shift_millis: AtomicI64,
}

impl ShiftedClock {
    /// Moves the clock, forward or back.
    pub fn set(&self, now: DateTime<Utc>) {
        let shift = now.timestamp_millis() - SystemClock.now().timestamp_millis();
        self.shift_millis.store(shift, Ordering::Relaxed);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> DateTime<Utc> {
        let shift = TimeDelta::milliseconds(self.shift_millis.load(Ordering::Relaxed));
        let now = SystemClock.now();
        now.checked_add_signed(shift).unwrap_or(now)
    }
}

/// A clock that stands still until it is set: for tests.
///
/// ```
/// use booking_core::{Clock, ManualClock};
/// use chrono::DateTime;
///
/// let clock = ManualClock::new(DateTime::UNIX_EPOCH);
/// assert_eq!(clock.now(), DateTime::UNIX_EPOCH);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    unix_millis: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `now`, to the millisecond.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { unix_millis: AtomicI64::new(now.timestamp_millis()) }
    }

    /// Moves the clock, forward or back.
    pub fn set(&self, now: DateTime<Utc>) {
        self.unix_millis.store(now.timestamp_millis(), Ordering::SeqCst);
    }

    /// Moves the clock by `step`.
    pub fn advance(&self, step: TimeDelta) {
        self.unix_millis.fetch_add(step.num_milliseconds(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.unix_millis.load(Ordering::SeqCst))
            .unwrap_or(DateTime::UNIX_EPOCH)
    }
}
