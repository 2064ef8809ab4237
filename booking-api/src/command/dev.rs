//! `booking-api dev`: everything on one machine with nothing set up.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use booking_core::{Actor, Clock, Hub, Live, ShiftedClock, format_instant, with_causes};
use chrono::{Days, Weekday};
use ipnet::IpNet;
use poem::endpoint::BoxEndpoint;
use poem::{EndpointExt, Response, get};

use super::backend::Backend;
use super::cli::DevArgs;
use super::clock::{ClockEndpoint, settable};
use super::exposure::Unsaid;
use super::issuer::DevIssuer;
use super::service::Service;
use super::traces::Traces;
use super::users::UsersEndpoint;
use super::{Failure, demo, logs, samples, server};
use crate::Server;

/// How long the printed tokens are valid.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How long to let a store be that has just failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

pub(super) async fn run(args: DevArgs) -> Result<(), Failure> {
    let traces = Traces::start(&args.traces)?;
    logs::start(traces.as_ref());
    fs::create_dir_all(&args.data.data_dir)?;
    let default_url = || format!("sqlite:{}", args.data.data_dir.join("booking.db").display());
    let database_url = args.database_url.unwrap_or_else(default_url);
    let backend = Backend::open(&database_url).await?;
    let issuer = Arc::new(DevIssuer::open(&args.data.data_dir)?);
    let clock = Arc::new(ShiftedClock::default());
    if let Some(now) = args.now {
        clock.set(settable(now)?);
    }
    let is_first = demo::fill(backend.directory.as_ref(), clock.as_ref()).await?;
    // Whoever sets the clock sets the scene.
    if is_first && args.now.is_none() {
        samples::fill(&backend, clock.clone()).await?;
    }
    let (listeners, port) = server::listen_on_loopback(args.port).await?;
    let mut events = args.events;
    events.webhook_allow_network.extend(this_machine());
    events.calendars.calendar_allow_network.extend(this_machine());
    events.calendars.or_key_in(&args.data.data_dir)?;
    let directory = backend.directory.clone();
    let mut service = Service::start(backend, clock.clone(), events).await?;
    let connections = args.limits.of_connections(Unsaid::Unlimited);
    let server = Server::new(listeners).limits(connections);
    service.watch(server.counts())?;
    let users = UsersEndpoint { directory, issuer: issuer.clone() };
    let api = service
        .api(Arc::new(issuer.verifier()?))
        .allow_origins(is_local_page)
        .limits(args.limits.of_requests(Unsaid::Unlimited))
        .examples_by(clock.clone())
        .with_endpoint("/dev/clock", "GET, PUT", clock_route(&clock, &service.hub))
        .with_endpoint("/dev/users", "GET, HEAD", get(users).boxed());
    #[cfg(feature = "web")]
    let api = super::web::add_to(api);

    greet(port, &database_url, clock.as_ref(), &issuer)?;
    tokio::spawn(log_events(service.live.clone()));
    let served = server::serve(server, api.routes(), &service.stopping, &args.stop).await;
    service.stop().await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    served
}

fn clock_route(clock: &Arc<ShiftedClock>, hub: &Hub) -> BoxEndpoint<'static, Response> {
    let endpoint = ClockEndpoint { clock: clock.clone(), hub: hub.clone() };
    get(endpoint.clone()).put(endpoint).boxed()
}

/// Where a developer's own receivers of webhooks are, and servers of calendars.
fn this_machine() -> [IpNet; 2] {
    [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)].map(IpNet::from)
}

/// Pages that a developer serves from this machine, on any port.
fn is_local_page(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let host = host.unwrap_or_default();
    is_this_machine(host)
}

/// A host of a URL, or of a `Host` header, that nobody else can answer for.
pub(super) fn is_this_machine(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    matches!(name.map_or(host, |(name, _)| name), "localhost" | "127.0.0.1" | "[::1]")
}

fn greet(
    port: u16,
    database_url: &str,
    clock: &dyn Clock,
    issuer: &DevIssuer,
) -> Result<(), Failure> {
    let base = format!("http://127.0.0.1:{port}");
    let now = clock.now();
    println!("booking-api dev: for this machine only\n");
    #[cfg(feature = "web")]
    println!("  pages     {base}/");
    println!("  docs      {base}/docs");
    println!("  database  {}", without_credentials(database_url));
    println!("  clock     {} and running; set it with PUT {base}/dev/clock", format_instant(now));
    println!("\nTokens, valid for 24 hours:\n");
    let actors = demo::actors()?;
    let mut client_token = String::new();
    for actor in &actors {
        let token = issuer.token(actor, TOKEN_LIFETIME)?;
        let Actor { id, role } = actor;
        println!("  {id} ({role})\n  {token}\n");
        if id.as_str() == "client_123" {
            client_token = token;
        }
    }
    let tomorrow = now.date_naive() + Days::new(1);
    let monday = tomorrow.week(Weekday::Mon).last_day() + Days::new(1);
    println!("Try it (an empty list, if therapist_456 does not receive on that day):\n");
    println!(
        "  curl -s -H 'Authorization: Bearer {client_token}' \
         '{base}/api/booking/slots?therapistId=therapist_456&date={monday}'\n"
    );
    Ok(())
}

/// What a message bus would be told.
async fn log_events(live: Live) {
    loop {
        let Err(error) = logs::tell_of_events(&live).await;
        tracing::warn!(cause = with_causes(&error), "events cannot be read");
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}

/// What may be shown on a screen. Passwords come before the host, or among the parameters.
fn without_credentials(database_url: &str) -> String {
    let Some((scheme, rest)) = database_url.split_once("://") else {
        return database_url.to_owned();
    };
    let place = rest.split('?').next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    format!("{scheme}://{place}")
}
