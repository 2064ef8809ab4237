//! Those to whom events go: a receiver of webhooks, and a NATS server.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::arrivals::Arrival;
use super::receiver::Receiver;
use crate::caller::Caller;
use crate::nats_server::NatsServer;

/// How long the next event of a stream may take that has it.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct Sinks {
    pub(crate) receiver: Receiver,
    nats: Mutex<NatsServer>,
    pub(crate) nats_url: String,
}

impl Sinks {
    pub(crate) async fn start(seed: u64) -> Self {
        let nats = NatsServer::start().await;
        Self { receiver: Receiver::start(seed), nats_url: nats.url(), nats: Mutex::new(nats) }
    }

    /// From then on every event that is published goes to the receiver.
    pub(crate) async fn subscribe(&self, admin: &Caller) {
        let webhook = json!({"url": self.receiver.url(), "description": "Remembers all"});
        let made = admin.post("/booking/webhooks", &webhook).await.expect(201);
        self.receiver.trust(made.str("secret"));
    }

    /// SIGKILL, and nobody there for a while.
    pub(crate) async fn kill_nats(&self, pause: Duration) {
        let mut nats = self.nats.lock().await;
        nats.kill();
        tokio::time::sleep(pause).await;
        nats.resume().await;
    }

    /// The whole stream, as a consumer gets it who begins now.
    pub(crate) async fn streamed(&self) -> Vec<Arrival> {
        let begun = Instant::now();
        let jetstream = self.nats.lock().await.jetstream().await;
        let stream = jetstream.get_stream("BOOKING").await.expect("a stream");
        let count = stream.cached_info().state.messages;
        let consumer = stream.create_consumer(OrderedConfig::default()).await;
        let messages = consumer.expect("a consumer").messages().await;
        let mut messages = messages.expect("messages");
        let mut arrivals = Vec::new();
        for _ in 0..count {
            let message = tokio::time::timeout(PATIENCE, messages.next()).await;
            let message = message.expect("the stream goes on").expect("no end yet");
            let message = message.expect("a message");
            let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
            let arrival = Arrival::of(&event, begun.elapsed()).expect("an event");
            arrivals.push(Arrival { is_taken: true, ..arrival });
        }
        arrivals
    }
}
