//! Somebody who gets webhooks: a server on 127.0.0.1 that remembers what it got and answers as it
//! is told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How a receiver answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// With this status, and these lines of headers.
    Status(u16, &'static str),
    /// Not at all.
    Silence,
    /// By closing the connection.
    HangUp,
    /// 200, and a body that never ends.
    Endless,
    /// 200, and a body that begins and does not go on.
    Stalled,
}

/// A request, whole.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) request_line: String,
    headers: HashMap<String, String>,
    pub(crate) body: String,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    reply: Mutex<Reply>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
}

impl Receiver {
    pub(crate) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (received, connections) = (Mutex::default(), AtomicUsize::new(0));
        let state = Arc::new(State { reply: Mutex::new(reply), received, connections });
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::Relaxed);
                let state = serving.clone();
                tokio::spawn(async move { state.serve(stream).await });
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?key=k%20y", self.address)
    }

    pub(crate) fn answer(&self, reply: Reply) {
        *self.state.reply.lock().unwrap() = reply;
    }

    /// What it got since it was last asked.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.received.lock().unwrap())
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl State {
    /// Until the other side is gone, or was hung up on.
    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let received = read(&mut stream).await?;
            self.received.lock().unwrap().push(received);
            let reply = *self.reply.lock().unwrap();
            match reply {
                Reply::Status(status, headers) => {
                    let head =
                        format!("HTTP/1.1 {status} So\r\n{headers}content-length: 2\r\n\r\n");
                    stream.write_all(head.as_bytes()).await.ok()?;
                    stream.write_all(b"ok").await.ok()?;
                }
                Reply::Silence => std::future::pending().await,
                Reply::HangUp => return None,
                Reply::Endless => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
                    loop {
                        stream.write_all(&[b'x'; 4096]).await.ok()?;
                    }
                }
                Reply::Stalled => {
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx")
                        .await
                        .ok()?;
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            }
        }
    }
}

/// The next request; none when the other side is gone.
pub(crate) async fn read(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let request_line = lines.remove(0);
    let headers: HashMap<String, String> = lines
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { request_line, headers, body: String::from_utf8(body).ok()? })
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// How many signatures there are.
    pub(crate) fn signatures(&self) -> usize {
        self.header("webhook-signature").split(' ').count()
    }

    /// Whether one of the signatures is by this secret.
    pub(crate) fn is_signed_by(&self, secret: &str) -> bool {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let (id, timestamp) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let signed = format!("{id}.{timestamp}.{}", self.body);
        let signatures = self.header("webhook-signature").split(' ');
        signatures.filter_map(|signature| signature.strip_prefix("v1,")).any(|base64| {
            let tag = BASE64_STANDARD.decode(base64).unwrap();
            hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
        })
    }
}
