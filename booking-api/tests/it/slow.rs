//! Connections of which nothing comes: half a request, or none, and thousands of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::caller::no_tls;
use crate::server::{DataDir, Server};

/// Other tests have theirs open at the same time, under the limits of an ordinary login.
const HALF_OPEN: usize = 100;
/// Ten seconds for a head, one until somebody looks, one until the other side hangs up too, and three
/// times that. A connection that is just not used has 75.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(45);
const PATIENCE: Duration = Duration::from_secs(300);
const HALF_A_HEAD: &[u8] = b"GET /api/booking/meetings HTTP/1.1\r\nhost: x\r\nx-slow: ";

async fn server(flags: &[&str]) -> Server {
    let flags = [&["--database-url", "memory:"][..], flags].concat();
    Server::start_with(&DataDir::new(), &flags).await
}

/// A connection from another address of this machine.
async fn connect_from(last: u8, server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).expect("an address of this machine");
    let address: SocketAddr = server.address().parse().expect("an address");
    socket.connect(address).await.expect("the server listens")
}

async fn is_closed(stream: &mut TcpStream) {
    let mut byte = [0];
    assert!(matches!(stream.read(&mut byte).await, Ok(0) | Err(_)), "nothing is answered");
}

#[tokio::test]
async fn half_open_requests_are_cut_off_and_harm_nobody() {
    let server = server(&[]).await;
    let begun = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..HALF_OPEN {
        let mut stream = connect_from(2, &server).await;
        stream.write_all(HALF_A_HEAD).await.expect("the server reads");
        slow.push(stream);
    }
    // A byte now and then does not help.
    let mut drip = connect_from(2, &server).await;
    drip.write_all(HALF_A_HEAD).await.expect("the server reads");
    // Nor does it to have asked once, or to say nothing at all.
    let mut second = connect_from(2, &server).await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("the server reads");
    let mut answer = [0; 12];
    second.read_exact(&mut answer).await.expect("an answer");
    second.write_all(HALF_A_HEAD).await.expect("the server reads");
    slow.push(connect_from(2, &server).await);
    while begun.elapsed() < Duration::from_secs(5) {
        let asked = Instant::now();
        server.client().get("/booking/meetings").await.expect(200);
        assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
        drip.write_all(b"x").await.expect("the server reads");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let cut_off = async {
        for stream in &mut slow {
            is_closed(stream).await;
        }
        is_closed(&mut drip).await;
        let mut rest = Vec::new();
        let _reset = second.read_to_end(&mut rest).await.is_err();
        assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1"), "one answer");
    };
    tokio::time::timeout(CUT_OFF_WITHIN, cut_off).await.expect("they are cut off");
    let metrics = server.anonymous().get("/metrics").await.text;
    let cut = format!("booking_http_connections_timed_out_total {}", HALF_OPEN + 3);
    assert!(metrics.contains(&cut), "{metrics}");
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_the_next_is_closed() {
    let server = server(&["--max-connections-per-address", "8"]).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(connect_from(2, &server).await);
    }
    for _ in 0..4 {
        let mut one_more = connect_from(2, &server).await;
        let closed = tokio::time::timeout(PATIENCE, is_closed(&mut one_more));
        closed.await.expect("at once");
    }
    server.client().get("/booking/meetings").await.expect(200);
    drop(held.pop());
    let again = async {
        loop {
            let mut stream = connect_from(2, &server).await;
            let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            let mut answer = String::new();
            if stream.write_all(request).await.is_ok()
                && stream.read_to_string(&mut answer).await.is_ok()
                && answer.starts_with("HTTP/1.1 200")
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("there is a place again");
}

/// Who comes when there is no room waits until there is.
#[tokio::test]
async fn a_full_server_makes_others_wait() {
    let server = server(&["--max-connections", "4"]).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(connect_from(2, &server).await);
    }
    let begun = Instant::now();
    let waiting = connect_from(3, &server).await;
    drop(held);
    drop(waiting);
    server.client().get("/booking/meetings").await.expect(200);
    assert!(begun.elapsed() < CUT_OFF_WITHIN);
}

#[tokio::test]
async fn http_2_works() {
    let server = server(&[]).await;
    let client = Client::builder().tls_backend_preconfigured(no_tls());
    let client = client.http2_prior_knowledge().no_proxy().build().expect("a client");
    let url = format!("{}/healthz", server.origin());
    let asked = (0..200).map(|_| client.get(&url).send());
    for answer in futures_util::future::join_all(asked).await {
        let answer = answer.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
    }
}
