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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::Pace;

    /// Transactions that follow each other at once, each as long: how much of the time the file is free.
    async fn free(taken: Duration) -> f64 {
        const COUNT: u32 = 1_000;
        let begun = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..COUNT {
            pace.keep().await;
            let since = Instant::now();
            advance(taken).await;
            pace.taken_since(since);
        }
        let all = begun.elapsed();
        (all - COUNT * taken).as_secs_f64() / all.as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn a_seventh_of_the_time_is_left_to_others() {
        for micros in [50, 700, 5_000, 11_000, 80_000, 590_000] {
            let free = free(Duration::from_micros(micros)).await;
            assert!((0.13..0.16).contains(&free), "{free} with {micros} µs each");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_no_longer_than_who_polls_needs_it() {
        let taken = Duration::from_secs(30);
        let free = free(taken).await;
        assert!(free > 0.0 && free * 30.0 < 0.11, "{free}");
    }
}
