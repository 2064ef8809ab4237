//! Who is asking: bearer tokens, and which roles an operation takes.

mod claims;
#[cfg(feature = "command")]
mod issue;
#[cfg(feature = "jwks")]
mod jwks;
mod jwt;
mod keys;
mod recent;
mod ring;

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use booking_core::{Actor, Operation, Refusal};
use chrono::{DateTime, Utc};
use poem::http::header;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::http::Limiter;
use crate::problem::{Code, Problem};

#[cfg(feature = "command")]
pub(crate) use issue::sign;
#[cfg(feature = "command")]
pub(crate) use jwks::is_safe_issuer;
pub use jwt::{JwtSetupError, JwtVerifier, JwtVerifierBuilder};
pub use keys::InvalidKey;

/// Tells from a bearer token who is asking. Plug in your own identity provider here.
#[async_trait]
pub trait Verifier: Send + Sync {
    /// Checks the token in full.
    ///
    /// # Errors
    /// [`AuthError::Rejected`] for any token that is not good; [`AuthError::Unavailable`] when
    /// that cannot be told right now.
    async fn verify(&self, token: &str) -> Result<Session, AuthError>;

    /// Whether tokens can be checked, which `/readyz` tells; without waiting for anything. Always,
    /// unless said otherwise.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`] when not.
    fn ready(&self) -> Result<(), AuthError> {
        Ok(())
    }
}

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who is asking.
    pub actor: Actor,
    /// From when on the token is no longer accepted, by the machine's clock: streams end then.
    /// `None` for a token that does not expire.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Does not expire.
impl From<Actor> for Session {
    fn from(actor: Actor) -> Self {
        Self { actor, expires_at: None }
    }
}

/// Why a token was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token is not good; the reason is for logs, not for callers.
    #[error("the token was rejected: {0}")]
    Rejected(String),
    /// The token is good, but neither it nor the directory says what the user is.
    #[error("the user has no role")]
    NoRole,
    /// The identity provider cannot be asked.
    #[error("tokens cannot be checked right now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Rejected(reason) => {
                tracing::debug!(reason, "token rejected");
                Self::new(Code::Unauthenticated, "the bearer token is not valid")
            }
            AuthError::NoRole => {
                Self::new(Code::RoleRequired, "the signed-in user has no role here")
            }
            AuthError::Unavailable(_) => Self::unavailable("tokens cannot be checked", error),
        }
    }
}

/// What a handler is for; a type, so that roles are checked before the rest of a request is read.
pub(crate) trait For: Send + Sync {
    const OPERATION: Operation;
}

macro_rules! operations {
    ($($name:ident)+) => {
        $(#[derive(Debug)]
        pub(crate) enum $name {}

        impl For for $name {
            const OPERATION: Operation = Operation::$name;
        })+
    };
}

operations! { Book ListMeetings UseMeeting ManageAvailability ListSlots ManageDirectory ReadAudit }
operations! { ManageFeeds }
#[cfg(feature = "webhooks")]
operations! { ManageWebhooks }

/// The signed-in user, whose role may do what the handler is for. The first argument of a handler:
/// token and role come before everything else (contract, order of checks).
#[derive(Debug)]
pub(crate) struct SignedIn<Op> {
    pub(crate) actor: Actor,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    operation: PhantomData<fn() -> Op>,
}

const SCHEME: &str = "bearer";

impl<'a, Op: For + 'static> ApiExtractor<'a> for SignedIn<Op> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some("A session token of the identity provider; `sub` is the user's id"),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("JWT"),
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(SCHEME, scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let verifier = request.data::<Arc<dyn Verifier>>();
        let verifier = verifier.ok_or_else(|| Problem::internal("no verifier is set up"))?;
        let session = verifier.verify(bearer_token(request)?).await;
        let session = session.map_err(|error| match error {
            AuthError::NoRole => Refusal::RoleRequired { operation: Op::OPERATION }.into(),
            error => Problem::from(error),
        })?;
        let Session { actor, expires_at } = session;
        if let Some(limiter) = request.data::<Limiter>() {
            limiter.count_user(request, &actor.id)?;
        }
        actor.may(Op::OPERATION).map_err(Problem::from)?;
        Ok(Self { actor, expires_at, operation: PhantomData })
    }
}

/// RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer_token(request: &Request) -> Result<&str, Problem> {
    let missing = || Problem::new(Code::Unauthenticated, "send a bearer token in Authorization");
    let header = request.headers().get(header::AUTHORIZATION).ok_or_else(missing)?;
    let (scheme, token) =
        header.to_str().ok().and_then(|h| h.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}
