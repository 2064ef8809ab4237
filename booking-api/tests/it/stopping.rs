//! SIGTERM: readiness goes first, what is under way is finished, and nobody is hung up on.
#![cfg(unix)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::caller::{Caller, no_tls};
use crate::limits::{unfinished, until_in_flight};
use crate::server::{DataDir, Server, Store, open_always, session};
use crate::signing::IssuerKey;

const KEPT_ALIVE: usize = 24;
const LISTING: usize = 24;
const STOP_AFTER: usize = 400;
const PATIENCE: Duration = Duration::from_secs(300);
/// A request, on a connection that stays open.
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

/// What became of the requests of a load.
#[derive(Default)]
struct Load {
    answered: AtomicUsize,
    /// Told by a load balancer that it should go elsewhere.
    elsewhere: AtomicBool,
    broken: std::sync::Mutex<Vec<String>>,
}

impl Load {
    /// Whether there is a server to go on with. Not to be let in any more is fine; to be hung up on
    /// is not.
    fn goes_on<T>(&self, answer: Result<T, reqwest::Error>) -> Option<T> {
        match answer {
            Ok(answer) => {
                self.answered.fetch_add(1, Ordering::SeqCst);
                Some(answer)
            }
            Err(error) if error.is_connect() => None,
            Err(error) => {
                self.broken.lock().expect("nobody panics with it").push(format!("{error:?}"));
                None
            }
        }
    }
}

/// Books one start after the other over connections that are kept alive; returns what was answered
/// with 201.
async fn book(client: Caller, lane: usize, load: Arc<Load>) -> Vec<String> {
    let mut booked = Vec::new();
    for n in 0..28 * 8 * 2 {
        let (month, day, hour) = (n / 224 + 2, n % 28 + 1, lane % 24);
        let start = format!("20{:02}-{month:02}-{day:02}T{hour:02}:00:00Z", n / 28 % 8 + 24);
        let body = session(&start, 60).to_string().into_bytes();
        let answer = client.try_send(Method::POST, "/booking/meetings", Some(body)).await;
        let Some(answer) = load.goes_on(answer) else { break };
        if answer.status == 201 {
            booked.push(answer.id());
        }
    }
    booked
}

/// Asks over a new connection each time, for as long as it is told to.
async fn ask_anew(origin: String, load: Arc<Load>) {
    let token = IssuerKey::ours().token("client_123", "client");
    while !load.elsewhere.load(Ordering::SeqCst) {
        let client = Client::builder().tls_backend_preconfigured(no_tls());
        let client = client.pool_max_idle_per_host(0).no_proxy().build().expect("a client");
        let request = client.get(format!("{origin}/api/booking/meetings")).bearer_auth(&token);
        let Some(answer) = load.goes_on(request.send().await) else { return };
        assert_eq!(answer.status(), 200);
    }
}

/// A load balancer: whoever is not ready gets nothing new.
async fn balance(server: Caller, load: Arc<Load>) {
    loop {
        let answer = server.try_send(Method::GET, "/readyz", None).await;
        if !answer.is_ok_and(|answer| answer.status == 200) {
            return load.elsewhere.store(true, Ordering::SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_nobody_is_hung_up_on_and_nothing_is_lost() {
    let data = DataDir::new();
    // On a busy machine it takes a while until everybody has seen that it is not ready any more.
    let mut server = Server::start_with(&data, &["--drain", "3s"]).await;
    open_always(&server.therapist()).await;
    server.add_clients(KEPT_ALIVE).await;
    let load = Arc::new(Load::default());
    let bookings: JoinSet<Vec<String>> = (0..KEPT_ALIVE)
        .map(|lane| {
            // A pool of connections for each.
            let client = Caller::anonymous(server.origin());
            let token = IssuerKey::ours().token(&format!("client_r{lane}"), "client");
            book(client.with_token(&token), lane, load.clone())
        })
        .collect();
    let mut others: JoinSet<()> =
        (0..LISTING).map(|_| ask_anew(server.origin().to_owned(), load.clone())).collect();
    others.spawn(balance(server.anonymous(), load.clone()));
    let mut stream = server.client().events_after(0).await;
    let enough = async {
        while load.answered.load(Ordering::SeqCst) < STOP_AFTER {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, enough).await.expect("requests are answered");
    server.tell_to_stop();
    let booked: Vec<String> = bookings.join_all().await.into_iter().flatten().collect();
    others.join_all().await;
    while tokio::time::timeout(PATIENCE, stream.next()).await.expect("an end").is_some() {}
    assert!(server.ended().success());
    let broken = load.broken.lock().expect("nobody panics with it").clone();
    assert!(broken.is_empty(), "{} of {:?}: {broken:?}", broken.len(), load.answered);
    assert!(!booked.is_empty());

    let server = Server::start_in(&data, Store::Sqlite).await;
    let mut events = server.therapist().events_after(0).await;
    let mut told = Vec::new();
    while told.len() < booked.len() {
        let message = tokio::time::timeout(PATIENCE, events.next()).await.expect("an event");
        told.push(message.expect("an event").json()["subject"].as_str().unwrap().to_owned());
    }
    let lost: Vec<_> = booked.iter().filter(|id| !told.contains(id)).collect();
    assert!(lost.is_empty(), "no event of {lost:?}");
}

#[tokio::test]
async fn readiness_goes_first_and_everything_else_goes_on() {
    // For as long as we like: that it ends by itself, others see.
    let mut server =
        Server::start_with(&DataDir::new(), &["--database-url", "memory:", "--drain", "1h"]).await;
    server.tell_to_stop();
    let unready = async {
        while server.anonymous().get("/readyz").await.status == 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, unready).await.expect("soon");
    server.anonymous().get("/readyz").await.refused(503, "unavailable");
    server.anonymous().get("/healthz").await.expect(200);
    let answer = server.client().get("/booking/meetings").await.expect(200);
    assert_eq!(answer.header("connection"), "close");
    let streamed = server.client().events_after(0).await;
    drop(streamed);
    assert!(server.is_running());
    server.tell_to_stop();
    assert!(server.ended().success());
}

/// Connections on which something was asked.
async fn used_connections(server: &Server, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(server.address()).await.expect("the server listens");
        stream.write_all(REQUEST).await.expect("the server reads");
        let mut first = vec![0; 4_096];
        assert!(stream.read(&mut first).await.expect("an answer") > 0);
        streams.push(stream);
    }
    streams
}

/// Until all threads of a server stand still that is told to.
#[cfg(target_os = "linux")]
async fn until_it_stands_still(server: &Server) {
    let is_still = |status: &str| status.lines().any(|line| line.starts_with("State:\tT"));
    let stands = async {
        while !server.threads().iter().all(|status| is_still(status)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stands).await.expect("it stands still");
}

/// A connection on which nothing was asked for a moment may have a request on its way.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_request_on_its_way_is_answered_still() {
    let mut server = Server::memory().await;
    let mut streams = used_connections(&server, 32).await;
    // To the server, both come at the same moment.
    server.signal("STOP");
    until_it_stands_still(&server).await;
    server.tell_to_stop();
    for stream in &mut streams {
        stream.write_all(REQUEST).await.expect("the connection is open");
    }
    server.signal("CONT");
    for mut stream in streams {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.expect("an answer, and an end that is no reset");
        assert!(rest.starts_with("HTTP/1.1 200"), "{rest}");
    }
    assert!(server.ended().success());
}

/// Whoever asks later finds an end, and no reset: they know that nothing was done.
#[tokio::test]
async fn an_idle_connection_ends_without_a_reset() {
    let mut server = Server::memory().await;
    let mut stream = used_connections(&server, 1).await.remove(0);
    server.tell_to_stop();
    // At its end, and before we have read it.
    let seen = tokio::time::timeout(PATIENCE, stream.peek(&mut [0])).await.expect("an end");
    assert_eq!(seen.expect("nothing is reset"), 0);
    stream.write_all(REQUEST).await.expect("nothing is reset");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.expect("nothing is reset");
    assert_eq!(rest, "");
    assert!(server.ended().success());
}

#[tokio::test]
async fn told_twice_it_stops_at_once() {
    let mut server = Server::memory().await;
    let _stream = unfinished(&server, "client_123").await;
    until_in_flight(&server, 1).await;
    server.tell_to_stop();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(server.is_running(), "it waits for the request");
    let begun = Instant::now();
    server.tell_to_stop();
    assert!(server.ended().success());
    // By itself, it gives up ten seconds after it was told first.
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
}
