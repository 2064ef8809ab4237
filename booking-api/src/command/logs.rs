//! JSON logs on standard error, and events as log lines.

use async_trait::async_trait;
use booking_core::{EventSink, Recorded, SinkError};
use tracing_subscriber::EnvFilter;

/// `RUST_LOG` says what is logged; requests and errors when it says nothing.
pub(super) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false);
    // A second start in one process, as in tests, changes nothing.
    let _started_already =
        logs.with_env_filter(filter).with_writer(std::io::stderr).try_init().is_err();
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, message = panic.payload_as_str(), "panic");
    }));
}

/// Tells of events by name and id: what they say is nobody's business in a log.
pub(super) struct LogSink;

#[async_trait]
impl EventSink for LogSink {
    async fn deliver(&self, recorded: &Recorded) -> Result<(), SinkError> {
        let event = &recorded.event;
        tracing::info!(
            sequence = recorded.sequence,
            id = %event.id,
            name = event.payload.name(),
            meeting = %event.payload.meeting(),
            "event",
        );
        Ok(())
    }
}
