//! Locations as a database keeps them: sealed, so that a copy of it opens nobody's calendar.
//!
//! ```text
//! version (1) | key's id (4) | nonce (12) | AES-256-GCM of the location as JSON, and its tag (16)
//! ```
//!
//! What is in front is authenticated too, and so is the id of the link: sealed bytes that somebody
//! moves to another link cannot be opened there.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

use super::location::Location;

/// What this program writes.
const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 4;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES;

/// Base64, whether or not there is padding at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys that locations are sealed with: the first seals, all of them open.
///
/// To change the key, put a new one in front, and leave the one before until
/// [`is_newest`](Self::is_newest) says yes to all that is sealed.
///
/// ```
/// use booking_api::calendars::{Keyring, Location};
///
/// // As `openssl rand -base64 32` prints them.
/// let old = Keyring::from_keys(&["q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="])?;
/// let both = Keyring::from_keys(&[
///     "Ib8pBZwVdtF4UnYIvGnZLR4Wq7d4wUxCqQPQcE8BJ2o=",
///     "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=",
/// ])?;
/// let location = Location::new("https://calendars.example.com/jane.ics")?;
/// let sealed = old.seal(&location, "calendar_1")?;
/// assert_eq!(both.open(&sealed, "calendar_1")?, location);
/// assert!(both.open(&sealed, "calendar_2").is_err());
/// assert!(!both.is_newest(&sealed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Keyring {
    newest: Key,
    older: Vec<Key>,
}

struct Key {
    id: [u8; KEY_ID_BYTES],
    aead: LessSafeKey,
}

/// The texts are no keys; they are not repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// There is none.
    #[error("has no key")]
    Missing,
    /// Counted from 1.
    #[error(
        "has no key in place {0}: a key is 32 random bytes in base64, as openssl rand -base64 32 \
         prints them"
    )]
    NotAKey(usize),
    /// Counted from 1.
    #[error("has a key in place {0} that is there already")]
    Twice(usize),
}

/// The operating system gave no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are no random numbers to seal with")]
pub struct SealError;

/// Why sealed bytes cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// They are not what this version writes, or not whole.
    #[error("the location is sealed in another way")]
    Unknown,
    /// They are sealed with a key that is not there any more.
    #[error("the key that the location was sealed with is not there")]
    NoKey,
    /// Somebody changed them, or they are another link's.
    #[error("the sealed location was tampered with")]
    Broken,
}

impl Keyring {
    /// The newest key first; each is 32 bytes in base64.
    ///
    /// # Errors
    /// [`InvalidKeys`] when there is none, or one of them is none.
    pub fn from_keys<T: AsRef<str>>(texts: &[T]) -> Result<Self, InvalidKeys> {
        let mut keys: Vec<Key> = Vec::with_capacity(texts.len());
        for (place, text) in (1..).zip(texts) {
            let key = Key::read(text.as_ref()).ok_or(InvalidKeys::NotAKey(place))?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(InvalidKeys::Twice(place));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let newest = keys.next().ok_or(InvalidKeys::Missing)?;
        Ok(Self { newest, older: keys.collect() })
    }

    /// Seals the location of a link, differently each time.
    ///
    /// # Errors
    /// [`SealError`] when there are no random numbers.
    pub fn seal(&self, location: &Location, link_id: &str) -> Result<Vec<u8>, SealError> {
        let Key { id, aead } = &self.newest;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError)?;
        let head = head(id);
        let mut text = serde_json::to_vec(location).map_err(|_| SealError)?;
        aead.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound(&head, link_id)),
            &mut text,
        )
        .map_err(|_| SealError)?;
        Ok([&head[..], &nonce, &text].concat())
    }

    /// Opens what was sealed for this link.
    ///
    /// # Errors
    /// [`OpenError`] when it was not, or not with one of these keys.
    pub fn open(&self, sealed: &[u8], link_id: &str) -> Result<Location, OpenError> {
        let (head, rest) = sealed.split_first_chunk::<HEAD_BYTES>().ok_or(OpenError::Unknown)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(OpenError::Unknown)?;
        let [VERSION, id @ ..] = head else { return Err(OpenError::Unknown) };
        let key = self.keys().find(|key| key.id == *id).ok_or(OpenError::NoKey)?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(bound(head, link_id));
        let opened = key.aead.open_in_place(nonce, aad, &mut text);
        let opened = opened.map_err(|_| OpenError::Broken)?;
        serde_json::from_slice(opened).map_err(|_| OpenError::Unknown)
    }

    /// Whether it was sealed with the first of the keys, as [`seal`](Self::seal) would.
    #[must_use]
    pub fn is_newest(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&head(&self.newest.id))
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.newest).chain(&self.older)
    }
}

fn head(id: &[u8; KEY_ID_BYTES]) -> [u8; HEAD_BYTES] {
    let [a, b, c, d] = *id;
    [VERSION, a, b, c, d]
}

/// What is not hidden, and cannot be changed.
fn bound(head: &[u8; HEAD_BYTES], link_id: &str) -> Vec<u8> {
    [head, link_id.as_bytes()].concat()
}

impl Key {
    fn read(text: &str) -> Option<Self> {
        let bytes: [u8; KEY_BYTES] = BASE64.decode(text.trim()).ok()?.try_into().ok()?;
        // An example, or a buffer that nobody has filled.
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return None;
        }
        let aead = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).ok()?);
        let named = [b"booking-api calendar key".as_slice(), &bytes].concat();
        let digest = digest::digest(&digest::SHA256, &named);
        Some(Self { id: *digest.as_ref().first_chunk()?, aead })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.keys().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendars::Credentials;

    const ONE: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
    const TWO: &str = "Ib8pBZwVdtF4UnYIvGnZLR4Wq7d4wUxCqQPQcE8BJ2o";
    const LINK: &str = "calendar_01h455vb4pex5vsknk084sn02q";

    fn keyring(keys: &[&str]) -> Keyring {
        Keyring::from_keys(keys).expect("keys")
    }

    fn location() -> Location {
        let credentials = Credentials::new("jane".to_owned(), "secret".to_owned()).expect("two");
        let location = Location::new("https://calendars.example.com/jane/").expect("a location");
        location.with_credentials(credentials)
    }

    #[test]
    fn what_is_sealed_opens_for_its_link_and_shows_nothing() {
        let keyring = keyring(&[ONE]);
        let sealed = keyring.seal(&location(), LINK).expect("random numbers");
        assert_eq!(keyring.open(&sealed, LINK), Ok(location()));
        assert_ne!(keyring.seal(&location(), LINK), Ok(sealed.clone()), "another nonce");
        let shown = String::from_utf8_lossy(&sealed);
        for secret in ["jane", "secret", "example"] {
            assert!(!shown.contains(secret));
        }
        for other in
            ["", "calendar_01h455vb4pex5vsknk084sn02r", "calendar_01h455vb4pex5vsknk084sn02"]
        {
            assert_eq!(keyring.open(&sealed, other), Err(OpenError::Broken), "{other}");
        }
        assert_eq!(format!("{keyring:?}"), "Keyring(1 keys)");
    }

    /// Each bit, and each length.
    #[test]
    fn what_was_tampered_with_does_not_open() {
        let keyring = keyring(&[ONE, TWO]);
        let sealed = keyring.seal(&location(), LINK).expect("random numbers");
        for bit in 0..8 * sealed.len() {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                0 => OpenError::Unknown,
                1..HEAD_BYTES => OpenError::NoKey,
                _ => OpenError::Broken,
            };
            assert_eq!(keyring.open(&changed, LINK), Err(expected), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(keyring.open(&sealed[..length], LINK).is_err(), "{length} bytes");
        }
        assert_eq!(keyring.open(&[&sealed[..], b"x"].concat(), LINK), Err(OpenError::Broken));
        // Another key's id in front does not make it that key's.
        let other = self::keyring(&[TWO]).seal(&location(), LINK).expect("random numbers");
        let mixed = [&other[..HEAD_BYTES], &sealed[HEAD_BYTES..]].concat();
        assert_eq!(keyring.open(&mixed, LINK), Err(OpenError::Broken));
    }

    #[test]
    fn a_key_is_changed_by_a_new_one_in_front() {
        let [old, both, new] = [&[ONE][..], &[TWO, ONE], &[TWO]].map(keyring);
        let sealed = old.seal(&location(), LINK).expect("random numbers");
        assert_eq!(both.open(&sealed, LINK), Ok(location()));
        assert_eq!(new.open(&sealed, LINK), Err(OpenError::NoKey));
        assert!(old.is_newest(&sealed) && !both.is_newest(&sealed));
        let again = both.seal(&location(), LINK).expect("random numbers");
        assert!(both.is_newest(&again) && new.is_newest(&again));
        assert_eq!(new.open(&again, LINK), Ok(location()));
        assert_eq!(old.open(&again, LINK), Err(OpenError::NoKey));
    }

    #[test]
    fn keys_that_are_none_are_named_by_their_place() {
        let short = &ONE[..40];
        let zeros = "A".repeat(43);
        let padded = format!(" {ONE}\n");
        let table = [
            (vec![], Some(InvalidKeys::Missing)),
            (vec![""], Some(InvalidKeys::NotAKey(1))),
            (vec![short], Some(InvalidKeys::NotAKey(1))),
            (vec![ONE, "not base64"], Some(InvalidKeys::NotAKey(2))),
            (vec![ONE, TWO, &zeros], Some(InvalidKeys::NotAKey(3))),
            (vec![ONE, TWO, ONE.trim_end_matches('=')], Some(InvalidKeys::Twice(3))),
            (vec![TWO, " \n", ONE], Some(InvalidKeys::NotAKey(2))),
            (vec![&padded], None),
        ];
        for (keys, expected) in table {
            let found = Keyring::from_keys(&keys).err();
            assert_eq!(found, expected, "{keys:?}");
            assert!(found.is_none_or(|error| !error.to_string().contains(short)));
        }
    }
}
