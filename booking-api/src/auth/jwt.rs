//! RS256 bearer tokens of one issuer, such as Clerk's session tokens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{Actor, Clock, Directory, SystemClock};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Validation};
use serde_json::Value;

use crate::auth::claims::{Claims, Header, RoleClaims};
use crate::auth::keys::{InvalidKey, Key, Keys};
use crate::auth::recent::{Recent, Verified};
use crate::auth::{AuthError, Session, Verifier};

/// The longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How far clocks may be apart, unless somebody says otherwise, and at most.
const LEEWAY: Duration = Duration::from_secs(5);
const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// Verifies session tokens of one issuer in full: signature and algorithm (RS256, whatever the
/// header says), `iss`, `exp` and `nbf`, `azp` where [parties] are named, and Clerk's `sts`. `sub`
/// is the user's id; the role is where [`role_claims`] say, or in the [`directory`].
///
/// Tokens of Clerk of versions 1 and 2 are both good: they differ in what they say of organizations,
/// which is not read here.
///
/// Nothing is asked of the issuer per request: its keys are fetched from its JWKS and kept, or given
/// as PEM. A token that was verified a moment ago costs no RSA operation; it goes, at the latest,
/// when it expires, or when its key does.
///
/// Time is always the machine's: a moved clock does not revive a token.
///
/// ```
/// use booking_api::JwtVerifier;
///
/// # fn example() -> Result<(), booking_api::JwtSetupError> {
/// let verifier = JwtVerifier::builder("https://clerk.example.com")
///     .authorized_parties(["https://app.example.com"])
///     .build()?;
/// # Ok(())
/// # }
/// ```
///
/// [parties]: JwtVerifierBuilder::authorized_parties
/// [`role_claims`]: JwtVerifierBuilder::role_claims
/// [`directory`]: JwtVerifierBuilder::directory
pub struct JwtVerifier {
    keys: Keys,
    validation: Validation,
    /// Empty for any.
    parties: Vec<String>,
    roles: RoleClaims,
    directory: Option<Arc<dyn Directory>>,
    recent: Recent,
}

/// What a [`JwtVerifier`] goes by.
#[derive(Clone)]
pub struct JwtVerifierBuilder {
    issuer: String,
    parties: Vec<String>,
    roles: RoleClaims,
    directory: Option<Arc<dyn Directory>>,
    leeway: Duration,
    pem: Option<Vec<u8>>,
    jwks_url: Option<String>,
    clock: Arc<dyn Clock>,
}

/// Why tokens cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum JwtSetupError {
    /// The key is of no use.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// Keys are to be fetched, and anybody on the way could put in their own.
    #[error("keys cannot be fetched from {url}: it must be an https URL, or lead to this machine")]
    UnsafeUrl {
        /// From where.
        url: String,
    },
    /// More than five minutes: who needs that has to set a clock.
    #[error("a leeway of more than five minutes")]
    Leeway,
    /// TLS cannot be set up, or the feature `jwks` is not compiled in and there is no key in PEM.
    #[error("keys cannot be fetched")]
    Fetching(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

impl JwtVerifier {
    /// For the tokens of this issuer: their `iss`, to the letter. Unless a
    /// [key](JwtVerifierBuilder::public_key_pem) is given, the issuer's keys are fetched from
    /// `/.well-known/jwks.json` under it.
    ///
    /// What it verifies with is ring, as `jsonwebtoken`'s
    /// [provider](jsonwebtoken::crypto::CryptoProvider) of the whole process, and that knows RS256 alone. A program
    /// that uses `jsonwebtoken` for other tokens of its own installs its provider before.
    #[must_use]
    pub fn builder(issuer: impl Into<String>) -> JwtVerifierBuilder {
        JwtVerifierBuilder {
            issuer: issuer.into(),
            parties: Vec::new(),
            roles: RoleClaims::default(),
            directory: None,
            leeway: LEEWAY,
            pem: None,
            jwks_url: None,
            clock: Arc::new(SystemClock),
        }
    }
}

impl JwtVerifierBuilder {
    /// Takes only tokens that the issuer made out for one of these parties: `azp`, with Clerk the
    /// origin of the page. An issuer may sign for other applications too. Any, if there are none.
    #[must_use]
    pub fn authorized_parties<T: Into<String>>(
        mut self,
        parties: impl IntoIterator<Item = T>,
    ) -> Self {
        self.parties = parties.into_iter().map(Into::into).collect();
        self
    }

    /// Where tokens have the role, instead of `metadata.role`, `public_metadata.role` and `role`:
    /// the first of these places that is there and not null. Names with dots between them, or JSON
    /// Pointers, which begin with a slash.
    #[must_use]
    pub fn role_claims<T: AsRef<str>>(mut self, places: impl IntoIterator<Item = T>) -> Self {
        self.roles = RoleClaims::new(places);
        self
    }

    /// Asked for the role of a user whose token has none; each time, so that it is what the
    /// directory says now. Without one, such tokens are rejected.
    #[must_use]
    pub fn directory(mut self, directory: Arc<dyn Directory>) -> Self {
        self.directory = Some(directory);
        self
    }

    /// How far the issuer's clock may be from ours: 5 seconds unless said otherwise, and 5 minutes
    /// at most.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The issuer's one key, the public half of it in PEM: nothing is fetched, and `kid` is not
    /// looked at.
    #[must_use]
    pub fn public_key_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.pem = Some(pem.into());
        self
    }

    /// Where the issuer publishes its keys, if not under `/.well-known/jwks.json`.
    #[must_use]
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.jwks_url = Some(url.into());
        self
    }

    /// By which the age of fetched keys is told; the machine's, unless a test says otherwise.
    /// Tokens always go by the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The verifier. Keys are fetched when they are first needed, or when [`Verifier::ready`] is
    /// first called.
    ///
    /// # Errors
    /// [`JwtSetupError`] says what cannot be.
    pub fn build(self) -> Result<JwtVerifier, JwtSetupError> {
        if self.leeway > MAX_LEEWAY {
            return Err(JwtSetupError::Leeway);
        }
        super::ring::install();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.leeway = self.leeway.as_secs();
        let keys = match &self.pem {
            Some(pem) => Keys::Fixed(Arc::new(Key::from_pem(pem)?)),
            None => self.published()?,
        };
        Ok(JwtVerifier {
            keys,
            validation,
            parties: self.parties,
            roles: self.roles,
            directory: self.directory,
            recent: Recent::new(),
        })
    }

    #[cfg(feature = "jwks")]
    fn published(&self) -> Result<Keys, JwtSetupError> {
        use crate::auth::jwks::{Jwks, safe_url};
        let of_issuer = || format!("{}/.well-known/jwks.json", self.issuer.trim_end_matches('/'));
        let url = self.jwks_url.clone().unwrap_or_else(of_issuer);
        let safe = safe_url(&url).map_err(|_| JwtSetupError::UnsafeUrl { url })?;
        let jwks = Jwks::new(safe, self.clock.clone())
            .map_err(|error| JwtSetupError::Fetching(Some(error.into())))?;
        Ok(Keys::Published(Arc::new(jwks)))
    }

    #[cfg(not(feature = "jwks"))]
    fn published(&self) -> Result<Keys, JwtSetupError> {
        let _nothing_to_fetch_with = (&self.jwks_url, &self.clock);
        Err(JwtSetupError::Fetching(None))
    }
}

#[async_trait]
impl Verifier for JwtVerifier {
    async fn verify(&self, token: &str) -> Result<Session, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Rejected(format!("longer than {} KiB", MAX_TOKEN_BYTES / 1024)));
        }
        let verified = match self.recall(token).await? {
            Some(verified) => verified,
            None => self.verify_anew(token).await?,
        };
        let role = match (verified.role, &self.directory) {
            (Some(role), _) => role,
            (None, Some(directory)) => {
                let user = directory.user(&verified.id).await;
                let user = user.map_err(|error| AuthError::Unavailable(error.into()))?;
                user.ok_or(AuthError::NoRole)?.role
            }
            (None, None) => return Err(AuthError::Rejected("has no role".to_owned())),
        };
        Ok(Session { actor: Actor { id: verified.id, role }, expires_at: verified.ends_at })
    }

    fn ready(&self) -> Result<(), AuthError> {
        self.keys.ready()
    }
}

impl JwtVerifier {
    /// What is remembered of a token, while its key is still the issuer's.
    async fn recall(&self, token: &str) -> Result<Option<Verified>, AuthError> {
        let Some(verified) = self.recent.find(token) else { return Ok(None) };
        let key = self.keys.find(verified.kid.as_deref()).await;
        if key.as_ref().is_ok_and(|key| key.print == verified.print) {
            return Ok(Some(verified));
        }
        self.recent.forget(token);
        key.map(|_another| None)
    }

    async fn verify_anew(&self, token: &str) -> Result<Verified, AuthError> {
        let header = Header::of(token).map_err(AuthError::Rejected)?;
        let key = self.keys.find(header.kid.as_deref()).await?;
        let proven = jsonwebtoken::decode::<Value>(token, &key.decoding, &self.validation)
            .map_err(|error| AuthError::Rejected(error.to_string()))?;
        let claims = Claims::read(&proven.claims, &self.parties, &self.roles)
            .map_err(AuthError::Rejected)?;
        let verified = Verified {
            id: claims.id,
            role: claims.role,
            kid: header.kid,
            print: key.print,
            ends_at: self.end_of(claims.exp),
        };
        self.recent.remember(token, &verified);
        Ok(verified)
    }

    /// When a token is no longer accepted, as `jsonwebtoken` counts: in whole seconds, the last one
    /// included. `None` beyond the calendar.
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and fractions do not matter")]
    fn end_of(&self, exp: f64) -> Option<DateTime<Utc>> {
        let leeway = i64::try_from(self.validation.leeway).unwrap_or(i64::MAX);
        DateTime::from_timestamp((exp.round() as i64).saturating_add(leeway).saturating_add(1), 0)
    }
}
