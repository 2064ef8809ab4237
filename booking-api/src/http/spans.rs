//! Requests as spans of a trace, by OpenTelemetry's names. Nothing of who asks, and nothing that they
//! sent: what is known of a request here is its method, its route and its name.

use poem::http::{HeaderMap, Method, StatusCode};
use tracing::{Span, field};

/// The target of all spans.
pub(crate) const TARGET: &str = "booking_api::spans";

/// A span of a request, in the trace that its `traceparent` names (W3C Trace Context), or in one of
/// its own.
pub(super) fn of_request(method: &Method, route: &str, id: &str, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        "otel.name" = format!("{method} {route}"),
        "otel.kind" = "server",
        "otel.status_code" = field::Empty,
        "http.request.method" = %method,
        "http.route" = route,
        "http.response.status_code" = field::Empty,
        request_id = id,
    );
    continue_trace(&span, headers);
    span
}

pub(super) fn end(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

#[cfg(feature = "otel")]
fn continue_trace(span: &Span, headers: &HeaderMap) {
    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry::trace::TraceContextExt;
    use opentelemetry_http::HeaderExtractor;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    if span.is_disabled() {
        return;
    }
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    if parent.span().span_context().is_valid() {
        // Where nobody collects spans, there is nothing to continue.
        let _nobody_collects = span.set_parent(parent).is_err();
    }
}

#[cfg(not(feature = "otel"))]
const fn continue_trace(_: &Span, _: &HeaderMap) {}
