//! What an identity provider tells of its users, and what becomes of it in a directory.
//!
//! News come at least once and in any order. The pure [`UserNews::decide`] says what to make of
//! them; a store runs it within the transaction that remembers them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::access::Role;
use crate::directory::{Email, User};
use crate::id::UserId;
use crate::meeting::{UnknownWord, words};
use crate::text::{Name, Text};

/// News of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserNews {
    /// What the provider calls this message: the same again when it sends it again. At most 255
    /// bytes.
    pub message: String,
    /// Whom it is about.
    pub user: UserId,
    /// When it became so, by the provider's clock: what is older never wins over what is newer.
    pub changed_at: DateTime<Utc>,
    /// When it came in.
    pub received_at: DateTime<Utc>,
    /// What became of them.
    pub change: UserChange,
}

/// What became of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// They are there, like this.
    Is(UserProfile),
    /// They are gone for good: providers do not use ids again.
    Deleted,
}

/// What a provider knows of a user. What it does not say stays as the directory has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserProfile {
    /// What they are on the platform.
    pub role: Option<Role>,
    /// First name.
    pub first_name: Option<Name>,
    /// Last name.
    pub last_name: Option<Name>,
    /// Where to write to them.
    pub email: Option<Email>,
    /// The zone in which a therapist's availability is meant.
    pub zone: Option<Tz>,
}

words! {
    /// What a provider has said of a user last.
    UserStanding {
        /// That they are there, and what they are.
        WithRole = "role",
        /// That they are there, and not what they are.
        WithoutRole = "no_role",
        /// That they are gone.
        Deleted = "deleted",
    }
    expected "role, no_role, deleted"
}

/// The news of a user that were taken last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastNews {
    /// When it became so.
    pub changed_at: DateTime<Utc>,
    /// What it was.
    pub standing: UserStanding,
}

/// What to do about a user's entry in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryEntry {
    /// Leave it as it is, there or not.
    Keep,
    /// This is it from now on.
    Put(User),
    /// Remove it, and all relationships of the user. Meetings stay: they are the other's too.
    Remove,
}

/// What became of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewsOutcome {
    /// They were taken.
    Taken,
    /// This very message was taken before.
    Repeated,
    /// What is known is newer.
    Outdated,
}

impl UserNews {
    /// How long a message is remembered, so that its repeats are known: far longer than any provider
    /// repeats one by itself. A repeat that comes later still is outdated, or changes nothing.
    pub const REMEMBERED: TimeDelta = TimeDelta::days(7);

    /// What to make of the news, given those taken last and the user's present entry; `None` when
    /// they are outdated.
    ///
    /// A role that the provider gave goes with it: who had one from there, and has none any more, is
    /// removed. One that an admin gave to a user of whose role the provider never spoke stays.
    #[must_use]
    pub fn decide(
        &self,
        last: Option<LastNews>,
        present: Option<&User>,
    ) -> Option<(LastNews, DirectoryEntry)> {
        let was_deleted = last.is_some_and(|last| last.standing == UserStanding::Deleted);
        let is_older = last.is_some_and(|last| self.changed_at < last.changed_at);
        let (standing, entry) = match &self.change {
            _ if was_deleted => return None,
            // Nothing comes after it, whatever the clocks say.
            UserChange::Deleted => (UserStanding::Deleted, removed(present)),
            UserChange::Is(_) if is_older => return None,
            UserChange::Is(profile) => {
                let role_was_theirs =
                    last.is_some_and(|last| last.standing == UserStanding::WithRole);
                let standing = if profile.role.is_some() {
                    UserStanding::WithRole
                } else {
                    UserStanding::WithoutRole
                };
                (standing, self.entry(profile, role_was_theirs, present))
            }
        };
        Some((LastNews { changed_at: self.changed_at, standing }, entry))
    }

    fn entry(
        &self,
        profile: &UserProfile,
        role_was_theirs: bool,
        present: Option<&User>,
    ) -> DirectoryEntry {
        let kept_role = present.filter(|_| !role_was_theirs).map(|user| user.role);
        let Some(role) = profile.role.or(kept_role) else { return removed(present) };
        let kept_email = || present.map(|user| user.email.clone());
        // Nobody can be written to without: they join when they have one.
        let Some(email) = profile.email.clone().or_else(kept_email) else {
            return DirectoryEntry::Keep;
        };
        let name = |told: &Option<Name>, kept: Option<&Name>| {
            told.clone().or_else(|| kept.cloned()).unwrap_or_else(Text::empty)
        };
        DirectoryEntry::Put(User {
            id: self.user.clone(),
            role,
            first_name: name(&profile.first_name, present.map(|user| &user.first_name)),
            last_name: name(&profile.last_name, present.map(|user| &user.last_name)),
            email,
            zone: profile.zone.or_else(|| present.and_then(|user| user.zone)),
        })
    }
}

fn removed(present: Option<&User>) -> DirectoryEntry {
    if present.is_some() { DirectoryEntry::Remove } else { DirectoryEntry::Keep }
}
