//! Which bearer tokens are good, and that every other one is just as bad.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

use crate::server::{NOW, Server};
use crate::signing::{IssuerKey, good_claims, unix_now, unsigned};

const LIST: &str = "/booking/meetings";

/// Good claims of `client_123`, but for these.
fn claims(changes: &Value) -> Value {
    let mut claims = good_claims("client_123", "client");
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims(&json!({}));
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn hs256(secret: &[u8]) -> String {
    let message = unsigned(&json!({"alg": "HS256", "typ": "JWT"}), &claims(&json!({})));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// The good token with other claims under the same signature.
fn with_other_claims(good: &str) -> String {
    let [header, _, signature] = parts(good);
    let claims = claims(&json!({"sub": "client_124"}));
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("{header}.{claims}.{signature}")
}

fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().expect("three parts")
}

async fn check_rejected(server: &Server, what: &str, authorization: &str) {
    let caller = server.anonymous().with("authorization", authorization);
    let answer = caller.get(LIST).await;
    assert_eq!(answer.outcome(), (401, "unauthenticated"), "{what}: {}", answer.text);
    assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
}

#[tokio::test]
async fn good_tokens_are_accepted() {
    let server = Server::memory().await;
    let token = IssuerKey::ours().token("client_123", "client");
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let caller = server.anonymous().with("authorization", format!("{scheme} {token}"));
        caller.get(LIST).await.expect(200);
    }
    // Claims that are nobody's business here, and an id that only an identity provider would make.
    let odd = claims(&json!({
        "sub": "auth0|5f7c8ec7/x:y@z", "aud": ["elsewhere"], "azp": "https://app.example.com",
        "metadata": {"deep": [1]},
    }));
    server.anonymous().with_token(&IssuerKey::ours().sign(&odd)).get(LIST).await.expect(200);
}

#[tokio::test]
async fn without_a_bearer_token_nobody_is_signed_in() {
    let server = Server::memory().await;
    let token = IssuerKey::ours().token("client_123", "client");
    let answer = server.anonymous().get(LIST).await.refused(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        "Basic Y2xpZW50XzEyMzpzZWNyZXQ=",
        &token,
        &format!("Basic {token}"),
        &format!("Token {token}"),
        &format!("Bearer{token}"),
        &format!("Bearer:{token}"),
        &format!("Bearer Bearer {token}"),
        &format!("Bearer {token}, Bearer {token}"),
    ] {
        check_rejected(&server, authorization, authorization).await;
    }
    let query = format!("{LIST}?access_token={token}");
    server.anonymous().get(&query).await.refused(401, "unauthenticated");
    let cookie = server.anonymous().with("cookie", format!("__session={token}"));
    cookie.get(LIST).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_token_must_be_what_the_issuer_signed() {
    let server = Server::memory().await;
    let ours = IssuerKey::ours();
    let good = ours.token("client_123", "client");
    let [header, payload, signature] = parts(&good);
    let none = |alg: &str| unsigned(&json!({"alg": alg, "typ": "JWT"}), &claims(&json!({}))) + ".";
    let other_alg =
        |alg: &str| ours.sign_with_header(&json!({"alg": alg, "typ": "JWT"}), &claims(&json!({})));
    let mut flipped = signature.to_owned();
    flipped.replace_range(9..10, if &signature[9..10] == "A" { "B" } else { "A" });
    for (what, token) in [
        ("garbage", "garbage".to_owned()),
        ("three times nothing", "..".to_owned()),
        ("no signature", format!("{header}.{payload}.")),
        ("two parts", format!("{header}.{payload}")),
        ("four parts", format!("{good}.{signature}")),
        ("no base64", format!("{header}.{payload}.???")),
        ("padding", format!("{header}.{payload}.{signature}==")),
        ("a tampered signature", format!("{header}.{payload}.{flipped}")),
        ("a cut signature", good[..good.len() - 4].to_owned()),
        ("tampered claims", with_other_claims(&good)),
        ("alg none", none("none")),
        ("alg None", none("None")),
        ("alg empty", none("")),
        ("HS256 with the public key", hs256(ours.public_pem().as_bytes())),
        ("HS256 with nothing", hs256(b"")),
        ("RS384 in the header", other_alg("RS384")),
        ("PS256 in the header", other_alg("PS256")),
        ("ES256 in the header", other_alg("ES256")),
        ("another issuer's key", IssuerKey::foreign().token("client_123", "client")),
    ] {
        check_rejected(&server, what, &format!("Bearer {token}")).await;
    }
}

#[tokio::test]
async fn claims_must_be_there_and_right() {
    let server = Server::memory().await;
    let now = unix_now();
    for (what, claims) in [
        ("expired", claims(&json!({"exp": now - 1}))),
        ("expired long ago", claims(&json!({"exp": 1}))),
        ("not yet valid", claims(&json!({"nbf": now + 600}))),
        ("another issuer", claims(&json!({"iss": "somebody else"}))),
        ("almost the issuer", claims(&json!({"iss": "booking-api dev "}))),
        ("no issuer", without("iss")),
        ("no expiry", without("exp")),
        ("no subject", without("sub")),
        ("no role", without("role")),
        ("an expiry of text", claims(&json!({"exp": "never"}))),
        ("a negative expiry", claims(&json!({"exp": -1}))),
        ("an empty subject", claims(&json!({"sub": ""}))),
        ("a subject with a space", claims(&json!({"sub": "client 123"}))),
        ("a long subject", claims(&json!({"sub": "c".repeat(129)}))),
        ("a subject beyond ASCII", claims(&json!({"sub": "clïent"}))),
        ("a subject with NUL", claims(&json!({"sub": "client_123\0"}))),
        ("a number for a subject", claims(&json!({"sub": 123}))),
        ("no such role", claims(&json!({"role": "superuser"}))),
        ("a role in capitals", claims(&json!({"role": "ADMIN"}))),
        ("an empty role", claims(&json!({"role": ""}))),
        ("two roles", claims(&json!({"role": ["client", "admin"]}))),
        ("claims that are no object", json!(["client_123"])),
    ] {
        let token = IssuerKey::ours().sign(&claims);
        check_rejected(&server, what, &format!("Bearer {token}")).await;
    }
}

#[tokio::test]
async fn tokens_have_at_most_8_kib() {
    let server = Server::memory().await;
    let of_size = |filler: usize| {
        let claims = claims(&json!({"filler": "x".repeat(filler)}));
        IssuerKey::ours().sign(&claims)
    };
    let long = of_size(5_000);
    assert!((7_000..=8_192).contains(&long.len()), "{}", long.len());
    server.anonymous().with_token(&long).get(LIST).await.expect(200);
    let longer = of_size(6_100);
    assert!((8_193..9_000).contains(&longer.len()), "{}", longer.len());
    check_rejected(&server, "more than 8 KiB", &format!("Bearer {longer}")).await;
    let longest = of_size(40_000);
    // That is no header any more.
    server.anonymous().with_token(&longest).get(LIST).await.refused(431, "headers_too_large");
}

#[tokio::test]
async fn a_moved_clock_neither_revives_nor_ends_a_token() {
    let server = Server::memory().await;
    let expired = IssuerKey::ours().sign(&claims(&json!({"exp": unix_now() - 1})));
    let good = server.client();
    for now in ["2001-09-09T01:46:40Z", NOW, "2199-01-01T00:00:00Z"] {
        server.set_clock(now).await;
        check_rejected(&server, now, &format!("Bearer {expired}")).await;
        good.get(LIST).await.expect(200);
    }
}

#[tokio::test]
async fn a_rejection_does_not_say_what_was_wrong() {
    let server = Server::memory().await;
    let mut details: Vec<Value> = Vec::new();
    for token in [
        IssuerKey::foreign().token("client_123", "client"),
        IssuerKey::ours().sign(&claims(&json!({"exp": 1}))),
        IssuerKey::ours().sign(&claims(&json!({"iss": "somebody else"}))),
        "garbage".to_owned(),
    ] {
        details.push(server.anonymous().with_token(&token).get(LIST).await.body);
    }
    assert!(details.windows(2).all(|pair| pair[0] == pair[1]), "{details:?}");
}
