//! `booking-api serve`, `migrate` and `openapi`.

use std::io::{ErrorKind, Write};
use std::sync::Arc;

use booking_core::{
    Booking, By, CalendarLinks, Clock, Hub, Live, MemoryStore, RandomIds, SubscriberId,
    SystemClock, SystemName, tzdb,
};

use super::backend::Backend;
use super::cli::{MigrateArgs, OpenapiArgs, ServeArgs};
use super::exposure::Unsaid;
use super::mistakes::Mistakes;
use super::service::{CALENDARS, NATS, Service};
use super::settings::{self, Settings};
use super::traces::Traces;
use super::{Failure, logs, server};
use crate::{Api, AuthError, Server, Session, Verifier, WebhookOptions, WebhookSinks};

/// Whom the audit log names for what this command changes.
const FORGET_NATS: SystemName = SystemName::of("forget-nats");
const FORGET_CALENDARS: SystemName = SystemName::of("forget-calendars");

pub(super) async fn run(args: ServeArgs, mistakes: Mistakes) -> Result<(), Failure> {
    let settings = Settings::of(args, mistakes)?;
    let traces = Traces::start(&settings.traces)?;
    logs::start(traces.as_ref());
    let listeners = vec![server::listen(settings.listen).await?];
    let backend = Backend::open(&settings.database_url).await?;
    let verifier = settings.verifier.directory(backend.directory.clone()).build()?;
    // Asks for the issuer's keys, and waits for nobody: a server that is restarted while the issuer
    // is away is there again as soon as the issuer is. Until then it is not ready.
    let _ready_later = verifier.ready().is_err();
    let mut service = Service::start(backend, Arc::new(SystemClock), settings.events).await?;
    let origins = settings.reach.allow_origin.clone();
    let connections = settings.limits.of_connections(Unsaid::Limited);
    let mut server = Server::new(listeners).limits(connections);
    if let Some(tls) = settings.tls {
        server = server.with_tls(tls.clone());
        tokio::spawn(settings.reach.keep_current(tls));
    }
    service.watch(server.counts())?;
    let mut api =
        service.api(Arc::new(verifier)).limits(settings.limits.of_requests(Unsaid::Limited));
    if !origins.is_empty() {
        api = api.allow_origins(move |origin| origins.iter().any(|allowed| allowed == origin));
    }
    if let Some(secret) = settings.clerk_webhook_secret {
        api = api.with_clerk_webhook(service.clerk_webhook(secret));
    }

    if settings.listen.ip().is_loopback() && settings.limits.trust_no_proxy() {
        // Nobody else can reach it: all the world would share the limits of one address.
        tracing::warn!(
            "everybody who comes by a proxy on this machine is counted as one caller: name it with \
             --trusted-proxy (BOOKING_TRUSTED_PROXIES)"
        );
    }
    tracing::info!(address = %settings.listen, tzdb = tzdb::version(), "listening");
    let served = server::serve(server, api.routes(), &service.stopping, &settings.stop).await;
    service.stop().await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    served
}

pub(super) async fn migrate(args: MigrateArgs, mistakes: Mistakes) -> Result<(), Failure> {
    database(args, mistakes).await?.close().await;
    println!("the tables are up to date");
    Ok(())
}

pub(super) async fn forget_nats(args: MigrateArgs, mistakes: Mistakes) -> Result<(), Failure> {
    forget(args, mistakes, FORGET_NATS, NATS, "NATS").await
}

pub(super) async fn forget_calendars(args: MigrateArgs, mistakes: Mistakes) -> Result<(), Failure> {
    forget(args, mistakes, FORGET_CALENDARS, CALENDARS, "linked calendars").await
}

async fn forget(
    args: MigrateArgs,
    mistakes: Mistakes,
    by: SystemName,
    subscriber: &str,
    whom: &str,
) -> Result<(), Failure> {
    let backend = database(args, mistakes).await?;
    let by = By::system(by, SystemClock.now(), &RandomIds);
    let was_there = backend.events.remove_subscriber(&SubscriberId::new(subscriber)?, by).await?;
    backend.close().await;
    if was_there {
        println!("no events are kept for {whom}");
    } else {
        println!("none were kept");
    }
    Ok(())
}

async fn database(args: MigrateArgs, mut mistakes: Mistakes) -> Result<Backend, Failure> {
    let url = settings::database_url(args.database_url, &mut mistakes);
    mistakes.none()?;
    Backend::open(&url).await
}

pub(super) fn print_openapi(args: &OpenapiArgs) -> Result<(), Failure> {
    let store = Arc::new(MemoryStore::default());
    let booking =
        Booking::new(store.clone(), store.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    let hub = Hub::default();
    let live = Live::new(booking.clone(), store.clone(), hub.clone());
    let links = CalendarLinks::new(booking.clone(), store.clone());
    let webhooks = WebhookSinks::new(WebhookOptions::default(), Arc::new(SystemClock))?;
    let api = Api::new(booking, Arc::new(Nobody))
        .with_directory(store.clone())
        .with_audit(store.clone())
        .with_calendar_feeds(store.clone())
        .with_linked_calendars(links, None)
        .with_live(live)
        .with_webhooks(store, hub, webhooks);
    let document = if args.yaml { api.openapi_yaml() } else { api.openapi_json() + "\n" };
    match std::io::stdout().write_all(document.as_bytes()) {
        // Whoever reads has seen enough: `booking-api openapi | head`.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
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
