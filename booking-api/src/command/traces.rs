//! Traces: where they are sent, and the store's part in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    By, Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, Directory, DirectoryAdmin,
    DirectoryId, IdSource, Meeting, MeetingQuery, NewsOutcome, Scope, Store, StoreError, User,
    UserId, UserNews,
};
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use poem::http::{Request, Response};
use tokio::runtime::Handle;
use tracing::{Instrument, info_span};

use super::Failure;
use super::exposure::TraceArgs;
use crate::http::SPANS;

const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer of a collector that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Spans on their way to a collector.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Nothing without an endpoint.
    pub(super) fn start(args: &TraceArgs) -> Result<Option<Self>, Failure> {
        let Some(endpoint) = &args.otlp_endpoint else { return Ok(None) };
        let endpoint = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new()?)
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let resource = Resource::builder().with_service_name("booking-api").build();
        // By the trace's id alone: services that sample alike sample the same traces. Whoever names
        // the trace of their request chooses with it whether it is sampled.
        let sampler = Sampler::TraceIdRatioBased(args.trace_ratio);
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler)
            .with_batch_exporter(exporter)
            .build();
        Ok(Some(Self(provider)))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer("booking-api")
    }

    /// Sends what is left.
    pub(super) async fn stop(self) {
        let stopped =
            tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(EXPORT_TIMEOUT));
        if !matches!(stopped.await, Ok(Ok(()))) {
            tracing::warn!("the last spans did not reach the collector");
        }
    }
}

/// Sends from the thread that collects spans, by the runtime that everything else runs on.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

impl Client {
    fn new() -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(crate::tls::client()?)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(EXPORT_TIMEOUT)
            .build()?;
        Ok(Self { http, runtime: Handle::current() })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let sent = self.runtime.spawn(async move {
            let mut answer = http.execute(request.try_into()?).await?;
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > MAX_ANSWER {
                    return Err("the collector's answer is too long".into());
                }
                body.extend_from_slice(&chunk);
            }
            let response = Response::builder().status(answer.status()).body(Bytes::from(body));
            Ok::<_, HttpError>(response?)
        });
        sent.await?
    }
}

/// A store or a directory whose calls are spans. What they are about is nobody's business there.
pub(super) struct Traced<T: ?Sized>(pub(super) Arc<T>);

macro_rules! span {
    ($name:literal) => {
        info_span!(target: SPANS, $name, "otel.kind" = "client")
    };
}

#[async_trait]
impl Store for Traced<dyn Store> {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.0.read(scope).instrument(span!("store.read")).await
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        self.0.change(scope, decide).instrument(span!("store.change")).await
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        self.0.apply_if_current(seen, change).instrument(span!("store.apply_if_current")).await
    }

    fn directory(&self) -> Option<DirectoryId> {
        self.0.directory()
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.0.diaries(query).instrument(span!("store.diaries")).await
    }

    async fn revisions(
        &self,
        people: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, u64>, StoreError> {
        self.0.revisions(people).instrument(span!("store.revisions")).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.0.meetings(query).instrument(span!("store.meetings")).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().instrument(span!("store.ping")).await
    }
}

#[async_trait]
impl Directory for Traced<dyn DirectoryAdmin> {
    async fn users(&self, ids: &BTreeSet<UserId>) -> Result<HashMap<UserId, User>, StoreError> {
        self.0.users(ids).instrument(span!("directory.users")).await
    }

    async fn related(&self, client: &UserId, therapist: &UserId) -> Result<bool, StoreError> {
        self.0.related(client, therapist).instrument(span!("directory.related")).await
    }

    fn id(&self) -> Option<DirectoryId> {
        Directory::id(self.0.as_ref())
    }
}

#[async_trait]
impl DirectoryAdmin for Traced<dyn DirectoryAdmin> {
    async fn put_user(&self, user: &User, by: By) -> Result<(), StoreError> {
        self.0.put_user(user, by).instrument(span!("directory.put_user")).await
    }

    async fn relate(&self, client: &UserId, therapist: &UserId, by: By) -> Result<(), ChangeError> {
        self.0.relate(client, therapist, by).instrument(span!("directory.relate")).await
    }

    async fn unrelate(
        &self,
        client: &UserId,
        therapist: &UserId,
        by: By,
    ) -> Result<(), StoreError> {
        self.0.unrelate(client, therapist, by).instrument(span!("directory.unrelate")).await
    }

    async fn take_news(
        &self,
        news: &UserNews,
        by: By,
        ids: &dyn IdSource,
    ) -> Result<NewsOutcome, StoreError> {
        self.0.take_news(news, by, ids).instrument(span!("directory.take_news")).await
    }
}
