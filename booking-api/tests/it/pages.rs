//! What stands beside the operations: documentation, health, and the headers that every answer has.

use std::collections::BTreeMap;

use booking_api::Code;
use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::Answer;
use crate::server::Server;

#[tokio::test]
async fn the_documentation_needs_nothing_from_elsewhere() {
    let server = Server::memory().await;
    let docs = server.anonymous().get("/docs").await.expect(200);
    assert_eq!(docs.header("content-type"), "text/html; charset=utf-8");
    for attribute in ["src=", "href="] {
        for (at, _) in docs.text.match_indices(attribute) {
            let target = docs.text[at + attribute.len()..].trim_start_matches(['"', '\'']);
            let elsewhere = ["http:", "https:", "//"].iter().any(|p| target.starts_with(p));
            let end = target.char_indices().nth(60).map_or(target.len(), |(end, _)| end);
            assert!(!elsewhere, "{attribute}{}", &target[..end]);
        }
    }
    for absent in ["@import url(http", "fonts.googleapis", "unpkg.com", "cdn.jsdelivr"] {
        assert!(!docs.text.contains(absent), "{absent}");
    }
    let spec = server.anonymous().get("/openapi.json").await.expect(200);
    assert!(docs.text.contains(spec.text.trim()), "the page shows the very same document");
}

#[tokio::test]
async fn the_document_lists_every_operation_of_the_contract() {
    let server = Server::memory().await;
    let spec = server.anonymous().get("/openapi.json").await.expect(200);
    assert_eq!(spec.header("content-type"), "application/json");
    assert_eq!(spec.body["servers"], json!([{"url": "/api"}]));
    let mut operations = BTreeMap::new();
    for (path, methods) in spec.body["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().expect("an operationId").to_owned();
            let address = format!("{} {path}", method.to_uppercase());
            assert_eq!(operations.insert(id, address), None, "operationIds are unique");
        }
    }
    for (id, address) in [
        ("createMeeting", "POST /booking/meetings"),
        ("listMeetings", "GET /booking/meetings"),
        ("getMeeting", "GET /booking/meetings/{id}"),
        ("updateMeeting", "PUT /booking/meetings/{id}"),
        ("cancelMeeting", "DELETE /booking/meetings/{id}/cancel"),
        ("createAvailability", "POST /booking/availability"),
        ("listAvailability", "GET /booking/availability"),
        ("updateAvailability", "PUT /booking/availability/{id}"),
        ("deleteAvailability", "DELETE /booking/availability/{id}"),
        ("listSlots", "GET /booking/slots"),
    ] {
        assert_eq!(operations.get(id).map(String::as_str), Some(address));
    }
}

#[tokio::test]
async fn the_document_is_served_as_yaml_too() {
    let server = Server::memory().await;
    let yaml = server.anonymous().get("/openapi.yaml").await.expect(200);
    assert_eq!(yaml.header("content-type"), "application/yaml");
    for line in ["openapi: 3", "  /booking/meetings/{id}/cancel:", "operationId: listSlots"] {
        assert!(yaml.text.contains(line), "{line}");
    }
}

#[tokio::test]
async fn every_problem_is_explained_where_its_type_points_to() {
    let server = Server::memory().await;
    for code in Code::ALL {
        let page = server.anonymous().get(&format!("/problems/{}", code.as_str())).await;
        let page = page.expect(200);
        assert!(page.text.contains(code.title()) && page.text.contains(code.about()));
    }
    server.anonymous().get("/problems/unheard_of").await.refused(404, "not_found");
    // Every code of the contract's table.
    for code in [
        "invalid_request",
        "slot_conflict",
        "outside_availability",
        "not_on_grid",
        "in_the_past",
        "availability_overlap",
        "meeting_closed",
        "invalid_transition",
        "unauthenticated",
        "role_required",
        "no_relationship",
        "forbidden",
        "therapist_not_found",
        "meeting_not_found",
        "availability_not_found",
        "version_mismatch",
        "payload_too_large",
        "unsupported_media_type",
        "idempotency_mismatch",
        "idempotency_in_flight",
        "unavailable",
    ] {
        server.anonymous().get(&format!("/problems/{code}")).await.expect(200);
    }
}

#[tokio::test]
async fn health_needs_no_token() {
    let server = Server::memory().await;
    for path in ["/healthz", "/readyz"] {
        server.anonymous().get(path).await.expect(200).check_text(r#"{"status": "ok"}"#);
    }
}

/// The contract names `/metrics` beside the other pages.
#[tokio::test]
async fn metrics_are_served_as_prometheus_text() {
    let server = Server::memory().await;
    server.client().get("/booking/meetings").await.expect(200);
    server.client().get("/booking/meetings/meeting_1").await.expect(404);
    server.anonymous().get("/nowhere/a").await.expect(404);
    server.anonymous().get("/nowhere/b").await.expect(404);
    let metrics = server.anonymous().get("/metrics").await.expect(200);
    assert!(metrics.header("content-type").starts_with("text/plain"));
    let count = |method, route, status, count| {
        format!(
            "booking_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}\n"
        )
    };
    for line in [
        count("GET", "/api/booking/meetings", 200, 1),
        count("GET", "/api/booking/meetings/{id}", 404, 1),
        count("GET", "other", 404, 2),
    ] {
        assert!(metrics.text.contains(&line), "{line} in {}", metrics.text);
    }
}

fn cors_headers(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.keys().map(reqwest::header::HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn pages_of_this_machine_may_call() {
    let server = Server::memory().await;
    for origin in [
        "http://localhost:3000",
        "http://localhost",
        "https://localhost:8443",
        "http://127.0.0.1:5173",
        "http://[::1]:5173",
    ] {
        let page = server.anonymous().with("origin", origin);
        let preflight = page
            .with("access-control-request-method", "PUT")
            .with("access-control-request-headers", "authorization,if-match,content-type")
            .send(Method::OPTIONS, "/booking/meetings/meeting_1", None)
            .await;
        assert!(matches!(preflight.status, 200 | 204), "{origin}: {}", preflight.text);
        assert_eq!(preflight.header("access-control-allow-origin"), origin);
        let methods = preflight.header("access-control-allow-methods");
        for method in ["GET", "POST", "PUT", "DELETE"] {
            assert!(methods.contains(method), "{methods}");
        }
        let headers = preflight.header("access-control-allow-headers");
        for header in
            ["authorization", "content-type", "idempotency-key", "if-match", "if-none-match"]
        {
            assert!(headers.contains(header), "{headers}");
        }
        // Errors too, or a page could not tell them from a broken network.
        let answer = page.get("/booking/meetings").await.refused(401, "unauthenticated");
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert!(answer.header("vary").to_lowercase().contains("origin"));
        let exposed = answer.header("access-control-expose-headers");
        for header in ["etag", "link", "location", "x-request-id", "idempotency-replayed"] {
            assert!(exposed.contains(header), "{exposed}");
        }
    }
}

#[tokio::test]
async fn preflights_are_named_like_every_request() {
    let server = Server::memory().await;
    let page = server.anonymous().with("origin", "http://localhost:3000");
    let preflight = page.with("access-control-request-method", "PUT").with("x-request-id", "pre-1");
    let answer = preflight.send(Method::OPTIONS, "/booking/meetings", None).await;
    assert_eq!(answer.header("x-request-id"), "pre-1");
    assert!(server.log().contains(r#""request_id":"pre-1""#), "it is logged");
}

#[tokio::test]
async fn pages_of_elsewhere_are_answered_without_any_permission() {
    let server = Server::memory().await;
    for origin in [
        "https://example.com",
        "http://localhost.example.com",
        "http://localhost:3000.example.com",
        "http://example.com:localhost",
        "http://127.0.0.1.example.com",
        "http://notlocalhost",
        "http://localhost@example.com",
        "http://localhost:99999",
        "file://localhost",
        "null",
    ] {
        let page = server.client().with("origin", origin);
        let answer = page.get("/booking/meetings").await.expect(200);
        assert_eq!(cors_headers(&answer), [""; 0], "{origin}");
        let preflight = page.with("access-control-request-method", "PUT");
        let answer = preflight.send(Method::OPTIONS, "/booking/meetings", None).await;
        assert_eq!(cors_headers(&answer), [""; 0], "{origin}");
    }
}

#[tokio::test]
async fn a_request_id_is_taken_over_or_made() {
    let server = Server::memory().await;
    let longest = "x".repeat(128);
    for id in ["abc-123", "01HK2EAZ0DFBRVP8G06BFQWFSD", "a_b.c:d", &longest] {
        let answer = server.anonymous().with("x-request-id", id).get("/healthz").await;
        assert_eq!(answer.header("x-request-id"), id);
    }
    let longer = "x".repeat(129);
    for id in ["", "two words", "<script>", "a\"b", "é", "a;b", "{}", &longer] {
        let answer = server.anonymous().with("x-request-id", id).get("/nowhere").await;
        let made = answer.header("x-request-id");
        assert_eq!(made.len(), 36, "{id} becomes {made}");
    }
    let one = server.anonymous().get("/healthz").await;
    let other = server.anonymous().get("/healthz").await;
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
}

#[tokio::test]
async fn the_dev_clock_is_set_and_runs_on() {
    let server = Server::memory().await;
    let at = |answer: &Answer| answer.str("now").to_owned();
    let started = at(&server.anonymous().get("/dev/clock").await.expect(200));
    assert!(started.starts_with("2024-01-01T12:00:"), "{started}");
    for now in ["2030-06-01T00:00:00.000Z", "2020-02-29T23:59:00.000Z"] {
        server.set_clock(now).await;
        let shown = at(&server.anonymous().get("/dev/clock").await);
        assert!(shown.as_str() >= now && shown[..16] == now[..16], "{now}: {shown}");
        let mut later = shown.clone();
        while later == shown {
            later = at(&server.anonymous().get("/dev/clock").await);
        }
        assert!(later > shown, "{shown} runs on to {later}");
    }
    let answer = server.anonymous().put("/dev/clock", &Value::Null).await;
    answer.refused(400, "invalid_request");
}

#[tokio::test]
async fn nothing_is_for_browsers_and_proxies_to_keep() {
    let server = Server::memory().await;
    for path in ["/booking/meetings", "/booking/meetings/meeting_1", "/nowhere", "/healthz"] {
        let answer = server.client().get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}
