//! How much may be asked, and what those are told who ask for more.

use std::time::{Duration, Instant};

use booking_api::Code;
use booking_core::{
    AvailabilityOverride, AvailabilitySlot, CalendarFeed, LinkedCalendar, Subscriber,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{DataDir, Server};
use crate::signing::IssuerKey;

const LIST: &str = "/booking/meetings";
const PATIENCE: Duration = Duration::from_secs(300);

async fn server(flags: &[&str]) -> Server {
    let flags = [&["--database-url", "memory:"][..], flags].concat();
    Server::start_with(&DataDir::new(), &flags).await
}

#[tokio::test]
async fn a_user_has_a_quota_of_their_own_and_is_told_of_it() {
    let server = server(&["--rate-per-user", "3"]).await;
    let client = server.client();
    for left in [2, 1, 0] {
        let answer = client.get(LIST).await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), "\"user\";q=3;w=60");
        let limit = answer.header("ratelimit");
        assert!(limit.starts_with(&format!("\"user\";r={left};t=")), "{limit}");
    }
    let refused = client.get(LIST).await.refused(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "one comes back every 20 seconds: {wait}");
    assert!(refused.header("ratelimit").starts_with("\"user\";r=0;t="));
    server.anonymous().get("/problems/rate_limited").await.expect(200);
    // Whoever else it is, also at the same address.
    server.other_client().get(LIST).await.expect(200);
    let nobody = server.anonymous().get(LIST).await.refused(401, "unauthenticated");
    assert_eq!(nobody.header("ratelimit"), "");
}

/// Where a request comes from is what the last of the trusted proxies says, and not what the client
/// says before it.
#[tokio::test]
async fn an_address_has_a_quota_whoever_it_says_that_it_is() {
    let flags = ["--rate-per-address", "2", "--trusted-proxy", "127.0.0.0/8,10.0.0.0/8"];
    let server = server(&flags).await;
    let from = |forwarded: &str| server.client().with("x-forwarded-for", forwarded);
    for (forwarded, status) in [
        ("203.0.113.1", 200),
        ("198.51.100.7, 203.0.113.1", 200),
        ("203.0.113.99,203.0.113.1, 10.1.2.3", 429),
        ("203.0.113.1:4711", 429),
        ("::ffff:203.0.113.1", 429),
        ("203.0.113.2", 200),
        // A /64 is one subscriber's.
        ("2001:db8::1", 200),
        ("[2001:db8::2]:80", 200),
        ("2001:db8::ffff:3", 429),
        ("2001:db8:0:1::1", 200),
        // Who cannot be told from the proxy counts as the proxy.
        ("203.0.113.9, unknown", 200),
        ("", 200),
        ("nonsense", 429),
    ] {
        let answer = from(forwarded).get(LIST).await;
        assert_eq!(answer.status, status, "{forwarded}: {}", answer.text);
    }
    // Before anybody looks at the token, and never for those who look after the server.
    let limited = server.anonymous().with("x-forwarded-for", "203.0.113.1");
    limited.with_token("nonsense").get(LIST).await.refused(429, "rate_limited");
    limited.get("/openapi.json").await.refused(429, "rate_limited");
    for path in ["/healthz", "/readyz", "/metrics"] {
        limited.get(path).await.expect(200);
    }
    let metrics = server.anonymous().get("/metrics").await.text;
    assert!(metrics.contains("booking_http_limited_total{by=\"address\"} 7"), "{metrics}");
}

#[tokio::test]
async fn an_untrusted_header_is_nobodys_address() {
    let server = server(&["--rate-per-address", "2"]).await;
    for (forwarded, status) in [("203.0.113.1", 200), ("203.0.113.2", 200), ("203.0.113.3", 429)] {
        let caller = server.client().with("x-forwarded-for", forwarded);
        assert_eq!(caller.get(LIST).await.status, status);
    }
    let other = ["--rate-per-address", "1", "--trusted-proxy", "127.0.0.1/32"];
    let server = self::server(&[&other[..], &["--forwarded-header", "forwarded"]].concat()).await;
    for (forwarded, status) in [
        ("for=203.0.113.1;proto=https", 200),
        ("for=\"203.0.113.1:80\"", 429),
        ("by=10.0.0.1;For=\"[2001:db8::1]:4711\"", 200),
        ("for=192.0.2.60, for=203.0.113.1", 429),
    ] {
        let caller =
            server.client().with("forwarded", forwarded).with("x-forwarded-for", "1.1.1.1");
        assert_eq!(caller.get(LIST).await.status, status, "{forwarded}");
    }
}

/// A request whose body does not arrive.
pub(crate) async fn unfinished(server: &Server, user: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.expect("the server listens");
    let token = IssuerKey::ours().token(user, "client");
    let head = format!(
        "POST /api/booking/meetings HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    stream
}

pub(crate) async fn until_in_flight(server: &Server, count: usize) {
    let expected = format!("booking_http_in_flight {count}\n");
    let begun = Instant::now();
    while !server.anonymous().get("/metrics").await.text.contains(&expected) {
        assert!(begun.elapsed() < PATIENCE, "never {expected}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn more_requests_than_the_server_takes_are_shed_and_streams_are_none() {
    let server = server(&["--max-requests", "2"]).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(server.client().events_after(0).await);
    }
    let mut one = unfinished(&server, "client_123").await;
    let _other = unfinished(&server, "client_124").await;
    until_in_flight(&server, 2).await;
    let shed = server.client().get(LIST).await.refused(503, "unavailable");
    assert_eq!(shed.header("retry-after"), "1");
    for path in ["/healthz", "/readyz", "/metrics"] {
        server.anonymous().get(path).await.expect(200);
    }
    one.write_all(b"}").await.unwrap();
    let mut answer = [0; 12];
    one.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
    server.client().get(LIST).await.expect(200);
    let metrics = server.anonymous().get("/metrics").await.text;
    assert!(metrics.contains("booking_http_shed_total 1"), "{metrics}");
}

#[tokio::test]
async fn one_user_cannot_take_every_place() {
    let server = server(&["--max-requests-per-user", "1"]).await;
    let _busy = unfinished(&server, "client_123").await;
    until_in_flight(&server, 1).await;
    server.client().get(LIST).await.refused(429, "rate_limited");
    server.other_client().get(LIST).await.expect(200);
}

/// What is not taken takes memory as long.
#[tokio::test]
async fn an_answer_that_is_not_taken_keeps_its_place() {
    let server = server(&["--max-requests-per-user", "2"]).await;
    let stream = TcpStream::connect(server.address()).await.expect("the server listens");
    let mut http2 = h2::client::Builder::new();
    // Heads come nevertheless.
    let shaken = http2.initial_window_size(0).handshake::<_, bytes::Bytes>(stream).await;
    let (client, connection) = shaken.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let list = async || {
        let token = IssuerKey::ours().token("client_123", "client");
        let request = poem::http::Request::get(format!("http://x/api{LIST}"))
            .header("authorization", format!("Bearer {token}"))
            .body(());
        let mut client = client.clone().ready().await.expect("a connection");
        let (answer, _) = client.send_request(request.expect("a request"), true).expect("sent");
        answer.await.expect("a head")
    };
    let untaken = [list().await, list().await];
    assert!(untaken.iter().all(|answer| answer.status() == 200));
    assert_eq!(list().await.status(), 429);
    server.client().get(LIST).await.refused(429, "rate_limited");
    server.other_client().get(LIST).await.expect(200);
    drop(untaken);
    connection.abort();
    let begun = Instant::now();
    while server.client().get(LIST).await.status != 200 {
        assert!(begun.elapsed() < PATIENCE, "the places are free again");
    }
}

#[tokio::test]
async fn long_addresses_and_large_headers_are_named() {
    let server = server(&[]).await;
    let long = format!("/booking/meetings?status={}", "x".repeat(9_000));
    let long = server.client().get(&long).await.refused(414, "uri_too_long");
    let large = server.client().with("x-filler", "x".repeat(17_000));
    let large = large.get(LIST).await.refused(431, "headers_too_large");
    let big = json!({"title": "x".repeat(70_000)});
    let big = server.client().post(LIST, &big).await.refused(413, "payload_too_large");
    for (answer, code) in
        [(long, Code::UriTooLong), (large, Code::HeadersTooLarge), (big, Code::PayloadTooLarge)]
    {
        let size = |text: &str| text.split(' ').find_map(|word| word.parse::<u32>().ok());
        assert_eq!(size(answer.str("detail")), size(code.about()), "{}", answer.text);
    }
    // As large as may be.
    let fitting = server.client().with("x-filler", "x".repeat(14_000));
    fitting.get(&format!("{LIST}?limit=1&x={}", "x".repeat(8_000))).await.expect(200);
}

#[tokio::test]
async fn browsers_are_told_what_is_no_page_and_what_a_page_may_do() {
    let server = server(&[]).await;
    for path in [LIST, "/docs", "/openapi.json", "/healthz", "/nothing"] {
        let answer = server.client().get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    let page = server.anonymous().get("/docs").await.expect(200);
    let policy = page.header("content-security-policy");
    for directive in ["default-src 'none'", "frame-ancestors 'none'", "connect-src 'self'"] {
        assert!(policy.contains(directive), "{policy}");
    }
    let scripts = policy.split("; ").find(|part| part.starts_with("script-src")).unwrap();
    assert!(!scripts.contains("unsafe"), "{scripts}");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn metrics_tell_of_store_server_and_process() {
    let server = Server::start(crate::server::Store::Postgres).await;
    server.open_mondays().await;
    let hook = json!({"url": "http://127.0.0.1:1/hook"});
    server.admin().post("/booking/webhooks", &hook).await.expect(201);
    let expected = [
        "booking_build_info{tzdb=",
        "booking_store_connections{pool=\"readers\",state=\"open\"} ",
        "booking_store_connections{pool=\"writers\",state=\"most\"} 8",
        "booking_store_waiting{pool=\"relays\"} 0",
        "booking_outbox_up 1",
        "booking_outbox_unpublished 0",
        "booking_deliveries_pending{subscriber=",
        "booking_deliveries_dead{subscriber=",
        "booking_deliveries_oldest_seconds{subscriber=",
        "booking_http_connections ",
        "booking_slot_lists_total{cache=\"bypassed\"} ",
        "booking_http_in_flight 0",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_cpu_seconds_total ",
    ];
    // What could not be measured in time is there the next time.
    let began = Instant::now();
    loop {
        let metrics = server.anonymous().get("/metrics").await.expect(200).text;
        let Some(missing) = expected.iter().find(|part| !metrics.contains(**part)) else { break };
        assert!(began.elapsed() < PATIENCE, "{missing}: {metrics}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// What a reader of `/problems/…` is told of limits is what holds.
#[test]
fn problems_name_the_limits() {
    for (code, limit) in [
        (Code::FeedLimit, CalendarFeed::MAX_PER_OWNER as usize),
        (Code::CalendarLimit, LinkedCalendar::MAX_PER_THERAPIST as usize),
        (Code::WebhookLimit, Subscriber::MAX_WEBHOOKS),
        (Code::AvailabilityLimit, AvailabilitySlot::MOST_A_DAY),
        (Code::OverrideLimit, AvailabilityOverride::MOST),
    ] {
        let about = code.about();
        let mut words = about.split([' ', '.']);
        assert!(words.any(|word| word == limit.to_string()), "{about:?} does not say {limit}");
    }
}
