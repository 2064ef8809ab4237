//! `PUT /booking/meetings/:id`: details, times, therapists and statuses.

use serde_json::{Value, json};

use crate::caller::Caller;
use crate::server::{MONDAY_14, NOW, Server, on_every_store, open, session};

const BEFORE: &str = "2024-01-15T13:59:00Z";
const DURING: &str = "2024-01-15T14:00:00Z";
const AFTER: &str = "2024-01-15T15:00:00Z";

fn participant(server: &Server, role: &str) -> Caller {
    if role == "client" { server.client() } else { server.therapist() }
}

/// Takes a new meeting of [`MONDAY_14`] to a status, and leaves the clock after its start if that
/// takes it.
async fn meeting_in(server: &Server, status: &str) -> String {
    server.set_clock(NOW).await;
    let id = server.booked(MONDAY_14, 60).await.id();
    if matches!(status, "COMPLETED" | "NO_SHOW") {
        server.set_clock(DURING).await;
    }
    server.therapist().update(&id, &json!({"status": status})).await.expect(200);
    id
}

#[tokio::test]
async fn only_what_is_sent_changes_and_null_clears() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let mut body = session(MONDAY_14, 60);
        body["description"] = json!("First");
        let made = server.client().book(&body).await.expect(201);
        let id = made.id();
        let filled = json!({
            "title": "Title", "meetingType": "audio", "meetingUrl": "https://meet.example.com/1",
            "sessionNotes": "Notes",
        });
        let answer = server.therapist().update(&id, &filled).await.expect(200);
        for (field, expected) in filled.as_object().unwrap() {
            assert_eq!(answer.body[field], *expected);
        }
        for field in ["description", "startTime", "duration", "status", "clientId", "createdAt"] {
            assert_eq!(answer.body[field], made.body[field], "{field} stays");
        }
        for field in ["description", "meetingUrl", "sessionNotes", "reason"] {
            server.therapist().update(&id, &json!({field: null})).await.expect(200);
        }
        let seen = server.therapist().get(&format!("/booking/meetings/{id}")).await.expect(200);
        assert_eq!(seen.body["description"], Value::Null);
        assert_eq!(seen.body["meetingUrl"], Value::Null);
        assert!(seen.body.get("sessionNotes").is_none(), "{}", seen.text);
        assert_eq!(seen.body["title"], "Title");
    })
    .await;
}

#[tokio::test]
async fn a_change_is_dated_and_no_change_is_not() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let made = server.booked(MONDAY_14, 60).await;
        server.set_clock("2024-01-01T12:30:00Z").await;
        let same = json!({"title": "Therapy Session", "duration": 60, "meetingType": "video"});
        for body in [json!({}), same] {
            let answer = server.client().update(&made.id(), &body).await.expect(200);
            assert_eq!(answer.text, made.text);
        }
        let answer = server.client().update(&made.id(), &json!({"duration": 90})).await;
        let answer = answer.expect(200);
        assert_eq!(answer.str("createdAt"), made.str("createdAt"));
        assert!(answer.str("updatedAt").starts_with("2024-01-01T12:30:0"), "{}", answer.text);
    })
    .await;
}

#[tokio::test]
async fn a_move_is_checked_like_a_booking_without_the_meeting_itself() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let id = server.booked("2024-01-15T13:00:00Z", 60).await.id();
        let other = session("2024-01-15T15:00:00Z", 60);
        server.other_client().book(&other).await.expect(201);
        for (body, code) in [
            (json!({"startTime": "2023-12-25T13:00:00Z"}), "in_the_past"),
            (json!({"startTime": "2024-01-16T13:00:00Z"}), "outside_availability"),
            (json!({"startTime": "2024-01-15T08:30:00Z"}), "outside_availability"),
            (json!({"startTime": "2024-01-15T16:30:00Z"}), "outside_availability"),
            (json!({"startTime": "2024-01-15T13:10:00Z"}), "not_on_grid"),
            (json!({"startTime": "2024-01-15T14:30:00Z"}), "slot_conflict"),
            (json!({"startTime": "2024-01-15T15:30:00Z"}), "slot_conflict"),
            (json!({"startTime": "2024-01-15T14:00:00Z", "duration": 90}), "slot_conflict"),
            (json!({"startTime": "2024-01-15T13:30:00Z", "duration": 120}), "slot_conflict"),
        ] {
            server.client().update(&id, &body).await.refused(400, code);
        }
        for body in [
            json!({"duration": 120}),
            json!({"startTime": "2024-01-15T13:30:00Z", "duration": 90}),
            json!({"startTime": "2024-01-15T12:00:00+00:00"}),
            json!({"startTime": "2024-01-15T14:00:00Z", "duration": 60}),
        ] {
            server.client().update(&id, &body).await.expect(200);
        }
        let free = session("2024-01-15T13:00:00Z", 60);
        server.other_client().book(&free).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn a_confirmed_meeting_that_moves_is_to_be_confirmed_anew() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let id = meeting_in(&server, "CONFIRMED").await;
    for (body, status) in [
        (json!({"title": "No move"}), "CONFIRMED"),
        (json!({"startTime": MONDAY_14}), "CONFIRMED"),
        (json!({"startTime": "2024-01-15T15:00:00Z"}), "SCHEDULED"),
        (json!({"startTime": MONDAY_14, "status": "CONFIRMED"}), "CONFIRMED"),
        (json!({"duration": 90, "status": "CONFIRMED"}), "CONFIRMED"),
        (json!({"duration": 60, "reason": "We were quick"}), "SCHEDULED"),
    ] {
        let answer = server.client().update(&id, &body).await.expect(200);
        assert_eq!(answer.body["status"], status, "{body}");
        assert!(answer.body.get("reason").is_none(), "a reason is for the event alone");
    }
}

#[tokio::test]
async fn the_client_changes_the_therapist() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let id = server.booked(MONDAY_14, 60).await.id();
        let path = format!("/booking/meetings/{id}");
        let to = |therapist: &str| json!({"therapistId": therapist});
        server.client().put(&path, &to("therapist_999")).await.refused(404, "therapist_not_found");
        server.client().put(&path, &to("client_124")).await.refused(404, "therapist_not_found");
        server.client().put(&path, &to("therapist_457")).await.refused(403, "no_relationship");
        server.relate("client_123", "therapist_457").await;
        let answer = server.client().put(&path, &to("therapist_457")).await;
        answer.refused(400, "outside_availability");
        open(&server.other_therapist(), 1, "09:00", "17:00").await;
        server.therapist().put(&path, &to("therapist_457")).await.refused(403, "forbidden");
        server.therapist().put(&path, &to("therapist_456")).await.expect(200);

        let changed = server.client().put(&path, &to("therapist_457")).await.expect(200);
        assert_eq!((changed.id(), changed.str("therapistId")), (id, "therapist_457"));
        assert_eq!(changed.body["therapist"]["user"]["firstName"], "Amir");
        server.therapist().get(&path).await.refused(403, "forbidden");
        server.therapist().get("/booking/meetings").await.expect(200).check_text("[]");
        server.other_therapist().get(&path).await.expect(200).check_same(&changed);
        server.other_client().book(&session(MONDAY_14, 60)).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn some_fields_are_for_the_therapist_alone() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let id = server.booked(MONDAY_14, 60).await.id();
    for body in [
        json!({"sessionNotes": "x"}),
        json!({"sessionNotes": null}),
        json!({"meetingUrl": "https://meet.example.com/1"}),
        json!({"title": "Fine", "sessionNotes": "x"}),
    ] {
        server.client().update(&id, &body).await.refused(403, "forbidden");
    }
    let url = json!({"meetingUrl": "https://meet.example.com/1"});
    server.therapist().update(&id, &url).await.expect(200);
    let seen = server.client().get(&format!("/booking/meetings/{id}")).await.expect(200);
    assert_eq!(seen.body["meetingUrl"], "https://meet.example.com/1");
    assert_eq!(seen.body["title"], "Therapy Session");
}

/// The contract's table of status changes, at all times and by both.
#[tokio::test]
async fn statuses_change_as_the_table_says() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let no = "400 invalid_transition";
    // (from, to, by the client, by the therapist), each before, during and after the session.
    let table = [
        ("SCHEDULED", "SCHEDULED", ["200", "200", "200"], ["200", "200", "200"]),
        ("SCHEDULED", "CONFIRMED", ["200", "200", no], ["200", "200", no]),
        ("SCHEDULED", "CANCELLED", ["200", "200", "200"], ["200", "200", "200"]),
        ("SCHEDULED", "COMPLETED", [no, no, no], [no, "200", "200"]),
        ("SCHEDULED", "NO_SHOW", [no, no, no], [no, "200", "200"]),
        ("CONFIRMED", "SCHEDULED", [no, no, no], [no, no, no]),
        ("CONFIRMED", "CONFIRMED", ["200", "200", "200"], ["200", "200", "200"]),
        ("CONFIRMED", "CANCELLED", ["200", "200", "200"], ["200", "200", "200"]),
        ("CONFIRMED", "COMPLETED", [no, no, no], [no, "200", "200"]),
        ("CONFIRMED", "NO_SHOW", [no, no, no], [no, "200", "200"]),
    ];
    for (from, to, by_client, by_therapist) in table {
        for (role, outcomes) in [("client", by_client), ("therapist", by_therapist)] {
            for (now, expected) in [BEFORE, DURING, AFTER].into_iter().zip(outcomes) {
                let id = meeting_in(&server, from).await;
                server.set_clock(now).await;
                let caller = participant(&server, role);
                let answer = caller.update(&id, &json!({"status": to})).await;
                let (status, code) = answer.outcome();
                let outcome = format!("{status} {code}");
                assert_eq!(outcome.trim(), expected, "{from} to {to} by {role} at {now}");
                if status == 200 {
                    assert_eq!(answer.body["status"], to);
                    let etag = if from == to { "1" } else { "2" };
                    let etag = if from == "CONFIRMED" && from != to { "3" } else { etag };
                    let etag = if from == "CONFIRMED" && from == to { "2" } else { etag };
                    assert_eq!(answer.header("etag"), format!("\"{etag}\""), "{from} to {to}");
                }
                // Frees the time for the next row, where it is still taken.
                server.therapist().update(&id, &json!({"status": "CANCELLED"})).await;
            }
        }
    }
}

#[tokio::test]
async fn nothing_about_a_closed_meeting_changes_but_the_therapists_notes() {
    let server = Server::memory().await;
    server.open_mondays().await;
    for status in ["COMPLETED", "CANCELLED", "NO_SHOW"] {
        let id = meeting_in(&server, status).await;
        for role in ["client", "therapist"] {
            let caller = participant(&server, role);
            for body in [
                json!({"title": "x"}),
                json!({"description": "x"}),
                json!({"duration": 30}),
                json!({"meetingType": "chat"}),
                json!({"startTime": "2024-01-22T14:00:00Z"}),
                json!({"status": "SCHEDULED"}),
                json!({"status": "CONFIRMED"}),
                json!({"status": if status == "CANCELLED" { "COMPLETED" } else { "CANCELLED" }}),
            ] {
                let answer = caller.update(&id, &body).await;
                assert_eq!(answer.outcome(), (400, "meeting_closed"), "{status} {role} {body}");
            }
            caller.cancel(&id).await.refused(400, "meeting_closed");
            let same = caller.update(&id, &json!({"status": status})).await.expect(200);
            assert_eq!(same.body["status"], status);
        }
        let notes = json!({"sessionNotes": "Written later"});
        server.client().update(&id, &notes).await.refused(403, "forbidden");
        let kept = server.therapist().update(&id, &notes).await.expect(200);
        assert_eq!(kept.body["sessionNotes"], "Written later");
        let more = json!({"sessionNotes": "And more", "title": "x"});
        server.therapist().update(&id, &more).await.refused(400, "meeting_closed");
        let url = json!({"meetingUrl": "https://meet.example.com/1"});
        server.therapist().update(&id, &url).await.refused(400, "meeting_closed");
    }
}

#[tokio::test]
async fn a_status_that_ends_a_meeting_does_not_move_it_too() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let id = server.booked(MONDAY_14, 60).await.id();
    for status in ["COMPLETED", "NO_SHOW"] {
        let body = json!({"startTime": "2024-01-15T09:00:00Z", "status": status});
        server.therapist().update(&id, &body).await.refused(400, "invalid_transition");
    }
    let seen = server.client().get(&format!("/booking/meetings/{id}")).await.expect(200);
    assert_eq!(seen.header("etag"), "\"1\"");
}
