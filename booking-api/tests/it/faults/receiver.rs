//! Somebody who gets webhooks, remembers all of them, and is not always well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::arrivals::Arrival;
use crate::port::Port;
use crate::webhooks::receiver::{Received, read};

/// Listens until it goes away, at an address that stays its own.
pub(crate) struct Receiver {
    port: Port,
    memory: Arc<Memory>,
    listening: tokio::sync::Mutex<JoinHandle<()>>,
}

struct Memory {
    seed: u64,
    begun: Instant,
    secret: OnceLock<String>,
    heard: Mutex<Heard>,
}

/// All that came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    /// In their order.
    pub(crate) arrivals: Vec<Arrival>,
    /// How often each event came.
    times: BTreeMap<String, usize>,
    /// Not signed by the secret, or not an event.
    pub(crate) strange: Vec<String>,
    pub(crate) answered_late: usize,
    pub(crate) refused: usize,
    pub(crate) hung_up: usize,
}

/// What it does about a request.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Takes,
    TakesLate(Duration),
    Refuses(u16),
    HangsUp,
}

impl Receiver {
    pub(crate) fn start(seed: u64) -> Self {
        let port = Port::free();
        let (secret, heard) = (OnceLock::new(), Mutex::default());
        let memory = Arc::new(Memory { seed, begun: Instant::now(), secret, heard });
        let listening = tokio::spawn(memory.clone().listen(port.listen()));
        Self { port, memory, listening: tokio::sync::Mutex::new(listening) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/events", self.port.address())
    }

    /// By what everything that comes must be signed.
    pub(crate) fn trust(&self, secret: &str) {
        self.memory.secret.set(secret.to_owned()).expect("there is one webhook");
    }

    /// Nobody listens for a while, and whatever was connected is cut off.
    pub(crate) async fn go_away(&self, pause: Duration) {
        let mut listening = self.listening.lock().await;
        listening.abort();
        let ended = (&mut *listening).await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "it listens until it is told");
        tokio::time::sleep(pause).await;
        *listening = tokio::spawn(self.memory.clone().listen(self.port.listen()));
    }

    pub(crate) fn heard(&self) -> Heard {
        self.memory.heard.lock().expect("nobody panics with it").clone()
    }
}

impl Memory {
    /// Connections end with this.
    async fn listen(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => {
                    let memory = self.clone();
                    connections.spawn(async move { memory.serve(stream).await });
                }
                Some(_ended) = connections.join_next() => {}
            }
        }
    }

    /// Until the other side is gone, or was hung up on.
    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let received = read(&mut stream).await?;
            let Some((place, mood)) = self.remember(&received) else {
                stream.write_all(answer(400).as_bytes()).await.ok()?;
                continue;
            };
            let status = match mood {
                Mood::HangsUp => return None,
                Mood::Refuses(status) => status,
                Mood::TakesLate(wait) => {
                    tokio::time::sleep(wait).await;
                    200
                }
                Mood::Takes => 200,
            };
            if status == 200 {
                // Before anybody can know.
                self.heard.lock().expect("nobody panics with it").arrivals[place].is_taken = true;
            }
            stream.write_all(answer(status).as_bytes()).await.ok()?;
        }
    }

    /// Where it is among those that came, and what to do about it.
    fn remember(&self, received: &Received) -> Option<(usize, Mood)> {
        let arrival = serde_json::from_str(&received.body)
            .ok()
            .and_then(|event: Value| Arrival::of(&event, self.begun.elapsed()));
        let is_ours = self.secret.get().is_some_and(|secret| received.is_signed_by(secret));
        let mut heard = self.heard.lock().expect("nobody panics with it");
        let arrival =
            arrival.filter(|arrival| is_ours && received.header("webhook-id") == arrival.event);
        let Some(arrival) = arrival else {
            heard.strange.push(received.body.clone());
            return None;
        };
        let times = heard.times.entry(arrival.event.clone()).or_default();
        *times += 1;
        let mood = mood(self.seed, arrival.sequence, *times);
        match mood {
            Mood::Takes => {}
            Mood::TakesLate(_) => heard.answered_late += 1,
            Mood::Refuses(_) => heard.refused += 1,
            Mood::HangsUp => heard.hung_up += 1,
        }
        heard.arrivals.push(arrival);
        Some((heard.arrivals.len() - 1, mood))
    }
}

/// By chance, and for one event always the same. It fails at the first request for an event only:
/// after a second failure the sender waits five minutes, by its schedule.
fn mood(seed: u64, sequence: u64, times: usize) -> Mood {
    let chance = sequence.wrapping_mul(1_000).wrapping_add(times as u64);
    let mut rng = Rng::with_seed(seed ^ (chance << 8));
    match rng.u8(0..100) {
        0..2 if times == 1 => Mood::Refuses(500),
        2..4 if times == 1 => Mood::Refuses(503),
        4..6 if times == 1 => Mood::HangsUp,
        6..10 => Mood::TakesLate(Duration::from_millis(rng.u64(50..2_000))),
        _ => Mood::Takes,
    }
}

fn answer(status: u16) -> String {
    format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n")
}
