//! Whose tokens the servers accept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hyper::header::HeaderValue;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;

use crate::Fallible;

/// The `iss` of its tokens.
pub(crate) const ISSUER: &str = "https://issuer.load.example";

/// What comes before the PKCS #1 form of a 2048-bit key in its `SubjectPublicKeyInfo` (RFC 5280).
const SPKI_HEADER: [u8; 24] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
];

/// How long tokens are good for: longer than any run.
const LIFETIME_SECONDS: u64 = 12 * 3600;

/// An issuer with a key of its own.
pub(crate) struct Issuer {
    pair: RsaKeyPair,
    /// A file with the public half, in PEM.
    pub(crate) public_key: PathBuf,
}

impl Issuer {
    /// With a key that the command makes.
    pub(crate) fn new(server: &Path, folder: &Path) -> Fallible<Self> {
        let made = Command::new(server)
            .args(["token", "--sub", "nobody", "--role", "client", "--data-dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .status()?;
        if !made.success() {
            return Err("`booking-api token` makes no key".into());
        }
        let pem = fs::read_to_string(folder.join("dev-issuer.pem"))?;
        let base64: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
        let pair = RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(base64)?)
            .map_err(|error| format!("the key that was made: {error}"))?;
        let der = BASE64_STANDARD.encode([&SPKI_HEADER[..], pair.public_key().as_ref()].concat());
        let public_key = folder.join("public.pem");
        fs::write(
            &public_key,
            format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n"),
        )?;
        Ok(Self { pair, public_key })
    }

    /// A client's, as it goes into `Authorization`.
    #[expect(clippy::disallowed_methods, reason = "tokens expire by the machine's clock")]
    pub(crate) fn client(&self, id: &str) -> Fallible<HeaderValue> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = json!({
            "sub": id, "role": "client", "iss": ISSUER, "iat": now, "nbf": now - 60,
            "exp": now + LIFETIME_SECONDS,
        });
        let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .map_err(|_| "no signature")?;
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        Ok(HeaderValue::from_str(&format!("Bearer {message}.{signature}"))?)
    }
}
