//! Traces, as a collector gets them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{DataDir, MONDAY_14, Server};
use crate::signing::IssuerKey;

/// A collector of OTLP over HTTP that keeps what it gets, as it came.
struct Collector {
    endpoint: String,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let received = Arc::<Mutex<Vec<u8>>>::default();
        let kept = received.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(collect(stream, kept.clone()));
            }
        });
        Self { endpoint, received }
    }

    fn has(&self, bytes: &[u8]) -> bool {
        let received = self.received.lock().expect("nobody panics with it");
        received.windows(bytes.len()).any(|window| window == bytes)
    }
}

async fn collect(stream: TcpStream, kept: Arc<Mutex<Vec<u8>>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length, mut is_protobuf) = (String::new(), 0, false);
        stream.read_line(&mut line).await.ok()?;
        assert!(line.is_empty() || line.starts_with("POST /v1/traces "), "{line}");
        while line != "\r\n" {
            line.clear();
            (stream.read_line(&mut line).await.ok()? > 0).then_some(())?;
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            is_protobuf |= header.trim() == "content-type: application/x-protobuf";
        }
        assert!(is_protobuf, "OTLP in protobuf");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        kept.lock().expect("nobody panics with it").extend_from_slice(&body);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\
                      content-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const PARENT: u64 = 0x00f0_67aa_0ba9_02b7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_a_part_of_its_callers_trace_and_names_nobody() {
    let collector = Collector::start().await;
    let flags = ["--database-url", "memory:", "--otlp-endpoint", &collector.endpoint];
    let mut server = Server::start_with(&DataDir::new(), &flags).await;
    server.open_mondays().await;
    let traceparent = format!("00-{TRACE:032x}-{PARENT:016x}-01");
    let client = server.client().with("traceparent", traceparent);
    let body = json!({
        "startTime": MONDAY_14, "duration": 60, "therapistId": "therapist_456",
        "title": "Title-Xylophone", "description": "Description-Quagmire",
    });
    let id = client.book(&body).await.expect(201).id();
    client.get(&format!("/booking/meetings/{id}?Query-Marzipan")).await.expect(200);
    client.with("traceparent", "00-nonsense").get("/booking/meetings").await.expect(200);
    let log = server.log();
    assert!(server.terminate().success());
    for expected in [
        &TRACE.to_be_bytes()[..],
        &PARENT.to_be_bytes(),
        b"POST /api/booking/meetings",
        b"GET /api/booking/meetings/{id}",
        b"store.apply_if_current",
        b"directory.users",
        b"http.response.status_code",
        b"booking-api",
    ] {
        assert!(collector.has(expected), "{}", String::from_utf8_lossy(expected));
    }
    let token = IssuerKey::ours().token("client_123", "client");
    for secret in
        ["client_123", "therapist_456", "Xylophone", "Quagmire", "Marzipan", &id, &token[..20]]
    {
        assert!(!collector.has(secret.as_bytes()), "{secret}");
    }
    assert!(!log.contains("store.change"), "spans are not for the log: {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn which_traces_are_kept_is_not_for_callers_to_say() {
    let collector = Collector::start().await;
    let flags = ["--database-url", "memory:", "--otlp-endpoint", &collector.endpoint];
    let flags = [&flags[..], &["--trace-ratio", "0"]].concat();
    let mut server = Server::start_with(&DataDir::new(), &flags).await;
    let client = server.client().with("traceparent", format!("00-{TRACE:032x}-{PARENT:016x}-01"));
    client.get("/booking/meetings").await.expect(200);
    assert!(server.terminate().success());
    assert!(!collector.has(&TRACE.to_be_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_is_in_nobodys_way() {
    let flags = ["--database-url", "memory:", "--otlp-endpoint", "http://127.0.0.1:1"];
    let mut server = Server::start_with(&DataDir::new(), &flags).await;
    for _ in 0..20 {
        server.client().get("/booking/meetings").await.expect(200);
    }
    let begun = Instant::now();
    assert!(server.terminate().success());
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}
