//! The token issuer of the `dev` server: a key of its own in each data directory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use booking_core::{Actor, Clock, SystemClock};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::{RsaPrivateKey, RsaPublicKey};

use super::Failure;
use super::cli::TokenArgs;
use super::files::write_once;
use crate::auth::{JwtVerifier, sign};

/// The `iss` of its tokens.
const ISSUER: &str = "booking-api dev";
const KEY_FILE: &str = "dev-issuer.pem";
const KEY_BITS: usize = 2048;

/// Signs tokens that only the `dev` server of the same data directory accepts.
pub(super) struct DevIssuer {
    private_key_pem: String,
}

/// `booking-api token`: prints one token and nothing else.
pub(super) fn print_token(args: &TokenArgs) -> Result<(), Failure> {
    let actor = Actor { id: args.sub.clone(), role: args.role };
    println!("{}", DevIssuer::open(&args.data.data_dir)?.token(&actor, args.ttl)?);
    Ok(())
}

impl DevIssuer {
    /// Reads the key of a data directory; makes both on first use.
    pub(super) fn open(data_dir: &Path) -> Result<Self, Failure> {
        let path = data_dir.join(KEY_FILE);
        if !path.exists() {
            fs::create_dir_all(data_dir)?;
            write_new_key(&path)?;
        }
        Ok(Self { private_key_pem: fs::read_to_string(path)? })
    }

    /// Accepts what this issuer signs.
    pub(super) fn verifier(&self) -> Result<JwtVerifier, Failure> {
        let private_key = RsaPrivateKey::from_pkcs8_pem(&self.private_key_pem)?;
        let public_key = RsaPublicKey::from(&private_key).to_public_key_pem(LineEnding::LF)?;
        Ok(JwtVerifier::builder(ISSUER)
            .public_key_pem(public_key)
            .leeway(Duration::ZERO)
            .build()?)
    }

    /// A token that is valid from now, by the machine's clock, for `lifetime`.
    pub(super) fn token(&self, actor: &Actor, lifetime: Duration) -> Result<String, Failure> {
        let now = u64::try_from(SystemClock.now().timestamp())?;
        let key = self.private_key_pem.as_bytes();
        Ok(sign(ISSUER, key, actor, now, lifetime.as_secs())?)
    }
}

fn write_new_key(path: &Path) -> Result<(), Failure> {
    let key = RsaPrivateKey::new(&mut OsRng, KEY_BITS)?.to_pkcs8_pem(LineEnding::LF)?;
    Ok(write_once(path, key.as_bytes())?)
}
