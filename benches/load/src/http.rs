//! Clients: each on a connection of its own that stays open, with the next request once it has the
//! last answer. HTTP/1.1, on this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Fallible;
use crate::measured::{Outcome, Round};

/// Nobody waits for longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What to ask for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) path: String,
    pub(crate) token: Option<HeaderValue>,
    /// A POST with this JSON; a GET without.
    pub(crate) body: Option<String>,
}

/// What simulated clients do, one request after the other.
pub(crate) trait Script: Send + Sync {
    /// The next request of a client; `None` when there is nothing left to ask for.
    fn next(&self, client: u32, random: &mut Rng) -> Option<Ask>;

    /// Whether it went as it should.
    fn judge(&self, status: StatusCode, _body: &Bytes) -> Outcome {
        if status.is_success() { Outcome::Good } else { Outcome::Failed }
    }
}

/// A script that asks without looking at anything, and wants success.
impl<F: Fn(u32, &mut Rng) -> Option<Ask> + Send + Sync> Script for F {
    fn next(&self, client: u32, random: &mut Rng) -> Option<Ask> {
        self(client, random)
    }
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), token: None, body: None }
    }

    pub(crate) fn post(path: impl Into<String>, body: String) -> Self {
        Self { body: Some(body), ..Self::get(path) }
    }

    pub(crate) fn with(self, token: &HeaderValue) -> Self {
        Self { token: Some(token.clone()), ..self }
    }

    fn request(self, host: &HeaderValue) -> Fallible<Request<Full<Bytes>>> {
        let method = if self.body.is_some() { Method::POST } else { Method::GET };
        let mut request = Request::builder().method(method).uri(self.path).header(HOST, host);
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request.body(Full::from(self.body.unwrap_or_default()))?)
    }
}

/// A connection that stays open.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

impl Connection {
    async fn to(address: SocketAddr) -> Fallible<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: HeaderValue::from_str(&address.to_string())? })
    }

    async fn ask(&mut self, ask: Ask) -> Fallible<(StatusCode, Bytes)> {
        let request = ask.request(&self.host)?;
        let answer = async {
            self.sender.ready().await?;
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            Ok::<_, hyper::Error>((head.status, body.collect().await?.to_bytes()))
        };
        Ok(tokio::time::timeout(ANSWER_TIMEOUT, answer).await??)
    }
}

/// One request on a connection of its own.
pub(crate) async fn once(address: SocketAddr, ask: &Ask) -> Fallible<(StatusCode, Bytes)> {
    Connection::to(address).await?.ask(ask.clone()).await
}

/// All clients ask until the time is up, or until their script ends. Client `n` goes to the `n`-th
/// address, over and over.
pub(crate) async fn load(
    addresses: &[SocketAddr],
    clients: u32,
    time: Duration,
    script: Arc<dyn Script>,
) -> Fallible<Round> {
    let mut connections = Vec::new();
    for (_, address) in (0..clients).zip(addresses.iter().cycle()) {
        connections.push(Connection::to(*address).await?);
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (client, connection) in (0..clients).zip(connections) {
        tasks.spawn(ask_on(connection, client, began + time, script.clone()));
    }
    let mut all = Round::new();
    while let Some(done) = tasks.join_next().await {
        all.join(&done?);
    }
    all.took = began.elapsed();
    Ok(all)
}

async fn ask_on(
    mut connection: Connection,
    client: u32,
    until: Instant,
    script: Arc<dyn Script>,
) -> Round {
    let mut round = Round::new();
    let mut random = Rng::new();
    loop {
        let Some(ask) = script.next(client, &mut random) else { break };
        let path = ask.path.clone();
        let asked = Instant::now();
        match connection.ask(ask).await {
            Ok((status, body)) => {
                let outcome = script.judge(status, &body);
                round.count(outcome, asked.elapsed(), || {
                    format!("{path}: {status} {}", String::from_utf8_lossy(&body))
                });
            }
            Err(error) => {
                round.count(Outcome::Failed, asked.elapsed(), || format!("{path}: {error}"));
                break;
            }
        }
        // Not before the first: however late a client comes to its turn, it asks once.
        if Instant::now() >= until {
            break;
        }
    }
    round
}
