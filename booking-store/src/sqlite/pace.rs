//! Leaves the file to other processes for part of the time.
//!
//! They poll for it, at last every 100 ms, and give up after 5 seconds. Nobody sees that they wait,
//! and writers of this process who follow each other at once would leave gaps that a poll seldom hits.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How much longer the file is taken than free, while writers wait for it all the time.
const TAKEN_TO_FREE: u32 = 6;

/// What is owed is paid when it is that much: timers are no finer.
const PAYS_FROM: Duration = Duration::from_millis(2);

/// However long a transaction was, and however late a timer.
const PAYS_AT_MOST: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Pace {
    owes: Duration,
    /// Timers are late.
    overpaid: Duration,
    free_since: Option<Instant>,
}

impl Pace {
    /// Before a transaction begins.
    pub(super) async fn keep(&mut self) {
        let Some(since) = self.free_since.take() else { return };
        let owes = self.owes.saturating_sub(since.elapsed());
        if owes >= PAYS_FROM {
            sleep(owes).await;
            self.overpaid = since.elapsed().saturating_sub(self.owes).min(PAYS_AT_MOST);
            self.owes = Duration::ZERO;
        } else {
            self.owes = owes;
        }
    }

    /// After it has ended.
    pub(super) fn taken_since(&mut self, begun: Instant) {
        let now = Instant::now();
        let more = now.saturating_duration_since(begun) / TAKEN_TO_FREE;
        let owes = (self.owes + more).saturating_sub(self.overpaid);
        let overpaid = self.overpaid.saturating_sub(self.owes + more);
        *self = Self { owes: owes.min(PAYS_AT_MOST), overpaid, free_since: Some(now) };
    }
}
