//! The sink port: where events go.

use std::time::Duration;

use async_trait::async_trait;

use crate::outbox::Recorded;

/// Somebody who wants to know: a message bus, a webhook, a function.
///
/// Events arrive at least once, and in order per meeting; deduplicate by [`Event::id`]. Different
/// meetings' events may arrive at the same time.
///
/// [`Event::id`]: crate::Event::id
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Takes an event. It is only forgotten here once this has returned `Ok`.
    ///
    /// It has 30 seconds: then it is dropped where it waits, which counts as a failure, and another
    /// attempt follows. A process has up to 32 under way for a sink; one that does not wait where it
    /// could be dropped may still be at it when another process begins anew, a minute after it did.
    async fn deliver(&self, event: &Recorded) -> Result<(), SinkError>;
}

/// Why a sink did not take an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event could not be delivered: {reason}")]
pub struct SinkError {
    /// What went wrong, in a line for the person who looks after the receiver.
    pub reason: String,
    /// The receiver's HTTP status, if it has one.
    pub status: Option<u16>,
    /// What to do about it.
    pub then: Then,
}

/// What to do after a failed delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Try again later, by the schedule of [`retry_delay`](crate::retry_delay), and not before
    /// this time has passed.
    Retry(Option<Duration>),
    /// Try again after this time, however often that takes: it is not about this event, but nobody
    /// can be reached, and somebody always will be again. Until then no later event of that meeting is
    /// delivered: what is about one event alone is for [`Self::Retry`]. It takes none of the attempts that
    /// the schedule has for that.
    Wait(Duration),
    /// Deliver nothing more: the receiver is gone.
    Deactivate,
}

impl SinkError {
    /// A failure that may pass.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), status: None, then: Then::Retry(None) }
    }
}

/// A sink that is a function.
///
/// ```
/// use std::sync::Mutex;
///
/// use booking_core::{Recorded, sink_fn};
///
/// let seen = Mutex::new(Vec::new());
/// let sink = sink_fn(move |event: Recorded| {
///     seen.lock().expect("no panic").push(event.sequence);
///     async { Ok(()) }
/// });
/// # let _: &dyn booking_core::EventSink = &sink;
/// ```
pub const fn sink_fn<F, Fut>(deliver: F) -> impl EventSink
where
    F: Fn(Recorded) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(), SinkError>> + Send,
{
    SinkFn(deliver)
}

struct SinkFn<F>(F);

#[async_trait]
impl<F, Fut> EventSink for SinkFn<F>
where
    F: Fn(Recorded) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(), SinkError>> + Send,
{
    async fn deliver(&self, event: &Recorded) -> Result<(), SinkError> {
        (self.0)(event.clone()).await
    }
}
