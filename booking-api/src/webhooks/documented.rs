//! What receivers get, for the OpenAPI document.

use booking_core::{CLOUD_EVENTS_JSON, EventType};
use serde_json::{Map, Value, json};

/// The envelope and the four events.
const SCHEMAS: &str = include_str!("schemas.json");

/// Adds the schemas of events, and `x-webhooks`: OpenAPI 3.0 has no word of its own for requests
/// that a server sends; this one is understood by Redoc and others.
pub(crate) fn document_events(spec: &mut Value) {
    let schemas: Map<String, Value> = serde_json::from_str(SCHEMAS).unwrap_or_default();
    if let Some(known) = spec["components"]["schemas"].as_object_mut() {
        known.extend(schemas);
    }
    let requests = EventType::ALL.iter().map(|kind| (kind.as_str().to_owned(), request_of(*kind)));
    spec["x-webhooks"] = Value::Object(requests.collect());
}

/// The request by which a receiver is told of such an event.
fn request_of(kind: EventType) -> Value {
    let data = format!("#/components/schemas/{}Event", kind.name());
    let schema = json!({"allOf": [
        {"$ref": "#/components/schemas/CloudEvent"},
        {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": [kind.as_str()]},
                "data": {"$ref": data},
            },
        },
    ]});
    let header = |name, description| {
        let schema = json!({"type": "string"});
        json!({
            "name": name, "in": "header", "required": true, "description": description,
            "schema": schema,
        })
    };
    json!({"post": {
        "summary": kind.name(),
        "operationId": format!("on{}", kind.name()),
        "tags": ["Webhooks"],
        "security": [],
        "parameters": [
            header("webhook-id", "Which event; the same each time that it is sent"),
            header("webhook-timestamp", "When it was sent: seconds since 1970"),
            header(
                "webhook-signature",
                "One or two signatures, separated by a space: v1, a comma, and the base64 of the \
                 HMAC-SHA256 of id, timestamp and body, joined by full stops",
            ),
        ],
        "requestBody": {"required": true, "content": {CLOUD_EVENTS_JSON: {"schema": schema}}},
        "responses": {
            "2XX": {"description": "Taken. Any other answer is a failure, and the event is sent again"},
            "410": {"description": "Send nothing more"},
            "429": {"description": "Not now; Retry-After is heeded, here and with 503"},
        },
    }})
}
