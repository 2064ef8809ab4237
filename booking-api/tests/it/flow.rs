//! The documented flow, each answer to the letter.

use reqwest::Method;
use serde_json::json;

use crate::server::{Server, on_every_store, session};

const AVAILABILITY: &str = r#"{
    "id": "<avail>", "therapistId": "therapist_456", "dayOfWeek": 1, "startTime": "09:00",
    "endTime": "17:00", "isAvailable": true, "notes": "Available for regular sessions",
    "createdAt": "<now>", "updatedAt": "<now>"
}"#;

const PEOPLE: &str = r#"
    "client": {"user": {
        "firstName": "John", "lastName": "Doe", "email": "john.doe@example.com"
    }},
    "therapist": {"user": {
        "firstName": "Jane", "lastName": "Smith", "email": "jane.smith@example.com"
    }}"#;

/// The meeting of the contract's examples, with this status.
fn booked(status: &str) -> String {
    format!(
        r#"{{
            "id": "<meeting>", "title": "Weekly Therapy Session",
            "description": "Regular therapy session to discuss anxiety management",
            "startTime": "2024-01-15T14:00:00.000Z", "duration": 60, "status": "{status}",
            "meetingType": "video", "meetingUrl": null, "clientId": "client_123",
            "therapistId": "therapist_456", "createdAt": "<now>", "updatedAt": "<now>", {PEOPLE}
        }}"#
    )
}

/// The same after the documented update, with this status and with these fields at the end.
fn updated(status: &str, more: &str) -> String {
    format!(
        r#"{{
            "id": "<meeting>", "title": "Updated Therapy Session",
            "description": "Focus on stress management techniques",
            "startTime": "2024-01-15T15:00:00.000Z", "duration": 90, "status": "{status}",
            "meetingType": "video", "meetingUrl": null, "clientId": "client_123",
            "therapistId": "therapist_456", "createdAt": "<now>", "updatedAt": "<now>",
            {PEOPLE} {more}
        }}"#
    )
}

/// `start` and the durations that fit there.
fn slot(start: &str, durations: &[u32]) -> String {
    let duration = |n: &u32| format!(r#"{{"id":"{n}","name":"{n} minutes","duration":{n}}}"#);
    let durations: Vec<String> = durations.iter().map(duration).collect();
    format!(
        r#"{{"startTime":"2024-01-15T{start}:00.000Z","availableDurations":[{}]}}"#,
        durations.join(",")
    )
}

fn slots_of_a_free_monday() -> String {
    let half_hours = (18..34).map(|n| format!("{:02}:{:02}", n / 2, n % 2 * 30));
    let fitting = |start: &str| match start {
        "15:30" => &[30, 60, 90][..],
        "16:00" => &[30, 60],
        "16:30" => &[30],
        _ => &[30, 60, 90, 120],
    };
    let slots: Vec<String> = half_hours.map(|start| slot(&start, fitting(&start))).collect();
    format!("[{}]", slots.join(","))
}

#[tokio::test]
async fn the_documented_flow_is_answered_as_documented() {
    on_every_store(async |server| {
        open_as_documented(server).await;
        let id = book_as_documented(server).await;
        read_as_documented(server, &id).await;
        update_as_documented(server, &id).await;
        cancel_as_documented(server, &id).await;
        close_as_documented(server).await;
    })
    .await;
}

async fn open_as_documented(server: &Server) {
    let window = json!({
        "dayOfWeek": 1, "startTime": "09:00", "endTime": "17:00",
        "notes": "Available for regular sessions",
    });
    let made = server.therapist().post("/booking/availability", &window).await.expect(201);
    assert_eq!(made.header("content-type"), "application/json; charset=utf-8");
    made.check_text(AVAILABILITY);
    let listed = server.therapist().get("/booking/availability").await.expect(200);
    listed.check_text(&format!("[{AVAILABILITY}]"));
    let slots = "/booking/slots?therapistId=therapist_456&date=2024-01-15";
    server.client().get(slots).await.expect(200).check_text(&slots_of_a_free_monday());
}

async fn book_as_documented(server: &Server) -> String {
    let body = json!({
        "title": "Weekly Therapy Session",
        "description": "Regular therapy session to discuss anxiety management",
        "startTime": "2024-01-15T14:00:00.000Z", "duration": 60, "meetingType": "video",
        "therapistId": "therapist_456",
    });
    let made = server.client().book(&body).await.expect(201);
    made.check_text(&booked("SCHEDULED"));
    assert_eq!(made.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(made.header("etag"), "\"1\"");
    assert_eq!(made.header("location"), format!("/api/booking/meetings/{}", made.id()));

    let overlapping = session("2024-01-15T14:30:00.000Z", 60);
    let conflict = server.client().book(&overlapping).await.refused(400, "slot_conflict");
    conflict.check_text(
        r#"{
            "type": "/problems/slot_conflict", "title": "Time taken", "status": 400,
            "detail": "the time is taken", "code": "slot_conflict"
        }"#,
    );
    server.other_client().book(&overlapping).await.refused(400, "slot_conflict");
    made.id()
}

async fn read_as_documented(server: &Server, id: &str) {
    let path = format!("/booking/meetings/{id}");
    for participant in [server.client(), server.therapist()] {
        let one = participant.get(&path).await.expect(200);
        one.check_text(&booked("SCHEDULED"));
        assert_eq!(one.header("etag"), "\"1\"");
        let all = participant.get("/booking/meetings").await.expect(200);
        all.check_text(&format!("[{}]", booked("SCHEDULED")));
        assert_eq!(all.header("link"), "");
    }
    server.anonymous().get(&path).await.refused(401, "unauthenticated");
    server.other_client().get(&path).await.refused(403, "forbidden");
    let unknown = "/booking/meetings/meeting_789";
    server.client().get(unknown).await.refused(404, "meeting_not_found").check_text(
        r#"{
            "type": "/problems/meeting_not_found", "title": "No such meeting", "status": 404,
            "detail": "there is no such meeting", "code": "meeting_not_found"
        }"#,
    );
}

async fn update_as_documented(server: &Server, id: &str) {
    let body = json!({
        "title": "Updated Therapy Session",
        "description": "Focus on stress management techniques",
        "startTime": "2024-01-15T15:00:00.000Z", "duration": 90, "status": "CONFIRMED",
        "meetingType": "video",
    });
    let answer = server.client().update(id, &body).await.expect(200);
    answer.check_text(&updated("CONFIRMED", ""));
    assert_eq!(answer.header("etag"), "\"2\"");

    let notes = json!({"sessionNotes": "Breathing exercises helped."});
    let with_notes = r#", "sessionNotes": "Breathing exercises helped.""#;
    let answer = server.therapist().update(id, &notes).await.expect(200);
    answer.check_text(&updated("CONFIRMED", with_notes));

    let path = format!("/booking/meetings/{id}");
    let therapists_view = server.therapist().get(&path).await.expect(200);
    therapists_view.check_text(&updated("CONFIRMED", with_notes));
    let clients_view = server.client().get(&path).await.expect(200);
    clients_view.check_text(&updated("CONFIRMED", ""));
}

async fn cancel_as_documented(server: &Server, id: &str) {
    server.anonymous().cancel(id).await.refused(401, "unauthenticated");
    server.other_client().cancel(id).await.refused(403, "forbidden");
    server.client().cancel("meeting_789").await.refused(404, "meeting_not_found");
    let cancelled = server.client().cancel(id).await.expect(200);
    cancelled.check_text(&updated("CANCELLED", ""));
    server.client().cancel(id).await.refused(400, "meeting_closed");
    server.client().update(id, &json!({"title": "Later"})).await.refused(400, "meeting_closed");
}

async fn close_as_documented(server: &Server) {
    let listed = server.therapist().get("/booking/availability").await.expect(200);
    let path = format!("/booking/availability/{}", listed.column("id")[0]);
    let body = json!({
        "dayOfWeek": 1, "startTime": "10:00", "endTime": "16:00",
        "notes": "Updated availability hours", "isAvailable": true,
    });
    server.therapist().put(&path, &body).await.expect(200).check_text(
        r#"{
            "id": "<avail>", "therapistId": "therapist_456", "dayOfWeek": 1,
            "startTime": "10:00", "endTime": "16:00", "isAvailable": true,
            "notes": "Updated availability hours", "createdAt": "<now>", "updatedAt": "<now>"
        }"#,
    );
    let deleted = server.therapist().delete(&path).await.expect(200);
    deleted.check_text(r#"{"success": true}"#);
    server.therapist().delete(&path).await.refused(404, "availability_not_found");
    server.therapist().get("/booking/availability").await.expect(200).check_text("[]");
}

#[tokio::test]
async fn a_meeting_booked_with_the_least_has_the_documented_defaults() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let body = session("2024-01-15T15:00:00+01:00", 30);
    server.client().book(&body).await.expect(201).check_text(&format!(
        r#"{{
            "id": "<meeting>", "title": "Therapy Session", "description": null,
            "startTime": "2024-01-15T14:00:00.000Z", "duration": 30, "status": "SCHEDULED",
            "meetingType": "video", "meetingUrl": null, "clientId": "client_123",
            "therapistId": "therapist_456", "createdAt": "<now>", "updatedAt": "<now>", {PEOPLE}
        }}"#
    ));
    let window = json!({"dayOfWeek": 2, "startTime": "10:00", "endTime": "24:00"});
    server.therapist().post("/booking/availability", &window).await.expect(201).check_text(
        r#"{
            "id": "<avail>", "therapistId": "therapist_456", "dayOfWeek": 2,
            "startTime": "10:00", "endTime": "24:00", "isAvailable": true, "notes": null,
            "createdAt": "<now>", "updatedAt": "<now>"
        }"#,
    );
}

#[tokio::test]
async fn a_therapist_books_for_a_client_and_may_confirm_at_once() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let mut body = session("2024-01-15T14:00:00Z", 60);
    body["clientId"] = json!("client_123");
    body["status"] = json!("CONFIRMED");
    body["meetingType"] = json!("in_person");
    let made = server.therapist().book(&body).await.expect(201);
    assert_eq!(made.body["status"], "CONFIRMED");
    assert_eq!(made.body["meetingType"], "in_person");
    assert_eq!(made.body["clientId"], "client_123");
    let seen = server.client().get("/booking/meetings").await.expect(200);
    assert_eq!(seen.column("id"), [made.id()]);
}

#[tokio::test]
async fn first_statuses_other_than_the_documented_ones_are_refused() {
    let server = Server::memory().await;
    server.open_mondays().await;
    for (role, status) in [
        ("client", "CONFIRMED"),
        ("client", "COMPLETED"),
        ("client", "CANCELLED"),
        ("client", "NO_SHOW"),
        ("therapist", "COMPLETED"),
        ("therapist", "CANCELLED"),
        ("therapist", "NO_SHOW"),
    ] {
        let mut body = session("2024-01-15T14:00:00Z", 60);
        body["status"] = json!(status);
        body["clientId"] = json!("client_123");
        let caller = if role == "client" { server.client() } else { server.therapist() };
        caller.book(&body).await.refused(400, "invalid_transition");
    }
}

#[tokio::test]
async fn a_cancellation_may_say_why_or_not() {
    let server = Server::memory().await;
    server.open_mondays().await;
    for (start, body) in [
        ("2024-01-15T09:00:00Z", Some(json!({"reason": "I am ill"}))),
        ("2024-01-15T10:00:00Z", Some(json!({"reason": null}))),
        ("2024-01-15T11:00:00Z", Some(json!({}))),
        ("2024-01-15T12:00:00Z", None),
    ] {
        let id = server.booked(start, 60).await.id();
        let path = format!("/booking/meetings/{id}/cancel");
        let body = body.map(|body| body.to_string().into_bytes());
        let answer = server.therapist().send(Method::POST, &path, body).await.expect(200);
        assert_eq!(answer.body["status"], "CANCELLED");
        assert_eq!(answer.header("etag"), "\"2\"");
        server.client().cancel(&id).await.refused(400, "meeting_closed");
    }
}

#[tokio::test]
async fn what_a_cancelled_meeting_took_is_free_again() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let first = server.booked("2024-01-15T14:00:00Z", 60).await;
        let again = session("2024-01-15T14:00:00Z", 60);
        server.other_client().book(&again).await.refused(400, "slot_conflict");
        server.client().cancel(&first.id()).await.expect(200);
        server.other_client().book(&again).await.expect(201);
    })
    .await;
}
