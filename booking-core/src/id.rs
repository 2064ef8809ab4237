//! Identifiers: distinct types, so that no two kinds are ever mixed up.
//!
//! What this library mints is a [TypeID](https://github.com/jetify-com/typeid): a prefix that says
//! the kind, and a UUIDv7, so that ids sort by the time they were made. Users come from elsewhere;
//! their ids are opaque.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct InvalidId {
    rule: &'static str,
}

impl InvalidId {
    pub(crate) const fn new(rule: &'static str) -> Self {
        Self { rule }
    }
}

macro_rules! typeid {
    ($(#[$doc:meta])* $name:ident, $tag:ident, $prefix:literal) => {
        #[derive(Default)]
        struct $tag;

        impl StaticType for $tag {
            const TYPE: &'static str = $prefix;
        }

        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this UUID: how a store reads back what it wrote.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID within, without the prefix: how a store writes it.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                TypeSafeId::<$tag>::from_uuid(self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse::<TypeSafeId<$tag>>()
                    .map(|id| Self(id.uuid()))
                    .map_err(|_| InvalidId { rule: concat!("must be an id of the form ", $prefix, "_…") })
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

typeid! {
    /// A meeting: `meeting_01h455vb4pex5vsknk084sn02q`.
    ///
    /// ```
    /// use booking_core::MeetingId;
    ///
    /// let id: MeetingId = "meeting_01h455vb4pex5vsknk084sn02q".parse()?;
    /// assert_eq!(id.to_string(), "meeting_01h455vb4pex5vsknk084sn02q");
    /// assert!("avail_01h455vb4pex5vsknk084sn02q".parse::<MeetingId>().is_err());
    /// # Ok::<(), booking_core::InvalidId>(())
    /// ```
    MeetingId, MeetingTag, "meeting"
}
typeid! {
    /// A weekly availability slot: `avail_01h455vb4pex5vsknk084sn02q`.
    AvailabilityId, AvailabilityTag, "avail"
}
typeid! {
    /// An override of availability: `override_01h455vb4pex5vsknk084sn02q`.
    OverrideId, OverrideTag, "override"
}
typeid! {
    /// A published event: `event_01h455vb4pex5vsknk084sn02q`. Consumers deduplicate by it.
    EventId, EventTag, "event"
}
typeid! {
    /// An entry of the audit log: `audit_01h455vb4pex5vsknk084sn02q`.
    AuditId, AuditTag, "audit"
}
typeid! {
    /// Sessions that were booked together: `series_01h455vb4pex5vsknk084sn02q`.
    SeriesId, SeriesTag, "series"
}
typeid! {
    /// A start that is kept for somebody: `hold_01h455vb4pex5vsknk084sn02q`.
    HoldId, HoldTag, "hold"
}
typeid! {
    /// A webhook endpoint: `webhook_01h455vb4pex5vsknk084sn02q`.
    WebhookId, WebhookTag, "webhook"
}
typeid! {
    /// A calendar feed: `feed_01h455vb4pex5vsknk084sn02q`.
    FeedId, FeedTag, "feed"
}
typeid! {
    /// A calendar from elsewhere: `calendar_01h455vb4pex5vsknk084sn02q`.
    LinkedCalendarId, LinkedCalendarTag, "calendar"
}

/// A user, as the identity provider or the embedding service names them: 1–128 visible ASCII
/// characters, otherwise opaque.
///
/// ```
/// use booking_core::UserId;
///
/// assert_eq!(UserId::new("therapist_456")?.as_str(), "therapist_456");
/// assert!(UserId::new("two words").is_err());
/// # Ok::<(), booking_core::InvalidId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct UserId(Arc<str>);

impl UserId {
    /// The longest id, in characters.
    pub const MAX_CHARS: usize = 128;

    /// Checks length and alphabet.
    ///
    /// # Errors
    /// [`InvalidId`] when the text is empty, longer than [`Self::MAX_CHARS`], or holds anything
    /// but visible ASCII.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
        let text = text.as_ref();
        let fits = (1..=Self::MAX_CHARS).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId { rule: "must have 1 to 128 visible ASCII characters" })
        }
    }

    /// The id as it came in.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for UserId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0.as_ref().to_owned()
    }
}

/// Where fresh ids come from: the one source of chance in the library.
pub trait IdSource: Send + Sync {
    /// A UUIDv7 that was never handed out before, made at `now`.
    fn fresh(&self, now: DateTime<Utc>) -> Uuid;
}

/// Ids from the operating system's random numbers: for everything but tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "this is the id source")]
    fn fresh(&self, now: DateTime<Utc>) -> Uuid {
        // The version 4 bits that are not random fall on the version and variant of version 7.
        let mut random = [0; 10];
        random.copy_from_slice(&Uuid::new_v4().as_bytes()[6..]);
        uuid::Builder::from_unix_timestamp_millis(millis(now), &random).into_uuid()
    }
}

/// Ids that count up from one: the same in every run.
///
/// ```
/// use booking_core::{CountedIds, IdSource};
/// use chrono::DateTime;
///
/// let (one, other) = (CountedIds::default(), CountedIds::default());
/// assert_eq!(one.fresh(DateTime::UNIX_EPOCH), other.fresh(DateTime::UNIX_EPOCH));
/// assert_ne!(one.fresh(DateTime::UNIX_EPOCH), one.fresh(DateTime::UNIX_EPOCH));
/// ```
#[derive(Debug, Default)]
pub struct CountedIds(AtomicU64);

impl IdSource for CountedIds {
    fn fresh(&self, now: DateTime<Utc>) -> Uuid {
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&count.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis(now), &bytes).into_uuid()
    }
}

/// UUIDv7 has no room for instants before 1970: they count as 1970.
fn millis(now: DateTime<Utc>) -> u64 {
    u64::try_from(now.timestamp_millis()).unwrap_or(0)
}
