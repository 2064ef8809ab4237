//! How streams end, and that nothing is left of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use booking_api::{Api, AuthError, Session, StreamLimits, Verifier};
use booking_core::{Actor, Booking, Hub, Live, MemoryStore, RandomIds, Role, SystemClock, UserId};
use poem::{Endpoint, Request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::postgres::Cluster;
use crate::server::{DataDir, MONDAY_14, Server, Store, open_always, session};
use crate::signing::{IssuerKey, good_claims, unix_now};

const EVENTS: &str = "/booking/events";
const SLOTS: &str = "/booking/slots/stream?therapistId=therapist_456&date=2024-01-15";
const PATIENCE: Duration = Duration::from_secs(300);

/// How many streams the server says that it has open.
async fn open_streams(server: &Server) -> usize {
    let metrics = server.anonymous().get("/metrics").await.expect(200).text;
    let line = metrics.lines().find_map(|line| line.strip_prefix("booking_http_open_streams "));
    line.expect("a gauge").parse().expect("a number")
}

async fn until_open(server: &Server, count: usize, patience: Duration) {
    let there = async {
        while open_streams(server).await != count {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let there = timeout(patience, there).await.is_ok();
    assert!(there, "{} instead of {count} streams", open_streams(server).await);
}

/// Why streams have ended, as the log has it.
fn ends(server: &Server) -> Vec<String> {
    let log = server.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let ends = lines.filter(|line| line["message"] == "stream ended");
    ends.map(|line| line["end"].as_str().expect("a reason").to_owned()).collect()
}

#[tokio::test]
async fn who_leaves_is_forgotten() {
    let server = Server::memory().await;
    let named = server.client().with("x-request-id", "the-stream");
    let streams = [named.stream(EVENTS).await, named.stream(SLOTS).await];
    assert_eq!(open_streams(&server).await, 2);
    assert!(server.log().contains(
        r#""request_id":"the-stream","method":"GET","route":"/api/booking/events","status":200"#
    ));
    drop(streams);
    until_open(&server, 0, PATIENCE).await;
    assert_eq!(ends(&server), ["left", "left"]);
    // One line when it begins, one when it ends, and a time to the first byte that is short.
    assert_eq!(server.log().matches("the-stream").count(), 4);
    let metrics = server.anonymous().get("/metrics").await.expect(200).text;
    let answered =
        r#"booking_http_requests_total{method="GET",route="/api/booking/events",status="200"} 1"#;
    assert!(metrics.contains(answered), "{metrics}");
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let server = Server::memory().await;
    let mut claims = good_claims("client_123", "client");
    claims["exp"] = json!(unix_now() + 3);
    let caller = server.anonymous().with_token(&IssuerKey::ours().sign(&claims));
    let begun = Instant::now();
    let mut streams = [caller.stream(EVENTS).await, caller.stream(SLOTS).await];
    // The clock of `dev` is not what tokens go by.
    server.set_clock("2030-01-01T12:00:00Z").await;
    for stream in &mut streams {
        stream.expect_end().await;
    }
    let took = begun.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(30)).contains(&took), "{took:?}");
    assert_eq!(ends(&server), ["token expired", "token expired"]);
    caller.get(EVENTS).await.refused(401, "unauthenticated");
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_told_to_stop_ends_its_streams_at_once() {
    for store in [Store::Memory, Store::Sqlite, Store::Postgres] {
        let mut server = Server::start(store).await;
        let mut streams = Vec::new();
        for _ in 0..10 {
            streams.push(server.client().stream(EVENTS).await);
            streams.push(server.therapist().stream(SLOTS).await);
        }
        let begun = Instant::now();
        let status = tokio::task::spawn_blocking(move || {
            let status = server.terminate();
            (status, server)
        });
        let (status, server) = status.await.expect("no panic");
        let took = begun.elapsed();
        assert!(status.success(), "{status}");
        // It would break them off ten seconds after it was told.
        assert!(took < Duration::from_secs(9), "{store:?}: {took:?}");
        for stream in &mut streams {
            stream.expect_end().await;
        }
        assert_eq!(ends(&server), vec!["stopping"; 20]);
    }
}

/// What was committed before the kill is streamed after it.
#[tokio::test]
async fn a_killed_process_costs_no_events() {
    let data = DataDir::new();
    let mut server = Server::start_in(&data, Store::Sqlite).await;
    server.open_mondays().await;
    let mut stream = server.client().stream(EVENTS).await;
    let first = server.booked("2024-01-15T09:00:00Z", 30).await.id();
    assert_eq!(stream.next().await.expect("an event").json()["subject"], first);
    let second = server.booked(MONDAY_14, 60).await.id();
    server.kill();
    stream.expect_end().await;
    let last = stream.last_id.expect("an id");
    let server = Server::start_in(&data, Store::Sqlite).await;
    let third = server.booked("2024-01-15T10:00:00Z", 30).await.id();
    let mut again = server.client().events_after(last).await;
    let missing = [second, third].into_iter().filter(|id| !stream.read.contains(id));
    for id in missing {
        assert_eq!(again.next().await.expect("an event").json()["subject"], id);
    }
}

#[tokio::test]
async fn streams_end_when_their_store_is_gone_and_can_be_had_again() {
    let cluster = Cluster::start();
    let server = Server::start_on(&DataDir::new(), &cluster.url()).await;
    server.open_mondays().await;
    let mut streams = [server.client().stream(EVENTS).await, server.client().stream(SLOTS).await];
    let last = streams[0].last_id.expect("an id");
    cluster.stop();
    for stream in &mut streams {
        stream.expect_end().await;
    }
    assert_eq!(ends(&server), ["failed", "failed"]);
    server.client().get(EVENTS).await.refused(503, "unavailable");
    assert!(!server.log().contains("panic"));
    cluster.resume();
    let back = async {
        while server.client().get("/readyz").await.status != 200 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, back).await.expect("the store is back");
    let id = server.booked(MONDAY_14, 60).await.id();
    let mut again = server.client().events_after(last).await;
    assert_eq!(again.next().await.expect("an event").json()["subject"], id);
}

#[tokio::test]
async fn a_user_has_so_many_streams_and_no_more() {
    let server = Server::memory().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(server.client().stream(EVENTS).await);
        streams.push(server.client().stream(SLOTS).await);
    }
    for path in [EVENTS, SLOTS] {
        let answer = server.client().get(path).await.refused(429, "too_many_streams");
        assert_eq!(answer.header("retry-after"), "1");
    }
    drop(server.other_client().stream(EVENTS).await);
    streams.pop();
    let again = async {
        while server.client().try_stream(SLOTS).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("a seat that is free again");
    // A stream that never begins takes no seat.
    drop(streams);
    until_open(&server, 0, PATIENCE).await;
    let nobody = "/booking/slots/stream?therapistId=nobody&date=2024-01-15";
    server.client().get(nobody).await.refused(404, "therapist_not_found");
    assert_eq!(open_streams(&server).await, 0);
}

#[tokio::test]
async fn a_silent_stream_is_not_dead() {
    let server = Server::memory().await;
    let begun = Instant::now();
    let mut stream = server.client().stream(EVENTS).await;
    assert_eq!(stream.block().await.as_deref(), Some(":"));
    let took = begun.elapsed();
    // A proxy takes a minute of silence for the end.
    assert!((Duration::from_secs(14)..Duration::from_secs(50)).contains(&took), "{took:?}");
    server.open_mondays().await;
    server.booked(MONDAY_14, 60).await;
    stream.next().await.expect("an event");
}

/// Somebody who connects and reads nothing: after half a minute there is no stream, no task and no
/// connection left of them, and meanwhile the server holds a little of what they were to get.
#[tokio::test]
async fn who_does_not_read_is_cut_off() {
    const EVENTS_THERE: usize = 400;
    let server = Server::memory().await;
    open_always(&server.therapist()).await;
    for number in 0..EVENTS_THERE {
        let start = format!(
            "2024-{:02}-{:02}T{:02}:00:00Z",
            2 + number / 280,
            1 + number / 10 % 28,
            number % 10
        );
        let mut body = session(&start, 30);
        // Four bytes each.
        body["description"] = json!("\u{1F98B}".repeat(5_000));
        server.client().book(&body).await.expect(201);
    }
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let address = server.address().parse().expect("an address");
    let mut connection = socket.connect(address).await.expect("the server listens");
    let token = IssuerKey::ours().token("client_123", "client");
    let request = format!(
        "GET /api{EVENTS}?lastEventId=0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    let begun = Instant::now();
    connection.write_all(request.as_bytes()).await.expect("a request goes through");
    until_open(&server, 1, PATIENCE).await;
    until_open(&server, 0, PATIENCE).await;
    let took = begun.elapsed();
    assert!((Duration::from_secs(20)..Duration::from_secs(90)).contains(&took), "{took:?}");
    assert_eq!(ends(&server), ["too slow"]);
    // The connection breaks, within the whole of which not all was sent.
    sleep(Duration::from_secs(5)).await;
    let mut read = 0;
    let mut chunk = vec![0; 64 * 1_024];
    let end = async {
        while let Ok(count @ 1..) = connection.read(&mut chunk).await {
            read += count;
        }
    };
    timeout(PATIENCE, end).await.expect("an end");
    assert!(read < EVENTS_THERE * 20_000, "{read} bytes");
    server.client().get("/booking/meetings?limit=1").await.expect(200);
}

/// The API in another app, where everybody is who they say.
struct TakeTheirWord;

#[async_trait::async_trait]
impl Verifier for TakeTheirWord {
    async fn verify(&self, token: &str) -> Result<Session, AuthError> {
        let id = UserId::new(token).map_err(|error| AuthError::Rejected(error.to_string()))?;
        Ok(Actor { id, role: Role::Client }.into())
    }
}

#[tokio::test]
async fn a_process_has_so_many_streams_and_none_while_it_stops() {
    let store = Arc::new(MemoryStore::default());
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds));
    let booking = Booking::new(store.clone(), store.clone(), clock, ids);
    let live = Live::new(booking.clone(), store, Hub::default());
    let stopping = CancellationToken::new();
    let app = Api::new(booking, Arc::new(TakeTheirWord))
        .with_live(live)
        .stream_limits(StreamLimits { in_all: 3, per_user: 2 })
        .closing_with(stopping.clone())
        .routes();
    let ask = async |user: &str| {
        let request = Request::builder().uri_str("/api/booking/events");
        let request = request.header("authorization", format!("Bearer {user}")).finish();
        app.call(request).await.expect("an answer")
    };
    let mut open = Vec::new();
    for (user, status) in [("ann", 200), ("ann", 200), ("ann", 429), ("bob", 200), ("joe", 503)] {
        let answer = ask(user).await;
        assert_eq!(answer.status(), status, "{user}");
        assert_eq!(answer.headers().contains_key("retry-after"), status != 200);
        open.push(answer);
    }
    open.remove(0);
    let free = async {
        while ask("joe").await.status() != 200 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, free).await.expect("a seat that is free again");
    stopping.cancel();
    assert_eq!(ask("zoe").await.status(), 503);
    let body = open.remove(0).into_body().into_string();
    let text = timeout(PATIENCE, body).await.expect("an end").expect("a clean one");
    assert!(text.starts_with("retry: ") && text.ends_with("id: 0\n\n"), "{text}");
}
