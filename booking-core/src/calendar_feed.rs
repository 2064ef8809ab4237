//! Calendar feeds: what somebody subscribes to from a calendar app, by a secret address.
//!
//! Whoever has the address reads the feed, without a token: apps have none. So its key is long, is shown
//! once, and is kept as a digest alone.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::audit::By;
use crate::id::{FeedId, InvalidId, UserId};
use crate::meeting::{UnknownWord, words};
use crate::store::StoreError;
use crate::text::Text;

/// What a feed is called: at most 100 characters.
pub type FeedName = Text<100>;

words! {
    /// What a feed shows.
    FeedContent {
        /// When its owner has meetings, and nothing else about them.
        Times = "times",
        /// Also their titles, and where to meet.
        Titles = "titles",
        /// When its owner, a therapist, is available.
        Availability = "availability",
    }
    expected "times, titles, availability"
}

/// A feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarFeed {
    /// Which one.
    pub id: FeedId,
    /// Whose meetings or availability it shows.
    pub owner: UserId,
    /// What it shows.
    pub content: FeedContent,
    /// What it is called, there and in apps.
    pub name: Option<FeedName>,
    /// Since when it is there, to the millisecond.
    pub created_at: DateTime<Utc>,
}

impl CalendarFeed {
    /// How many feeds somebody can have.
    pub const MAX_PER_OWNER: u32 = 10;
}

/// What a feed is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFeed {
    /// What it shows.
    pub content: FeedContent,
    /// What it is called.
    pub name: Option<FeedName>,
}

/// What opens a feed: its id, and 192 bits that nobody can guess.
///
/// ```
/// use booking_core::FeedKey;
///
/// let text = format!("feed_01h455vb4pex5vsknk084sn02q-{}", "5a".repeat(24));
/// let key: FeedKey = text.parse()?;
/// assert_eq!(key.reveal(), text);
/// assert_eq!(format!("{key:?}"), "FeedKey(feed_01h455vb4pex5vsknk084sn02q, …)");
/// # Ok::<(), booking_core::InvalidId>(())
/// ```
#[derive(Clone)]
pub struct FeedKey {
    id: FeedId,
    secret: [u8; Self::SECRET_BYTES],
}

impl FeedKey {
    /// How many bytes of chance there are.
    pub const SECRET_BYTES: usize = 24;

    /// The key of a feed, of bytes that the operating system drew for it alone.
    #[must_use]
    pub const fn new(id: FeedId, secret: [u8; Self::SECRET_BYTES]) -> Self {
        Self { id, secret }
    }

    /// Of which feed.
    #[must_use]
    pub const fn id(&self) -> FeedId {
        self.id
    }

    /// The key as text, for its owner: the id, `-`, and the secret in hexadecimal digits.
    #[must_use]
    pub fn reveal(&self) -> String {
        let digits = self.secret.iter().map(|byte| format!("{byte:02x}"));
        format!("{}-{}", self.id, digits.collect::<String>())
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> FeedDigest {
        FeedDigest(Sha256::digest(self.secret).into())
    }
}

impl FromStr for FeedKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        const INVALID: InvalidId = InvalidId::new("must be the key of a feed");
        let (id, digits) = text.split_once('-').ok_or(INVALID)?;
        let digit = |byte: &u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(INVALID),
        };
        let digits = digits.as_bytes();
        if digits.len() != 2 * Self::SECRET_BYTES {
            return Err(INVALID);
        }
        let mut secret = [0; Self::SECRET_BYTES];
        for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(&pair[0])? << 4 | digit(&pair[1])?;
        }
        Ok(Self { id: id.parse()?, secret })
    }
}

impl fmt::Debug for FeedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeedKey({}, …)", self.id)
    }
}

/// The SHA-256 of a key's secret: tells the key from others, and does not open anything.
#[derive(Clone, Copy)]
pub struct FeedDigest(pub [u8; 32]);

impl FeedDigest {
    /// Whether it is of this key, in a time that does not tell how much of it is right.
    #[must_use]
    pub fn is_of(&self, key: &FeedKey) -> bool {
        self.0.ct_eq(&key.digest().0).into()
    }
}

/// Nothing to look at.
impl fmt::Debug for FeedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FeedDigest(…)")
    }
}

/// Keeps feeds.
///
/// Each change writes its entry of the audit log in its own transaction. Where the store keeps a
/// [directory](crate::DirectoryAdmin) too, a user who is removed from it takes their feeds along, with an
/// entry for each.
#[async_trait]
pub trait Feeds: Send + Sync {
    /// Adds a feed, unless its owner has [as many as somebody can
    /// have](CalendarFeed::MAX_PER_OWNER): also when several are added at the same time. Returns whether
    /// it is there now.
    async fn add_feed(
        &self,
        feed: &CalendarFeed,
        digest: &FeedDigest,
        by: By,
    ) -> Result<bool, StoreError>;

    /// Somebody's feeds, the oldest first.
    async fn feeds_of(&self, owner: &UserId) -> Result<Vec<CalendarFeed>, StoreError>;

    /// A feed, with what tells its key.
    async fn feed(&self, id: FeedId) -> Result<Option<(CalendarFeed, FeedDigest)>, StoreError>;

    /// Removes a feed, if it is this owner's. Returns whether it was.
    async fn revoke_feed(&self, owner: &UserId, id: FeedId, by: By) -> Result<bool, StoreError>;
}
