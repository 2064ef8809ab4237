//! Somebody who calls the API, and the answers they get.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

use crate::text::{masked, minified};

/// No request may take longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// Somebody with or without a token. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Caller {
    http: Client,
    origin: String,
    headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null where the text is not JSON.
    pub(crate) body: Value,
}

impl Caller {
    /// Somebody without a token.
    pub(crate) fn anonymous(origin: &str) -> Self {
        let client = Client::builder().timeout(REQUEST_TIMEOUT).no_proxy();
        let http = client.tls_backend_preconfigured(no_tls()).build();
        let http = http.expect("a client without TLS needs nothing");
        Self { http, origin: origin.to_owned(), headers: Vec::new() }
    }

    /// The same, with a token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    /// The same, with one more header on each request.
    pub(crate) fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut caller = self.clone();
        caller.headers.push((name, value.into()));
        caller
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body.to_string().into_bytes())).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body.to_string().into_bytes())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Books, with the fields of `MeetingCreateDto`.
    pub(crate) async fn book(&self, body: &Value) -> Answer {
        self.post("/booking/meetings", body).await
    }

    pub(crate) async fn cancel(&self, meeting: &str) -> Answer {
        self.delete(&format!("/booking/meetings/{meeting}/cancel")).await
    }

    pub(crate) async fn update(&self, meeting: &str, body: &Value) -> Answer {
        self.put(&format!("/booking/meetings/{meeting}"), body).await
    }

    /// Any request, to a server that is there.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Answer {
        self.try_send(method, path, body).await.expect("the server answers")
    }

    /// Any request. `/booking…` is under `/api`; every other path is taken as it stands. A body is
    /// sent as JSON, unless [`Self::with`] has named another type.
    ///
    /// Whatever the answer, it has the form that all answers have.
    ///
    /// # Errors
    /// When there is no whole answer: the server was killed.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.request(method.clone(), path);
        if let Some(body) = body {
            if !self.headers.iter().any(|(name, _)| *name == "content-type") {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body);
        }
        let answer = Answer::read(request.send().await?).await?;
        if method != Method::OPTIONS {
            assert_ne!(answer.header("x-request-id"), "", "{method} {path} is named");
        }
        if answer.status >= 400 && method != Method::HEAD {
            answer.check_is_problem();
        }
        crate::document::check(&method, path, &answer);
        Ok(answer)
    }

    /// A request without a body, to be sent.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = if path.starts_with("/booking") { "/api" } else { "" };
        let url = format!("{}{base}{path}", self.origin);
        let headers = self.headers.iter();
        headers.fold(self.http.request(method, &url), |request, (name, value)| {
            request.header(*name, value)
        })
    }
}

/// Nobody is called by TLS here; a client that could wants to know how.
pub(crate) fn no_tls() -> rustls::ClientConfig {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

impl Answer {
    pub(crate) async fn read(response: Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Self { status, headers, text, body })
    }

    /// A header's value; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("an ASCII header"))
    }

    /// A text field of the body.
    pub(crate) fn str(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_else(|| panic!("no text {field} in {}", self.text))
    }

    /// The `id` of what was made.
    pub(crate) fn id(&self) -> String {
        self.str("id").to_owned()
    }

    /// The elements of an array.
    pub(crate) fn items(&self) -> &[Value] {
        self.body.as_array().unwrap_or_else(|| panic!("no array: {}", self.text))
    }

    /// One text field of each element.
    pub(crate) fn column(&self, field: &str) -> Vec<&str> {
        let texts = self.items().iter().map(|item| item[field].as_str());
        texts.map(|text| text.expect("a text in each element")).collect()
    }

    /// Status and, for problems, code: what most expectations are about.
    pub(crate) fn outcome(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// Goes on only with this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Goes on only with this problem.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(self.outcome(), (status, code), "{}", self.text);
        self
    }

    /// The fields named as wrong.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }

    /// The body to the letter, but for white space, and for ids and present instants, which stand
    /// as [`masked`] has them.
    #[track_caller]
    pub(crate) fn check_text(&self, expected: &str) {
        assert_eq!(masked(&self.text), minified(expected));
    }

    /// The very same body.
    #[track_caller]
    pub(crate) fn check_same(&self, other: &Self) {
        assert_eq!(self.text, other.text);
    }

    /// RFC 9457, with what the contract adds to it.
    fn check_is_problem(&self) {
        let Self { status, body, text, .. } = self;
        assert_eq!(self.header("content-type"), "application/problem+json", "{status} {text}");
        let code = body["code"].as_str().expect("a problem has a code");
        assert_eq!(body["type"], format!("/problems/{code}"));
        assert_eq!(body["status"], *status);
        assert!(body["title"].is_string() && body["detail"].is_string(), "{text}");
        if *status >= 500 {
            assert_eq!(body["requestId"], self.header("x-request-id"));
        }
    }
}
