//! The directory port: who the users are, and which client belongs to which therapist.
//!
//! Both belong to other systems; booking reads them. The built-in stores can keep a directory too,
//! for services that have none: they implement [`DirectoryAdmin`].

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use async_trait::async_trait;
use chrono::DateTime;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Role;
use crate::audit::By;
use crate::id::{IdSource, RandomIds, UserId};
use crate::store::{ChangeError, StoreError};
use crate::text::Name;
use crate::user_news::{NewsOutcome, UserNews};

/// A user, as far as booking cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// What they are on the platform.
    pub role: Role,
    /// First name.
    pub first_name: Name,
    /// Last name.
    pub last_name: Name,
    /// Where to write to them.
    pub email: Email,
    /// The IANA zone in which a therapist's availability is meant; UTC when nobody said.
    pub zone: Option<Tz>,
}

impl User {
    /// The zone in which availability is meant.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone.unwrap_or(Tz::UTC)
    }
}

/// An e-mail address, checked for shape only: `local@domain`, 3–254 characters, no white space.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Email(String);

/// A text that is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address of at most {} characters", Email::MAX_BYTES)]
pub struct InvalidEmail;

impl Email {
    /// The longest address, in bytes (RFC 5321, section 4.5.3.1.3).
    pub const MAX_BYTES: usize = 254;

    /// Checks the shape.
    ///
    /// # Errors
    /// [`InvalidEmail`] when it is off.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidEmail> {
        let text = text.into();
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let parts = !local.is_empty() && !domain.is_empty() && text.len() <= Self::MAX_BYTES;
        let blank = text.chars().any(|c| c.is_whitespace() || c.is_control());
        if parts && !blank { Ok(Self(text)) } else { Err(InvalidEmail) }
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Addresses do not belong in logs.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

impl TryFrom<String> for Email {
    type Error = InvalidEmail;

    fn try_from(text: String) -> Result<Self, InvalidEmail> {
        Self::new(text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// Which directory this is, among those of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryId(Uuid);

impl DirectoryId {
    /// One that no other directory has.
    #[must_use]
    pub fn unique() -> Self {
        Self(RandomIds.fresh(DateTime::UNIX_EPOCH))
    }
}

/// Reads users and relationships, wherever they live.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The users with these ids; unknown ids are left out.
    async fn users(&self, ids: &BTreeSet<UserId>) -> Result<HashMap<UserId, User>, StoreError>;

    /// Whether `client` is a client of `therapist`.
    async fn related(&self, client: &UserId, therapist: &UserId) -> Result<bool, StoreError>;

    /// Tells whether this is the directory that a [store keeps](crate::Store::directory).
    fn id(&self) -> Option<DirectoryId> {
        None
    }

    /// The user with this id.
    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(self.users(&BTreeSet::from([id.clone()])).await?.remove(id))
    }
}

/// A directory that can be written to.
///
/// Each change writes its entry of the audit log, or its entries, in its own transaction; what changes
/// nothing writes none.
#[async_trait]
pub trait DirectoryAdmin: Directory {
    /// Adds the user, or replaces all that is known of them.
    async fn put_user(&self, user: &User, by: By) -> Result<(), StoreError>;

    /// Makes `client` a client of `therapist`, if [`check_relationship`](crate::check_relationship) lets
    /// it; once more changes nothing.
    ///
    /// # What an implementation promises
    /// The users that it asks about are as they were shown until the relationship is committed: nobody
    /// goes meanwhile, or becomes something else.
    async fn relate(&self, client: &UserId, therapist: &UserId, by: By) -> Result<(), ChangeError>;

    /// Ends the relationship, if there is one. Booked meetings stay.
    async fn unrelate(&self, client: &UserId, therapist: &UserId, by: By)
    -> Result<(), StoreError>;

    /// Takes what an identity provider tells of a user, as [`UserNews::decide`] says.
    ///
    /// # What an implementation promises
    /// - A message is taken once within [`UserNews::REMEMBERED`], also when its repeats come at the
    ///   same time.
    /// - News of one user are taken one after the other.
    /// - That a message was taken, the user's standing and their entry commit together or not at
    ///   all.
    /// - Messages are forgotten some time after that, a few at a time; deleted users are not.
    /// - A user who is removed leaves the entries of [`AuditEntry::of_removed_user`], of which `ids`
    ///   are: theirs, and one for each relationship that went with them. So do their calendar feeds
    ///   ([`AuditEntry::of_removed_feeds`]), where the directory is kept beside [`Feeds`](crate::Feeds).
    ///
    /// [`AuditEntry::of_removed_user`]: crate::AuditEntry::of_removed_user
    /// [`AuditEntry::of_removed_feeds`]: crate::AuditEntry::of_removed_feeds
    async fn take_news(
        &self,
        news: &UserNews,
        by: By,
        ids: &dyn IdSource,
    ) -> Result<NewsOutcome, StoreError>;
}
