//! `POST /webhooks/clerk`: Clerk tells of its users, and the directory keeps up.

mod event;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use booking_core::{By, Clock, DirectoryAdmin, RandomIds, SystemClock, SystemName};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use poem::http::{HeaderMap, StatusCode};
use poem::{Endpoint, Request, Response, Result};
use tokio_util::sync::CancellationToken;

use crate::body::read_bytes;
use crate::problem::{Code, Problem};
use crate::webhooks::Secret;

/// Whom the audit log names for what Clerk tells.
const CLERK: SystemName = SystemName::of("clerk");
/// How far the time of a message may be from ours: what is older may be a recording.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);
/// The longest message id, in bytes.
const MAX_ID_BYTES: usize = 255;
/// How many are read at the same time. Whose a message is shows only when all of it is there, and whoever
/// has no secret shall have neither every place of the server by sending none to its end, nor all of these:
/// the one that has been read for longest makes room for the next. Clerk's come in one piece, and again if
/// they did not arrive.
const AT_ONCE: usize = 8;

/// Takes Clerk's webhooks of users: their signature, by [Svix](https://docs.svix.com/receiving/verifying-payloads/how-manual),
/// is what they are believed by. Give it to [`Api::with_clerk_webhook`](crate::Api::with_clerk_webhook).
///
/// Clerk's user gets the entry that `public_metadata.role`, the name, the primary e-mail address and
/// `public_metadata.timeZone` make; what is not there stays as the directory has it, and
/// [`UserNews::decide`](booking_core::UserNews::decide) says the rest. A role that is none of ours is
/// refused, and nothing changes.
#[derive(Clone)]
pub struct ClerkWebhook {
    secret: Secret,
    users: Arc<dyn DirectoryAdmin>,
    clock: Arc<dyn Clock>,
    reading: Reading,
}

/// The text is no secret of a webhook of Clerk's; it is not repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and base64 of at least 24 bytes, as Clerk shows it")]
pub struct InvalidClerkSecret;

impl ClerkWebhook {
    /// With the signing secret that Clerk's dashboard shows, `whsec_…`, for this directory.
    ///
    /// # Errors
    /// [`InvalidClerkSecret`] when it is none.
    pub fn new(secret: &str, users: Arc<dyn DirectoryAdmin>) -> Result<Self, InvalidClerkSecret> {
        Ok(Self::with(read_secret(secret)?, users))
    }

    pub(crate) fn with(secret: Secret, users: Arc<dyn DirectoryAdmin>) -> Self {
        Self { secret, users, clock: Arc::new(SystemClock), reading: Reading::default() }
    }
}

/// A secret that is long enough.
pub(crate) fn read_secret(text: &str) -> Result<Secret, InvalidClerkSecret> {
    let secret = Secret::try_from(text.to_owned()).map_err(|_| InvalidClerkSecret)?;
    if secret.is_strong() { Ok(secret) } else { Err(InvalidClerkSecret) }
}

impl Endpoint for ClerkWebhook {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (request, mut body) = request.split();
        let now = self.clock.now().trunc_subsecs(3);
        let signed = Signed::of(request.headers(), now).ok_or_else(not_signed)?;
        let place = self.reading.begin();
        let body = tokio::select! {
            biased;
            body = read_bytes(&request, &mut body) => body?,
            () = place.cancelled() => {
                let detail = "others came while the message did not";
                return Err(Problem::new(Code::Unavailable, detail).into());
            }
        };
        if !self.secret.verifies(signed.id, signed.timestamp, &body, signed.signatures) {
            return Err(not_signed().into());
        }
        let Some(news) = event::read(&body, signed.id, now)
            .map_err(|what| Problem::new(Code::InvalidRequest, what))?
        else {
            return Ok(taken());
        };
        let by = By::system(CLERK, now, &RandomIds);
        let outcome = self.users.take_news(&news, by, &RandomIds).await.map_err(Problem::from)?;
        tracing::info!(news = news.message, user = %news.user, ?outcome, "news of a user");
        Ok(taken())
    }
}

/// The messages that are being read, the oldest first, and some that have been.
#[derive(Clone, Default)]
struct Reading(Arc<Mutex<VecDeque<CancellationToken>>>);

impl Reading {
    /// Cancelled when others need the place.
    fn begin(&self) -> CancellationToken {
        let token = CancellationToken::new();
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reading.len() >= AT_ONCE
            && let Some(oldest) = reading.pop_front()
        {
            oldest.cancel();
        }
        reading.push_back(token.clone());
        token
    }
}

/// Said of whatever is wrong with the signature: who has the secret knows how to do it.
fn not_signed() -> Problem {
    let detail = "the message is not signed as it must be, or its time is not the present";
    Problem::new(Code::InvalidRequest, detail)
}

fn taken() -> Response {
    StatusCode::NO_CONTENT.into()
}

/// What a message is signed with.
struct Signed<'a> {
    id: &'a str,
    timestamp: i64,
    signatures: &'a str,
}

impl<'a> Signed<'a> {
    /// `None` when something is missing, or is not of the present.
    fn of(headers: &'a HeaderMap, now: DateTime<Utc>) -> Option<Self> {
        let one = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?.to_str().ok()?;
            values.next().is_none().then_some(value)
        };
        let id = one("svix-id").filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()))?;
        let timestamp: i64 = one("svix-timestamp")?.parse().ok()?;
        let sent_at = DateTime::from_timestamp(timestamp, 0)?;
        let is_present = (now - sent_at).abs() <= TOLERANCE;
        is_present.then_some(Self { id, timestamp, signatures: one("svix-signature")? })
    }
}
