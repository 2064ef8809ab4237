//! What is no well-formed request, and how exactly the answer says so.

use serde_json::{Value, json};

use crate::caller::Caller;
use crate::server::{MONDAY_14, Server, session};

const CREATE: &str = "POST /booking/meetings";
const WINDOW: &str = "POST /booking/availability";

async fn send(caller: &Caller, request: &str, body: &Value) -> crate::caller::Answer {
    let (method, path) = request.split_once(' ').expect("a method and a path");
    let method = method.parse().expect("a method");
    caller.send(method, path, Some(body.to_string().into_bytes())).await
}

/// Every wrong field is named, and nothing else.
async fn check(caller: &Caller, request: &str, body: Value, pointers: &[&str]) {
    let answer = send(caller, request, &body).await;
    assert_eq!(answer.outcome(), (400, "invalid_request"), "{request} {body}: {}", answer.text);
    assert_eq!(answer.pointers(), pointers, "{request} {body}: {}", answer.text);
}

/// A good booking, but for one field.
fn meeting(field: &str, value: Value) -> Value {
    let mut body = session(MONDAY_14, 60);
    body[field] = value;
    body
}

/// A good weekly window, but for one field.
fn window(field: &str, value: Value) -> Value {
    let mut body = json!({"dayOfWeek": 1, "startTime": "09:00", "endTime": "17:00"});
    body[field] = value;
    body
}

#[tokio::test]
async fn every_wrong_field_of_a_booking_is_named() {
    let server = Server::memory().await;
    let client = server.client();
    for (body, pointers) in [
        (json!({}), vec!["/startTime", "/duration", "/therapistId"]),
        (
            json!({
                "title": 1, "description": 2, "startTime": 3, "duration": "4", "status": 5,
                "meetingType": 6, "therapistId": 7, "clientId": 8,
            }),
            vec![
                "/title",
                "/description",
                "/startTime",
                "/duration",
                "/status",
                "/meetingType",
                "/therapistId",
                "/clientId",
            ],
        ),
        (
            json!({
                "title": null, "startTime": null, "duration": null, "status": null,
                "meetingType": null, "therapistId": null, "clientId": null,
            }),
            vec![
                "/title",
                "/startTime",
                "/duration",
                "/status",
                "/meetingType",
                "/therapistId",
                "/clientId",
            ],
        ),
    ] {
        check(&client, CREATE, body, &pointers).await;
    }
}

#[tokio::test]
async fn values_of_a_booking_are_checked() {
    let server = Server::memory().await;
    let client = server.client();
    let table: [(&str, &[Value]); 6] = [
        (
            "startTime",
            &[
                json!(""),
                json!("2024-01-15"),
                json!("14:00"),
                json!("2024-01-15T14:00:00"),
                json!("2024-01-15T14:00Z"),
                json!("2024-02-30T14:00:00Z"),
                json!("2024-01-15T24:00:00Z"),
                json!("2024-01-15T25:00:00Z"),
                json!("2024-01-15T14:00:30Z"),
                json!("2024-01-15T14:00:00.001Z"),
                json!("2024-01-15T14:00:60Z"),
                json!("tomorrow"),
                json!(1_705_327_200),
                json!(["2024-01-15T14:00:00Z"]),
                json!({}),
            ],
        ),
        (
            "duration",
            &[
                json!("60"),
                json!(0),
                json!(-30),
                json!(29),
                json!(45),
                json!(60.5),
                json!(150),
                json!(4_294_967_326_u64),
                json!(1e300),
                json!(true),
                json!([60]),
            ],
        ),
        (
            "status",
            &[json!(""), json!("scheduled"), json!("PENDING"), json!("SCHEDULED "), json!(1)],
        ),
        (
            "meetingType",
            &[json!(""), json!("Video"), json!("in-person"), json!("phone"), json!({})],
        ),
        (
            "therapistId",
            &[json!(""), json!("two words"), json!("käthe"), json!("t".repeat(129)), json!("a\nb")],
        ),
        ("clientId", &[json!(""), json!("two words"), json!("c".repeat(129))]),
    ];
    for (field, values) in table {
        for value in values {
            let pointer = format!("/{field}");
            check(&client, CREATE, meeting(field, value.clone()), &[&pointer]).await;
        }
    }
}

#[tokio::test]
async fn instants_may_have_any_offset() {
    let server = Server::memory().await;
    server.open_mondays().await;
    for (start, expected) in [
        ("2024-01-15T10:00:00+00:00", "2024-01-15T10:00:00.000Z"),
        ("2024-01-15T16:45:00.000+05:45", "2024-01-15T11:00:00.000Z"),
        ("2024-01-15T04:00:00-08:00", "2024-01-15T12:00:00.000Z"),
        ("2024-01-16T03:00:00+14:00", "2024-01-15T13:00:00.000Z"),
    ] {
        let made = server.client().book(&session(start, 30)).await.expect(201);
        assert_eq!(made.str("startTime"), expected);
    }
}

#[tokio::test]
async fn values_of_a_window_are_checked() {
    let server = Server::memory().await;
    let therapist = server.therapist();
    let no_times =
        ["", "9:00", "09:0", "09:60", "24:01", "25:00", "-1:00", "09:00:00", "0900", "９:00"];
    let no_times: Vec<Value> = no_times.iter().map(|time| json!(time)).collect();
    let table: [(&str, &[Value]); 4] = [
        ("dayOfWeek", &[json!(-1), json!(7), json!("1"), json!(1.5), json!(null), json!("Monday")]),
        ("startTime", &no_times),
        ("endTime", &no_times),
        ("notes", &[json!(1), json!(["x"]), json!({})]),
    ];
    for (field, values) in table {
        for value in values {
            let pointer = format!("/{field}");
            check(&therapist, WINDOW, window(field, value.clone()), &[&pointer]).await;
        }
    }
    let all = &["/dayOfWeek", "/startTime", "/endTime"];
    check(&therapist, WINDOW, json!({}), all).await;
    let all = &["/dayOfWeek", "/startTime", "/endTime", "/notes"];
    let wrong = json!({"dayOfWeek": 8, "startTime": "9", "endTime": 17, "notes": 1});
    check(&therapist, WINDOW, wrong, all).await;
}

#[tokio::test]
async fn a_window_starts_before_it_ends() {
    let server = Server::memory().await;
    let therapist = server.therapist();
    let times =
        |start: &str, end: &str| json!({"dayOfWeek": 1, "startTime": start, "endTime": end});
    for (start, end) in [("09:00", "09:00"), ("17:00", "09:00"), ("24:00", "24:00")] {
        check(&therapist, WINDOW, times(start, end), &["/startTime"]).await;
    }
    therapist.post("/booking/availability", &times("23:59", "24:00")).await.expect(201);
    let made = therapist.post("/booking/availability", &times("00:00", "00:01")).await.expect(201);
    let one = format!("PUT /booking/availability/{}", made.id());
    for patch in [
        json!({"startTime": "00:01"}),
        json!({"endTime": "00:00"}),
        json!({"startTime": "12:00", "endTime": "11:59"}),
    ] {
        check(&therapist, &one, patch, &["/startTime"]).await;
    }
}

#[tokio::test]
async fn values_of_updates_are_checked() {
    let server = Server::memory().await;
    let slot = server.open_mondays().await.id();
    let id = server.booked(MONDAY_14, 60).await.id();
    let put_meeting = format!("PUT /booking/meetings/{id}");
    let nulls = json!({
        "title": null, "startTime": null, "duration": null, "status": null, "meetingType": null,
        "therapistId": null,
    });
    let named = ["/title", "/startTime", "/duration", "/status", "/meetingType", "/therapistId"];
    check(&server.client(), &put_meeting, nulls, &named).await;
    let wrong = json!({"reason": 1, "sessionNotes": 2, "meetingUrl": 3});
    let named = ["/reason", "/sessionNotes", "/meetingUrl"];
    check(&server.therapist(), &put_meeting, wrong, &named).await;
    for url in [
        "room 5",
        "/room",
        "javascript:alert(1)",
        "ftp://example.com/",
        "https://",
        "https://a b.example/",
    ] {
        let body = json!({"meetingUrl": url});
        check(&server.therapist(), &put_meeting, body, &["/meetingUrl"]).await;
    }
    let put_slot = format!("PUT /booking/availability/{slot}");
    let nulls = json!({"dayOfWeek": null, "startTime": null, "endTime": null, "isAvailable": null});
    let named = ["/dayOfWeek", "/startTime", "/endTime", "/isAvailable"];
    check(&server.therapist(), &put_slot, nulls, &named).await;
    let no_bool = json!({"isAvailable": "true"});
    check(&server.therapist(), &put_slot, no_bool, &["/isAvailable"]).await;
    let cancel = format!("POST /booking/meetings/{id}/cancel");
    check(&server.client(), &cancel, json!({"reason": 5}), &["/reason"]).await;
}

/// Limits count characters, not bytes: `𝄞` is four bytes, and two units of UTF-16.
#[tokio::test]
async fn texts_have_their_documented_limits_in_characters() {
    let server = Server::memory().await;
    let slot = server.open_mondays().await.id();
    let id = server.booked("2024-01-22T14:00:00Z", 60).await.id();
    let meeting = format!("PUT /booking/meetings/{id}");
    let slot = format!("PUT /booking/availability/{slot}");
    let cancel = format!("POST /booking/meetings/{id}/cancel");
    let too_long = |field: &str, max: usize| json!({field: "𝄞".repeat(max + 1)});
    // One that fits 64 KiB where four bytes a character do not.
    let plain = |field: &str, count: usize| json!({field: "x".repeat(count)});
    for (request, field, max) in [
        (&meeting, "title", 200),
        (&meeting, "description", 5_000),
        (&meeting, "reason", 1_000),
        (&slot, "notes", 2_000),
        (&cancel, "reason", 1_000),
    ] {
        let pointer = format!("/{field}");
        let caller = server.therapist();
        check(&caller, request, too_long(field, max), &[&pointer]).await;
        let fits = json!({field: "𝄞".repeat(max)});
        send(&caller, request, &fits).await.expect(200);
    }
    check(&server.therapist(), &meeting, plain("sessionNotes", 20_001), &["/sessionNotes"]).await;
    let notes = plain("sessionNotes", 20_000);
    let kept = send(&server.therapist(), &meeting, &notes).await.expect(200);
    assert_eq!(kept.body["sessionNotes"], notes["sessionNotes"]);
}

#[tokio::test]
async fn text_keeps_line_breaks_and_tabs_and_has_no_other_control_character() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let kept = "first\n\tsecond – \u{1F469}\u{200D}\u{1F3A4} مرحبا";
    let made = server.client().book(&meeting("description", json!(kept))).await.expect(201);
    assert_eq!(made.body["description"], kept);
    for control in ["\0", "\r", "\u{b}", "\u{1b}[31m", "\u{7f}", "\u{85}"] {
        let text = json!(format!("a{control}b"));
        for field in ["title", "description"] {
            let pointer = format!("/{field}");
            check(&server.client(), CREATE, meeting(field, text.clone()), &[&pointer]).await;
        }
    }
}

#[tokio::test]
async fn bad_queries_name_their_parameter() {
    let server = Server::memory().await;
    let day = |date: &str| format!("/booking/slots?therapistId=therapist_456&date={date}");
    let table = [
        ("/booking/slots?date=2024-01-15".to_owned(), "/therapistId"),
        ("/booking/slots?therapistId=therapist_456".to_owned(), "/date"),
        ("/booking/slots?therapistId=&date=2024-01-15".to_owned(), "/therapistId"),
        ("/booking/slots?therapistId=two%20words&date=2024-01-15".to_owned(), "/therapistId"),
        (day(""), "/date"),
        (day("2024-2-1"), "/date"),
        (day("2024-02-30"), "/date"),
        (day("2024-13-01"), "/date"),
        (day("24-01-15"), "/date"),
        (day("12024-01-15"), "/date"),
        (day("-001-01-15"), "/date"),
        (day("2024-01-15T00:00:00Z"), "/date"),
        (day("%202024-01-15"), "/date"),
        (day("today"), "/date"),
        ("/booking/meetings?limit=0".to_owned(), "/limit"),
        ("/booking/meetings?limit=1001".to_owned(), "/limit"),
        ("/booking/meetings?limit=-1".to_owned(), "/limit"),
        ("/booking/meetings?limit=x".to_owned(), "/limit"),
        ("/booking/meetings?limit=1.5".to_owned(), "/limit"),
        ("/booking/meetings?limit=".to_owned(), "/limit"),
        ("/booking/meetings?cursor=x".to_owned(), "/cursor"),
        ("/booking/meetings?cursor=AAAAAAAAAAAA".to_owned(), "/cursor"),
        ("/booking/meetings?status=PENDING".to_owned(), "/status"),
        ("/booking/meetings?status=SCHEDULED,".to_owned(), "/status"),
        ("/booking/meetings?status=scheduled".to_owned(), "/status"),
        ("/booking/meetings?from=2024-01-15".to_owned(), "/from"),
        ("/booking/meetings?to=2024-01-15T00:00:00".to_owned(), "/to"),
    ];
    for (path, pointer) in table {
        let answer = server.client().get(&path).await.refused(400, "invalid_request");
        assert_eq!(answer.pointers(), [pointer], "{path}");
    }
}

/// What is wrong is said in the contract's words, and not in those of the server's parts.
#[tokio::test]
async fn details_of_queries_are_for_people() {
    let server = Server::memory().await;
    for (path, detail) in [
        ("/booking/slots?date=2024-01-15", "is required"),
        ("/booking/slots?therapistId=x&date=x", "must be a date in the form YYYY-MM-DD"),
        ("/booking/meetings?limit=0", "must be a number from 1 to 1000"),
        ("/booking/meetings?cursor=x", "must be the cursor of a Link header"),
        ("/booking/meetings?from=x", "must be an RFC 3339 date-time with an offset"),
    ] {
        let answer = server.client().get(path).await.refused(400, "invalid_request");
        assert_eq!(answer.body["errors"][0]["detail"], detail, "{path}");
    }
}

#[tokio::test]
async fn unknown_fields_and_parameters_are_ignored() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let made = server.client().book(&meeting("colour", json!({"deep": ["red"]}))).await;
    let made = made.expect(201);
    assert_eq!(made.body["colour"], Value::Null);
    // Fields that answers have do not become settable by being sent back.
    let sent_back = json!({"id": "meeting_1", "clientId": "client_124", "createdAt": "never"});
    let kept = server.client().update(&made.id(), &sent_back).await.expect(200);
    assert_eq!(kept.text, made.text);
    server.client().get("/booking/meetings?colour=red").await.expect(200);
}
