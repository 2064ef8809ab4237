//! `/metrics`: what was asked for, how it went and how long it took, for Prometheus.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use poem::http::{Method, StatusCode};
use poem::{Response, Result};
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TEXT_FORMAT, TextEncoder,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::http::limits::LimitCounts;
use crate::http::routes::Address;
use crate::problem::Problem;
use crate::spec::answer;

/// How long what was measured is good for: whoever asks more often measures nothing anew.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// How long measuring may take. What is not there by then stays as it was.
const MEASURE_TIMEOUT: Duration = Duration::from_secs(2);

/// Something that has to be looked at to be known, such as what is in the store.
#[async_trait]
pub(crate) trait Probe: Send + Sync {
    /// Looks, and sets its metrics.
    async fn measure(&self);
}

/// Counters and timers by method, address and status; the addresses are those that there are.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    more: Option<Registry>,
    requests: IntCounterVec,
    seconds: HistogramVec,
    probes: Arc<[Arc<dyn Probe>]>,
    measured: Arc<Mutex<Option<Instant>>>,
}

impl Metrics {
    /// With a registry of their own: an embedding service may have several APIs.
    pub(crate) fn new(open_streams: &IntGauge, limits: &LimitCounts) -> Self {
        Self::try_new(open_streams, limits)
            .unwrap_or_else(|error| unreachable!("constant names and labels: {error}"))
    }

    fn try_new(open_streams: &IntGauge, limits: &LimitCounts) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new("booking_http_requests_total", "Requests answered"),
            &["method", "route", "status"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new("booking_http_request_seconds", "Time to an answer, in seconds"),
            &["method", "route"],
        )?;
        let registry = Registry::new();
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(open_streams.clone()))?;
        registry.register(Box::new(limits.in_flight.clone()))?;
        registry.register(Box::new(limits.shed.clone()))?;
        registry.register(Box::new(limits.limited.clone()))?;
        let (probes, measured) = (Arc::default(), Arc::default());
        Ok(Self { registry, more: None, requests, seconds, probes, measured })
    }

    /// With more: collectors of this registry, which probes keep up to date.
    pub(crate) fn and(mut self, more: Registry, probes: Vec<Arc<dyn Probe>>) -> Self {
        self.more = Some(more);
        self.probes = probes.into();
        self
    }

    pub(super) fn record(
        &self,
        method: &Method,
        address: Option<&Address>,
        status: StatusCode,
        took: Duration,
    ) {
        // What callers make up must not make new series.
        let route = address.map_or("other", |address| address.template.as_str());
        let method = match *method {
            Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE => {
                method.as_str()
            }
            _ => "other",
        };
        self.requests.with_label_values(&[method, route, status.as_str()]).inc();
        self.seconds.with_label_values(&[method, route]).observe(took.as_secs_f64());
    }

    /// One at a time, and those who wait have it measured for them.
    async fn measure(&self) {
        let mut measured = self.measured.lock().await;
        if measured.is_some_and(|at| at.elapsed() < FRESH_FOR) {
            return;
        }
        for probe in self.probes.iter() {
            if timeout(MEASURE_TIMEOUT, probe.measure()).await.is_err() {
                tracing::warn!("a metric could not be measured in time");
            }
        }
        *measured = Some(Instant::now());
    }

    /// All of them, as Prometheus text.
    pub(crate) async fn text(&self) -> Result<Response> {
        self.measure().await;
        let mut families = self.registry.gather();
        families.extend(self.more.iter().flat_map(Registry::gather));
        let text = TextEncoder::new().encode_to_string(&families);
        Ok(answer(TEXT_FORMAT, text.map_err(Problem::internal)?))
    }
}
