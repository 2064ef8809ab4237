//! Settings of what a server endures: limits, TLS, and how it stops.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use url::Url;

use super::cli::{at_least_one, network};
use super::mistakes::Mistakes;
use crate::{ConnectionLimits, ForwardedHeader, Limits, Quota, Tls, TrustedProxies};

const TLS_CERTIFICATE: &str = "--tls-certificate (BOOKING_TLS_CERTIFICATE)";
const TLS_KEY: &str = "--tls-key (BOOKING_TLS_KEY)";

/// How much callers may ask for. `serve` has the limits that are told here; `dev` has those that are
/// given.
#[derive(Debug, Args)]
pub(super) struct LimitsArgs {
    /// How many requests a user may make each minute; they may come all at once. 0 for any number
    /// [default: 600]
    #[arg(long, env = "BOOKING_RATE_PER_USER", value_name = "REQUESTS")]
    rate_per_user: Option<u32>,
    /// How many requests an address (of IPv6, a /64 network) may make each minute. 0 for any number
    /// [default: 6000]
    #[arg(long, env = "BOOKING_RATE_PER_ADDRESS", value_name = "REQUESTS")]
    rate_per_address: Option<u32>,
    /// How many requests may be under way at the same time; streams do not count [default: 256]
    #[arg(long, env = "BOOKING_MAX_REQUESTS", value_name = "REQUESTS", value_parser = at_least_one)]
    max_requests: Option<usize>,
    /// How many of them may be of one user [default: 32]
    #[arg(long, env = "BOOKING_MAX_REQUESTS_PER_USER", value_name = "REQUESTS", value_parser = at_least_one)]
    max_requests_per_user: Option<usize>,
    /// How many connections there may be; new ones wait beyond [default: 4096]
    #[arg(long, env = "BOOKING_MAX_CONNECTIONS", value_name = "CONNECTIONS", value_parser = at_least_one)]
    max_connections: Option<usize>,
    /// How many of them an address may have; new ones are closed beyond. Trusted proxies may have as
    /// many as they like [default: 256]
    #[arg(long, env = "BOOKING_MAX_CONNECTIONS_PER_ADDRESS", value_name = "CONNECTIONS", value_parser = at_least_one)]
    max_connections_per_address: Option<usize>,
    /// Networks of load balancers and proxies, such as 10.1.0.0/16, whose word is taken for where a
    /// request comes from
    #[arg(
        long,
        env = "BOOKING_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "CIDR",
        value_parser = network
    )]
    trusted_proxy: Vec<IpNet>,
    /// Where they say it; they must write this header themselves
    #[arg(long, env = "BOOKING_FORWARDED_HEADER", value_enum, default_value_t)]
    forwarded_header: HeaderName,
}

/// The words of `--forwarded-header`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum HeaderName {
    #[default]
    XForwardedFor,
    Forwarded,
}

/// What holds where nothing was said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unsaid {
    /// A server on the internet.
    Limited,
    /// A developer's own machine.
    Unlimited,
}

impl LimitsArgs {
    /// Whether a proxy would be counted as the one who asks.
    pub(super) fn trust_no_proxy(&self) -> bool {
        self.trusted_proxy.is_empty()
    }

    pub(super) fn of_requests(&self, unsaid: Unsaid) -> Limits {
        let rate = |said: Option<u32>, default| {
            let rate = said.or(unsaid.limited(default)).filter(|rate| *rate > 0);
            rate.map(Quota::per_minute)
        };
        let header = match self.forwarded_header {
            HeaderName::XForwardedFor => ForwardedHeader::XForwardedFor,
            HeaderName::Forwarded => ForwardedHeader::Forwarded,
        };
        Limits {
            per_address: rate(self.rate_per_address, 6_000),
            per_user: rate(self.rate_per_user, 600),
            in_flight: self.max_requests.or(unsaid.limited(256)),
            in_flight_per_user: self.max_requests_per_user.or(unsaid.limited(32)),
            proxies: TrustedProxies { networks: self.trusted_proxy.clone(), header },
        }
    }

    pub(super) fn of_connections(&self, unsaid: Unsaid) -> ConnectionLimits {
        let default = ConnectionLimits::default();
        let per_address = self.max_connections_per_address.or(unsaid.limited(256));
        ConnectionLimits {
            in_all: self.max_connections.unwrap_or(default.in_all),
            per_address: per_address.unwrap_or(default.per_address),
            exempt: self.trusted_proxy.clone(),
        }
    }
}

impl Unsaid {
    const fn limited<T: Copy>(self, default: T) -> Option<T> {
        match self {
            Self::Limited => Some(default),
            Self::Unlimited => None,
        }
    }
}

/// How a server stops.
#[derive(Debug, Args)]
pub(super) struct StopArgs {
    /// How long to go on as before once told to stop, with /readyz failing: as long as load balancers
    /// take to notice
    #[arg(
        long,
        env = "BOOKING_DRAIN",
        default_value = "0s",
        value_parser = humantime::parse_duration
    )]
    pub(super) drain: Duration,
}

/// Where traces go.
#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    /// Send traces to this OpenTelemetry collector, by OTLP over HTTP: such as `http://127.0.0.1:4318`
    #[arg(
        long,
        env = "BOOKING_OTLP_ENDPOINT",
        hide_env_values = true,
        value_name = "URL",
        value_parser = collector
    )]
    pub(super) otlp_endpoint: Option<Url>,
    /// Which part of them, between 0 and 1
    #[arg(long, env = "BOOKING_TRACE_RATIO", default_value_t = 1.0, value_parser = ratio)]
    pub(super) trace_ratio: f64,
}

/// How a server is reached.
#[derive(Debug, Args)]
pub(super) struct ReachArgs {
    /// A file with the server's certificate in PEM, and those between it and its authority: speaks
    /// TLS. Both files are read again on SIGHUP, and when they have changed
    #[arg(long, env = "BOOKING_TLS_CERTIFICATE", value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// A file with its private key in PEM
    #[arg(long, env = "BOOKING_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Pages of these origins may call the API, such as `https://app.example.com`
    #[arg(
        long,
        env = "BOOKING_ALLOW_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGIN",
        value_parser = origin
    )]
    pub(super) allow_origin: Vec<String>,
}

impl ReachArgs {
    /// What is wrong with either file is noted.
    pub(super) fn tls(&self, mistakes: &mut Mistakes) -> Option<Tls> {
        match (&self.tls_certificate, &self.tls_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let wrong = |error| {
                    let cause = booking_core::with_causes(&error);
                    mistakes.note(TLS_CERTIFICATE, format_args!("or {TLS_KEY}: {cause}"));
                };
                Tls::open(certificate, key).map_err(wrong).ok()
            }
            (Some(_), None) => {
                mistakes.note(TLS_KEY, "is missing beside --tls-certificate");
                None
            }
            (None, Some(_)) => {
                mistakes.note(TLS_CERTIFICATE, "is missing beside --tls-key");
                None
            }
        }
    }

    /// When the files of TLS were last written; `None` while they cannot be found.
    fn written(&self) -> Option<(SystemTime, SystemTime)> {
        let written = |path: &Option<PathBuf>| path.as_ref()?.metadata().ok()?.modified().ok();
        Some((written(&self.tls_certificate)?, written(&self.tls_key)?))
    }

    /// Reads the files of TLS again whenever they are others, or somebody says so.
    #[cfg(unix)]
    pub(super) async fn keep_current(self, tls: Tls) {
        use tokio::signal::unix::{SignalKind, signal};
        const LOOK_EVERY: Duration = Duration::from_secs(10);
        let Ok(mut told) = signal(SignalKind::hangup()) else { return };
        let mut written = self.written();
        loop {
            let is_told = tokio::time::timeout(LOOK_EVERY, told.recv()).await.is_ok();
            let now = self.written();
            if !is_told && (now.is_none() || now == written) {
                continue;
            }
            written = now;
            match tls.reload() {
                Ok(()) => tracing::info!("the certificate was read again"),
                Err(error) => {
                    let cause = booking_core::with_causes(&error);
                    tracing::error!(cause, "the certificate stays as it was");
                }
            }
        }
    }

    #[cfg(not(unix))]
    pub(super) async fn keep_current(self, _: Tls) {}
}

fn collector(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err("neither http nor https".to_owned())
    }
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or("not a number between 0 and 1")
}

/// As browsers write it: scheme, host, and a port that is not the scheme's own.
fn origin(text: &str) -> Result<String, String> {
    let wrong =
        |why: &dyn Display| format!("not an origin, such as https://app.example.com: {why}");
    let url = Url::parse(text).map_err(|error| wrong(&error))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(&"neither http nor https"));
    }
    let origin = url.origin().ascii_serialization();
    if origin == text { Ok(origin) } else { Err(wrong(&format!("write {origin}"))) }
}
