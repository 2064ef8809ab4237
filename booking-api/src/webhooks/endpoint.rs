//! What is known of a webhook: the settings of its subscriber.

use std::fmt;

use booking_core::{Subscriber, Text};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::signature::Secret;

/// How long a secret that was replaced still signs.
const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// What a webhook is for.
pub(crate) type WebhookDescription = Text<500>;

/// Where a webhook is, and the secrets that it shares with us.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoint {
    pub(crate) url: WebhookUrl,
    pub(crate) description: Option<WebhookDescription>,
    /// The newest, and perhaps the one before it.
    secrets: Vec<Shared>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shared {
    secret: Secret,
    /// Only of one that was replaced.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    expires_at: Option<DateTime<Utc>>,
}

/// An endpoint as stores keep it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "version")]
enum Stored {
    #[serde(rename = "1")]
    V1(Endpoint),
}

/// The settings are not what this version writes. (What they are is not told: it may be a secret.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the webhook's settings cannot be read")]
pub(crate) struct UnreadableSettings;

impl Endpoint {
    pub(crate) fn new(
        url: WebhookUrl,
        description: Option<WebhookDescription>,
        secret: Secret,
    ) -> Self {
        Self { url, description, secrets: vec![Shared { secret, expires_at: None }] }
    }

    /// Reads the settings of a subscriber.
    pub(crate) fn of(subscriber: &Subscriber) -> Result<Self, UnreadableSettings> {
        match Stored::deserialize(&subscriber.settings) {
            Ok(Stored::V1(endpoint)) => Ok(endpoint),
            Err(_) => Err(UnreadableSettings),
        }
    }

    /// The endpoint as the settings of a subscriber.
    pub(crate) fn into_settings(self) -> Value {
        // Nothing in it that JSON does not have.
        serde_json::to_value(Stored::V1(self)).unwrap_or_default()
    }

    /// Makes this the newest secret; the one before it signs for a day more, and older ones do not.
    pub(crate) fn rotate(&mut self, secret: Secret, now: DateTime<Utc>) {
        self.secrets.insert(0, Shared { secret, expires_at: None });
        self.secrets.truncate(2);
        if let Some(replaced) = self.secrets.get_mut(1) {
            replaced.expires_at = Some(now + OVERLAP);
        }
    }

    /// Until when the replaced secret signs, if there is one that does.
    pub(crate) fn overlap_ends_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.secrets.iter().filter_map(|shared| shared.expires_at).find(|at| now < *at)
    }

    /// The value of `webhook-signature`: one signature for each secret that is valid.
    pub(super) fn signatures(&self, id: &str, now: DateTime<Utc>, body: &[u8]) -> String {
        let valid =
            self.secrets.iter().filter(|shared| shared.expires_at.is_none_or(|at| now < at));
        let signed = valid.map(|shared| shared.secret.sign(id, now.timestamp(), body));
        signed.collect::<Vec<_>>().join(" ")
    }
}

/// Where events are sent: an absolute `http` or `https` URL without credentials or fragment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct WebhookUrl {
    /// As it came in.
    text: String,
    url: Url,
}

/// The text is no URL for webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an absolute http or https URL of at most 2000 characters, without credentials or \
     fragment"
)]
pub(crate) struct InvalidWebhookUrl;

impl WebhookUrl {
    /// The longest URL, in characters.
    pub(crate) const MAX_CHARS: usize = 2_000;

    pub(crate) fn new(text: String) -> Result<Self, InvalidWebhookUrl> {
        // What the URL parser would silently strip (white space, control characters) is refused.
        let plain = text.len() <= Self::MAX_CHARS && text.bytes().all(|b| b.is_ascii_graphic());
        let url = plain.then(|| Url::parse(&text).ok()).flatten().ok_or(InvalidWebhookUrl)?;
        let web = matches!(url.scheme(), "http" | "https");
        // The parser forgives `https:example.com`.
        let absolute = text.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://"));
        let anonymous = url.username().is_empty() && url.password().is_none();
        let whole = url.fragment().is_none();
        if web && absolute && anonymous && whole {
            Ok(Self { text, url })
        } else {
            Err(InvalidWebhookUrl)
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn as_url(&self) -> &Url {
        &self.url
    }
}

/// Such URLs are often all that it takes to write to the receiver: they do not belong in logs.
impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookUrl(…)")
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = InvalidWebhookUrl;

    fn try_from(text: String) -> Result<Self, InvalidWebhookUrl> {
        Self::new(text)
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.text
    }
}
