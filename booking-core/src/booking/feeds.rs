//! Calendar feeds: who has which, and what is read there.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::access::{Actor, Operation, Role};
use crate::booking::{Booking, BookingError};
use crate::calendar_feed::{CalendarFeed, FeedContent, FeedKey, Feeds, NewFeed};
use crate::directory::User;
use crate::ical::{self, Detail, Week};
use crate::id::FeedId;
use crate::refusal::Refusal;
#[cfg(doc)]
use crate::store::StoreError;
use crate::store::{MeetingQuery, MeetingTexts, Scope};
use crate::text::Text;

/// How far back meetings are shown: nobody plans by those of last year.
const PAST: TimeDelta = TimeDelta::days(30);

/// The most meetings that a feed shows, the soonest first.
const MAX_MEETINGS: u32 = 1_000;

/// What a feed of meetings is called that nobody named, and one of availability.
const MEETINGS: &str = "Sessions";
const AVAILABILITY: &str = "Availability";

/// Calendar feeds over a service. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct CalendarFeeds {
    booking: Booking,
    feeds: Arc<dyn Feeds>,
}

impl CalendarFeeds {
    /// The feeds that are kept there, of what this service knows.
    #[must_use]
    pub fn new(booking: Booking, feeds: Arc<dyn Feeds>) -> Self {
        Self { booking, feeds }
    }

    /// The actor's feeds, the oldest first.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn list(&self, actor: &Actor) -> Result<Vec<CalendarFeed>, BookingError> {
        actor.may(Operation::ManageFeeds)?;
        Ok(self.feeds.feeds_of(&actor.id).await?)
    }

    /// Makes a feed of the actor's, with the key that opens it: this once.
    ///
    /// The secret has to come from the operating system, for this feed alone.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::Invalid`], [`Refusal::UserNotFound`],
    /// [`Refusal::TooManyFeeds`]; [`StoreError`].
    pub async fn add(
        &self,
        actor: &Actor,
        new: NewFeed,
        secret: [u8; FeedKey::SECRET_BYTES],
    ) -> Result<(CalendarFeed, FeedKey), BookingError> {
        actor.may(Operation::ManageFeeds)?;
        if new.content == FeedContent::Availability && actor.role != Role::Therapist {
            let detail = "only therapists have availability";
            return Err(Refusal::Invalid { field: "shows", detail }.into());
        }
        // A feed of somebody whom the directory does not know could not be read.
        self.booking.directory.user(&actor.id).await?.ok_or(Refusal::UserNotFound)?;
        let now = self.booking.now();
        let NewFeed { content, name } = new;
        let id = FeedId::from_uuid(self.booking.ids.fresh(now));
        let feed = CalendarFeed { id, owner: actor.id.clone(), content, name, created_at: now };
        let key = FeedKey::new(id, secret);
        let added = self.feeds.add_feed(&feed, &key.digest(), self.booking.by(actor)).await?;
        if added { Ok((feed, key)) } else { Err(Refusal::TooManyFeeds.into()) }
    }

    /// Takes back one of the actor's feeds: from now on its key opens nothing.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::FeedNotFound`], also for somebody else's;
    /// [`StoreError`].
    pub async fn revoke(&self, actor: &Actor, id: FeedId) -> Result<(), BookingError> {
        actor.may(Operation::ManageFeeds)?;
        let revoked = self.feeds.revoke_feed(&actor.id, id, self.booking.by(actor)).await?;
        if revoked { Ok(()) } else { Err(Refusal::FeedNotFound.into()) }
    }

    /// What a calendar app reads, as iCalendar: meetings of the last 30 days and all to come, at most
    /// 1 000, or weekly availability.
    ///
    /// # Errors
    /// [`Refusal::FeedNotFound`] when the key is not that of a feed, or its owner has left the directory
    /// or has no such calendar any more; [`StoreError`].
    pub async fn read(&self, key: &FeedKey) -> Result<String, BookingError> {
        let found = self.feeds.feed(key.id()).await?;
        let opened = found.filter(|(_, digest)| digest.is_of(key));
        let (feed, _) = opened.ok_or(Refusal::FeedNotFound)?;
        match feed.content {
            FeedContent::Times => self.meetings(&feed, Detail::Times).await,
            FeedContent::Titles => self.meetings(&feed, Detail::Titles).await,
            FeedContent::Availability => self.availability(&feed).await,
        }
    }

    async fn meetings(&self, feed: &CalendarFeed, detail: Detail) -> Result<String, BookingError> {
        let owner = self.booking.directory.user(&feed.owner).await?.ok_or(Refusal::FeedNotFound)?;
        let owner = Actor { id: owner.id, role: owner.role };
        owner.may(Operation::ListMeetings).map_err(|_| Refusal::FeedNotFound)?;
        let query = MeetingQuery {
            person: owner.id,
            statuses: BTreeSet::new(),
            from: self.booking.now().checked_sub_signed(PAST),
            to: None,
            after: None,
            limit: MAX_MEETINGS,
            texts: MeetingTexts::LeftOut,
        };
        let meetings = self.booking.store.meetings(&query).await?;
        Ok(ical::meetings(name_of(feed, MEETINGS), detail, &meetings))
    }

    async fn availability(&self, feed: &CalendarFeed) -> Result<String, BookingError> {
        let scope = Scope {
            hours_of: Some(feed.owner.clone()),
            settings_of: [feed.owner.clone()].into(),
            users: [feed.owner.clone()].into(),
            ..Scope::default()
        };
        let seen = self.booking.look(&scope).await?;
        let owner = therapist(seen.users.get(&feed.owner)).ok_or(Refusal::FeedNotFound)?;
        let set = seen.settings.get(&feed.owner);
        let week = Week {
            id: &feed.id.to_string(),
            zone: set.and_then(|set| set.settings.zone).unwrap_or(owner.zone()),
            slots: &seen.hours,
            since: feed.created_at,
            set_at: set.and_then(|set| set.updated_at),
            now: self.booking.now(),
        };
        Ok(ical::availability(name_of(feed, AVAILABILITY), &week))
    }
}

fn therapist(user: Option<&User>) -> Option<&User> {
    user.filter(|user| user.role == Role::Therapist)
}

fn name_of<'a>(feed: &'a CalendarFeed, default: &'a str) -> &'a str {
    feed.name.as_ref().map_or(default, Text::as_str)
}

/// The service has nothing to show.
impl fmt::Debug for CalendarFeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CalendarFeeds")
    }
}
