//! Tokens as an issuer would sign them: for development and tests.

use booking_core::Actor;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::auth::{InvalidKey, ring};

#[derive(Debug, Serialize)]
struct Claims<'a> {
    sub: &'a str,
    role: &'a str,
    iss: &'a str,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// A token for `actor`, valid from `issued_at` (seconds since 1970) for `lifetime_seconds`.
pub(crate) fn sign(
    issuer: &str,
    private_key_pem: &[u8],
    actor: &Actor,
    issued_at: u64,
    lifetime_seconds: u64,
) -> Result<String, InvalidKey> {
    ring::install();
    let claims = Claims {
        sub: actor.id.as_str(),
        role: actor.role.as_str(),
        iss: issuer,
        iat: issued_at,
        nbf: issued_at,
        exp: issued_at.saturating_add(lifetime_seconds),
    };
    let key = EncodingKey::from_rsa_pem(private_key_pem).map_err(InvalidKey::Unreadable)?;
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key)
        .map_err(InvalidKey::Unreadable)
}
