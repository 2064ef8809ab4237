//! JSON logs on standard error, and events as log lines.

use std::convert::Infallible;

use booking_core::{Live, StoreError};
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

/// Tells of events, from now on, by name and id: what they say is nobody's business in a log.
pub(super) async fn tell_of_events(live: &Live) -> Result<Infallible, StoreError> {
    let mut events = live.all_events(None).await?;
    loop {
        for recorded in events.next().await? {
            let event = &recorded.event;
            tracing::info!(
                sequence = recorded.sequence,
                id = %event.id,
                name = event.payload.name(),
                meeting = %event.payload.meeting(),
                "event",
            );
        }
    }
}
