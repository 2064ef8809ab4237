//! The OpenAPI document says of webhooks what is so.

use std::collections::BTreeSet;

use booking_core::{EventType, MeetingPatch, Role, StartTime, Text};
use boon::{Compiler, Schemas};
use serde_json::{Value, json};

use super::practice::Practice;
use super::receiver::{Receiver, Reply};

const DOCUMENT: &str = "http://localhost/openapi.json";

/// One event of each kind, as a receiver got it, and some in other forms.
async fn events() -> (Value, Vec<Value>) {
    let receiver = Receiver::start(Reply::Status(200, "")).await;
    let practice = Practice::start().await;
    practice.add(&receiver.url()).await;
    let (first, second) = (practice.book(0).await, practice.book(1).await);
    let start = StartTime::new("2024-01-20T09:00:00Z".parse().unwrap()).unwrap();
    let moved = MeetingPatch { start: Some(start), ..MeetingPatch::default() };
    practice.put(Role::Client, first, &moved).await;
    let status = Some(booking_core::MeetingStatus::Cancelled);
    let reason = Some(Text::new("Ill").unwrap());
    let cancelled = MeetingPatch { status, reason, ..MeetingPatch::default() };
    practice.put(Role::Client, second, &cancelled).await;
    practice.book_with_description(2).await;
    practice.complete(first, "Slept well").await;
    practice.deliver().await;
    let document = practice.anybody().get("/openapi.json").await.expect(200).body;
    (document, receiver.take().iter().map(super::receiver::Received::json).collect())
}

#[tokio::test]
async fn events_are_as_documented() {
    let (document, events) = events().await;
    let kinds: BTreeSet<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, EventType::ALL.iter().map(|kind| kind.as_str()).collect());
    let kinds_documented: BTreeSet<&str> =
        document["x-webhooks"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(kinds, kinds_documented);

    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource(DOCUMENT, document.clone()).unwrap();
    for event in &events {
        let kind = event["type"].as_str().unwrap();
        let place = format!(
            "{DOCUMENT}#/x-webhooks/{kind}/post/requestBody/content/\
             application~1cloudevents+json/schema"
        );
        let schema = compiler.compile(&place, &mut schemas).unwrap();
        if let Err(error) = schemas.validate(event, schema) {
            panic!("{event}: {error:#}");
        }
        // No field that is not documented.
        let known = &document["components"]["schemas"];
        assert_documented(event, &known["CloudEvent"]);
        let name = kind.split('.').nth(2).unwrap();
        let name = format!("Appointment{}{}Event", name[..1].to_uppercase(), &name[1..]);
        assert_documented(&event["data"], &known[&name]);

        // The schema is no rubber stamp.
        for field in event["data"].as_object().unwrap().keys().filter(|key| *key != "description") {
            let mut broken = event.clone();
            broken["data"].as_object_mut().unwrap().remove(field);
            assert!(schemas.validate(&broken, schema).is_err(), "{kind} without {field}");
            broken["data"][field] = json!({});
            assert!(schemas.validate(&broken, schema).is_err(), "{kind} with a wrong {field}");
        }
    }
    let described = events.iter().filter(|event| event["data"]["description"].is_string());
    assert_eq!(described.count(), 1);
}

fn assert_documented(object: &Value, schema: &Value) {
    let fields: BTreeSet<&String> = object.as_object().unwrap().keys().collect();
    let documented: BTreeSet<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert!(fields.is_subset(&documented), "{fields:?} {documented:?}");
}

#[tokio::test]
async fn operations_have_their_names() {
    let document = Practice::start().await.anybody().get("/openapi.json").await.expect(200).body;
    let paths = document["paths"].as_object().unwrap();
    let webhooks = paths.iter().filter(|(path, _)| path.starts_with("/booking/webhooks"));
    let operations: BTreeSet<&str> = webhooks
        .flat_map(|(_, operations)| operations.as_object().unwrap().values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let expected = [
        "createWebhook",
        "deleteWebhook",
        "getWebhook",
        "listWebhookDeliveries",
        "listWebhooks",
        "replayWebhookDeliveries",
        "rotateWebhookSecret",
        "testWebhook",
        "updateWebhook",
    ];
    assert_eq!(operations, expected.into());
    // Swagger UI shows the same document.
    let page = Practice::start().await.anybody().get("/docs").await.expect(200).text;
    assert!(page.contains("x-webhooks"));
}
