//! What no HTTP library sends: too much, too little, and no HTTP at all.

use reqwest::Method;

use crate::raw::{send_garbage, send_request};
use crate::server::{MONDAY_14, Server, session};
use crate::signing::IssuerKey;

/// A whole request of `client_123`.
fn request(line: &str, headers: &str, body: &str) -> Vec<u8> {
    let token = IssuerKey::ours().token("client_123", "client");
    format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         {headers}\r\n{body}"
    )
    .into_bytes()
}

async fn check_unharmed(server: &Server) {
    assert!(!server.log().contains("panic"), "{}", server.log());
    server.client().get("/booking/meetings").await.expect(200);
}

fn of_size(bytes: usize) -> String {
    let body = session(MONDAY_14, 60).to_string();
    let padding = " ".repeat(bytes - body.len());
    body + &padding
}

fn chunked(body: &str) -> String {
    let chunks: String = body
        .as_bytes()
        .chunks(8_000)
        .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)))
        .collect();
    chunks + "0\r\n\r\n"
}

#[tokio::test]
async fn bodies_over_64_kib_are_too_large_however_they_are_sent() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let book = "POST /api/booking/meetings";
    let json = "content-type: application/json\r\n";
    for (bytes, expected) in [(65_537, 413), (70_000, 413), (5_000_000, 413), (65_536, 201)] {
        let body = of_size(bytes);
        let length = format!("{json}content-length: {bytes}\r\n");
        let answer = send_request(&server, &request(book, &length, &body)).await;
        assert_eq!(answer.status(), Some(expected), "{bytes} with a length: {}", answer.text());
        if expected == 413 {
            assert!(answer.text().contains(r#""code":"payload_too_large""#), "{}", answer.text());
            assert!(answer.text().contains("x-request-id: "), "{}", answer.text());
        }
        let stream = format!("{json}transfer-encoding: chunked\r\n");
        let answer = send_request(&server, &request(book, &stream, &chunked(&body))).await;
        let expected = if expected == 201 { 400 } else { expected };
        assert_eq!(answer.status(), Some(expected), "{bytes} in chunks: {}", answer.text());
    }
    check_unharmed(&server).await;
}

#[tokio::test]
async fn a_length_that_is_only_promised_is_refused_without_waiting_for_it() {
    let server = Server::memory().await;
    let headers = "content-type: application/json\r\ncontent-length: 999999999999\r\n";
    let answer = send_request(&server, &request("POST /api/booking/meetings", headers, "{")).await;
    assert_eq!(answer.status(), Some(413), "{}", answer.text());
    check_unharmed(&server).await;
}

#[tokio::test]
async fn without_a_token_no_body_is_read() {
    let server = Server::memory().await;
    let body = "x".repeat(1_000_000);
    let bytes = format!(
        "POST /api/booking/meetings HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: 1000000\r\n\r\n{body}"
    );
    let answer = send_request(&server, bytes.as_bytes()).await;
    // The server may hang up on the rest of the body, and the answer with it.
    assert!(matches!(answer.status(), Some(401) | None), "{}", answer.text());
    check_unharmed(&server).await;
}

#[tokio::test]
async fn many_and_huge_headers_are_turned_down() {
    let server = Server::memory().await;
    let list = "GET /api/booking/meetings";
    let huge = format!("x-filler: {}\r\n", "x".repeat(1_000_000));
    let many: String = (0..1_000).map(|n| format!("x-filler-{n}: x\r\n")).collect();
    let long_path = format!("GET /api/booking/meetings/{}", "x".repeat(100_000));
    for (what, bytes) in [
        ("a huge header", request(list, &huge, "")),
        ("many headers", request(list, &many, "")),
        ("a long path", request(&long_path, "", "")),
    ] {
        let answer = send_request(&server, &bytes).await;
        assert!(answer.status().is_none_or(|s| (400..500).contains(&s)), "{what}: {answer:?}");
    }
    check_unharmed(&server).await;
}

#[tokio::test]
async fn a_header_sent_twice_is_never_an_error_of_the_server() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let id = server.booked(MONDAY_14, 60).await.id();
    let list = "GET /api/booking/meetings".to_owned();
    let cancel = format!("DELETE /api/booking/meetings/{id}/cancel");
    for (line, headers, expected) in [
        (&list, "authorization: Bearer x\r\n", &[200, 401][..]),
        (&list, "host: elsewhere\r\n", &[200, 400]),
        (&list, "x-request-id: a\r\nx-request-id: b\r\n", &[200]),
        (&list, "content-length: 0\r\ncontent-length: 0\r\n", &[200, 400]),
        (&list, "content-length: 0\r\ncontent-length: 5\r\n", &[400]),
        // Two lines of one list header are one list (RFC 9110, section 5.3).
        (&cancel, "if-match: \"7\"\r\nif-match: \"8\"\r\n", &[412]),
        (&cancel, "if-match: \"7\"\r\nif-match: \"1\"\r\n", &[200]),
    ] {
        let answer = send_request(&server, &request(line, headers, "")).await;
        let status = answer.status().unwrap_or_default();
        assert!(expected.contains(&status), "{line} {headers}: {}", answer.text());
    }
    check_unharmed(&server).await;
}

#[tokio::test]
async fn what_is_no_http_gets_a_4xx_or_nothing() {
    let server = Server::memory().await;
    let many_newlines = "\r\n".repeat(10_000);
    for bytes in [
        &b""[..],
        b"\0",
        b"\r\n\r\n",
        many_newlines.as_bytes(),
        b"GET",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\r\nhost: x\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nho st: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: \0\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET * HTTP/1.1\r\nhost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\nabc",
        b"POST /api/booking/meetings HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/booking/meetings HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{",
    ] {
        let answer = send_garbage(&server, bytes).await;
        let what = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        let fine = answer.status().is_none_or(|status| (400..500).contains(&status));
        assert!(fine, "{what:?}: {}", answer.text());
    }
    check_unharmed(&server).await;
}

/// The cheapest fuzzing there is: every prefix of a good request, and every bit of its first line
/// turned over.
#[tokio::test]
async fn damaged_requests_never_harm_the_server() {
    let server = Server::memory().await;
    let body = session(MONDAY_14, 60).to_string();
    let headers = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    let whole = request("POST /api/booking/meetings", &headers, &body);
    let prefixes = (0..whole.len()).step_by(7).map(|end| whole[..end].to_vec());
    let flipped = (0..36 * 8).step_by(3).map(|bit| {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    for bytes in prefixes.chain(flipped) {
        let answer = send_garbage(&server, &bytes).await;
        assert!(answer.status().is_none_or(|status| status < 500), "{}", answer.text());
    }
    check_unharmed(&server).await;
}

/// The rest of a body that nobody reads is in the way of the next request: where much of it is
/// left, the connection ends with the answer, and says so, lest the next request be lost on it.
#[tokio::test]
async fn after_a_body_that_was_not_read_the_next_request_is_answered() {
    let server = Server::memory().await;
    let client = server.client();
    let text = client.with("content-type", "text/plain");
    for (who, method, path, bytes, expected) in [
        (&client, "POST", "/booking/meetings", 70_000, 413),
        (&server.anonymous(), "POST", "/booking/meetings", 60_000, 401),
        (&server.admin(), "POST", "/booking/meetings", 60_000, 403),
        (&text, "POST", "/booking/meetings", 60_000, 415),
        (&client, "POST", "/booking/nothing", 60_000, 404),
        (&client, "PATCH", "/booking/meetings", 60_000, 405),
        (&client, "GET", "/booking/meetings", 60_000, 200),
    ] {
        for n in 0..32 {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = who.send(method, path, Some(of_size(bytes).into_bytes())).await;
            assert_eq!(answer.status, expected);
            let next = client.try_send(Method::POST, "/booking/meetings", Some(b"{}".into())).await;
            let next = next.unwrap_or_else(|lost| panic!("after {expected} number {n}: {lost:?}"));
            assert_eq!(next.header("connection"), "", "a body that was read ends nothing");
        }
    }
}
