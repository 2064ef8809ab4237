//! Session tokens, as Clerk signs them, against an issuer that publishes its keys over HTTP.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::{StreamExt, stream};
use ring::hmac;
use serde_json::{Value, json};

use crate::issuer::{Answers, Issuer, jwk};
use crate::serving::Serving;
use crate::signing::{IssuerKey, unix_now, unsigned};

const LIST: &str = "/booking/meetings";
const APP: &str = "https://app.example.com";

/// What is done to a good token.
type Change = fn(&Issuer, &mut Value, &mut Value);

/// Makes a token of a good one.
type Forge = fn(&Issuer) -> String;

/// Changes to the head and the claims of a good token, and what becomes of it. The server's leeway
/// is 5 seconds.
#[rustfmt::skip]
const TOKENS: &[(&str, u16, Change)] = &[
    ("version 2",                       200, |_, _, _| {}),
    ("version 2, of an organization",   200, |_, _, c| c["o"] = json!({"id": "org_1", "rol": "admin", "slg": "x"})),
    ("version 2, another party of ours", 200, |_, _, c| c["azp"] = json!("https://admin.example.com")),
    ("version 1",                       200, |issuer, _, c| *c = version_1(issuer)),
    ("version 1, role at the top",      200, |issuer, _, c| { *c = version_1(issuer); c["public_metadata"] = json!(null); c["role"] = json!("client") }),
    ("no typ",                          200, |_, h, _| remove(h, "typ")),

    ("expired",                         401, |_, _, c| c["exp"] = json!(unix_now() - 60)),
    ("expired within the leeway",       200, |_, _, c| c["exp"] = json!(unix_now() - 2)),
    ("no expiry",                       401, |_, _, c| c["exp"] = json!(null)),
    ("not yet valid",                   401, |_, _, c| c["nbf"] = json!(unix_now() + 60)),
    ("not yet, within the leeway",      200, |_, _, c| c["nbf"] = json!(unix_now() + 3)),
    ("another issuer",                  401, |_, _, c| c["iss"] = json!("https://clerk.example.org")),
    ("almost the issuer",               401, |issuer, _, c| c["iss"] = json!(format!("{}/", issuer.url))),
    ("no issuer",                       401, |_, _, c| c["iss"] = json!(null)),
    ("another party",                   401, |_, _, c| c["azp"] = json!("https://evil.example.com")),
    ("almost the party",                401, |_, _, c| c["azp"] = json!("https://app.example.com.evil.com")),
    ("no party",                        401, |_, _, c| c["azp"] = json!(null)),
    ("a list of parties",               401, |_, _, c| c["azp"] = json!([APP])),
    ("a pending session",               401, |_, _, c| c["sts"] = json!("pending")),
    ("a session of another status",     401, |_, _, c| c["sts"] = json!(true)),
    ("no subject",                      401, |_, _, c| c["sub"] = json!(null)),

    ("alg HS256 in the head",           401, |_, h, _| h["alg"] = json!("HS256")),
    ("alg RS512 in the head",           401, |_, h, _| h["alg"] = json!("RS512")),
    ("alg PS256 in the head",           401, |_, h, _| h["alg"] = json!("PS256")),
    ("alg none in the head",            401, |_, h, _| h["alg"] = json!("none")),
    ("alg rs256 in the head",           401, |_, h, _| h["alg"] = json!("rs256")),
    ("a token of another kind",         401, |_, h, _| h["typ"] = json!("at+jwt")),
    ("crit",                            401, |_, h, _| { h["crit"] = json!(["exp"]); h["exp"] = json!(1) }),
    ("crit, empty",                     401, |_, h, _| h["crit"] = json!([])),
    ("no kid",                          401, |_, h, _| remove(h, "kid")),
    ("an unknown kid",                  401, |_, h, _| h["kid"] = json!("ins_unknown")),
    ("the kid of a key of another kind", 401, |_, h, _| h["kid"] = json!("ins_encryption")),
    ("the kid of another key",          401, |_, h, _| h["kid"] = json!("ins_other")),
    ("a kid that is a path",            401, |_, h, _| h["kid"] = json!("../../../dev/null")),
    ("a kid that is no text",           401, |_, h, _| h["kid"] = json!(["ins_1"])),
    // Whose key, and from where, is not the token's to say: neither believed nor fetched.
    ("jku",                             200, |issuer, h, _| h["jku"] = json!(format!("{}/jku", issuer.url))),
    ("x5u",                             200, |issuer, h, _| h["x5u"] = json!(format!("{}/x5u", issuer.url))),
    ("jwk",                             200, |_, h, _| h["jwk"] = jwk("ins_1", IssuerKey::foreign())),

    ("an unknown role",                 401, |_, _, c| c["metadata"] = json!({"role": "superuser"})),
    ("an unknown role before a good one", 401, |_, _, c| { c["metadata"] = json!({"role": "x"}); c["role"] = json!("client") }),
    ("a role that is no text",          401, |_, _, c| c["metadata"] = json!({"role": ["client"]})),
    ("no role, and nobody's user",      403, |_, _, c| { c["metadata"] = json!({}); c["sub"] = json!("user_unknown") }),
    ("no role, and a client",           200, |_, _, c| c["metadata"] = json!({})),
    ("no role, and an admin",           403, |_, _, c| { c["metadata"] = json!(null); c["sub"] = json!("user_admin") }),

    ("8 KiB",                           200, |_, _, c| c["filler"] = json!("x".repeat(5_000))),
    ("more than 8 KiB",                 401, |_, _, c| c["filler"] = json!("x".repeat(6_100))),
];

/// A good token, as text, made bad; all of them 401.
#[rustfmt::skip]
const FORGERIES: &[(&str, Forge)] = &[
    ("nothing",                      |_| String::new()),
    ("alg none, without signature",  |issuer| unsigned(&json!({"alg": "none", "kid": "ins_1"}), &version_2(issuer)) + "."),
    ("alg NONE, without signature",  |issuer| unsigned(&json!({"alg": "NONE", "kid": "ins_1"}), &version_2(issuer)) + "."),
    ("RS256, without signature",     |issuer| unsigned(&head(), &version_2(issuer)) + "."),
    ("HS256 with the public key",    |issuer| hs256(issuer, IssuerKey::ours().public_pem().as_bytes())),
    ("HS256 with the modulus",       |issuer| hs256(issuer, &IssuerKey::ours().components().0)),
    ("signed by somebody else",      |issuer| IssuerKey::foreign().sign_with_header(&head(), &version_2(issuer))),
    ("tampered claims",              |issuer| tampered(issuer, 1)),
    ("a tampered signature",         |issuer| tampered(issuer, 2)),
    ("a tampered head",              |issuer| tampered(issuer, 0)),
    ("a cut signature",              |issuer| { let good = good(issuer); good[..good.len() - 2].to_owned() }),
    ("a good one with a blank",      |issuer| good(issuer).replacen('.', ". ", 1)),
    ("two good ones",                |issuer| format!("{}.{}", good(issuer), good(issuer))),
    ("half a megabyte",              |_| "a".repeat(7_000) + "." + &"b".repeat(1_000) + ".c"),
];

#[tokio::test]
async fn the_token_set() {
    let began = std::time::Instant::now();
    let issuer = Issuer::start(Answers::Keys(keys())).await;
    let serving = serve(&issuer).await;
    for (what, forge) in FORGERIES {
        check(&serving, what, &forge(&issuer), 401).await;
    }
    for (what, expected, change) in TOKENS {
        let (mut head, mut claims) = (head(), version_2(&issuer));
        change(&issuer, &mut head, &mut claims);
        let token = IssuerKey::ours().sign_with_header(&head, &claims);
        // Once more, when it is remembered.
        for _ in 0..2 {
            check(&serving, what, &token, *expected).await;
        }
    }
    assert!(issuer.paths().iter().all(|path| path == "/.well-known/jwks.json"));
    // One when the server starts, and one in ten seconds for the unknown kids.
    let most = 2 + usize::try_from(began.elapsed().as_secs() / 10).unwrap();
    assert!(issuer.fetches() <= most, "{}", issuer.fetches());
}

/// A token stops when it expires, also when it was good a moment ago.
#[tokio::test]
async fn a_token_that_is_remembered_expires() {
    let issuer = Issuer::start(Answers::Keys(keys())).await;
    let serving = serve(&issuer).await;
    let mut claims = version_2(&issuer);
    // It ends 5 seconds of leeway after this, the second that has begun included.
    let expires = unix_now() + 3;
    claims["exp"] = json!(expires);
    let token = IssuerKey::ours().sign_with_header(&head(), &claims);
    check(&serving, "about to expire", &token, 200).await;
    while serving.anonymous.with_token(&token).get(LIST).await.status == 200 {
        assert!(unix_now() < expires + 60, "it goes on");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(unix_now() >= expires + 5, "it has its leeway");
    check(&serving, "expired", &token, 401).await;
}

#[tokio::test]
async fn a_key_is_rotated() {
    let (old, new) = (IssuerKey::ours(), IssuerKey::foreign());
    let issuer = Issuer::start(Answers::Keys(json!([jwk("ins_1", old)]))).await;
    let serving = serve(&issuer).await;
    let by_old = good(&issuer);
    let by_new =
        new.sign_with_header(&json!({"alg": "RS256", "kid": "ins_2"}), &version_2(&issuer));
    check(&serving, "the old key's", &by_old, 200).await;
    issuer.answer(Answers::Keys(json!([jwk("ins_2", new)])));
    // Ten seconds after the last fetch at most: until then, nobody asks again.
    let began = std::time::Instant::now();
    while serving.anonymous.with_token(&by_new).get(LIST).await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(300), "the new key is found");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    // At once, although this very token was good before.
    check(&serving, "the key is gone", &by_old, 401).await;
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn unknown_keys_do_not_flood_the_issuer() {
    let issuer = Issuer::start(Answers::Keys(keys())).await;
    let serving = serve(&issuer).await;
    let began = std::time::Instant::now();
    let flood = (0..400).map(|n| {
        let head = json!({"alg": "RS256", "kid": format!("ins_junk_{n}")});
        let token = IssuerKey::foreign().sign_with_header(&head, &version_2(&issuer));
        let caller = serving.anonymous.with_token(&token);
        async move { caller.get(LIST).await.outcome().0 }
    });
    // No more at a time than one address may have connections.
    let answers: Vec<u16> = stream::iter(flood).buffer_unordered(128).collect().await;
    assert!(answers.iter().all(|status| *status == 401), "{answers:?}");
    check(&serving, "meanwhile", &good(&issuer), 200).await;
    let most = 2 + usize::try_from(began.elapsed().as_secs() / 10).unwrap();
    assert!((1..=most).contains(&issuer.fetches()), "{}", issuer.fetches());
}

/// A server starts without its issuer, is not ready, and says so; then the issuer is there.
#[tokio::test]
async fn an_issuer_that_is_down_when_the_server_starts() {
    let issuer = Issuer::start(Answers::HangsUp).await;
    let serving = serve_without_users(&issuer).await;
    serving.anonymous.get("/healthz").await.expect(200);
    serving.anonymous.get("/readyz").await.refused(503, "unavailable");
    let answer = serving.anonymous.with_token(&good(&issuer)).get(LIST).await;
    assert_ne!(answer.refused(503, "unavailable").header("retry-after"), "");
    // What is no token of this issuer's needs no key to be refused.
    check(&serving, "garbage", "garbage", 401).await;
    issuer.answer(Answers::Keys(keys()));
    let began = std::time::Instant::now();
    while serving.anonymous.get("/readyz").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(300), "it becomes ready");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    check(&serving, "the issuer is there", &good(&issuer), 200).await;
    issuer.answer(Answers::HangsUp);
    check(&serving, "the issuer has gone again", &good(&issuer), 200).await;
    serving.anonymous.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn no_token_is_logged() {
    let issuer = Issuer::start(Answers::Keys(keys())).await;
    let serving = serve(&issuer).await;
    let (good, forged) = (good(&issuer), tampered(&issuer, 2));
    check(&serving, "good", &good, 200).await;
    check(&serving, "forged", &forged, 401).await;
    let log = serving.log();
    assert!(log.contains("token rejected"), "{log}");
    for token in [good, forged] {
        for part in token.split('.').filter(|part| part.len() > 40) {
            assert!(!log.contains(part), "{part}");
        }
    }
}

async fn check(serving: &Serving, what: &str, token: &str, status: u16) {
    let answer = serving.anonymous.with_token(token).get(LIST).await;
    let code = match status {
        401 => "unauthenticated",
        403 => "role_required",
        _ => "",
    };
    assert_eq!(answer.outcome(), (status, code), "{what}: {}", serving.log());
}

pub(crate) async fn serve_without_users(issuer: &Issuer) -> Serving {
    let parties = format!("{APP},https://admin.example.com");
    let settings =
        [("BOOKING_ISSUER", issuer.url.as_str()), ("BOOKING_AUTHORIZED_PARTIES", &parties)];
    Serving::start(&settings).await
}

/// With `user_client` and `user_admin` in its directory.
async fn serve(issuer: &Issuer) -> Serving {
    let serving = serve_without_users(issuer).await;
    let mut claims = version_2(issuer);
    claims["metadata"] = json!({"role": "admin"});
    let admin = IssuerKey::ours().sign_with_header(&head(), &claims);
    for role in ["client", "admin"] {
        let user = json!({"role": role, "firstName": "F", "lastName": "L", "email": "a@b.c"});
        let path = format!("/booking/directory/users/user_{role}");
        serving.anonymous.with_token(&admin).put(&path, &user).await.expect(200);
    }
    serving
}

/// What the issuer publishes: the key, another one, and some that are for nothing here.
pub(crate) fn keys() -> Value {
    let mut encryption = jwk("ins_encryption", IssuerKey::ours());
    encryption["use"] = json!("enc");
    json!([
        {"kty": "EC", "kid": "ins_ec", "crv": "P-256", "x": "x", "y": "y"},
        encryption,
        jwk("ins_1", IssuerKey::ours()),
        jwk("ins_other", IssuerKey::foreign()),
    ])
}

fn remove(object: &mut Value, name: &str) {
    object.as_object_mut().expect("an object").remove(name);
}

pub(crate) fn head() -> Value {
    json!({"alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": "ins_1", "typ": "JWT"})
}

fn good(issuer: &Issuer) -> String {
    IssuerKey::ours().sign_with_header(&head(), &version_2(issuer))
}

/// The claims of Clerk's session tokens, version 2, with `metadata` added in the dashboard.
pub(crate) fn version_2(issuer: &Issuer) -> Value {
    let now = unix_now();
    json!({
        "azp": APP, "exp": now + 60, "fva": [3, -1], "iat": now, "iss": issuer.url,
        "jti": "c9f1d2a47b", "nbf": now - 10, "pla": "u:free", "fea": "u:booking",
        "sid": "sess_2abc", "sts": "active", "sub": "user_client", "v": 2,
        "metadata": {"role": "client"},
    })
}

/// The same, version 1.
fn version_1(issuer: &Issuer) -> Value {
    let now = unix_now();
    json!({
        "azp": APP, "exp": now + 60, "fva": [3, -1], "iat": now, "iss": issuer.url,
        "nbf": now - 10, "sid": "sess_2abc", "sub": "user_client", "org_id": "org_1",
        "org_role": "org:admin", "org_slug": "practice", "org_permissions": ["org:x:y"],
        "public_metadata": {"role": "client"},
    })
}

fn hs256(issuer: &Issuer, secret: &[u8]) -> String {
    let message =
        unsigned(&json!({"alg": "HS256", "typ": "JWT", "kid": "ins_1"}), &version_2(issuer));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// A good token with one bit of one part another.
fn tampered(issuer: &Issuer, part: usize) -> String {
    let token = good(issuer);
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&parts[part]).expect("base64");
    // In the middle of a text that nobody reads, or of the signature.
    let place = bytes.windows(4).position(|w| w == b"sess" || w == b"cl_B").unwrap_or(100);
    bytes[place] ^= 1;
    parts[part] = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    parts.join(".")
}
