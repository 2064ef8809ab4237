//! Sessions that recur, over HTTP.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::server::{Server, on_every_store, open, open_always, session};

const SERIES: &str = "/booking/series";
const PREVIEW: &str = "/booking/series/preview";

/// An hour each, with `therapist_456`.
fn series(start: &str, rule: &str) -> Value {
    let mut body = session(start, 60);
    body["rule"] = json!(rule);
    body
}

/// The days of January on which sessions begin.
fn days(sessions: &Value) -> Vec<&str> {
    let sessions = sessions.as_array().expect("a list").iter();
    sessions.map(|one| &one["startTime"].as_str().expect("a start")[5..10]).collect()
}

/// What would become of each session: nothing, or a code.
fn codes(preview: &Answer) -> Vec<&str> {
    let sessions = preview.body["occurrences"].as_array().expect("a list").iter();
    sessions
        .map(|one| match (&one["available"], one["code"].as_str()) {
            (Value::Bool(true), None) => "",
            (Value::Bool(false), Some(told)) => told,
            _ => panic!("{one}"),
        })
        .collect()
}

fn statuses(series: &Value) -> Vec<&str> {
    let meetings = series["meetings"].as_array().expect("a list").iter();
    meetings.map(|one| one["status"].as_str().expect("a status")).collect()
}

async fn cancel(caller: &Caller, id: &str, body: Value) -> Answer {
    caller.post(&format!("{SERIES}/{id}/cancel"), &body).await
}

#[tokio::test]
async fn a_series_is_looked_at_booked_and_cancelled() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let client = server.client();
        server.other_client().book(&session("2024-01-29T14:30:00Z", 30)).await.expect(201);
        let mut body = series("2024-01-15T14:00:00Z", "FREQ=WEEKLY;COUNT=6");
        body["exDates"] = json!(["2024-02-05"]);
        let preview = client.post(PREVIEW, &body).await.expect(200);
        assert_eq!(
            days(&preview.body["occurrences"]),
            ["01-15", "01-22", "01-29", "02-12", "02-19"]
        );
        assert_eq!(codes(&preview), ["", "", "slot_conflict", "", ""]);
        assert_eq!(preview.str("timeZone"), "UTC");

        // All or nothing, unless one says so.
        let refused = client.post(SERIES, &body).await.refused(400, "series_refused");
        assert_eq!(refused.pointers(), ["/occurrences/2"]);
        let told = "slot_conflict at 2024-01-29T14:00:00.000Z: the time is taken";
        assert_eq!(refused.body["errors"][0]["detail"], told);
        client.get("/booking/meetings").await.expect(200).check_text("[]");

        body["mode"] = json!("free");
        let booked = client.post(SERIES, &body).await.expect(201);
        let view = &booked.body["series"];
        assert_eq!(days(&view["meetings"]), ["01-15", "01-22", "02-12", "02-19"]);
        assert_eq!(days(&booked.body["leftOut"]), ["01-29"]);
        assert_eq!(view["rule"], "FREQ=WEEKLY;COUNT=6");
        assert_eq!(view["exDates"], json!(["2024-02-05"]));
        let id = view["id"].as_str().expect("an id");
        assert_eq!(booked.header("location"), format!("/api{SERIES}/{id}"));
        for caller in [client.clone(), server.therapist()] {
            assert_eq!(caller.get(&format!("{SERIES}/{id}")).await.expect(200).body, *view);
        }
        let listed = client.get("/booking/meetings").await.expect(200);
        let of_series: Vec<_> = view["meetings"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["id"].as_str())
            .collect();
        assert_eq!(listed.column("id").into_iter().map(Some).collect::<Vec<_>>(), of_series);

        // One, one and those after it, the rest.
        let meeting = |n: usize| of_series[n].expect("an id");
        client.cancel(meeting(1)).await.expect(200);
        let from = json!({"from": meeting(2), "reason": "A new job"});
        let after = cancel(&server.therapist(), id, from).await.expect(200);
        assert_eq!(statuses(&after.body), ["SCHEDULED", "CANCELLED", "CANCELLED", "CANCELLED"]);
        cancel(&client, id, json!({"from": "meeting_01h455vb4pex5vsknk084sn02q"}))
            .await
            .refused(400, "invalid_request");
        let all = cancel(&client, id, json!({})).await.expect(200);
        assert_eq!(statuses(&all.body), ["CANCELLED"; 4]);
        // Nothing is left to do.
        let again = cancel(&client, id, json!({})).await.expect(200);
        again.check_same(&all);

        // One entry for the series, one for each meeting and each time one was cancelled.
        let audit = server.admin().get("/booking/audit?actor=client_123").await.expect(200);
        let mut actions = audit.column("action");
        actions.sort_unstable();
        let made = ["meeting.created"; 4];
        let expected = [&["meeting.cancelled"; 2][..], &made, &["series.created"]].concat();
        assert_eq!(actions, expected, "{}", audit.text);
    })
    .await;
}

/// The same time on the wall, whatever that is in UTC; a time that the clocks skip is no session.
#[tokio::test]
async fn sessions_stay_where_they_are_on_the_therapists_wall() {
    on_every_store(async |server| {
        server.add_user("therapist", "therapist_ny", Some("America/New_York")).await;
        server.relate("client_123", "therapist_ny").await;
        open_always(&server.caller("therapist", "therapist_ny")).await;
        let mut body = series("2024-03-03T02:30:00-05:00", "FREQ=WEEKLY;COUNT=3");
        body["therapistId"] = json!("therapist_ny");
        let preview = server.client().post(PREVIEW, &body).await.expect(200);
        let booked = server.client().post(SERIES, &body).await.expect(201);
        let starts =
            ["2024-03-03T07:30:00.000Z", "2024-03-17T06:30:00.000Z", "2024-03-24T06:30:00.000Z"];
        for (sessions, skipped) in [
            (&preview.body["occurrences"], &preview.body["skipped"]),
            (&booked.body["series"]["meetings"], &booked.body["skipped"]),
        ] {
            let found: Vec<_> =
                sessions.as_array().expect("a list").iter().map(|one| &one["startTime"]).collect();
            assert_eq!(found, starts);
            assert_eq!(*skipped, json!(["2024-03-10"]));
        }
        assert_eq!(booked.body["series"]["timeZone"], "America/New_York");
    })
    .await;
}

/// A repeat is answered alike, and books nothing.
#[tokio::test]
async fn a_repeat_is_answered_alike() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let client = server.client().with("idempotency-key", "\"ten\"");
        let body = series("2024-01-15T14:00:00Z", "FREQ=WEEKLY;COUNT=10");
        let first = client.post(SERIES, &body).await.expect(201);
        assert_eq!(first.header("idempotency-replayed"), "");
        let again = client.post(SERIES, &body).await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        again.check_same(&first);
        let other = series("2024-01-15T15:00:00Z", "FREQ=WEEKLY;COUNT=10");
        client.post(SERIES, &other).await.refused(422, "idempotency_mismatch");
        // For a single booking the key is used, too.
        let single = client.book(&session("2024-01-15T15:00:00Z", 60)).await;
        single.refused(422, "idempotency_mismatch");
        assert_eq!(client.get("/booking/meetings").await.expect(200).items().len(), 10);
    })
    .await;
}

/// Why it is refused, and at which field; at once, whatever was sent.
#[tokio::test]
async fn rules_without_an_end_in_sight_are_refused_at_once() {
    let server = Server::memory().await;
    open_always(&server.therapist()).await;
    let client = server.client();
    let monday = "2024-01-15T14:00:00Z";
    for (rule, start, pointer) in [
        ("FREQ=DAILY", monday, "/rule"),
        ("FREQ=DAILY;COUNT=4294967295", monday, "/rule"),
        ("FREQ=DAILY;UNTIL=99991231T235959Z", monday, "/rule"),
        ("FREQ=MONTHLY;UNTIL=99991231", monday, "/rule"),
        ("FREQ=DAILY;INTERVAL=65535;COUNT=2", monday, "/rule"),
        ("FREQ=SECONDLY;COUNT=2", monday, "/rule"),
        ("FREQ=YEARLY;COUNT=2", monday, "/rule"),
        ("FREQ=MONTHLY;COUNT=9;BYSETPOS=1;BYDAY=MO", monday, "/rule"),
        ("FREQ=MONTHLY;INTERVAL=24;COUNT=104;BYDAY=3MO;BYMONTHDAY=15", monday, "/rule"),
        ("FREQ=WEEKLY;COUNT=5;BYDAY=TU", monday, "/startTime"),
        ("FREQ=DAILY;INTERVAL=7;COUNT=5;BYDAY=TU", monday, "/startTime"),
        ("FREQ=DAILY;COUNT=5", "0000-01-01T00:00:00Z", "/startTime"),
        ("FREQ=DAILY;COUNT=5", "9999-12-31T23:00:00Z", "/startTime"),
        (&"FREQ=DAILY;".repeat(5_000), monday, "/rule"),
    ] {
        for path in [PREVIEW, SERIES] {
            let began = Instant::now();
            let told =
                client.post(path, &series(start, rule)).await.refused(400, "invalid_request");
            assert_eq!(told.pointers(), [pointer], "{rule}: {}", told.text);
            assert!(began.elapsed() < Duration::from_secs(60), "{rule}");
        }
    }
    for (field, value) in [
        ("rule", Value::Null),
        ("rule", json!(1)),
        ("mode", json!("some")),
        ("exDates", json!("2024-01-15")),
        ("exDates", json!(["15.1.2024"])),
        ("exDates", json!(vec!["2024-01-15"; 105])),
    ] {
        let mut body = series(monday, "FREQ=DAILY;COUNT=5");
        body[field] = value;
        let told = client.post(SERIES, &body).await.refused(400, "invalid_request");
        assert_eq!(told.pointers(), [format!("/{field}")], "{}", told.text);
    }
    client.get("/booking/meetings").await.expect(200).check_text("[]");
}

/// Each session is judged as if it were asked for by itself; and the most there can be is booked.
#[tokio::test]
async fn the_longest_series_is_booked() {
    on_every_store(async |server| {
        open_always(&server.therapist()).await;
        let body = series("2024-01-15T14:00:00Z", "FREQ=WEEKLY;COUNT=104");
        let booked = server.client().post(SERIES, &body).await.expect(201);
        assert_eq!(booked.body["series"]["meetings"].as_array().expect("a list").len(), 104);
        let id = booked.body["series"]["id"].as_str().expect("an id");
        // Those that have begun stay.
        server.set_clock("2025-01-13T14:00:00Z").await;
        let cancelled = cancel(&server.client(), id, json!({})).await.expect(200);
        let left =
            statuses(&cancelled.body).iter().filter(|status| **status == "SCHEDULED").count();
        assert_eq!(left, 53);
    })
    .await;
}

/// What cannot be booked is told by its code: the past, hours, the grid.
#[tokio::test]
async fn a_preview_tells_what_booking_would() {
    let server = Server::memory().await;
    server.open_mondays().await;
    open(&server.therapist(), 3, "09:15", "17:00").await;
    server.set_clock("2024-01-15T15:00:00Z").await;
    let rule = "FREQ=WEEKLY;COUNT=6;BYDAY=MO,TU,WE";
    let body = series("2024-01-15T14:00:00Z", rule);
    let preview = server.client().post(PREVIEW, &body).await.expect(200);
    let week = ["outside_availability", "not_on_grid"];
    let expected = [&["in_the_past"][..], &week, &[""], &week].concat();
    assert_eq!(codes(&preview), expected);
    let refused = server.client().post(SERIES, &body).await.refused(400, "series_refused");
    assert_eq!(refused.pointers().len(), 5);
    // A first status that clients cannot give.
    let mut confirmed = body;
    confirmed["status"] = json!("CONFIRMED");
    for path in [PREVIEW, SERIES] {
        server.client().post(path, &confirmed).await.refused(400, "invalid_transition");
    }
}

/// Whoever takes over a meeting does not get the series with it, nor does the one before cancel it.
#[tokio::test]
async fn a_meeting_that_went_elsewhere_is_not_cancelled_with_the_rest() {
    on_every_store(async |server| {
        server.open_mondays().await;
        open(&server.other_therapist(), 1, "09:00", "17:00").await;
        server.relate("client_123", "therapist_457").await;
        let body = series("2024-01-15T14:00:00Z", "FREQ=WEEKLY;COUNT=3");
        let booked = server.client().post(SERIES, &body).await.expect(201);
        let view = &booked.body["series"];
        let (id, second) = (view["id"].as_str().expect("an id"), &view["meetings"][1]["id"]);
        let second = second.as_str().expect("an id");
        let away = json!({"therapistId": "therapist_457"});
        server.client().update(second, &away).await.expect(200);

        let path = format!("{SERIES}/{id}");
        server.other_therapist().get(&path).await.refused(403, "forbidden");
        cancel(&server.other_therapist(), id, json!({})).await.refused(403, "forbidden");
        cancel(&server.therapist(), id, json!({"from": second}))
            .await
            .refused(400, "invalid_request");
        let left = cancel(&server.therapist(), id, json!({})).await.expect(200);
        assert_eq!(statuses(&left.body), ["CANCELLED"; 2]);
        let all = server.client().get(&path).await.expect(200);
        assert_eq!(statuses(&all.body), ["CANCELLED", "SCHEDULED", "CANCELLED"]);
        let all = cancel(&server.client(), id, json!({})).await.expect(200);
        assert_eq!(statuses(&all.body), ["CANCELLED"; 3]);
    })
    .await;
}
