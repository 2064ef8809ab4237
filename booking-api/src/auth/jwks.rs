//! The keys that an issuer publishes (RFC 7517), fetched seldom and kept for long.
//!
//! No request waits for the issuer but one whose token names a key that is not known, and the first
//! ones after a pause. All fetches together are at most one every [`PAUSE`], one at a time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use booking_core::{Clock, with_causes};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{StatusCode, redirect, retry};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};
use url::{Host, Url};

use crate::auth::AuthError;
use crate::auth::keys::Key;
use crate::tls;

/// From this age on, keys are fetched anew, while requests go on with those that are there.
const FRESH: TimeDelta = TimeDelta::minutes(5);
/// From this age on, requests wait for that, unless it has just failed: a key that the issuer took
/// back is not used for longer.
const AGED: TimeDelta = TimeDelta::minutes(10);
/// From this age on, keys are not used. Until then the issuer may be away: a night, without
/// anybody being woken. Whoever has stolen a key that was taken back has to keep us from the issuer
/// for as long as they want to use it, and no longer than this.
const STALE: TimeDelta = TimeDelta::hours(24);
/// Between two fetches, whatever tokens name.
const PAUSE: TimeDelta = TimeDelta::seconds(10);

/// How long a fetch may take, its connection included.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The largest answer. A key of 4096 bits is less than 1 KiB, with a certificate 4 KiB.
const MAX_BYTES: usize = 128 * 1024;
/// The most keys: issuers have one or two, and during a rotation one more.
const MAX_KEYS: usize = 32;

const USER_AGENT: &str = concat!("booking-api/", env!("CARGO_PKG_VERSION"));

/// Keys by `kid`.
pub(super) struct Jwks {
    url: Url,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    /// Whoever fetches has it; the others wait, and look at what was found.
    turn: Arc<Mutex<()>>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<Key>>,
    fetched_at: Option<DateTime<Utc>>,
    tried_at: Option<DateTime<Utc>>,
    /// Why the last fetch came to nothing.
    failure: Option<FetchError>,
}

/// Why no keys came.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the issuer's keys have not been fetched yet")]
    NotYet,
    #[error("the issuer's keys cannot be fetched: {0}")]
    Unreachable(String),
    #[error("the issuer answered {0} for its keys")]
    Status(StatusCode),
    #[error("the issuer's keys are more than {} KiB", MAX_BYTES / 1024)]
    TooLarge,
    #[error("what the issuer answered for its keys is no set of at most {MAX_KEYS}")]
    NoKeySet,
    #[error("the issuer has no key that can be used: RSA, for signatures by RS256, with a kid")]
    NoKey,
}

/// Where keys must not be fetched from: anybody on the way could put in their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an https URL, or lead to this machine")]
pub(super) struct UnsafeUrl;

/// The address of an issuer's keys, which nobody on the way can change.
pub(super) fn safe_url(text: &str) -> Result<Url, UnsafeUrl> {
    let url = Url::parse(text).map_err(|_| UnsafeUrl)?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        _ => Err(UnsafeUrl),
    }
}

/// Whether an issuer is no web address, or one whose pages nobody on the way can change.
#[cfg(feature = "command")]
pub(crate) fn is_safe_issuer(issuer: &str) -> bool {
    !issuer.to_ascii_lowercase().starts_with("http:") || safe_url(issuer).is_ok()
}

impl Jwks {
    pub(super) fn new(url: Url, clock: Arc<dyn Clock>) -> Result<Self, JwksSetupError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client().map_err(|e| JwksSetupError(e.into()))?)
            // The address that was named, and no other that an answer or the environment names.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .retry(retry::never())
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(PATIENCE)
            // Minutes pass between two fetches.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| JwksSetupError(error.into()))?;
        Ok(Self { url, http, clock, known: RwLock::default(), turn: Arc::default() })
    }

    /// The key that a token names.
    pub(super) async fn find(self: &Arc<Self>, kid: &str) -> Result<Arc<Key>, AuthError> {
        self.keep_fresh().await;
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        self.fetch_once().await;
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        // Only the issuer could tell that there is no such key.
        let failure = self.failure();
        Err(failure.map_or_else(
            || AuthError::Rejected("names a key that the issuer does not have".to_owned()),
            |failure| AuthError::Unavailable(failure.into()),
        ))
    }

    /// Whether there are keys. If not, they are asked for, without anybody waiting.
    pub(super) fn ready(self: &Arc<Self>) -> Result<(), AuthError> {
        if self.age().is_some_and(|age| age < STALE) {
            return Ok(());
        }
        self.fetch_aside();
        Err(AuthError::Unavailable(self.failure().unwrap_or(FetchError::NotYet).into()))
    }

    async fn keep_fresh(self: &Arc<Self>) {
        match self.age() {
            Some(age) if age < FRESH => {}
            Some(age) if age < AGED => self.fetch_aside(),
            Some(_) if self.failure().is_none() => self.fetch_once().await,
            Some(_) => self.fetch_aside(),
            // Nobody has anything to go on with; `find` waits.
            None => {}
        }
    }

    /// Fetches, unless somebody just has; waits for somebody who does.
    async fn fetch_once(self: &Arc<Self>) {
        let turn = self.turn.clone().lock_owned().await;
        if self.begin() {
            let _ended = self.fetch_in_task(turn).await;
        }
    }

    /// Fetches while everybody goes on, unless somebody does or just has.
    fn fetch_aside(self: &Arc<Self>) {
        if let Ok(turn) = self.turn.clone().try_lock_owned()
            && self.begin()
        {
            drop(self.fetch_in_task(turn));
        }
    }

    /// In a task of its own: it comes to its end also when its caller hangs up.
    fn fetch_in_task(self: &Arc<Self>, turn: OwnedMutexGuard<()>) -> tokio::task::JoinHandle<()> {
        let this = self.clone();
        tokio::spawn(async move {
            let fetched = this.fetch().await;
            this.note(fetched);
            drop(turn);
        })
    }

    /// Notes that somebody tries now; not when somebody has tried a moment ago.
    fn begin(&self) -> bool {
        let now = self.clock.now();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let due = known.tried_at.is_none_or(|at| (now - at).abs() >= PAUSE);
        if due {
            known.tried_at = Some(now);
        }
        due
    }

    fn note(&self, fetched: Result<HashMap<String, Arc<Key>>, FetchError>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(keys) => {
                tracing::info!(kids = ?keys.keys().collect::<Vec<_>>(), "fetched the issuer's keys");
                known.keys = keys;
                known.fetched_at = Some(self.clock.now());
                known.failure = None;
            }
            Err(error) => {
                tracing::warn!(%error, url = %self.url, "going on with the keys that are there");
                known.failure = Some(error);
            }
        }
    }

    fn known(&self, kid: &str) -> Option<Arc<Key>> {
        let usable = self.age().is_some_and(|age| age < STALE);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.keys.get(kid).filter(|_| usable).cloned()
    }

    /// Of the keys. A clock that was turned back makes them older, and not younger.
    fn age(&self) -> Option<TimeDelta> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.fetched_at.map(|at| (self.clock.now() - at).abs())
    }

    fn failure(&self) -> Option<FetchError> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).failure.clone()
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<Key>>, FetchError> {
        let unreachable =
            |error: reqwest::Error| FetchError::Unreachable(with_causes(&error.without_url()));
        let mut response = self.http.get(self.url.clone()).send().await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut json = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if json.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError::TooLarge);
            }
            json.extend_from_slice(&chunk);
        }
        usable_keys(&json)
    }
}

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("keys cannot be fetched")]
pub(super) struct JwksSetupError(#[source] Box<dyn std::error::Error + Send + Sync>);

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// A key as RFC 7517 and RFC 7518, section 6.3.1, have it. The file may have more of each.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    n: String,
    e: String,
}

/// Keys of other kinds are left out: there may be some for other purposes.
fn usable_keys(json: &[u8]) -> Result<HashMap<String, Arc<Key>>, FetchError> {
    let set: KeySet = serde_json::from_slice(json).map_err(|_| FetchError::NoKeySet)?;
    if set.keys.len() > MAX_KEYS {
        return Err(FetchError::NoKeySet);
    }
    let mut keys = HashMap::new();
    for jwk in set.keys {
        let Some((kid, key)) = usable(&jwk) else { continue };
        // Two keys of one name: neither is the one.
        if keys.insert(kid, Arc::new(key)).is_some() {
            return Err(FetchError::NoKeySet);
        }
    }
    if keys.is_empty() { Err(FetchError::NoKey) } else { Ok(keys) }
}

fn usable(jwk: &Value) -> Option<(String, Key)> {
    let jwk = Jwk::deserialize(jwk).ok()?;
    let is_rs256 = jwk.kty == "RSA" && jwk.alg.is_none_or(|alg| alg == "RS256");
    let is_for_signatures = jwk.usage.is_none_or(|usage| usage == "sig")
        && jwk.key_ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !is_rs256 || !is_for_signatures {
        return None;
    }
    let decode = |number| BASE64_URL_SAFE_NO_PAD.decode(number).ok();
    let key = Key::from_components(&decode(jwk.n)?, &decode(jwk.e)?);
    match key {
        Ok(key) => Some((jwk.kid, key)),
        Err(error) => {
            tracing::warn!(kid = jwk.kid, %error, "a key of the issuer's is not used");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_are_https_or_this_machine() {
        for good in [
            "https://clerk.example.com/.well-known/jwks.json",
            "http://127.0.0.1:1/x",
            "http://127.9.9.9",
            "http://[::1]:80/",
            "http://localhost:8080/jwks.json",
            "HTTP://LOCALHOST/",
        ] {
            assert!(safe_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://clerk.example.com/.well-known/jwks.json",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://0.0.0.0/",
            "http://10.0.0.1/",
            "http://[::ffff:10.0.0.1]/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "clerk.example.com",
            "",
        ] {
            assert_eq!(safe_url(bad), Err(UnsafeUrl), "{bad}");
        }
    }

    #[test]
    fn only_rsa_keys_for_signatures_are_used() {
        let number = |bytes: usize, first: u8| {
            let mut number = vec![0xff_u8; bytes];
            number[0] = first;
            BASE64_URL_SAFE_NO_PAD.encode(number)
        };
        let good = json!({
            "kty": "RSA", "kid": "a", "use": "sig", "alg": "RS256", "n": number(256, 0xff),
            "e": "AQAB", "x5t": "of no interest",
        });
        let with = |changes: Value| {
            let mut jwk = good.clone();
            for (name, value) in changes.as_object().unwrap() {
                jwk[name] = value.clone();
            }
            usable(&jwk).is_some()
        };
        for (changes, expected) in [
            (json!({}), true),
            (json!({"alg": null}), true),
            (json!({"use": null}), true),
            (json!({"key_ops": ["verify"]}), true),
            // A leading zero, as some write it.
            (json!({"n": number(257, 0)}), true),
            (json!({"n": number(1024, 0xff)}), true),
            (json!({"kid": null}), false),
            (json!({"kid": 1}), false),
            (json!({"kty": "EC"}), false),
            (json!({"kty": "oct"}), false),
            (json!({"use": "enc"}), false),
            (json!({"key_ops": ["encrypt"]}), false),
            (json!({"alg": "RS512"}), false),
            (json!({"alg": "HS256"}), false),
            (json!({"n": number(256, 0x7f)}), false),
            (json!({"n": number(128, 0xff)}), false),
            (json!({"n": number(1025, 0xff)}), false),
            (json!({"n": ""}), false),
            (json!({"n": "=="}), false),
            (json!({"e": null}), false),
        ] {
            assert_eq!(with(changes.clone()), expected, "{changes}");
        }
        let set = |keys: Value| usable_keys(json!({"keys": keys}).to_string().as_bytes()).is_ok();
        assert!(set(json!([good, {"kty": "EC"}, "?", null])));
        assert!(!set(json!([])) && !set(json!([{"kty": "EC"}])) && !set(json!([good, good])));
        assert!(!set(Value::from(vec![json!({}); MAX_KEYS + 1])) && !set(json!("keys")));
    }
}
