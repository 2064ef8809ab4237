//! `Idempotency-Key`: a repeat gets the first answer again, and nothing is done twice.

use serde_json::json;

use crate::caller::{Answer, Caller};
use crate::server::{DataDir, MONDAY_14, Server, Store, on_every_store, session};

fn with_key(caller: &Caller, key: &str) -> Caller {
    caller.with("idempotency-key", key)
}

#[track_caller]
fn check_repeat(repeat: &Answer, first: &Answer) {
    assert_eq!((repeat.status, &repeat.text), (first.status, &first.text));
    assert_eq!(first.header("idempotency-replayed"), "");
    assert_eq!(repeat.header("idempotency-replayed"), "true");
    for header in ["etag", "location"] {
        assert_eq!(repeat.header(header), first.header(header), "{header}");
    }
}

#[tokio::test]
async fn a_repeated_booking_is_answered_alike_and_books_once() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let client = with_key(&server.client(), "8e03978e-40d5-43dd-bc93-6894a57f9324");
        let first = client.book(&session(MONDAY_14, 60)).await.expect(201);
        for _ in 0..3 {
            check_repeat(&client.book(&session(MONDAY_14, 60)).await, &first);
        }
        // The same request in other words is the same request.
        let other_words = json!({
            "therapistId": "therapist_456", "duration": 60, "description": null,
            "startTime": "2024-01-15T15:00:00+01:00", "colour": "red",
        });
        check_repeat(&client.book(&other_words).await, &first);
        let listed = server.client().get("/booking/meetings").await.expect(200);
        assert_eq!(listed.items().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_first_answer_outlives_what_it_tells_of() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let client = with_key(&server.client(), "k");
        let body = session("2024-01-01T14:00:00Z", 60);
        let first = client.book(&body).await.expect(201);
        server.client().update(&first.id(), &json!({"title": "Renamed"})).await.expect(200);
        check_repeat(&client.book(&body).await, &first);
        server.client().cancel(&first.id()).await.expect(200);
        check_repeat(&client.book(&body).await, &first);
        server.set_clock("2024-01-01T16:00:00Z").await;
        check_repeat(&client.book(&body).await, &first);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_good_for_24_hours() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let client = with_key(&server.client(), "k");
        let first = client.book(&session(MONDAY_14, 60)).await.expect(201);
        server.set_clock("2024-01-02T11:59:00Z").await;
        check_repeat(&client.book(&session(MONDAY_14, 60)).await, &first);
        server.set_clock("2024-01-02T12:05:00Z").await;
        client.book(&session(MONDAY_14, 60)).await.refused(400, "slot_conflict");
        let new = client.book(&session("2024-01-15T09:00:00Z", 60)).await.expect(201);
        assert_ne!(new.id(), first.id());
        check_repeat(&client.book(&session("2024-01-15T09:00:00Z", 60)).await, &new);
    })
    .await;
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let client = with_key(&server.client(), "k");
        client.book(&session(MONDAY_14, 60)).await.expect(201);
        for (field, value) in [
            ("startTime", json!("2024-01-15T09:00:00Z")),
            ("duration", json!(30)),
            ("title", json!("Other")),
            ("description", json!("Other")),
            ("meetingType", json!("chat")),
            ("therapistId", json!("therapist_457")),
        ] {
            let mut other = session(MONDAY_14, 60);
            other[field] = value;
            client.book(&other).await.refused(422, "idempotency_mismatch");
        }
    })
    .await;
}

#[tokio::test]
async fn keys_are_per_user() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let first = with_key(&server.client(), "k").book(&session(MONDAY_14, 60)).await;
        first.expect(201);
        let other = with_key(&server.other_client(), "k");
        other.book(&session(MONDAY_14, 60)).await.refused(400, "slot_conflict");
        let made = other.book(&session("2024-01-15T09:00:00Z", 60)).await.expect(201);
        assert_eq!(made.header("idempotency-replayed"), "");
    })
    .await;
}

/// Nothing was done, so there is nothing to protect from being done twice.
#[tokio::test]
async fn a_refusal_does_not_use_up_the_key() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let in_the_way = server.booked(MONDAY_14, 60).await;
        let other = with_key(&server.other_client(), "k");
        other.book(&session(MONDAY_14, 60)).await.refused(400, "slot_conflict");
        server.client().cancel(&in_the_way.id()).await.expect(200);
        other.book(&session(MONDAY_14, 60)).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_window_is_added_once() {
    on_every_store(async |server| {
        let therapist = with_key(&server.therapist(), "k");
        let window = json!({"dayOfWeek": 1, "startTime": "09:00", "endTime": "17:00"});
        let first = therapist.post("/booking/availability", &window).await.expect(201);
        check_repeat(&therapist.post("/booking/availability", &window).await, &first);
        let other = json!({"dayOfWeek": 2, "startTime": "09:00", "endTime": "17:00"});
        let answer = therapist.post("/booking/availability", &other).await;
        answer.refused(422, "idempotency_mismatch");
        // A key of one operation is not one of another.
        let mut body = session(MONDAY_14, 60);
        body["clientId"] = json!("client_123");
        therapist.book(&body).await.refused(422, "idempotency_mismatch");
        let listed = server.therapist().get("/booking/availability").await.expect(200);
        assert_eq!(listed.items().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn keys_are_bare_or_quoted_and_have_at_most_255_characters() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let body = session(MONDAY_14, 60);
    let first = with_key(&server.client(), "a-key").book(&body).await.expect(201);
    check_repeat(&with_key(&server.client(), "\"a-key\"").book(&body).await, &first);
    let longest = "k".repeat(255);
    for (key, start) in [
        (longest.clone(), "2024-01-15T09:00:00Z"),
        (format!("\"{}\"", "q".repeat(255)), "2024-01-15T10:00:00Z"),
        (r#""a \"quoted\" key""#.to_owned(), "2024-01-15T11:00:00Z"),
        ("!#$%&'*+-.^_`|~".to_owned(), "2024-01-15T12:00:00Z"),
    ] {
        let client = with_key(&server.client(), &key);
        let first = client.book(&session(start, 60)).await.expect(201);
        check_repeat(&client.book(&session(start, 60)).await, &first);
    }
    for key in ["", "\"\"", "\"open", "\"a\"b", &format!("{longest}k"), &format!("\"{longest}k\"")]
    {
        let answer = with_key(&server.client(), key).book(&body).await;
        assert_eq!(answer.refused(400, "invalid_request").pointers(), ["/Idempotency-Key"]);
    }
}

#[tokio::test]
async fn a_restarted_server_remembers_keys() {
    let data = DataDir::new();
    let mut server = Server::start_in(&data, Store::Sqlite).await;
    server.open_mondays().await;
    let first = with_key(&server.client(), "k").book(&session(MONDAY_14, 60)).await.expect(201);
    server.kill();
    let server = Server::start_in(&data, Store::Sqlite).await;
    let repeat = with_key(&server.client(), "k").book(&session(MONDAY_14, 60)).await;
    check_repeat(&repeat, &first);
}
