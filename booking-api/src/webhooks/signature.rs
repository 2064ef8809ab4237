//! How receivers know that a request is ours, and we that one is Clerk's: the symmetric signatures of Standard Webhooks 1.0
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::error::Unspecified;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// What tells secrets from other texts.
const PREFIX: &str = "whsec_";

/// How long a secret of ours is, in bytes.
const BYTES: usize = 32;

/// How long others' must be.
const LEAST_BYTES: usize = 24;

/// What symmetric signatures begin with.
const SCHEME: &str = "v1,";

/// How many signatures of a message are looked at: while a secret changes, there are two.
const MAX_SIGNATURES: usize = 8;

/// A key that a receiver shares with us.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Secret(Vec<u8>);

/// The text is no secret; it is not repeated here.
#[derive(Debug, thiserror::Error)]
#[error("a secret is whsec_ and base64")]
pub(crate) struct InvalidSecret;

impl Secret {
    /// A fresh one, from the operating system.
    pub(crate) fn random() -> Result<Self, Unspecified> {
        let mut bytes = vec![0; BYTES];
        SystemRandom::new().fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The text by which a receiver gets to know it.
    pub(crate) fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }

    /// Whether it is as long as Standard Webhooks wants it.
    pub(crate) fn is_strong(&self) -> bool {
        self.0.len() >= LEAST_BYTES
    }

    /// One of the signatures in `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let tag = hmac::sign(&self.key(), &signed(id, timestamp, body));
        format!("{SCHEME}{}", BASE64_STANDARD.encode(tag))
    }

    /// Whether one of the signatures, which have blanks between them, is by this secret. In constant
    /// time.
    pub(crate) fn verifies(&self, id: &str, timestamp: i64, body: &[u8], signatures: &str) -> bool {
        let (key, signed) = (self.key(), signed(id, timestamp, body));
        let tags = signatures.split(' ').filter_map(|signature| signature.strip_prefix(SCHEME));
        let mut tags = tags.take(MAX_SIGNATURES).filter_map(|tag| BASE64_STANDARD.decode(tag).ok());
        tags.any(|tag| hmac::verify(&key, &signed, &tag).is_ok())
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

fn signed(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    [format!("{id}.{timestamp}.").as_bytes(), body].concat()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl TryFrom<String> for Secret {
    type Error = InvalidSecret;

    fn try_from(text: String) -> Result<Self, InvalidSecret> {
        let base64 = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = BASE64_STANDARD.decode(base64).map_err(|_| InvalidSecret)?;
        if bytes.is_empty() { Err(InvalidSecret) } else { Ok(Self(bytes)) }
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.reveal()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Those of other implementations; the files say which.
    #[test]
    fn signatures_are_as_others_make_them() {
        for file in [include_str!("vectors.json"), include_str!("svix.json")] {
            let file: Value = serde_json::from_str(file).unwrap();
            let vectors = file["vectors"].as_array().unwrap();
            assert_eq!(vectors.len(), 5);
            vectors.iter().for_each(check);
        }
    }

    fn check(vector: &Value) {
        let text = |name: &str| vector[name].as_str().unwrap();
        let secret = Secret::try_from(text("secret").to_owned()).unwrap();
        let (id, timestamp) = (text("id"), vector["timestamp"].as_i64().unwrap());
        let body = text("body").as_bytes();
        let signature = secret.sign(id, timestamp, body);
        assert_eq!(signature, text("signature"));
        assert_eq!(secret.reveal(), text("secret"));

        let verifies = |signatures: &str| secret.verifies(id, timestamp, body, signatures);
        assert!(verifies(&signature) && verifies(&format!("v1a,x v1,eA== {signature}")));
        assert!(!verifies(&signature[3..]) && !verifies(&format!("v2{}", &signature[2..])));
        assert!(!verifies("") && !verifies(&signature[..signature.len() - 4]));
        let too_late = ["v1,eA=="; MAX_SIGNATURES].join(" ") + " " + &signature;
        assert!(!verifies(&too_late));
        assert!(!secret.verifies(id, timestamp + 1, body, &signature));
        assert!(!secret.verifies("msg_other", timestamp, body, &signature));
        assert!(!secret.verifies(id, timestamp, b"another", &signature));
    }

    #[test]
    fn a_secret_is_random_and_hides() {
        let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert!(one != other && one.0.len() == BYTES);
        assert_eq!(Secret::try_from(one.reveal()).unwrap(), one);
        assert_eq!(format!("{one:?}"), "Secret(…)");
        for text in ["", "whsec_", "whsec_x", "secret_QUJD", "whsec_QUJ"] {
            assert!(Secret::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
