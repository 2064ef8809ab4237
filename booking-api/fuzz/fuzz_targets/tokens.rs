//! Session tokens: whatever they say, who gets in is who the claims name, within their time, and
//! nobody gets in whose token the issuer did not sign.
//!
//! An input of two lines is a header and claims, and is signed here; any other is a token.

#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use booking_api::{JwtVerifier, Verifier};
use chrono::{TimeDelta, Utc};
use libfuzzer_sys::fuzz_target;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::Value;
use tokio::runtime::Runtime;

const ISSUER: &str = "https://clerk.example.com";
const PARTY: &str = "https://app.example.com";
const LEEWAY: TimeDelta = TimeDelta::seconds(5);

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().build().expect("a runtime"));

static VERIFIER: LazyLock<JwtVerifier> = LazyLock::new(|| {
    let builder = JwtVerifier::builder(ISSUER)
        .authorized_parties([PARTY])
        .public_key_pem(include_bytes!("../public_key.pem"));
    builder.build().expect("a good key")
});

/// Has signed nothing but what is made up here.
static KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    RsaKeyPair::from_pkcs8(include_bytes!("../signing_key.der")).expect("a good key")
});

fuzz_target!(|input: &str| {
    let Some((header, claims)) = input.split_once('\n') else {
        let verified = RUNTIME.block_on(VERIFIER.verify(input));
        assert!(verified.is_err(), "nobody signed this");
        return;
    };
    let Ok(session) = RUNTIME.block_on(VERIFIER.verify(&signed(header, claims))) else { return };
    let header: Value = serde_json::from_str(header).expect("a header that was read");
    let claims: Value = serde_json::from_str(claims).expect("claims that were read");
    assert_eq!(header["alg"], "RS256");
    assert_eq!(claims["sub"], session.actor.id.as_str());
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["azp"], PARTY);
    assert_ne!(claims["sts"], "pending");
    let role = session.actor.role.as_str();
    let places = ["/metadata/role", "/public_metadata/role", "/role"];
    assert!(places.iter().any(|place| claims.pointer(place).is_some_and(|said| said == role)));
    let now = Utc::now();
    assert!(session.expires_at.is_none_or(|end| end > now - TimeDelta::seconds(1)));
    let seconds = |name: &str| claims[name].as_f64();
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let (earliest, latest) =
        ((now - LEEWAY).timestamp() as f64 - 1.0, (now + LEEWAY).timestamp() as f64 + 1.0);
    assert!(seconds("exp").is_some_and(|exp| exp >= earliest), "expired");
    assert!(seconds("nbf").is_none_or(|nbf| nbf <= latest), "not yet good");
});

fn signed(header: &str, claims: &str) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let mut signature = vec![0; KEY.public().modulus_len()];
    let random = SystemRandom::new();
    KEY.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).expect("signed");
    format!("{message}.{}", encode(&signature))
}
