//! The sink port: where events go.

use async_trait::async_trait;

use crate::outbox::Recorded;

/// Somebody who wants to know: a message bus, a webhook, a log.
///
/// Events arrive at least once, and in order per meeting; deduplicate by [`Event::id`].
///
/// [`Event::id`]: crate::Event::id
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Takes an event. It is only forgotten here once this has returned `Ok`.
    async fn deliver(&self, event: &Recorded) -> Result<(), SinkError>;
}

/// A sink that could not take an event; it will be offered again.
#[derive(Debug, thiserror::Error)]
#[error("the event could not be delivered")]
pub struct SinkError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
