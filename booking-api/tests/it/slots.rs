//! `GET /booking/slots`: what is offered, and that exactly this can be booked.

use std::collections::BTreeMap;

use serde_json::json;

use crate::caller::{Answer, Caller};
use crate::server::{MONDAY_14, NOW, Server, on_every_store, open, session};

async fn slots(caller: &Caller, therapist: &str, date: &str) -> Answer {
    let path = format!("/booking/slots?therapistId={therapist}&date={date}");
    caller.get(&path).await.expect(200)
}

/// Starts without seconds, and the longest session that fits.
fn offered(answer: &Answer) -> Vec<(String, u64)> {
    answer
        .items()
        .iter()
        .map(|slot| {
            let start = slot["startTime"].as_str().expect("a start");
            let start = start.strip_suffix(":00.000Z").expect("a whole minute").to_owned();
            let durations = slot["availableDurations"].as_array().expect("durations");
            let minutes: Vec<u64> =
                durations.iter().map(|d| d["duration"].as_u64().expect("minutes")).collect();
            assert_eq!(minutes, [30, 60, 90, 120][..minutes.len()], "shortest first, no gaps");
            (start, *minutes.last().expect("a session that fits"))
        })
        .collect()
}

async fn check(caller: &Caller, therapist: &str, date: &str, expected: &[(&str, u64)]) {
    let answer = slots(caller, therapist, date).await;
    let expected: Vec<(String, u64)> =
        expected.iter().map(|(start, longest)| ((*start).to_owned(), *longest)).collect();
    assert_eq!(offered(&answer), expected, "{therapist} on {date}");
}

/// A therapist of that zone with these windows, related to `client_123`.
async fn therapist_in(server: &Server, id: &str, zone: &str, windows: &[(u32, &str, &str)]) {
    server.add_user("therapist", id, Some(zone)).await;
    server.relate("client_123", id).await;
    for (day, start, end) in windows {
        open(&server.caller("therapist", id), *day, start, end).await;
    }
}

#[tokio::test]
async fn a_window_of_wall_time_shrinks_and_grows_with_the_clock_changes() {
    on_every_store(async |server| {
        let zone = "America/New_York";
        therapist_in(server, "spring", zone, &[(0, "01:00", "04:00")]).await;
        therapist_in(server, "gap", zone, &[(0, "02:00", "03:00")]).await;
        therapist_in(server, "autumn", zone, &[(0, "00:00", "03:00")]).await;
        therapist_in(server, "twice", zone, &[(0, "01:30", "02:00")]).await;
        let client = server.client();
        for (therapist, date, expected) in [
            (
                "spring",
                "2026-03-08",
                &[
                    ("2026-03-08T06:00", 120),
                    ("2026-03-08T06:30", 90),
                    ("2026-03-08T07:00", 60),
                    ("2026-03-08T07:30", 30),
                ][..],
            ),
            ("gap", "2026-03-08", &[]),
            ("gap", "2026-03-15", &[("2026-03-15T06:00", 60), ("2026-03-15T06:30", 30)]),
            (
                "autumn",
                "2026-11-01",
                &[
                    ("2026-11-01T04:00", 120),
                    ("2026-11-01T04:30", 120),
                    ("2026-11-01T05:00", 120),
                    ("2026-11-01T05:30", 120),
                    ("2026-11-01T06:00", 120),
                    ("2026-11-01T06:30", 90),
                    ("2026-11-01T07:00", 60),
                    ("2026-11-01T07:30", 30),
                ],
            ),
            ("twice", "2026-11-01", &[("2026-11-01T05:30", 30), ("2026-11-01T06:30", 30)]),
            ("twice", "2026-11-08", &[("2026-11-08T06:30", 30)]),
        ] {
            check(&client, therapist, date, expected).await;
        }
        let mut body = session("2026-11-01T07:30:00Z", 30);
        body["therapistId"] = json!("autumn");
        client.book(&body).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn a_date_is_one_of_the_therapists_zone() {
    let server = Server::memory().await;
    let evening = [(1, "20:00", "21:00")];
    therapist_in(&server, "west", "America/New_York", &evening).await;
    therapist_in(&server, "east", "Pacific/Kiritimati", &[(1, "00:00", "01:00")]).await;
    therapist_in(&server, "quarter", "Asia/Kathmandu", &[(1, "09:00", "10:00")]).await;
    let client = server.client();
    let west = [("2024-01-16T01:00", 60), ("2024-01-16T01:30", 30)];
    check(&client, "west", "2024-01-15", &west).await;
    check(&client, "west", "2024-01-16", &[]).await;
    let east = [("2024-01-14T10:00", 60), ("2024-01-14T10:30", 30)];
    check(&client, "east", "2024-01-15", &east).await;
    let quarter = [("2024-01-15T03:15", 60), ("2024-01-15T03:45", 30)];
    check(&client, "quarter", "2024-01-15", &quarter).await;
}

#[tokio::test]
async fn windows_that_touch_are_one_over_midnight_too() {
    on_every_store(async |server| {
        let therapist = server.therapist();
        open(&therapist, 1, "22:30", "24:00").await;
        open(&therapist, 2, "00:00", "02:00").await;
        open(&therapist, 3, "09:10", "10:00").await;
        open(&therapist, 3, "10:00", "10:50").await;
        let client = server.client();
        let monday =
            [("2024-01-15T22:30", 120), ("2024-01-15T23:00", 120), ("2024-01-15T23:30", 120)];
        check(&client, "therapist_456", "2024-01-15", &monday).await;
        let tuesday = [
            ("2024-01-16T00:00", 120),
            ("2024-01-16T00:30", 90),
            ("2024-01-16T01:00", 60),
            ("2024-01-16T01:30", 30),
        ];
        check(&client, "therapist_456", "2024-01-16", &tuesday).await;
        let wednesday =
            [("2024-01-17T09:10", 90), ("2024-01-17T09:40", 60), ("2024-01-17T10:10", 30)];
        check(&client, "therapist_456", "2024-01-17", &wednesday).await;
        client.book(&session("2024-01-15T23:30:00Z", 60)).await.expect(201);
        client.book(&session("2024-01-17T09:40:00Z", 60)).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn the_past_is_not_offered() {
    let server = Server::memory().await;
    server.open_mondays().await;
    for past in ["2023-12-25", "1999-01-04", "0001-01-01"] {
        slots(&server.client(), "therapist_456", past).await.check_text("[]");
    }
    let today = [("2024-01-01T15:30", 90), ("2024-01-01T16:00", 60), ("2024-01-01T16:30", 30)];
    server.set_clock("2024-01-01T15:00:00Z").await;
    check(&server.client(), "therapist_456", "2024-01-01", &today).await;
    server.set_clock("2024-01-01T16:30:00Z").await;
    check(&server.client(), "therapist_456", "2024-01-01", &[]).await;
}

#[tokio::test]
async fn a_day_without_availability_is_empty() {
    let server = Server::memory().await;
    let id = server.open_mondays().await.id();
    let client = server.client();
    slots(&client, "therapist_457", "2024-01-15").await.check_text("[]");
    slots(&client, "therapist_456", "2024-01-16").await.check_text("[]");
    let window = format!("/booking/availability/{id}");
    server.therapist().put(&window, &json!({"isAvailable": false})).await.expect(200);
    slots(&client, "therapist_456", "2024-01-15").await.check_text("[]");
    client.book(&session(MONDAY_14, 60)).await.refused(400, "outside_availability");
    let overlapping = json!({"dayOfWeek": 1, "startTime": "16:00", "endTime": "18:00"});
    let answer = server.therapist().post("/booking/availability", &overlapping).await;
    answer.refused(400, "availability_overlap");
}

#[tokio::test]
async fn booked_meetings_outlive_the_window_they_were_booked_in() {
    on_every_store(async |server| {
        let window = server.open_mondays().await.id();
        let made = server.booked(MONDAY_14, 60).await;
        server.therapist().delete(&format!("/booking/availability/{window}")).await.expect(200);
        let seen = server.client().get(&format!("/booking/meetings/{}", made.id())).await;
        assert_eq!(seen.expect(200).text, made.text);
    })
    .await;
}

#[tokio::test]
async fn live_meetings_of_either_side_are_left_out() {
    on_every_store(async |server| {
        for therapist in [server.therapist(), server.other_therapist()] {
            open(&therapist, 1, "13:00", "16:00").await;
        }
        server.relate("client_123", "therapist_457").await;
        let mut elsewhere = session(MONDAY_14, 60);
        elsewhere["therapistId"] = json!("therapist_457");
        let id = server.client().book(&elsewhere).await.expect(201).id();

        let free = [
            ("2024-01-15T13:00", 120),
            ("2024-01-15T13:30", 120),
            ("2024-01-15T14:00", 120),
            ("2024-01-15T14:30", 90),
            ("2024-01-15T15:00", 60),
            ("2024-01-15T15:30", 30),
        ];
        let busy = [free[4], free[5]];
        let busy = [&[("2024-01-15T13:00", 60), ("2024-01-15T13:30", 30)][..], &busy].concat();
        let day = "2024-01-15";
        // The client is busy at 14:00 with whomever they ask for; others see only 457 busy.
        check(&server.client(), "therapist_456", day, &busy).await;
        check(&server.other_client(), "therapist_456", day, &free).await;
        check(&server.therapist(), "therapist_456", day, &free).await;
        check(&server.admin(), "therapist_456", day, &free).await;
        for caller in [server.client(), server.other_client(), server.admin()] {
            check(&caller, "therapist_457", day, &busy).await;
        }
        server.client().book(&session(MONDAY_14, 60)).await.refused(400, "slot_conflict");

        server.other_therapist().update(&id, &json!({"status": "CONFIRMED"})).await.expect(200);
        check(&server.client(), "therapist_456", day, &busy).await;
        server.client().cancel(&id).await.expect(200);
        check(&server.client(), "therapist_456", day, &free).await;
    })
    .await;
}

#[tokio::test]
async fn meetings_that_are_over_give_their_time_back() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let id = server.booked(MONDAY_14, 60).await.id();
    server.set_clock("2024-01-15T14:00:00Z").await;
    server.therapist().update(&id, &json!({"status": "COMPLETED"})).await.expect(200);
    server.set_clock(NOW).await;
    let answer = slots(&server.client(), "therapist_456", "2024-01-15").await;
    assert!(offered(&answer).contains(&("2024-01-15T14:00".to_owned(), 120)));
}

/// Every ten minutes of a day, for every duration: offered or refused, and nothing in between.
#[tokio::test]
async fn what_is_offered_books_and_what_is_not_does_not() {
    let server = Server::memory().await;
    open(&server.therapist(), 1, "09:10", "12:00").await;
    open(&server.therapist(), 1, "12:30", "15:00").await;
    let taken = session("2024-01-15T10:10:00Z", 60);
    server.other_client().book(&taken).await.expect(201);
    let answer = slots(&server.client(), "therapist_456", "2024-01-15").await;
    let offered: BTreeMap<String, u64> = offered(&answer).into_iter().collect();
    assert_eq!(offered.len(), 8, "{offered:?}");
    for tens in 8 * 6..16 * 6 {
        let start = format!("2024-01-15T{:02}:{}0", tens / 6, tens % 6);
        for duration in [30, 60, 90, 120] {
            let fits = offered.get(&start).is_some_and(|longest| u64::from(duration) <= *longest);
            let body = session(&format!("{start}:00Z"), duration);
            let answer = server.client().book(&body).await;
            assert_eq!(answer.status == 201, fits, "{start} for {duration}: {}", answer.text);
            if fits {
                server.client().cancel(&answer.id()).await.expect(200);
            }
        }
    }
}
