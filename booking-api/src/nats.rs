//! Events over NATS JetStream (<https://docs.nats.io/nats-concepts/jetstream>).

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{ConnectOptions, Event, ServerAddr};
use async_trait::async_trait;
use booking_core::{
    CLOUD_EVENTS_JSON, CloudEvent, EventSink, Recorded, SinkError, Then, with_causes,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long one event may take: waiting for a connection, and trying again.
const PATIENCE: Duration = Duration::from_secs(10);
/// When the relay comes again with what could not be published: a bus that is away takes no event,
/// and will take all of them once it is back, so none is given up for that.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long to wait before trying again.
const REST: Duration = Duration::from_millis(200);
/// How long a connection may take, and an acknowledgement.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait before connecting again, at most.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// For how long the server knows what it has: an event that comes twice within it is there once.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(20);
/// Where events go: `booking.appointment.booked.v1` and so on.
const SUBJECTS: &str = "booking.>";

/// Where the NATS server is, and what events are to look like there.
#[derive(Clone)]
pub struct NatsOptions {
    /// `nats://host:4222`, or `tls://…`; with `user:password@` or `token@` where the server wants
    /// that. Several servers of one cluster are separated by commas.
    pub url: String,
    /// A file with a user's JWT and key, as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// A file with the authorities, in PEM, that the server's certificate may come from, instead
    /// of the machine's own.
    pub root_certificates: Option<PathBuf>,
    /// The JetStream stream: made when it is not there, and else left as it is. `BOOKING` unless
    /// said otherwise.
    pub stream: String,
    /// Whose events these are: the `source` of each. `/booking` unless said otherwise.
    pub source: String,
}

/// Without the URL, which may hold a password.
impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("stream", &self.stream)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl NatsOptions {
    /// A server at this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: None,
            root_certificates: None,
            stream: "BOOKING".to_owned(),
            source: "/booking".to_owned(),
        }
    }
}

/// Settings that are of no use.
#[derive(Debug, thiserror::Error)]
pub enum NatsSetupError {
    /// Not the URL of a NATS server.
    #[error("not the URL of a NATS server, such as nats://127.0.0.1:4222")]
    Url(#[source] io::Error),
    /// The credentials cannot be used.
    #[error("the credentials file cannot be read")]
    Credentials(#[source] io::Error),
    /// The client does not start.
    #[error("the NATS client cannot be set up")]
    Client(#[source] async_nats::ConnectError),
}

/// Publishes each event to the subject that is its type, as a CloudEvent in JSON, and waits until
/// JetStream says that it has it.
///
/// `Nats-Msg-Id` is the event's id, by which the server drops what comes twice within twenty
/// minutes. A server that is away, or has no stream, is waited for as long as that takes: all events
/// wait, and none is given up. An event that it does not take though it takes others (too large for
/// the server or the stream, or of a type that the stream has no subject for) is tried again by the
/// relay's schedule and given up in the end: a dead letter, and the later events of that meeting
/// follow.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use booking_api::{NatsOptions, NatsSink};
/// # use booking_core::*;
/// # async fn run(relay: Relay) -> Result<(), Box<dyn std::error::Error>> {
/// let sink = NatsSink::connect(NatsOptions::new("nats://127.0.0.1:4222")).await?;
/// let relay = relay.with_sink(SubscriberId::new("nats")?, Arc::new(sink)).await?;
/// # let _ = relay;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NatsSink {
    context: Context,
    is_connected: watch::Receiver<bool>,
    /// Whether the stream was there when last looked at.
    has_stream: AtomicBool,
    stream: String,
    source: String,
}

impl NatsSink {
    /// A sink that connects, now or as soon as the server is there, and again whenever it must.
    ///
    /// # Errors
    /// [`NatsSetupError`] when the settings make no sense; never because there is no server yet.
    pub async fn connect(options: NatsOptions) -> Result<Self, NatsSetupError> {
        let servers: Result<Vec<_>, _> = options.url.split(',').map(server_at).collect();
        let servers = servers.map_err(NatsSetupError::Url)?;
        let (connected, is_connected) = watch::channel(false);
        let mut client = ConnectOptions::new()
            .name("booking-api")
            .connection_timeout(ANSWER_WITHIN)
            .request_timeout(Some(ANSWER_WITHIN))
            .retry_on_initial_connect()
            .reconnect_delay_callback(|attempts| {
                let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
                Duration::from_millis(100).saturating_mul(attempts).min(LONGEST_REST)
            })
            .event_callback(move |event| {
                note(&event, &connected);
                std::future::ready(())
            });
        // The client does not look for them in the URL.
        client = match servers.iter().find_map(login) {
            Some((user, Some(password))) => client.user_and_password(user, password),
            Some((token, None)) => client.token(token),
            None => client,
        };
        if let Some(path) = options.credentials {
            client = client.credentials_file(path).await.map_err(NatsSetupError::Credentials)?;
        }
        if let Some(path) = options.root_certificates {
            client = client.add_root_certificates(path);
        }
        let client = client.connect(servers).await.map_err(NatsSetupError::Client)?;
        let context =
            ContextBuilder::new().timeout(ANSWER_WITHIN).ack_timeout(ANSWER_WITHIN).build(client);
        let (has_stream, source) = (AtomicBool::new(false), options.source);
        Ok(Self { context, is_connected, has_stream, stream: options.stream, source })
    }

    /// Publishes until it is done, or can never be: the server drops what it has already.
    async fn publish(&self, recorded: &Recorded, last_failure: &mut String) -> Result<(), String> {
        let mut connected = self.is_connected.clone();
        loop {
            // What is published without a connection is sent by the client once there is one,
            // however late: after it was tried again.
            drop(connected.wait_for(|connected| *connected).await);
            let outcome = tokio::select! {
                outcome = self.publish_once(recorded) => outcome,
                _ = connected.wait_for(|connected| !*connected) => {
                    Err(NotTaken::NorOthers("connection lost".to_owned()))
                }
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(NotTaken::ThisOne(reason)) => return Err(reason),
                Err(NotTaken::NorOthers(reason)) => *last_failure = reason,
            }
            sleep(REST).await;
        }
    }

    async fn publish_once(&self, recorded: &Recorded) -> Result<(), NotTaken> {
        if !self.has_stream.load(Ordering::Relaxed) {
            self.make_stream().await.map_err(NotTaken::NorOthers)?;
        }
        let json = serde_json::to_vec(&CloudEvent::of(recorded, &self.source))
            .map_err(|error| NotTaken::ThisOne(failed("the event cannot be written", &error)))?;
        let message = PublishMessage::build()
            .payload(json.into())
            .header("Content-Type", CLOUD_EVENTS_JSON)
            .message_id(recorded.event.id.to_string());
        let subject = recorded.event.payload.event_type().as_str();
        let acknowledged = match self.context.send_publish(subject, message).await {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        let Err(error) = acknowledged else { return Ok(()) };
        let reason = failed("JetStream did not take the event", &error);
        Err(match error.kind() {
            PublishErrorKind::StreamNotFound => self.nobody_listens_to(subject, reason).await,
            _ if is_too_large(&error) => NotTaken::ThisOne(reason),
            _ => NotTaken::NorOthers(reason),
        })
    }

    /// Somebody may have deleted the stream, or the server come back without it; or it is not for such
    /// events.
    async fn nobody_listens_to(&self, subject: &str, reason: String) -> NotTaken {
        self.has_stream.store(false, Ordering::Relaxed);
        match self.make_stream().await {
            Ok(subjects) if subjects.iter().any(|pattern| covers(pattern, subject)) => {
                NotTaken::NorOthers(reason)
            }
            Ok(_) => NotTaken::ThisOne(format!("{reason}, nor is there one for {subject}")),
            Err(reason) => NotTaken::NorOthers(reason),
        }
    }

    /// Makes the stream, if it is not there; returns which subjects it is for.
    async fn make_stream(&self) -> Result<Vec<String>, String> {
        let config = Config {
            name: self.stream.clone(),
            subjects: vec![SUBJECTS.to_owned()],
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        };
        let made = self.context.get_or_create_stream(config).await;
        let stream =
            made.map_err(|error| failed("there is no stream, and none can be made", &error))?;
        self.has_stream.store(true, Ordering::Relaxed);
        Ok(stream.cached_info().config.subjects.clone())
    }
}

/// Why JetStream does not have an event.
enum NotTaken {
    /// It takes none right now: there is no connection, or no stream, or that is full.
    NorOthers(String),
    /// It takes others: this one is too large, or of a type that the stream is not for.
    ThisOne(String),
}

fn is_too_large(error: &PublishError) -> bool {
    let told = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    error.kind() == PublishErrorKind::MaxPayloadExceeded
        || told.is_some_and(|told| {
            let code = told.error_code();
            code == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
                || code == ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM
        })
}

/// Whether a stream's subject, in which `*` stands for one word and `>` for all that follow, is for that
/// one.
fn covers(pattern: &str, subject: &str) -> bool {
    let mut words = subject.split('.');
    for wanted in pattern.split('.') {
        match words.next() {
            None => return false,
            Some(_) if wanted == ">" => return true,
            Some(word) if wanted != "*" && wanted != word => return false,
            Some(_) => {}
        }
    }
    words.next().is_none()
}

#[async_trait]
impl EventSink for NatsSink {
    async fn deliver(&self, event: &Recorded) -> Result<(), SinkError> {
        let mut failure = "no NATS server can be reached".to_owned();
        match timeout(PATIENCE, self.publish(event, &mut failure)).await {
            Ok(published) => published.map_err(SinkError::retry),
            Err(_) => {
                let then = Then::Wait(TRY_AGAIN_AFTER);
                Err(SinkError { reason: failure, status: None, then })
            }
        }
    }
}

fn server_at(url: &str) -> io::Result<ServerAddr> {
    let server: ServerAddr = url.parse()?;
    if server.host().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no host in it"));
    }
    Ok(server)
}

/// A user and their password, or a token alone.
fn login(server: &ServerAddr) -> Option<(String, Option<String>)> {
    let decoded = |text: &str| {
        let pair = format!("={}", text.replace('+', "%2B").replace('&', "%26"));
        form_urlencoded::parse(pair.as_bytes()).map(|(_, text)| text.into_owned()).collect()
    };
    Some((decoded(server.username()?), server.password().map(decoded)))
}

fn failed(what: &str, error: &(dyn Error + 'static)) -> String {
    format!("{what}: {}", with_causes(error))
}

fn note(event: &Event, connected: &watch::Sender<bool>) {
    match event {
        Event::Connected => {
            tracing::info!("connected to NATS");
            connected.send_replace(true);
        }
        Event::Disconnected | Event::Closed => {
            tracing::warn!("not connected to NATS");
            connected.send_replace(false);
        }
        other => tracing::warn!(%other, "NATS"),
    }
}
