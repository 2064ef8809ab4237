//! JSON logs on standard error, and events as log lines.

use std::convert::Infallible;

use booking_core::{Live, StoreError};
use tracing::Subscriber;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use super::traces::Traces;
use crate::http::SPANS;

/// `RUST_LOG` says what is logged; requests and errors when it says nothing.
pub(super) fn start(traces: Option<&Traces>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A second start in one process, as in tests, changes nothing.
    let _started_already = subscriber(filter, traces).try_init().is_err();
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, payload = panic.payload_as_str(), "panic");
    }));
}

/// Spans are for traces, and lines for the log; neither is in the other. Where nobody collects traces
/// there is no layer for them at all: one that is `None` would have every span made, the database
/// driver's too, and thrown away.
fn subscriber(
    filter: EnvFilter,
    traces: Option<&Traces>,
) -> Box<dyn Subscriber + Send + Sync + 'static> {
    let lines = fmt::layer().json().flatten_event(true).with_current_span(false);
    let lines = lines.with_span_list(false).with_writer(std::io::stderr);
    let lines = lines.with_filter(filter.and(filter_fn(|of| !of.is_span())));
    let Some(traces) = traces else { return Box::new(registry().with(lines)) };
    let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer());
    let spans = spans.with_location(false).with_threads(false);
    let spans = spans.with_filter(filter_fn(|of| of.is_span() && of.target() == SPANS));
    Box::new(registry().with(lines).with(spans))
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

#[cfg(test)]
mod tests {
    use tracing_subscriber::EnvFilter;

    use super::subscriber;
    use crate::http::SPANS;

    #[test]
    fn nobody_pays_for_spans_that_nobody_collects() {
        for level in ["warn", "info", "trace"] {
            tracing::subscriber::with_default(subscriber(EnvFilter::new(level), None), || {
                assert!(tracing::info_span!(target: SPANS, "ours").is_disabled());
                assert!(tracing::error_span!("of the driver").is_disabled());
            });
        }
    }
}
