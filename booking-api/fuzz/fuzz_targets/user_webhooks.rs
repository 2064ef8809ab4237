//! What an identity provider tells of users: what is not signed changes nothing, and what is signed
//! is taken or turned down, whatever it says.
//!
//! The first line of an input is the id of a message that is signed here, or `id timestamp signature`;
//! the rest is its body.

#![no_main]

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use booking_api::{Api, AuthError, ClerkWebhook, Session, Verifier};
use booking_core::{AuditLog, AuditQuery, Booking, MemoryStore, RandomIds, SystemClock};
use chrono::Utc;
use libfuzzer_sys::fuzz_target;
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderValue, Method, StatusCode};
use poem::{Endpoint, EndpointExt, Request, Response};
use ring::hmac;
use tokio::runtime::Runtime;

const SECRET: &[u8; 24] = b"a secret of 24 bytes, ok";

struct Stage {
    runtime: Runtime,
    store: Arc<MemoryStore>,
    routes: BoxEndpoint<'static, Response>,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let store = Arc::new(MemoryStore::default());
    let secret = format!("whsec_{}", BASE64_STANDARD.encode(SECRET));
    let webhook = ClerkWebhook::new(&secret, store.clone()).expect("a secret");
    let ports = (store.clone(), store.clone());
    let booking = Booking::new(ports.0, ports.1, Arc::new(SystemClock), Arc::new(RandomIds));
    let routes = Api::new(booking, Arc::new(Nobody)).with_clerk_webhook(webhook).routes().boxed();
    Stage { runtime: runtime.expect("a runtime"), store, routes }
});

fuzz_target!(|input: &str| {
    STAGE.runtime.block_on(take(input));
});

async fn take(input: &str) {
    STAGE.store.clear();
    let (head, body) = input.split_once('\n').unwrap_or((input, ""));
    let words: Vec<&str> = head.split(' ').collect();
    let (headers, is_signed) = match words[..] {
        [id] => (signed(id, body), true),
        [id, timestamp, signature] => ([id, timestamp, signature].map(str::to_owned), false),
        _ => return,
    };
    let mut request =
        Request::builder().method(Method::POST).uri("/webhooks/clerk".parse().expect("a path"));
    for (name, value) in ["svix-id", "svix-timestamp", "svix-signature"].iter().zip(&headers) {
        let Ok(value) = HeaderValue::try_from(value) else { return };
        request = request.header(*name, value);
    }
    let response = STAGE.routes.get_response(request.body(body.to_owned())).await;
    let status = response.status();
    assert!(status == StatusCode::NO_CONTENT || status.is_client_error(), "{status}");
    let changed = STAGE.store.entries(&AuditQuery::latest(1)).await.expect("memory");
    if !is_signed {
        assert!(status.is_client_error(), "nobody signed this");
    }
    assert!(changed.is_empty() || status == StatusCode::NO_CONTENT, "turned down, and taken");
}

fn signed(id: &str, body: &str) -> [String; 3] {
    let timestamp = Utc::now().timestamp().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    [id.to_owned(), timestamp, format!("v1,{}", BASE64_STANDARD.encode(tag))]
}

struct Nobody;

#[async_trait]
impl Verifier for Nobody {
    async fn verify(&self, _: &str) -> Result<Session, AuthError> {
        Err(AuthError::Rejected("nobody is signed in here".into()))
    }
}
