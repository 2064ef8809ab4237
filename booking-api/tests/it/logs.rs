//! The log says what happened, and nothing that people wrote or that opens doors.

use serde_json::{Value, json};

use crate::server::{MONDAY_14, Server, on_every_store};
use crate::serving::Serving;
use crate::signing::IssuerKey;

/// Distinctive, so that finding one in the log means that it was logged.
const TITLE: &str = "Title-Xylophone";
const DESCRIPTION: &str = "Description-Quagmire";
const NOTES: &str = "Notes-Zeppelin";
const SESSION_NOTES: &str = "SessionNotes-Obelisk";
const REASON: &str = "Reason-Marzipan";
const FIRST_NAME: &str = "FirstName-Brontosaur";
const LAST_NAME: &str = "LastName-Kookaburra";
const EMAIL: &str = "email-pomegranate@example.com";
const URL: &str = "https://meet.example.com/room-tarantula";

/// A bit of everything, refusals included, as `client_9` with this token.
async fn everything(server: &Server, token: &str) {
    let client = server.anonymous().with_token(token);
    let user = json!({
        "role": "client", "firstName": FIRST_NAME, "lastName": LAST_NAME, "email": EMAIL,
    });
    server.admin().put("/booking/directory/users/client_9", &user).await.expect(200);
    server.relate("client_9", "therapist_456").await;
    let window = json!({"dayOfWeek": 1, "startTime": "09:00", "endTime": "17:00", "notes": NOTES});
    server.therapist().post("/booking/availability", &window).await.expect(201);
    let answer = server.therapist().post("/booking/availability", &window).await;
    answer.refused(400, "availability_overlap");
    let body = json!({
        "title": TITLE, "description": DESCRIPTION, "startTime": MONDAY_14, "duration": 60,
        "therapistId": "therapist_456",
    });
    let id = client.book(&body).await.expect(201).id();
    client.book(&body).await.refused(400, "slot_conflict");
    let bad = json!({"title": TITLE, "duration": DESCRIPTION, "startTime": EMAIL});
    client.book(&bad).await.refused(400, "invalid_request");
    let private = json!({"sessionNotes": SESSION_NOTES, "meetingUrl": URL});
    server.therapist().update(&id, &private).await.expect(200);
    client.update(&id, &private).await.refused(403, "forbidden");
    let moved = json!({"startTime": "2024-01-15T15:00:00Z", "reason": REASON});
    client.update(&id, &moved).await.expect(200);
    client.get(&format!("/booking/meetings?status={TITLE}")).await.refused(400, "invalid_request");
    let cancel = format!("/booking/meetings/{id}/cancel");
    client.post(&cancel, &json!({"reason": REASON})).await.expect(200);
    server.therapist().get("/booking/meetings").await.expect(200);
    // The events' own lines are written within a second or so.
    let all_told = async {
        while server.log().matches(r#""message":"event""#).count() < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let patience = std::time::Duration::from_secs(300);
    tokio::time::timeout(patience, all_told).await.expect("three events are told");
}

fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[tokio::test]
async fn nothing_private_is_logged() {
    on_every_store(async |server| {
        let token = IssuerKey::ours().token("client_9", "client");
        everything(server, &token).await;
        let log = server.log();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let claims = message.rsplit_once('.').unwrap().1;
        for private in [
            TITLE,
            DESCRIPTION,
            NOTES,
            SESSION_NOTES,
            REASON,
            FIRST_NAME,
            LAST_NAME,
            EMAIL,
            URL,
            signature,
            claims,
            "Bearer",
            // Who is there, and who belongs to whom.
            "client_9",
            "therapist_456",
        ] {
            assert!(!log.contains(private), "{private} is in the log:\n{log}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_request_has_a_line_of_its_own() {
    let server = Server::memory().await;
    let named = |id: &str| server.client().with("x-request-id", id.to_owned());
    for (id, path, route, status) in [
        ("line-1", "/booking/meetings?limit=5", "/api/booking/meetings", 200),
        ("line-2", "/booking/meetings/meeting_1", "/api/booking/meetings/{id}", 404),
        ("line-3", "/booking/availability", "/api/booking/availability", 401),
        ("line-4", "/nowhere", "other", 404),
        ("line-5", "/healthz", "/healthz", 200),
    ] {
        named(id).get(path).await.expect(status);
        let log = lines(&server.log());
        let found: Vec<&Value> = log.iter().filter(|line| line["request_id"] == id).collect();
        let [line] = found[..] else { panic!("one line of {id}: {found:?}") };
        assert_eq!(line["method"], "GET");
        assert_eq!(line["status"], status);
        assert_eq!(line["route"], route);
        assert!(line["timestamp"].is_string() && line["level"] == "INFO", "{line}");
    }
}

#[tokio::test]
async fn a_request_cannot_write_lines_of_its_own() {
    let server = Server::memory().await;
    let forged = "/booking/meetings/x%0a%7B%22level%22:%22ERROR%22%7D";
    server.client().get(forged).await.refused(404, "meeting_not_found");
    let long = format!("/booking/meetings/{}", "y".repeat(5_000));
    server.client().get(&long).await.refused(404, "meeting_not_found");
    for line in lines(&server.log()) {
        assert_eq!(line["level"], "INFO");
        assert!(line.to_string().len() < 1_000, "{line}");
    }
}

/// Behind a proxy that nobody has named, everybody would share the limits of one address.
#[tokio::test]
async fn a_proxy_of_this_machine_is_asked_for() {
    const ISSUER: (&str, &str) = ("BOOKING_ISSUER", "http://127.0.0.1:9");
    for (named, is_asked_for) in [("", true), ("127.0.0.1/32", false)] {
        let server = Serving::start(&[ISSUER, ("BOOKING_TRUSTED_PROXIES", named)]).await;
        // By then it has said all that it says when it starts.
        server.anonymous.get("/healthz").await.expect(200);
        let log = lines(&server.log());
        let warned = log.iter().any(|line| {
            line["level"] == "WARN" && line.to_string().contains("(BOOKING_TRUSTED_PROXIES)")
        });
        assert_eq!(warned, is_asked_for, "{log:?}");
    }
}
