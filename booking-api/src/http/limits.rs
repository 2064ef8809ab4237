//! How much may be asked: how large a head, how often, and how much at the same time.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use booking_core::UserId;
use poem::http::{HeaderName, HeaderValue, StatusCode};
use poem::{Endpoint, Middleware, Request, Response, Result};
use poem_openapi::payload::Payload;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};
use tokio::time::sleep;

use crate::http::address::{TrustedProxies, network_of};
use crate::http::rates::{Left, Quota, Rates};
use crate::http::{RequestId, mount_prefix};
use crate::problem::{Code, Problem};
use crate::streams::{Seat, Seats, Sse, StreamLimits};

/// How much callers may ask for; as much as they like unless said otherwise. `/healthz`, `/readyz`
/// and `/metrics` are not counted.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Of one address, or of one /64 network of IPv6, whoever it says that it is. Beyond, callers are
    /// told [`Code::RateLimited`].
    pub per_address: Option<Quota>,
    /// Of one user, from wherever. Beyond, they are told [`Code::RateLimited`].
    pub per_user: Option<Quota>,
    /// How many requests there may be at the same time; a stream is one until it begins. Beyond,
    /// callers are told [`Code::Unavailable`].
    pub in_flight: Option<usize>,
    /// How many of them may be of one user; under [`Server`](crate::Server), an answer that is not taken yet
    /// is one too, unless it is a stream. Beyond, they are told [`Code::RateLimited`].
    pub in_flight_per_user: Option<usize>,
    /// Whose word is taken for the address of a caller.
    pub proxies: TrustedProxies,
}

/// The longest address of a request (RFC 9110, section 4.1, wants 8 000 at least), and the largest
/// headers together, in bytes.
const MAX_URI_BYTES: usize = 8 * 1024;
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// How long who asked too often waits to hear it. Who asks again at once, over as many connections as
/// they may have, costs others next to nothing then.
const REFUSAL_TAKES: Duration = Duration::from_millis(250);

const UNLIMITED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Keeps requests within limits. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Limiter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    addresses: Option<Rates>,
    users: Option<Rates>,
    in_flight: AtomicUsize,
    max_in_flight: usize,
    of_users: Option<Seats>,
    proxies: TrustedProxies,
    counts: LimitCounts,
}

/// For `/metrics`.
#[derive(Debug, Clone)]
pub(crate) struct LimitCounts {
    pub(crate) in_flight: IntGauge,
    pub(crate) shed: IntCounter,
    pub(crate) limited: IntCounterVec,
}

/// What a request has used, told in its answer's headers.
#[derive(Clone, Default)]
struct Used(Arc<Mutex<Parts>>);

#[derive(Default)]
struct Parts {
    left: Vec<(&'static str, Left)>,
    seat: Option<Seat>,
}

/// With an answer, in its extensions: the place of the user whose it is. Whoever sends it keeps that until
/// the other side has taken the last byte, for until then it takes memory.
#[derive(Clone)]
pub(crate) struct UntilTaken {
    _seat: Arc<Seat>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Self {
        let of_users = limits.in_flight_per_user.map(|per_user| {
            let mut seats = Seats::new();
            seats.limits = StreamLimits { in_all: usize::MAX, per_user };
            seats
        });
        Self(Arc::new(Inner {
            addresses: limits.per_address.map(Rates::new),
            users: limits.per_user.map(Rates::new),
            in_flight: AtomicUsize::new(0),
            max_in_flight: limits.in_flight.unwrap_or(usize::MAX),
            of_users,
            proxies: limits.proxies,
            counts: LimitCounts::new(),
        }))
    }

    pub(crate) fn counts(&self) -> &LimitCounts {
        &self.0.counts
    }

    /// Counts a request of a user whose token is good.
    ///
    /// # Errors
    /// [`Code::RateLimited`] when it is one too many.
    pub(crate) fn count_user(&self, request: &Request, user: &UserId) -> Result<(), Problem> {
        let used = request.extensions().get::<Used>();
        if let Some(rates) = &self.0.users {
            self.count("user", rates.take(user.as_str()), used)?;
        }
        if let (Some(seats), Some(Used(used))) = (&self.0.of_users, used) {
            let Some(seat) = seats.try_take(user) else {
                self.0.counts.limited.with_label_values(&["concurrent"]).inc();
                let detail = "too many requests of this user are under way";
                return Err(Problem::new(Code::RateLimited, detail));
            };
            used.lock().unwrap_or_else(PoisonError::into_inner).seat = Some(seat);
        }
        Ok(())
    }

    fn count(&self, by: &'static str, left: Left, used: Option<&Used>) -> Result<(), Problem> {
        if let Some(Used(used)) = used {
            used.lock().unwrap_or_else(PoisonError::into_inner).left.push((by, left));
        }
        let Some(wait) = left.refused_for else { return Ok(()) };
        self.0.counts.limited.with_label_values(&[by]).inc();
        let Quota { requests, window } = left.quota;
        let detail = format!("at most {requests} requests in {} seconds", window.as_secs());
        Err(Problem::new(Code::RateLimited, detail).retry_after(wait))
    }

    /// Everything that can be told before anybody looks at the request.
    fn admit(&self, request: &Request, used: &Used) -> Result<InFlight, Problem> {
        if let Some(rates) = &self.0.addresses
            && let Some(address) = self.0.proxies.client(request)
        {
            self.count("address", rates.take(network_of(address)), Some(used))?;
        }
        check_head(request)?;
        let before = self.0.in_flight.fetch_add(1, Ordering::Relaxed);
        self.0.counts.in_flight.inc();
        let in_flight = InFlight(self.clone());
        if before >= self.0.max_in_flight {
            self.0.counts.shed.inc();
            let detail = "the server has as many requests under way as it takes";
            return Err(Problem::new(Code::Unavailable, detail));
        }
        Ok(in_flight)
    }
}

fn check_head(request: &Request) -> Result<(), Problem> {
    let uri = request.original_uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    if authority + path > MAX_URI_BYTES {
        let detail = format!("the address may have at most {} KiB", MAX_URI_BYTES / 1024);
        return Err(Problem::new(Code::UriTooLong, detail));
    }
    let headers = request.headers().iter();
    let bytes: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > MAX_HEADER_BYTES {
        let detail =
            format!("the headers may have at most {} KiB together", MAX_HEADER_BYTES / 1024);
        return Err(Problem::new(Code::HeadersTooLarge, detail));
    }
    Ok(())
}

/// A request that is counted until this is dropped.
struct InFlight(Limiter);

impl Drop for InFlight {
    fn drop(&mut self) {
        let Limiter(inner) = &self.0;
        inner.in_flight.fetch_sub(1, Ordering::Relaxed);
        inner.counts.in_flight.dec();
    }
}

impl LimitCounts {
    fn new() -> Self {
        Self::try_new().unwrap_or_else(|error| unreachable!("constant names and labels: {error}"))
    }

    fn try_new() -> Result<Self, prometheus::Error> {
        let limited =
            Opts::new("booking_http_limited_total", "Requests refused to who asked too often");
        Ok(Self {
            in_flight: IntGauge::new(
                "booking_http_in_flight",
                "Requests that are not answered yet",
            )?,
            shed: IntCounter::new(
                "booking_http_shed_total",
                "Requests refused since too many were under way",
            )?,
            limited: IntCounterVec::new(limited, &["by"])?,
        })
    }
}

impl<E: Endpoint<Output = Response>> Middleware<E> for Limiter {
    type Output = LimiterEndpoint<E>;

    fn transform(&self, inner: E) -> LimiterEndpoint<E> {
        LimiterEndpoint { inner, limiter: self.clone() }
    }
}

pub(crate) struct LimiterEndpoint<E> {
    inner: E,
    limiter: Limiter,
}

impl<E: Endpoint<Output = Response>> Endpoint for LimiterEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        if UNLIMITED.contains(&request.uri().path()) {
            return self.inner.call(request).await;
        }
        let used = Used::default();
        let mut response = match self.limiter.admit(&request, &used) {
            Ok(in_flight) => {
                request.extensions_mut().insert(used.clone());
                let response = self.inner.call(request).await?;
                drop(in_flight);
                response
            }
            Err(problem) => {
                let RequestId(id) = RequestId::of(&request);
                problem.into_response(&id, mount_prefix(&request))
            }
        };
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            used.free();
            sleep(REFUSAL_TAKES).await;
        }
        used.tell(&mut response);
        Ok(response)
    }
}

fn is_stream(response: &Response) -> bool {
    response.content_type().is_some_and(|media_type| media_type.starts_with(Sse::CONTENT_TYPE))
}

impl Used {
    fn free(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seat = None;
    }

    /// draft-ietf-httpapi-ratelimit-headers-11.
    fn tell(&self, response: &mut Response) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Streams have seats of their own.
        if let Some(seat) = parts.seat.take().filter(|_| !is_stream(response)) {
            response.extensions_mut().insert(UntilTaken { _seat: Arc::new(seat) });
        }
        if parts.left.is_empty() {
            return;
        }
        let (mut policies, mut limits) = (String::new(), String::new());
        for (by, left) in &parts.left {
            let Left { quota, requests, whole_in, .. } = left;
            let separator = if policies.is_empty() { "" } else { ", " };
            let (q, w) = (quota.requests, quota.window.as_secs());
            let _never_fails = write!(policies, "{separator}\"{by}\";q={q};w={w}");
            let t = whole_in.as_secs() + 1;
            let _never_fails = write!(limits, "{separator}\"{by}\";r={requests};t={t}");
        }
        for (name, value) in [(RATE_LIMIT_POLICY, policies), (RATE_LIMIT, limits)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
}
