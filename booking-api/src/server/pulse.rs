//! What goes on on a connection, and when it is to end for that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use poem::http::Version;
use tokio::time::{Instant, sleep};

use super::{ConnectionCounts, Stopping};
use crate::http::UntilTaken;

/// How long the head of a request, or a TLS handshake, may take to arrive.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may stay open with nothing asked: longer than the minute that load
/// balancers keep theirs, so that it is they who close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a client may take nothing of what is sent to it.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request that was on its way when the server began to stop may take to be here.
const LAST_REQUEST: Duration = Duration::from_millis(500);
/// How long a connection that we want to end may take for that, with nothing under way.
const GOODBYE: Duration = Duration::from_secs(3);
/// How often we look whether a connection has a use.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What goes on on a connection. Times are milliseconds since it began.
pub(super) struct Pulse {
    begun: Instant,
    /// Requests that have not been answered to the last byte.
    in_flight: AtomicUsize,
    /// When there was last one of them; 0 before the first.
    last_busy: AtomicU64,
    /// When the head of the next one began to arrive; 0 while it has not.
    head_begun: AtomicU64,
    is_http2: AtomicBool,
    /// Over HTTP/2, what there is to take, by number, and when some of it was last taken.
    untaken: Mutex<HashMap<u64, u64>>,
    parts: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            in_flight: AtomicUsize::new(0),
            last_busy: AtomicU64::new(0),
            head_begun: AtomicU64::new(0),
            is_http2: AtomicBool::new(false),
            untaken: Mutex::default(),
            parts: AtomicU64::new(0),
        }
    }

    /// Something has arrived.
    pub(super) fn hear(&self) {
        if self.in_flight.load(Ordering::Relaxed) == 0 {
            let now = self.millis();
            let begun = &self.head_begun;
            let _begun_already =
                begun.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed).is_err();
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// How long nothing has been under way; nothing while something is.
    fn quiet(&self) -> Option<Duration> {
        let since = self.last_busy.load(Ordering::Relaxed);
        let is_quiet = self.in_flight.load(Ordering::Relaxed) == 0;
        is_quiet.then(|| Duration::from_millis(self.millis().saturating_sub(since)))
    }

    fn is_too_slow(&self) -> bool {
        let Some(quiet) = self.quiet() else { return false };
        if self.last_busy.load(Ordering::Relaxed) == 0 {
            return quiet >= HEAD_TIMEOUT;
        }
        let head_begun = self.head_begun.load(Ordering::Relaxed);
        let head = Duration::from_millis(self.millis().saturating_sub(head_begun));
        // In HTTP/2, what arrives while nothing is asked need not be a request.
        !self.is_http2() && head_begun > 0 && head >= HEAD_TIMEOUT
    }

    /// Whether the other side has taken nothing of some answer for too long. Over HTTP/1 that is seen
    /// where it happens, on the socket; over HTTP/2 an answer that nobody grants a window to does not
    /// get as far as that.
    fn is_not_taken(&self) -> bool {
        let now = self.millis();
        let is_late =
            |since: &u64| Duration::from_millis(now.saturating_sub(*since)) >= WRITE_TIMEOUT;
        self.untaken().values().any(is_late)
    }

    fn untaken(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the connection is to end: nothing comes of it, or nothing should.
    pub(super) async fn has_no_use(&self, stopping: &Stopping, counts: &ConnectionCounts) {
        let too_slow_or_idle = async {
            loop {
                sleep(LOOK_EVERY).await;
                if self.is_too_slow() {
                    return counts.count_timeout();
                }
                let is_idle = self.quiet().is_some_and(|quiet| quiet >= IDLE_TIMEOUT);
                if is_idle || self.is_not_taken() {
                    return;
                }
            }
        };
        let told_to = async {
            stopping.closing.cancelled().await;
            // HTTP/2 has a word for it, and loses nothing. HTTP/1 says it with an answer; to close
            // at once would be to close in the face of a request that is on its way.
            if !self.is_http2() {
                self.is_quiet_for(LAST_REQUEST).await;
            }
        };
        tokio::select! {
            () = too_slow_or_idle => {}
            () = told_to => {}
        }
    }

    /// Waits until a connection that we want to end has had its time: nothing is under way any more,
    /// or what is will not end by itself.
    pub(super) async fn has_said_goodbye(&self) {
        let is_not_taken = async {
            while !self.is_not_taken() {
                sleep(LOOK_EVERY).await;
            }
            sleep(GOODBYE).await;
        };
        tokio::select! {
            () = self.is_quiet_for(GOODBYE) => {}
            () = is_not_taken => {}
        }
    }

    /// Waits until nothing has been under way for this time, counted from now on.
    async fn is_quiet_for(&self, time: Duration) {
        let begun = Instant::now();
        loop {
            let quiet = self.quiet().unwrap_or_default().min(begun.elapsed());
            if quiet >= time {
                return;
            }
            sleep((time - quiet).min(LAST_REQUEST)).await;
        }
    }
}

/// A request under way: until its answer has been handed over to the last byte.
pub(super) struct Busy {
    pulse: Arc<Pulse>,
    _until_taken: Option<UntilTaken>,
}

impl Busy {
    pub(super) fn with(pulse: &Arc<Pulse>, version: Version) -> Self {
        pulse.in_flight.fetch_add(1, Ordering::Relaxed);
        pulse.head_begun.store(0, Ordering::Relaxed);
        if version == Version::HTTP_2 {
            pulse.is_http2.store(true, Ordering::Relaxed);
        }
        Self { pulse: pulse.clone(), _until_taken: None }
    }

    /// With the place that the answer's user has as long.
    pub(super) fn keeping(mut self, until_taken: Option<UntilTaken>) -> Self {
        self._until_taken = until_taken;
        self
    }

    pub(super) fn is_http2(&self) -> bool {
        self.pulse.is_http2()
    }

    /// There is something to take; its number, if it is looked after.
    pub(super) fn offer(&self) -> Option<u64> {
        let part = self.is_http2().then(|| self.pulse.parts.fetch_add(1, Ordering::Relaxed));
        part.inspect(|part| self.moved(*part))
    }

    /// Some of it was taken.
    pub(super) fn moved(&self, part: u64) {
        self.pulse.untaken().insert(part, self.pulse.millis());
    }

    /// There is no more of it.
    pub(super) fn gone(&self, part: u64) {
        self.pulse.untaken().remove(&part);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.pulse.last_busy.store(self.pulse.millis(), Ordering::Relaxed);
        self.pulse.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
