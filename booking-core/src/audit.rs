//! The audit log: who changed what, and when.
//!
//! Every change writes its entry in its own transaction, and cannot be written without: a
//! [`Change`](crate::Change) is made of [`Audited`](crate::Audited) rows, and whoever keeps the
//! directory or subscribers has to say [`By`] whom. What did not change, was refused, or was only
//! answered again leaves no entry.
//!
//! Entries name people by their ids alone, and hold nothing that anybody typed: of titles,
//! descriptions, notes, reasons, names, addresses and secrets they say that they changed, and not
//! what they say.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::access::Actor;
use crate::id::{AuditId, IdSource, InvalidId, UserId};
use crate::instant::ceil_to_millis;
use crate::meeting::{UnknownWord, words};
use crate::store::StoreError;

/// One change, as the log keeps it for ever, or until [`AuditLog::forget_audit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Which one.
    pub id: AuditId,
    /// When the change was decided, to the millisecond.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub author: Author,
    /// What they did.
    pub action: AuditAction,
    /// To what.
    pub subject: AuditSubject,
    /// Whom it concerns: at most [`Self::MAX_PEOPLE`].
    pub people: BTreeSet<UserId>,
    /// The fields that changed, with what they were and are.
    pub changes: Vec<FieldChange>,
    /// The fields that changed, and of which that is all there is to know here.
    pub withheld: Vec<String>,
}

impl AuditEntry {
    /// The most people that one entry concerns: a client, a therapist, and the one before.
    pub const MAX_PEOPLE: usize = 3;

    /// Its place in the log.
    #[must_use]
    pub const fn place(&self) -> AuditPlace {
        AuditPlace { at: self.at, id: self.id }
    }
}

/// A field that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its name in the API.
    pub field: String,
    /// What it was, as text; `None` where there was nothing.
    pub before: Option<String>,
    /// What it is, as text; `None` where there is nothing any more.
    pub after: Option<String>,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSubject {
    /// Of which kind it is.
    pub kind: SubjectKind,
    /// Its id; of a relationship, those of client and therapist with a `/` in between; of settings,
    /// the therapist's.
    pub id: String,
}

words! {
    /// The kinds of things that change.
    SubjectKind {
        /// A meeting.
        Meeting = "meeting",
        /// Sessions that were booked together.
        Series = "series",
        /// A start that is kept for somebody.
        Hold = "hold",
        /// A weekly availability slot.
        Availability = "availability",
        /// Dates with other windows than the weekly ones.
        Override = "override",
        /// A therapist's scheduling settings.
        Settings = "settings",
        /// A user of the directory.
        User = "user",
        /// Who belongs to whom.
        Relationship = "relationship",
        /// A webhook.
        Webhook = "webhook",
        /// Somebody else who gets events, such as a message bus.
        Subscriber = "subscriber",
        /// A calendar feed.
        Feed = "feed",
        /// A calendar from elsewhere.
        Calendar = "calendar",
    }
    expected "meeting, series, hold, availability, override, settings, user, relationship, webhook, subscriber, feed, calendar"
}

words! {
    /// What can be done to them.
    AuditAction {
        /// A meeting was booked.
        MeetingCreated = "meeting.created",
        /// It got another therapist.
        MeetingReassigned = "meeting.reassigned",
        /// It got another start or length.
        MeetingRescheduled = "meeting.rescheduled",
        /// It was cancelled.
        MeetingCancelled = "meeting.cancelled",
        /// It got any other status.
        MeetingStatusChanged = "meeting.status_changed",
        /// Something else about it changed, such as the therapist's notes.
        MeetingUpdated = "meeting.updated",
        /// Sessions were booked together; each of them has an entry too.
        SeriesCreated = "series.created",
        /// A start was kept for somebody.
        HoldPlaced = "hold.placed",
        /// They gave it up, perhaps for another.
        HoldReleased = "hold.released",
        /// They took the time that was kept for them.
        HoldUsed = "hold.used",
        /// A weekly window was added.
        AvailabilityCreated = "availability.created",
        /// A weekly window changed.
        AvailabilityUpdated = "availability.updated",
        /// A weekly window was deleted.
        AvailabilityDeleted = "availability.deleted",
        /// Some dates got windows of their own, or none.
        OverrideCreated = "override.created",
        /// Those dates, or their windows, changed.
        OverrideUpdated = "override.updated",
        /// They are as all weeks again.
        OverrideDeleted = "override.deleted",
        /// A therapist's scheduling settings changed.
        SettingsUpdated = "settings.updated",
        /// Somebody joined the directory.
        UserCreated = "user.created",
        /// What is known of somebody changed.
        UserUpdated = "user.updated",
        /// Somebody left the directory.
        UserDeleted = "user.deleted",
        /// Somebody became the client of a therapist.
        RelationshipAdded = "relationship.added",
        /// Somebody is no longer the client of a therapist.
        RelationshipRemoved = "relationship.removed",
        /// A webhook was added.
        WebhookCreated = "webhook.created",
        /// A webhook changed: where it leads, what it gets, its secret, whether it is on.
        WebhookUpdated = "webhook.updated",
        /// A webhook was deleted.
        WebhookDeleted = "webhook.deleted",
        /// Events were sent to a webhook again.
        WebhookReplayed = "webhook.replayed",
        /// Somebody else began to get events.
        SubscriberCreated = "subscriber.created",
        /// What they get changed.
        SubscriberUpdated = "subscriber.updated",
        /// They get no more.
        SubscriberDeleted = "subscriber.deleted",
        /// Events were sent to them again.
        SubscriberReplayed = "subscriber.replayed",
        /// Somebody got a calendar feed.
        FeedCreated = "feed.created",
        /// A calendar feed was taken back, or went with its owner.
        FeedRevoked = "feed.revoked",
        /// A therapist linked a calendar from elsewhere.
        CalendarLinked = "calendar.linked",
        /// The link changed: where it leads, what it is called, what its times mean.
        CalendarChanged = "calendar.changed",
        /// The link was removed, or went with its therapist.
        CalendarUnlinked = "calendar.unlinked",
    }
    expected "a kind of subject and what was done to it, such as meeting.created"
}

/// On whose behalf something changes, and the entry that will say so. Each entry takes its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The entry's id.
    pub entry: AuditId,
    /// When, to the millisecond.
    pub at: DateTime<Utc>,
    /// Who.
    pub author: Author,
}

impl By {
    /// Somebody who asks for it now.
    pub fn user(actor: &Actor, now: DateTime<Utc>, ids: &dyn IdSource) -> Self {
        Self::author(Author::User(actor.clone()), now, ids)
    }

    /// A program of ours, now.
    pub fn system(name: SystemName, now: DateTime<Utc>, ids: &dyn IdSource) -> Self {
        Self::author(Author::System(name), now, ids)
    }

    /// The same for one more entry, of a change that comes to several.
    #[must_use]
    pub fn another(&self, ids: &dyn IdSource) -> Self {
        Self::author(self.author.clone(), self.at, ids)
    }

    fn author(author: Author, now: DateTime<Utc>, ids: &dyn IdSource) -> Self {
        let at = now.trunc_subsecs(3);
        Self { entry: AuditId::from_uuid(ids.fresh(at)), at, author }
    }
}

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// A user, in the role that they had then.
    User(Actor),
    /// A program of ours, which nobody told to.
    System(SystemName),
}

impl Author {
    /// The user's id; `system:` and the name of a program.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::User(actor) => actor.id.as_str().to_owned(),
            Self::System(name) => format!("{SYSTEM_PREFIX}{name}"),
        }
    }

    /// The user's role; `system` for a program. Only this tells a program from a user of the same
    /// name.
    #[must_use]
    pub const fn role(&self) -> &'static str {
        match self {
            Self::User(actor) => actor.role.as_str(),
            Self::System(_) => SYSTEM,
        }
    }

    /// Reads back what a store keeps of [`id`](Self::id) and [`role`](Self::role).
    ///
    /// # Errors
    /// [`InvalidId`] when they are none of those.
    pub fn restore(id: &str, role: &str) -> Result<Self, InvalidId> {
        if role == SYSTEM {
            let name = id.strip_prefix(SYSTEM_PREFIX).unwrap_or_default().to_owned();
            SystemName::new(name).map(Self::System)
        } else {
            let role = role.parse().map_err(|_| InvalidId::new("must have a role"))?;
            Ok(Self::User(Actor { id: UserId::new(id)?, role }))
        }
    }
}

const SYSTEM: &str = "system";
const SYSTEM_PREFIX: &str = "system:";

/// The name of a program that changes something by itself: 1–64 lower-case ASCII letters, digits and
/// `-`.
///
/// ```
/// use booking_core::SystemName;
///
/// const IMPORT: SystemName = SystemName::of("nightly-import");
/// assert_eq!(IMPORT.to_string(), "nightly-import");
/// assert!(SystemName::new("Nightly import").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemName(Cow<'static, str>);

impl SystemName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 64;

    /// A name that is known when the program is written.
    ///
    /// # Panics
    /// When it is not one: of a constant, the program does not compile.
    #[must_use]
    pub const fn of(name: &'static str) -> Self {
        assert!(is_system_name(name), "1 to 64 lower-case ASCII letters, digits and '-'");
        Self(Cow::Borrowed(name))
    }

    /// Checks length and alphabet.
    ///
    /// # Errors
    /// [`InvalidId`] when either is wrong.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidId> {
        let name = name.into();
        if is_system_name(&name) {
            Ok(Self(Cow::Owned(name)))
        } else {
            Err(InvalidId::new("must have 1 to 64 lower-case ASCII letters, digits and '-'"))
        }
    }
}

impl fmt::Display for SystemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const fn is_system_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut place = 0;
    while place < bytes.len() {
        if !matches!(bytes[place], b'a'..=b'z' | b'0'..=b'9' | b'-') {
            return false;
        }
        place += 1;
    }
    !bytes.is_empty() && bytes.len() <= SystemName::MAX_CHARS
}

/// Which entries to read: the latest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Changes by this user, or by the program that [`Author::id`] names like that.
    pub author: Option<UserId>,
    /// Changes that concern this person.
    pub person: Option<UserId>,
    /// Changes of what has this id.
    pub subject: Option<String>,
    /// Made at or after; a whole millisecond.
    pub from: Option<DateTime<Utc>>,
    /// Made before; a whole millisecond.
    pub to: Option<DateTime<Utc>>,
    /// Only what comes after this place, and so is older.
    pub after: Option<AuditPlace>,
    /// At most so many.
    pub limit: u32,
}

impl AuditQuery {
    /// The most entries that one page holds.
    pub const MAX_LIMIT: u32 = 1_000;

    /// The latest of all entries.
    #[must_use]
    pub const fn latest(limit: u32) -> Self {
        let (author, person, subject) = (None, None, None);
        Self { author, person, subject, from: None, to: None, after: None, limit }
    }

    /// Only those made at or after one instant, and before another.
    #[must_use]
    pub fn between(self, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Self {
        let [from, to] = [from, to].map(|instant| instant.map(ceil_to_millis));
        Self { from, to, ..self }
    }
}

/// A place in the log: by time, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPlace {
    /// When the entry at that place was made.
    pub at: DateTime<Utc>,
    /// Its id.
    pub id: AuditId,
}

/// The entries that were written together with their changes.
///
/// Nothing about an entry ever changes. Whoever goes through the pages from the first sees each
/// entry that was there when they began, once.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Entries, the latest first; of the same millisecond, by id.
    ///
    /// A page costs what is on it, with one filter at a time. With several, it also costs what the
    /// first of subject, person and author has to pass over for the others.
    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError>;

    /// Deletes entries that were made before an instant, the oldest first, at most `limit`.
    /// Returns how many went. Nothing else deletes any.
    async fn forget_audit(&self, before: DateTime<Utc>, limit: u32) -> Result<u32, StoreError>;
}
