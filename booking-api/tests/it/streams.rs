//! `GET /booking/events` and `GET /booking/slots/stream`: what is streamed, and to whom.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::caller::Caller;
use crate::postgres::Database;
use crate::server::{DataDir, MONDAY_14, Server, on_every_store, open, session};
use crate::sse::{Message, Stream};

const EVENTS: &str = "/booking/events";
const THE_DAY: &str = "therapistId=therapist_456&date=2024-01-15";
/// What the contract promises for changes. On a machine that is busy with other things, single ones
/// come later: it is looked at in the middle of many.
const A_SECOND: Duration = Duration::from_secs(1);

/// The one in the middle.
fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

fn types(messages: &[Message]) -> Vec<&str> {
    let strip = |message| Message::kind(message);
    messages.iter().map(strip).collect()
}

impl Message {
    /// `booked` of `booking.appointment.booked.v1`
    fn kind(&self) -> &str {
        let kind = self.event.strip_prefix("booking.appointment.");
        kind.and_then(|kind| kind.strip_suffix(".v1")).expect("one of our types")
    }
}

/// A session that takes place, with notes on it.
async fn completed_with_notes(server: &Server, notes: &str) {
    let id = server.booked("2024-01-15T09:00:00Z", 30).await.id();
    server.set_clock("2024-01-15T09:00:00Z").await;
    let done = json!({"status": "COMPLETED", "sessionNotes": notes});
    server.therapist().update(&id, &done).await.expect(200);
}

#[tokio::test]
async fn each_side_hears_of_its_meetings_and_nobody_else_does() {
    on_every_store(async |server| {
        server.open_mondays().await;
        server.booked("2024-01-15T10:00:00Z", 30).await;
        // What is in the log already is not a part of it.
        server.client().events_after(0).await.take(1).await;
        let mut client = server.client().stream(EVENTS).await;
        let mut therapist = server.therapist().stream(EVENTS).await;
        let mut other = server.other_client().stream(EVENTS).await;
        let mut other_therapist = server.other_therapist().stream(EVENTS).await;

        let id = server.booked(MONDAY_14, 60).await.id();
        let moved = json!({"startTime": "2024-01-15T15:00:00Z"});
        server.client().update(&id, &moved).await.expect(200);
        server.client().cancel(&id).await.expect(200);
        completed_with_notes(server, "Calm.").await;

        let seen = client.take(5).await;
        assert_eq!(types(&seen), ["booked", "rescheduled", "cancelled", "booked", "completed"]);
        assert!(seen.is_sorted_by_key(|message| message.id.expect("an id")));
        for message in &seen {
            let event = message.json();
            assert_eq!(event["type"], message.event);
            assert_eq!(event["sequence"], format!("{:020}", message.id.expect("an id")));
            assert_eq!(event["specversion"], "1.0");
            assert_eq!(event["source"], "/booking");
            assert_eq!(event["data"]["appointmentId"], event["subject"]);
            assert_eq!(event["data"]["clientId"], "client_123");
        }
        assert_eq!(seen[1].json()["data"]["newStartTime"], "2024-01-15T15:00:00.000Z");
        assert_eq!(seen[2].json()["subject"], id);
        assert_eq!(seen[4].json()["data"].get("sessionNotes"), None);

        let theirs = therapist.take(5).await;
        assert_eq!(theirs[..4], seen[..4]);
        assert_eq!(theirs[4].json()["data"]["sessionNotes"], "Calm.");

        for stream in [&mut other, &mut other_therapist, &mut client] {
            stream.expect_silence(Duration::from_millis(300)).await;
        }
    })
    .await;
}

/// However a client asks: live, resumed, from the beginning, or as the therapist of somebody else.
#[tokio::test]
async fn session_notes_are_for_the_therapist_alone() {
    on_every_store(async |server| {
        const NOTES: &str = "Obelisk \u{2028}\n\ndata: Obelisk";
        server.open_mondays().await;
        let live = server.client().stream(EVENTS).await;
        let mut therapist = server.therapist().stream(EVENTS).await;
        completed_with_notes(server, NOTES).await;
        let by_query = format!("{EVENTS}?lastEventId=0");
        let mut streams = vec![
            server.client().stream(&by_query).await,
            server.client().events_after(0).await,
            server.client().events_after(live.last_id.expect("a greeting with an id")).await,
        ];
        streams.push(live);
        for stream in &mut streams {
            assert_eq!(types(&stream.take(2).await), ["booked", "completed"]);
            assert!(!stream.read.contains("Obelisk") && !stream.read.contains("sessionNotes"));
        }
        let told = therapist.take(2).await;
        assert_eq!(told[1].json()["data"]["sessionNotes"], NOTES);
        assert!(!server.log().contains("Obelisk"));

        // A therapist who is a client here is not the therapist of it.
        server.relate("therapist_457", "therapist_456").await;
        let client = server.caller("client", "therapist_457");
        let mut stream = server.other_therapist().stream(EVENTS).await;
        let id = client.book(&session("2024-01-15T16:00:00Z", 30)).await.expect(201).id();
        server.set_clock("2024-01-15T16:00:00Z").await;
        let done = json!({"status": "NO_SHOW", "sessionNotes": NOTES});
        server.therapist().update(&id, &done).await.expect(200);
        assert_eq!(types(&stream.take(2).await), ["booked", "completed"]);
        assert!(!stream.read.contains("Obelisk") && !stream.read.contains("sessionNotes"));
    })
    .await;
}

/// One who watches slots, and asks for them after each change.
struct Watcher {
    caller: Caller,
    stream: Stream,
}

impl Watcher {
    async fn of(caller: Caller) -> Self {
        let stream = caller.stream(&format!("/booking/slots/stream?{THE_DAY}")).await;
        Self { caller, stream }
    }

    async fn ask(&self) -> String {
        self.caller.get(&format!("/booking/slots?{THE_DAY}")).await.expect(200).text
    }

    /// The next list, as it came.
    async fn next(&mut self) -> String {
        let message = self.stream.next().await.expect("a list");
        assert_eq!((message.event.as_str(), message.id), ("slots", None));
        message.text
    }

    /// The next list is what asking gives.
    async fn check_next(&mut self) {
        assert_eq!(self.next().await, self.ask().await);
    }
}

#[tokio::test]
async fn slots_are_streamed_as_they_change() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let mut watchers = [
            Watcher::of(server.client()).await,
            Watcher::of(server.other_client()).await,
            Watcher::of(server.therapist()).await,
            Watcher::of(server.admin()).await,
        ];
        let mut id = String::new();
        let mut window = String::new();
        let mut took = vec![];
        for change in 0..9 {
            match change {
                0 => {}
                1 => id = server.booked(MONDAY_14, 60).await.id(),
                2 => {
                    let moved = json!({"startTime": "2024-01-15T10:00:00Z", "duration": 90});
                    drop(server.client().update(&id, &moved).await.expect(200));
                }
                3 => drop(server.client().cancel(&id).await.expect(200)),
                4 => window = open(&server.therapist(), 1, "18:00", "20:00").await.id(),
                5 => {
                    let path = format!("/booking/availability/{window}");
                    let off = json!({"isAvailable": false});
                    drop(server.therapist().put(&path, &off).await.expect(200));
                }
                6 => server.add_user("therapist", "therapist_456", Some("Asia/Tokyo")).await,
                7 => server.set_clock("2024-01-15T02:00:00Z").await,
                _ => server.set_clock("2024-01-01T12:00:00Z").await,
            }
            let begun = Instant::now();
            let mut lists = vec![];
            for watcher in &mut watchers {
                lists.push(watcher.next().await);
                took.push(begun.elapsed());
            }
            for (watcher, list) in watchers.iter().zip(lists) {
                assert_eq!(list, watcher.ask().await);
            }
        }
        let took = median(took);
        assert!(took < A_SECOND, "{took:?}");
        // What does not concern the day is no news.
        open(&server.therapist(), 3, "09:00", "10:00").await;
        for watcher in &mut watchers {
            watcher.stream.expect_silence(Duration::from_millis(400)).await;
        }
    })
    .await;
}

/// What a client does elsewhere is missing from their own list, and from nobody else's.
#[tokio::test]
async fn a_clients_own_meetings_are_missing_from_their_stream() {
    let server = Server::memory().await;
    server.open_mondays().await;
    open(&server.other_therapist(), 1, "09:00", "17:00").await;
    server.relate("client_123", "therapist_457").await;
    let mut own = Watcher::of(server.client()).await;
    let mut other = Watcher::of(server.other_client()).await;
    for watcher in [&mut own, &mut other] {
        watcher.check_next().await;
    }
    let mut elsewhere = session(MONDAY_14, 60);
    elsewhere["therapistId"] = json!("therapist_457");
    server.client().book(&elsewhere).await.expect(201);
    own.check_next().await;
    other.stream.expect_silence(Duration::from_millis(500)).await;
}

/// A start that comes is no longer offered, and without anybody doing anything.
#[tokio::test]
async fn time_alone_alters_the_list() {
    let server = Server::memory().await;
    server.open_mondays().await;
    server.set_clock("2024-01-15T08:59:30Z").await;
    let mut watcher = Watcher::of(server.client()).await;
    let first = watcher.stream.next().await.expect("a list").json();
    assert_eq!(first[0]["startTime"], "2024-01-15T09:00:00.000Z");
    server.set_clock("2024-01-15T08:59:59Z").await;
    let next = watcher.stream.next().await.expect("a list").json();
    assert_eq!(next[0]["startTime"], "2024-01-15T09:30:00.000Z");
    assert!(!watcher.stream.read.contains("\n:\n"), "far sooner than anybody looks for life");
}

/// Two processes over one Postgres: who is connected to one hears of what is done at the other.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "how long it takes is of interest")]
async fn a_change_in_one_process_is_streamed_by_another_within_a_second() {
    let (data, database) = (DataDir::new(), Database::new());
    let here = Server::start_on(&data, &database.url).await;
    let there = Server::start_on(&data, &database.url).await;
    here.open_mondays().await;
    let mut events = there.client().stream(EVENTS).await;
    let mut slots = Watcher::of(there.other_client()).await;
    slots.check_next().await;
    let (mut events_took, mut slots_took) = (vec![], vec![]);
    for _ in 0..10 {
        let id = here.booked(MONDAY_14, 60).await.id();
        let begun = Instant::now();
        assert_eq!(events.next().await.expect("an event").json()["subject"], id);
        events_took.push(begun.elapsed());
        let list = slots.next().await;
        slots_took.push(begun.elapsed());
        assert_eq!(list, slots.ask().await);
        here.client().cancel(&id).await.expect(200);
        events.next().await.expect("an event");
        slots.check_next().await;
    }
    // Availability is no event, and comes by the same way.
    open(&here.therapist(), 1, "18:00", "20:00").await;
    slots.check_next().await;
    eprintln!("events of another process: {events_took:?}");
    eprintln!("slots of another process: {slots_took:?}");
    let (events_took, slots_took) = (median(events_took), median(slots_took));
    assert!(events_took.max(slots_took) < A_SECOND, "{events_took:?}, {slots_took:?}");
}

#[tokio::test]
async fn streams_are_asked_for_like_everything_else() {
    let server = Server::memory().await;
    let slots = format!("/booking/slots/stream?{THE_DAY}");
    let client = server.client();
    for (caller, path, status, code, pointers) in [
        (server.anonymous(), EVENTS, 401, "unauthenticated", &[][..]),
        (server.anonymous(), &slots, 401, "unauthenticated", &[]),
        (server.admin(), EVENTS, 403, "role_required", &[]),
        // The role comes before the shape of the request.
        (server.admin(), "/booking/events?lastEventId=x", 403, "role_required", &[]),
        (
            client.clone(),
            "/booking/events?lastEventId=x",
            400,
            "invalid_request",
            &["/lastEventId"],
        ),
        (
            client.clone(),
            "/booking/events?lastEventId=-1",
            400,
            "invalid_request",
            &["/lastEventId"],
        ),
        (client.clone(), "/booking/events?lastEventId=", 400, "invalid_request", &["/lastEventId"]),
        (
            client.with("last-event-id", "event_1"),
            EVENTS,
            400,
            "invalid_request",
            &["/Last-Event-ID"],
        ),
        (client.with("last-event-id", ""), EVENTS, 400, "invalid_request", &["/Last-Event-ID"]),
        (
            client.with("last-event-id", "18446744073709551616"),
            EVENTS,
            400,
            "invalid_request",
            &["/Last-Event-ID"],
        ),
        (client.clone(), "/booking/slots/stream", 400, "invalid_request", &["/therapistId"]),
        (
            client.clone(),
            "/booking/slots/stream?therapistId=therapist_456&date=today",
            400,
            "invalid_request",
            &["/date"],
        ),
        (
            client.clone(),
            "/booking/slots/stream?therapistId=nobody&date=2024-01-15",
            404,
            "therapist_not_found",
            &[],
        ),
        (client.clone(), "/booking/slots/streams", 404, "not_found", &[]),
    ] {
        let answer = caller.get(path).await;
        assert_eq!(answer.outcome(), (status, code), "{path}: {}", answer.text);
        assert_eq!(answer.pointers(), pointers, "{path}: {}", answer.text);
    }
    for path in [EVENTS, &slots] {
        let answer = client.post(path, &json!({})).await.refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "GET, HEAD");
        let answer = client.send(Method::HEAD, path, None).await.expect(200);
        assert_eq!(
            (answer.header("content-type"), answer.text.as_str()),
            ("text/event-stream", "")
        );

        let page = client.with("origin", "http://localhost:3000").with("x-request-id", "mine");
        let stream = page.stream(path).await;
        assert_eq!(stream.header("content-type"), "text/event-stream");
        assert_eq!(stream.header("cache-control"), "no-store");
        assert_eq!(stream.header("x-accel-buffering"), "no");
        assert_eq!(stream.header("x-request-id"), "mine");
        assert_eq!(stream.header("access-control-allow-origin"), "http://localhost:3000");
    }
    let preflight = server
        .anonymous()
        .with("origin", "http://localhost:3000")
        .with("access-control-request-method", "GET")
        .send(Method::OPTIONS, EVENTS, None)
        .await;
    assert!(preflight.header("access-control-allow-headers").contains("last-event-id"));
}
