//! How many streams are open, and how many may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use booking_core::UserId;
use prometheus::IntGauge;

use crate::problem::{Code, Problem};

/// How many streams may be open at the same time, in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Of all users together; 2 000 unless said otherwise. Beyond, callers are told
    /// [`Code::Unavailable`].
    pub in_all: usize,
    /// Of each user; 16 unless said otherwise. Beyond, they are told [`Code::TooManyStreams`].
    pub per_user: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { in_all: 2_000, per_user: 16 }
    }
}

/// Who has how many streams open. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Seats {
    pub(crate) limits: StreamLimits,
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
    /// Of all users, for `/metrics`; changes while `taken` is locked.
    open: IntGauge,
}

/// One stream's seat, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    user: UserId,
}

impl Seats {
    pub(crate) fn new() -> Self {
        let open = IntGauge::new("booking_http_open_streams", "Streams that are open");
        let open = open.unwrap_or_else(|error| unreachable!("a constant name: {error}"));
        Self { limits: StreamLimits::default(), taken: Arc::default(), open }
    }

    pub(crate) const fn gauge(&self) -> &IntGauge {
        &self.open
    }

    pub(super) fn take(&self, user: &UserId) -> Result<Seat, Problem> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if usize::try_from(self.open.get()).unwrap_or(0) >= self.limits.in_all {
            let detail = "the server has as many open streams as it takes";
            return Err(Problem::new(Code::Unavailable, detail));
        }
        let count = taken.entry(user.clone()).or_default();
        if *count >= self.limits.per_user {
            let detail = format!("{count} streams are open already: close one");
            return Err(Problem::new(Code::TooManyStreams, detail));
        }
        *count += 1;
        self.open.inc();
        Ok(Seat { seats: self.clone(), user: user.clone() })
    }
}

impl Seats {
    /// `None` when this user has as many as they may.
    pub(crate) fn try_take(&self, user: &UserId) -> Option<Seat> {
        self.take(user).ok()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
        self.seats.open.dec();
    }
}
