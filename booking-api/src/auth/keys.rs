//! The public keys that tokens are verified with.

use std::sync::Arc;

use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use ring::digest;

use crate::auth::{AuthError, ring as crypto};

/// Shorter ones can be broken (NIST SP 800-131A), and ring takes none.
const LEAST_BITS: usize = 2048;
/// Longer ones take ring too long.
const MOST_BITS: usize = 8192;

/// In the label of a private key's PEM, of whatever form (RFC 7468, sections 10 and 11).
const PRIVATE: &[u8] = b"PRIVATE KEY-----";

/// A key that is of no use.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKey {
    /// It cannot be read.
    #[error("not an RSA key in PEM")]
    Unreadable(#[source] jsonwebtoken::errors::Error),
    /// It is the half that signs, and belongs to the issuer alone.
    #[error("this is a private key: give the public half of it")]
    Private,
    /// It is too easy to break, or takes too long to compute with.
    #[error("an RSA key of {bits} bits: it must have 2048 to 8192")]
    Size {
        /// How many its modulus has.
        bits: usize,
    },
}

/// An RSA public key, of a size that is safe.
pub(super) struct Key {
    pub(super) decoding: DecodingKey,
    /// Tells keys apart, also under one `kid`.
    pub(super) print: [u8; 32],
}

/// Where keys come from.
pub(super) enum Keys {
    /// One, for all tokens, whatever `kid` they name.
    Fixed(Arc<Key>),
    /// Those that the issuer publishes.
    #[cfg(feature = "jwks")]
    Published(Arc<super::jwks::Jwks>),
}

impl Keys {
    /// The key that a token names.
    pub(super) async fn find(&self, kid: Option<&str>) -> Result<Arc<Key>, AuthError> {
        match self {
            Self::Fixed(key) => {
                let _any = kid;
                Ok(key.clone())
            }
            #[cfg(feature = "jwks")]
            Self::Published(jwks) => {
                let kid = kid.ok_or_else(|| AuthError::Rejected("names no key".to_owned()))?;
                jwks.find(kid).await
            }
        }
    }

    /// Whether there are keys; asks for them where there are none.
    pub(super) fn ready(&self) -> Result<(), AuthError> {
        match self {
            Self::Fixed(_) => Ok(()),
            #[cfg(feature = "jwks")]
            Self::Published(jwks) => jwks.ready(),
        }
    }
}

impl Key {
    /// The public half of a key, in PEM.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, InvalidKey> {
        crypto::install();
        if pem.windows(PRIVATE.len()).any(|part| part == PRIVATE) {
            return Err(InvalidKey::Private);
        }
        let decoding = DecodingKey::from_rsa_pem(pem).map_err(InvalidKey::Unreadable)?;
        let DecodingKeyKind::SecretOrDer(der) = decoding.kind() else {
            return Err(InvalidKey::Size { bits: 0 });
        };
        let bits = bits(modulus(der).unwrap_or_default());
        let print = print(&[der]);
        Self { decoding, print }.of_size(bits)
    }

    /// Modulus and exponent, big-endian.
    #[cfg(feature = "jwks")]
    pub(super) fn from_components(n: &[u8], e: &[u8]) -> Result<Self, InvalidKey> {
        crypto::install();
        // ring takes no leading zeros.
        let (n, e) = (plain(n), plain(e));
        let decoding = DecodingKey::from_rsa_raw_components(n, e);
        Self { decoding, print: print(&[n, e]) }.of_size(bits(n))
    }

    fn of_size(self, bits: usize) -> Result<Self, InvalidKey> {
        if (LEAST_BITS..=MOST_BITS).contains(&bits) {
            Ok(self)
        } else {
            Err(InvalidKey::Size { bits })
        }
    }
}

fn print(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut print = [0; 32];
    print.copy_from_slice(context.finish().as_ref());
    print
}

fn plain(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn bits(number: &[u8]) -> usize {
    let number = plain(number);
    let unused = number.first().map_or(0, |first| first.leading_zeros() as usize);
    number.len() * 8 - unused
}

/// The first number of an `RSAPublicKey` (RFC 8017, appendix A.1.1), which has been parsed before.
fn modulus(der: &[u8]) -> Option<&[u8]> {
    let (_, sequence) = element(der)?;
    let (tag, number) = element(sequence)?;
    (tag == 2).then_some(number)
}

/// Tag and content of what DER begins with.
fn element(der: &[u8]) -> Option<(u8, &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    if first < 0x80 {
        return Some((tag, rest.get(..usize::from(first))?));
    }
    let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let length = length.iter().try_fold(0_usize, |length, byte| {
        length.checked_mul(256)?.checked_add(usize::from(*byte))
    })?;
    Some((tag, rest.get(..length)?))
}
