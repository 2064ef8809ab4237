//! `booking-api serve`, `migrate` and `openapi`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use booking_core::{Booking, Hub, Live, MemoryStore, RandomIds, SubscriberId, SystemClock};

use super::backend::Backend;
use super::cli::{EventsArgs, MigrateArgs, OpenapiArgs, ServeArgs};
use super::exposure::{LimitsArgs, ReachArgs, StopArgs, TraceArgs, Unsaid};
use super::service::{NATS, Service};
use super::traces::Traces;
use super::{Failure, logs, server};
use crate::{Api, AuthError, JwtVerifier, Server, Session, Verifier, WebhookOptions, WebhookSinks};

/// How far the issuer's clock may be from ours.
const LEEWAY_SECONDS: u64 = 5;

pub(super) async fn run(args: ServeArgs) -> Result<(), Failure> {
    let (settings, exposure) = Settings::of(args)?;
    if settings.database_url == "memory:" {
        return Err("memory: forgets every booking; serve needs a database".into());
    }
    let traces = Traces::start(&exposure.traces)?;
    logs::start(traces.as_ref());
    let key = fs::read(&settings.issuer_key)
        .map_err(|error| format!("cannot read --issuer-key {}: {error}", settings.issuer_key))?;
    let verifier = JwtVerifier::new(&settings.issuer, &key, LEEWAY_SECONDS)?
        .for_parties(settings.authorized_parties);
    let tls = exposure.reach.tls()?;
    let listeners = vec![server::listen(settings.listen).await?];
    let backend = Backend::open(&settings.database_url).await?;
    let mut service = Service::start(backend, Arc::new(SystemClock), settings.events).await?;
    let origins = exposure.reach.allow_origin.clone();
    let connections = exposure.limits.of_connections(Unsaid::Limited);
    let mut server = Server::new(listeners).limits(connections);
    if let Some(tls) = tls {
        server = server.with_tls(tls.clone());
        tokio::spawn(exposure.reach.keep_current(tls));
    }
    service.watch(server.counts())?;
    let mut api =
        service.api(Arc::new(verifier)).limits(exposure.limits.of_requests(Unsaid::Limited));
    if !origins.is_empty() {
        api = api.allow_origins(move |origin| origins.iter().any(|allowed| allowed == origin));
    }

    tracing::info!(address = %settings.listen, "listening");
    let served = server::serve(server, api.routes(), &service.stopping, &exposure.stop).await;
    service.stop().await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    served
}

pub(super) async fn migrate(args: MigrateArgs) -> Result<(), Failure> {
    database(args).await?.close().await;
    println!("the tables are up to date");
    Ok(())
}

pub(super) async fn forget_nats(args: MigrateArgs) -> Result<(), Failure> {
    let backend = database(args).await?;
    let was_there = backend.events.remove_subscriber(&SubscriberId::new(NATS)?).await?;
    backend.close().await;
    println!("{}", if was_there { "no events are kept for NATS" } else { "none were kept" });
    Ok(())
}

async fn database(args: MigrateArgs) -> Result<Backend, Failure> {
    let mut missing = Vec::new();
    let url = required(args.database_url, "--database-url (BOOKING_DATABASE_URL)", &mut missing);
    complete(&missing)?;
    Backend::open(&url).await
}

pub(super) fn print_openapi(args: &OpenapiArgs) -> Result<(), Failure> {
    let store = Arc::new(MemoryStore::default());
    let booking =
        Booking::new(store.clone(), store.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    let hub = Hub::default();
    let live = Live::new(booking.clone(), store.clone(), hub.clone());
    let webhooks = WebhookSinks::new(WebhookOptions::default(), Arc::new(SystemClock))?;
    let api = Api::new(booking, Arc::new(Nobody))
        .with_directory(store.clone())
        .with_live(live)
        .with_webhooks(store, hub, webhooks);
    let document = if args.yaml { api.openapi_yaml() } else { api.openapi_json() + "\n" };
    match std::io::stdout().write_all(document.as_bytes()) {
        // Whoever reads has seen enough: `booking-api openapi | head`.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// What goes to the server, as it was given.
struct Exposure {
    reach: ReachArgs,
    limits: LimitsArgs,
    stop: StopArgs,
    traces: TraceArgs,
}

struct Settings {
    listen: SocketAddr,
    database_url: String,
    issuer: String,
    issuer_key: String,
    authorized_parties: Vec<String>,
    events: EventsArgs,
}

impl Settings {
    /// All that is missing is said at once.
    fn of(args: ServeArgs) -> Result<(Self, Exposure), Failure> {
        let mut missing = Vec::new();
        let mut required = |value, name| required(value, name, &mut missing);
        let settings = Self {
            listen: args.listen,
            database_url: required(args.database_url, "--database-url (BOOKING_DATABASE_URL)"),
            issuer: required(args.issuer, "--issuer (BOOKING_ISSUER)"),
            issuer_key: required(args.issuer_key, "--issuer-key (BOOKING_ISSUER_KEY)"),
            authorized_parties: args.authorized_party,
            events: args.events,
        };
        complete(&missing)?;
        let ServeArgs { reach, limits, stop, traces, .. } = args;
        Ok((settings, Exposure { reach, limits, stop, traces }))
    }
}

/// Notes the setting's name where it has no value; an empty one is none.
fn required(value: Option<String>, name: &'static str, missing: &mut Vec<&'static str>) -> String {
    value.filter(|value| !value.is_empty()).unwrap_or_else(|| {
        missing.push(name);
        String::new()
    })
}

fn complete(missing: &[&str]) -> Result<(), Failure> {
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("missing settings: {}", missing.join(", ")).into())
    }
}

/// The document needs no users.
struct Nobody;

#[async_trait::async_trait]
impl Verifier for Nobody {
    async fn verify(&self, _: &str) -> Result<Session, AuthError> {
        Err(AuthError::Rejected("nobody is signed in here".to_owned()))
    }
}
