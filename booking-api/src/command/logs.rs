//! JSON logs on standard error, and events as log lines.

use std::convert::Infallible;

use booking_core::{Live, StoreError};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use super::traces::Traces;
use crate::http::SPANS;

/// `RUST_LOG` says what is logged; requests and errors when it says nothing.
pub(super) fn start(traces: Option<&Traces>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().json().flatten_event(true).with_current_span(false);
    let lines = lines.with_span_list(false).with_writer(std::io::stderr);
    // Spans are for traces, and lines for the log; neither is in the other.
    let lines = lines.with_filter(filter.and(filter_fn(|of| !of.is_span())));
    let spans = traces.map(|traces| {
        let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer());
        let layer = layer.with_location(false).with_threads(false);
        layer.with_filter(filter_fn(|of| of.is_span() && of.target() == SPANS))
    });
    // A second start in one process, as in tests, changes nothing.
    let _started_already = registry().with(spans).with(lines).try_init().is_err();
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, payload = panic.payload_as_str(), "panic");
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
