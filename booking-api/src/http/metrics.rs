//! `/metrics`: what was asked for, how it went and how long it took, for Prometheus.

use std::time::Duration;

use poem::http::{Method, StatusCode};
use poem::{Response, Result};
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TEXT_FORMAT, TextEncoder,
};

use crate::http::limits::LimitCounts;
use crate::http::routes::Address;
use crate::problem::Problem;
use crate::spec::answer;

/// Counters and timers by method, address and status; the addresses are those that there are.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
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
        Ok(Self { registry, requests, seconds })
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

    /// All of them, as Prometheus text.
    pub(crate) fn text(&self) -> Result<Response> {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        Ok(answer(TEXT_FORMAT, text.map_err(Problem::internal)?))
    }
}
