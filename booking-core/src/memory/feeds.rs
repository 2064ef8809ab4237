//! Calendar feeds.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStore;
use crate::audit::{AuditEntry, By};
use crate::calendar_feed::{CalendarFeed, FeedDigest, Feeds};
use crate::id::{FeedId, UserId};
use crate::store::StoreError;

#[derive(Debug, Default)]
pub(super) struct FeedTable(BTreeMap<FeedId, (CalendarFeed, FeedDigest)>);

impl FeedTable {
    fn of(&self, owner: &UserId) -> Vec<CalendarFeed> {
        let feeds = self.0.values().map(|(feed, _)| feed).filter(|feed| feed.owner == *owner);
        let mut feeds: Vec<_> = feeds.cloned().collect();
        feeds.sort_by_key(|feed| (feed.created_at, feed.id));
        feeds
    }

    /// All of somebody who goes.
    pub(super) fn take(&mut self, owner: &UserId) -> Vec<CalendarFeed> {
        let gone = self.of(owner);
        for feed in &gone {
            self.0.remove(&feed.id);
        }
        gone
    }
}

#[async_trait]
impl Feeds for MemoryStore {
    async fn add_feed(
        &self,
        feed: &CalendarFeed,
        digest: &FeedDigest,
        by: By,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let has_room = state.feeds.of(&feed.owner).len() < CalendarFeed::MAX_PER_OWNER as usize;
        if has_room {
            state.feeds.0.insert(feed.id, (feed.clone(), *digest));
            state.note([AuditEntry::of_new_feed(by, feed)]);
        }
        Ok(has_room)
    }

    async fn feeds_of(&self, owner: &UserId) -> Result<Vec<CalendarFeed>, StoreError> {
        Ok(self.state().feeds.of(owner))
    }

    async fn feed(&self, id: FeedId) -> Result<Option<(CalendarFeed, FeedDigest)>, StoreError> {
        Ok(self.state().feeds.0.get(&id).cloned())
    }

    async fn revoke_feed(&self, owner: &UserId, id: FeedId, by: By) -> Result<bool, StoreError> {
        let mut state = self.state();
        let is_theirs = state.feeds.0.get(&id).is_some_and(|(feed, _)| feed.owner == *owner);
        let gone = if is_theirs { state.feeds.0.remove(&id) } else { None };
        state.note(gone.map(|(feed, _)| AuditEntry::of_revoked_feed(by, &feed)));
        Ok(is_theirs)
    }
}
