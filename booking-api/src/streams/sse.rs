//! The format.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use poem::http::{HeaderName, HeaderValue};
use poem::{Body, IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};

/// Nginx, and others after it, pass on what they get instead of collecting it.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What keeps a connection open that has nothing to say.
pub(super) const HEARTBEAT: &str = ":\n\n";

/// A stream as an answer.
pub(crate) struct Sse(pub(crate) Body);

/// How long clients wait before they reconnect, in milliseconds, at least and at most: not all of
/// them at once, when a server has stopped.
const RETRY_MILLIS: (u64, u64) = (1_000, 3_000);

/// What comes first, so that clients know that they are connected: when to come back, and from
/// where on.
pub(crate) fn hello(id: Option<u64>) -> String {
    static STREAMS: AtomicU64 = AtomicU64::new(0);
    // A prime: those who come one after the other are apart.
    let number = STREAMS.fetch_add(1, Ordering::Relaxed).wrapping_mul(1_237);
    let retry = RETRY_MILLIS.0 + number % (RETRY_MILLIS.1 - RETRY_MILLIS.0);
    match id {
        Some(id) => format!("retry: {retry}\nid: {id}\n\n"),
        None => format!("retry: {retry}\n\n"),
    }
}

/// A message. The data is one line, as JSON is that has not been indented.
pub(super) fn message(id: Option<u64>, event: &str, data: &str) -> String {
    let mut message = String::with_capacity(data.len() + event.len() + 48);
    if let Some(id) = id {
        let _never_fails = writeln!(message, "id: {id}");
    }
    let _never_fails = write!(message, "event: {event}\ndata: {data}\n\n");
    message
}

/// The schema is that of a text: no generator knows of streams.
impl Payload for Sse {
    const CONTENT_TYPE: &'static str = "text/event-stream";

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")))
    }
}

impl IntoResponse for Sse {
    fn into_response(self) -> Response {
        let mut response = Response::builder().content_type(Self::CONTENT_TYPE).body(self.0);
        response.headers_mut().insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
        response
    }
}
