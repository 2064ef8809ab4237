//! Tokens, made in this process: the good ones, and every kind of bad one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use serde_json::{Value, json};

/// The `iss` that the `dev` server wants.
pub(crate) const DEV_ISSUER: &str = "booking-api dev";
/// Where a data directory keeps its issuer's key.
const KEY_FILE: &str = "dev-issuer.pem";

/// What comes before the PKCS #1 form of a 2048-bit key in its `SubjectPublicKeyInfo` (RFC 5280).
const SPKI_HEADER: [u8; 24] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
];

/// An issuer's key pair, as the command makes it.
pub(crate) struct IssuerKey {
    private_pem: String,
    pair: RsaKeyPair,
}

impl IssuerKey {
    /// The key of every data directory of this test run: making one takes about a second.
    pub(crate) fn ours() -> &'static Self {
        static OURS: OnceLock<IssuerKey> = OnceLock::new();
        OURS.get_or_init(Self::generate)
    }

    /// A key that no server of this test run knows.
    pub(crate) fn foreign() -> &'static Self {
        static FOREIGN: OnceLock<IssuerKey> = OnceLock::new();
        FOREIGN.get_or_init(Self::generate)
    }

    fn generate() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let made = Command::new(env!("CARGO_BIN_EXE_booking-api"))
            .args(["token", "--sub", "nobody", "--role", "client", "--data-dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .status()
            .expect("the command starts");
        assert!(made.success(), "`token` makes a key");
        Self::from_pem(fs::read_to_string(dir.path().join(KEY_FILE)).expect("the key is there"))
    }

    fn from_pem(private_pem: String) -> Self {
        let base64: String = private_pem.lines().filter(|line| !line.starts_with("---")).collect();
        let der = BASE64_STANDARD.decode(base64).expect("PEM holds base64");
        let pair = RsaKeyPair::from_pkcs8(&der).expect("an RSA key in PKCS #8");
        Self { private_pem, pair }
    }

    /// Gives a data directory this key.
    pub(crate) fn install_in(&self, data_dir: &Path) {
        fs::write(data_dir.join(KEY_FILE), &self.private_pem).expect("the directory is writable");
    }

    /// The public half, as an identity provider publishes it.
    pub(crate) fn public_pem(&self) -> String {
        let der = [&SPKI_HEADER[..], self.pair.public_key().as_ref()].concat();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            BASE64_STANDARD.encode(der)
        )
    }

    /// Modulus and exponent, big-endian.
    pub(crate) fn components(&self) -> (Vec<u8>, Vec<u8>) {
        let RsaPublicKeyComponents { n, e } = self.pair.public().into();
        (n, e)
    }

    /// A token with exactly these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_with_header(&json!({"alg": "RS256", "typ": "JWT"}), claims)
    }

    /// A token whose signature is RS256, whatever its header says.
    pub(crate) fn sign_with_header(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("an RSA signature");
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token like those of the `dev` server, valid for an hour.
    pub(crate) fn token(&self, sub: &str, role: &str) -> String {
        self.sign(&good_claims(sub, role))
    }
}

/// Header and claims, with nothing to prove them.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// What the `dev` server accepts, for an hour.
pub(crate) fn good_claims(sub: &str, role: &str) -> Value {
    let now = unix_now();
    json!({
        "sub": sub, "role": role, "iss": DEV_ISSUER, "iat": now, "nbf": now - 60, "exp": now + 3600,
    })
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens expire by the machine's clock")]
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs()
}
