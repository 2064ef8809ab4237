//! The words of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use booking_core::{Role, UserId};
use chrono::{DateTime, Utc};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;

use super::calendars::CalendarsArgs;
use super::exposure::{LimitsArgs, ReachArgs, StopArgs, TraceArgs};
use crate::StreamLimits;

/// Books therapy sessions that never collide, over HTTP.
#[derive(Debug, Parser)]
#[command(name = "booking-api", version)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Everything on this machine with nothing set up: a demo directory and tokens for it
    Dev(Box<DevArgs>),
    /// The server for production
    Serve(Box<ServeArgs>),
    /// Print a token that the `dev` server of the same data directory accepts
    Token(TokenArgs),
    /// Bring the tables of a database up to date
    Migrate(MigrateArgs),
    /// Keep no more events for NATS, and drop those that wait: after --nats-url was taken away
    ForgetNats(MigrateArgs),
    /// Keep no more events for linked calendars, and drop those that wait: after --calendar-key was
    /// taken away
    ForgetCalendars(MigrateArgs),
    /// Ask a server on this machine whether it is ready; fails if it is not
    Health(HealthArgs),
    /// Print the OpenAPI document
    Openapi(OpenapiArgs),
}

#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// Port on 127.0.0.1 and `[::1]`; 0 takes a free one
    #[arg(long, default_value_t = 5000)]
    pub(super) port: u16,
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Where to keep bookings: `postgres://…`, `sqlite:<path>` or `memory:` [default: a file in the
    /// data directory]
    #[arg(long)]
    pub(super) database_url: Option<String>,
    /// Start the clock at this RFC 3339 instant; it runs on from there
    #[arg(long, value_parser = instant)]
    pub(super) now: Option<DateTime<Utc>>,
    #[command(flatten)]
    pub(super) events: EventsArgs,
    #[command(flatten)]
    pub(super) limits: LimitsArgs,
    #[command(flatten)]
    pub(super) stop: StopArgs,
    #[command(flatten)]
    pub(super) traces: TraceArgs,
}

/// What `dev` and `serve` do with events, and what they keep in memory.
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// How long events are kept, and dead letters with them, such as 30d, and 7d at least; what is
    /// still to be delivered stays for longer. For ever when left out
    #[arg(long, env = "BOOKING_KEEP_EVENTS", value_parser = retention)]
    pub(super) keep_events: Option<Duration>,
    /// How long the audit log keeps who changed what, such as 10y, and 30d at least. For ever when
    /// left out
    #[arg(long, env = "BOOKING_KEEP_AUDIT", value_parser = audit_retention)]
    pub(super) keep_audit: Option<Duration>,
    /// Whose events these are, for those who get several services': the `source` of each
    #[arg(
        long,
        env = "BOOKING_EVENT_SOURCE",
        default_value = "/booking",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub(super) event_source: String,
    /// Networks of this machine's surroundings that webhooks may lead to, such as 10.1.0.0/16;
    /// without it, public addresses only. `dev` adds this machine
    #[arg(
        long,
        env = "BOOKING_WEBHOOK_ALLOW_NETWORKS",
        value_delimiter = ',',
        value_name = "CIDR",
        value_parser = network
    )]
    pub(super) webhook_allow_network: Vec<IpNet>,
    #[command(flatten)]
    pub(super) calendars: CalendarsArgs,
    /// Publish events to this NATS server, with JetStream: `nats://…` or `tls://…`
    #[arg(long, env = "BOOKING_NATS_URL", hide_env_values = true)]
    pub(super) nats_url: Option<String>,
    /// A credentials file for NATS
    #[arg(long, env = "BOOKING_NATS_CREDENTIALS", value_name = "FILE")]
    pub(super) nats_credentials: Option<PathBuf>,
    /// A file with the authorities, in PEM, that vouch for the NATS server
    #[arg(long, env = "BOOKING_NATS_ROOT_CERTIFICATES", value_name = "FILE")]
    pub(super) nats_root_certificates: Option<PathBuf>,
    /// The JetStream stream, which is made if need be [default: BOOKING]
    #[arg(long, env = "BOOKING_NATS_STREAM", value_name = "NAME")]
    pub(super) nats_stream: Option<String>,
    /// How many live streams may be open at the same time
    #[arg(
        long,
        env = "BOOKING_MAX_STREAMS",
        default_value_t = StreamLimits::default().in_all,
        value_parser = at_least_one
    )]
    pub(super) max_streams: usize,
    /// How many of them one user may have
    #[arg(
        long,
        env = "BOOKING_MAX_STREAMS_PER_USER",
        default_value_t = StreamLimits::default().per_user,
        value_parser = at_least_one
    )]
    pub(super) max_streams_per_user: usize,
    /// Whose calendars are kept in memory, to list slots from, and asked after each second: of how
    /// many people at most; 0 is nobody's
    #[arg(long, env = "BOOKING_SLOT_CACHE", value_name = "PEOPLE", default_value_t = 10_000)]
    pub(super) slot_cache: u64,
}

#[derive(Debug, Args)]
pub(super) struct DataArgs {
    /// Where the `dev` server keeps its files
    #[arg(long, default_value = ".booking")]
    pub(super) data_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Where to listen
    #[arg(long, env = "BOOKING_LISTEN", default_value = "127.0.0.1:5000")]
    pub(super) listen: SocketAddr,
    /// Where bookings are kept: `postgres://user:password@host/database` or `sqlite:<path>`
    #[arg(long, env = "BOOKING_DATABASE_URL", hide_env_values = true)]
    pub(super) database_url: Option<String>,
    /// Whose tokens are accepted: their `iss` claim
    #[arg(long, env = "BOOKING_ISSUER")]
    pub(super) issuer: Option<String>,
    /// Whose tokens of that issuer are accepted: their `azp` claim, with Clerk the origin of the page,
    /// such as `https://app.example.com`; * for any. May be left out only while listening on this
    /// machine alone
    #[arg(long, env = "BOOKING_AUTHORIZED_PARTIES", value_delimiter = ',', value_name = "ORIGIN")]
    pub(super) authorized_party: Vec<String>,
    /// A file with the issuer's RSA public key in PEM, instead of the keys that it publishes
    #[arg(long, env = "BOOKING_ISSUER_KEY", value_name = "FILE")]
    pub(super) issuer_key: Option<String>,
    /// Where the issuer publishes its keys; `/.well-known/jwks.json` under the issuer when left out
    #[arg(long, env = "BOOKING_JWKS_URL", value_name = "URL")]
    pub(super) jwks_url: Option<String>,
    /// Where tokens have the role: the first of these that is there, else the directory
    #[arg(
        long,
        env = "BOOKING_ROLE_CLAIMS",
        value_delimiter = ',',
        value_name = "PATH",
        default_value = "metadata.role,public_metadata.role,role"
    )]
    pub(super) role_claim: Vec<String>,
    /// The signing secret of Clerk's webhook, `whsec_…`: users come and go by `POST /webhooks/clerk`
    #[arg(
        long,
        env = "BOOKING_CLERK_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub(super) clerk_webhook_secret: Option<String>,
    #[command(flatten)]
    pub(super) events: EventsArgs,
    #[command(flatten)]
    pub(super) reach: ReachArgs,
    #[command(flatten)]
    pub(super) limits: LimitsArgs,
    #[command(flatten)]
    pub(super) stop: StopArgs,
    #[command(flatten)]
    pub(super) traces: TraceArgs,
}

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// Whom the token is for
    #[arg(long, value_parser = |text: &str| UserId::new(text))]
    pub(super) sub: UserId,
    /// What they are: client, therapist or admin
    #[arg(long)]
    pub(super) role: Role,
    /// How long it is valid, such as 90s, 15m or 1h
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    pub(super) ttl: Duration,
    #[command(flatten)]
    pub(super) data: DataArgs,
}

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// The database: `postgres://user:password@host/database` or `sqlite:<path>`
    #[arg(long, env = "BOOKING_DATABASE_URL", hide_env_values = true)]
    pub(super) database_url: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Where the server listens
    #[arg(long, env = "BOOKING_LISTEN", default_value = "127.0.0.1:5000")]
    pub(super) listen: SocketAddr,
    /// Whether it speaks TLS: then it is only asked whether it lets us in
    #[arg(long, env = "BOOKING_TLS_CERTIFICATE", value_name = "FILE")]
    pub(super) tls_certificate: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct OpenapiArgs {
    /// YAML instead of JSON
    #[arg(long)]
    pub(super) yaml: bool,
}

/// A delivery may take half of the least before it is given up; the rest is for whoever looks after it.
const LEAST_RETENTION: Duration = Duration::from_hours(7 * 24);

/// Whoever asks who did that will not do so on the same day.
const LEAST_AUDIT_RETENTION: Duration = Duration::from_hours(30 * 24);

fn retention(text: &str) -> Result<Duration, String> {
    at_least(LEAST_RETENTION, text)
}

fn audit_retention(text: &str) -> Result<Duration, String> {
    at_least(LEAST_AUDIT_RETENTION, text)
}

fn at_least(least: Duration, text: &str) -> Result<Duration, String> {
    let kept = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if kept < least { Err(format!("at least {}d", least.as_secs() / 86_400)) } else { Ok(kept) }
}

pub(super) fn network(text: &str) -> Result<IpNet, &'static str> {
    text.parse().map_err(|_| "not a network, such as 10.1.0.0/16")
}

/// With none at all, nobody would ever be let in.
pub(super) fn at_least_one(text: &str) -> Result<usize, &'static str> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or("not a number from 1 on")
}

fn instant(text: &str) -> Result<DateTime<Utc>, &'static str> {
    text.parse().map_err(|_| "not an RFC 3339 instant, such as 2024-01-01T12:00:00Z")
}
