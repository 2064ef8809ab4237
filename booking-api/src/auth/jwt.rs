//! RS256 bearer tokens of one issuer, with one key.

use async_trait::async_trait;
use booking_core::{Actor, Role, UserId};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use crate::auth::{AuthError, Session, Verifier, ring};

/// The longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// In the label of a private key's PEM, of whatever form (RFC 7468, sections 10 and 11).
const PRIVATE: &[u8] = b"PRIVATE KEY-----";

/// Verifies tokens in full: signature, algorithm (RS256, whatever the header says), `exp`, `nbf`
/// and `iss`, and `azp` where [parties](Self::for_parties) are named. `sub` is the user's id, and `role` is `client`, `therapist` or `admin`.
///
/// Time is always the machine's: a moved clock does not revive a token.
pub struct JwtVerifier {
    key: DecodingKey,
    validation: Validation,
    /// Empty for any.
    parties: Vec<String>,
}

/// A key that is of no use.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKey {
    /// It cannot be read.
    #[error("not an RSA key in PEM")]
    Unreadable(#[source] jsonwebtoken::errors::Error),
    /// It is the half that signs, and belongs to the issuer alone.
    #[error("this is a private key: give the public half of it")]
    Private,
}

/// What is read of a token; its other claims were checked before.
#[derive(Debug, Deserialize)]
struct Identity {
    sub: String,
    role: String,
    azp: Option<String>,
    /// Seconds since 1970, with a fraction maybe (RFC 7519, section 2).
    exp: f64,
}

impl JwtVerifier {
    /// A verifier for the tokens of `issuer`, signed with the private half of `public_key_pem`.
    /// `leeway_seconds` is how far the two machines' clocks may be apart.
    ///
    /// # Errors
    /// [`InvalidKey`] when the key cannot be read, or is a private one.
    pub fn new(
        issuer: &str,
        public_key_pem: &[u8],
        leeway_seconds: u64,
    ) -> Result<Self, InvalidKey> {
        ring::install();
        if public_key_pem.windows(PRIVATE.len()).any(|part| part == PRIVATE) {
            return Err(InvalidKey::Private);
        }
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.leeway = leeway_seconds;
        let key = DecodingKey::from_rsa_pem(public_key_pem).map_err(InvalidKey::Unreadable)?;
        Ok(Self { key, validation, parties: Vec::new() })
    }

    /// Takes only tokens that the issuer made out for one of these parties (`azp`): an issuer may
    /// sign for other applications too. An empty list stands for any.
    #[must_use]
    pub fn for_parties(mut self, parties: Vec<String>) -> Self {
        self.parties = parties;
        self
    }
}

#[async_trait]
impl Verifier for JwtVerifier {
    async fn verify(&self, token: &str) -> Result<Session, AuthError> {
        let rejected = |reason: String| AuthError::Rejected(reason);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(rejected("longer than 8 KiB".to_owned()));
        }
        let claims = jsonwebtoken::decode::<Identity>(token, &self.key, &self.validation)
            .map_err(|error| rejected(error.to_string()))?
            .claims;
        let ours = claims.azp.is_some_and(|azp| self.parties.contains(&azp));
        if !self.parties.is_empty() && !ours {
            return Err(rejected("made out for another party".to_owned()));
        }
        let id = UserId::new(claims.sub).map_err(|error| rejected(error.to_string()))?;
        let role = claims.role.parse::<Role>().map_err(|error| rejected(error.to_string()))?;
        Ok(Session { actor: Actor { id, role }, expires_at: self.end_of(claims.exp) })
    }
}

impl JwtVerifier {
    /// When a token is no longer accepted, as `jsonwebtoken` counts: in whole seconds, the last one
    /// included. `None` beyond the calendar.
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and fractions do not matter")]
    fn end_of(&self, exp: f64) -> Option<DateTime<Utc>> {
        let leeway = i64::try_from(self.validation.leeway).unwrap_or(i64::MAX);
        DateTime::from_timestamp((exp as i64).saturating_add(leeway).saturating_add(1), 0)
    }
}
