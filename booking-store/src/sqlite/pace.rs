//! Leaves the file to other processes for part of the time.
//!
//! They poll for it, at last every 100 ms, and give up after 5 seconds. Nobody sees that they wait,
//! and writers of this process who follow each other at once would leave gaps that a poll seldom hits.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// For so much time that the file was taken, it is free for one part of that time.
const TAKEN_TO_FREE: u32 = 8;

/// What is owed is paid at once when it is that much, which is what timers can do.
const PAYS_FROM: Duration = Duration::from_millis(1);

/// However long a transaction was.
const PAYS_AT_MOST: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Pace {
    owes: Duration,
    free_since: Option<Instant>,
}

impl Pace {
    /// Before a transaction begins.
    pub(super) async fn keep(&mut self) {
        if let Some(since) = self.free_since.take() {
            self.owes = self.owes.saturating_sub(since.elapsed());
        }
        if self.owes >= PAYS_FROM {
            sleep(self.owes).await;
            self.owes = Duration::ZERO;
        }
    }

    /// After it has ended.
    pub(super) fn taken_since(&mut self, begun: Instant) {
        let now = Instant::now();
        let owes = self.owes + now.saturating_duration_since(begun) / TAKEN_TO_FREE;
        *self = Self { owes: owes.min(PAYS_AT_MOST), free_since: Some(now) };
    }
}
