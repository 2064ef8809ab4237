//! The directory.

use std::collections::{BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::audit::{AuditEntry, By};
use crate::decide::check_relationship;
use crate::directory::{Directory, DirectoryAdmin, DirectoryId, User};
use crate::id::{IdSource, UserId};
use crate::store::{ChangeError, Decline, StoreError};
use crate::user_news::{DirectoryEntry, LastNews, NewsOutcome, UserNews};

#[derive(Debug, Default)]
pub(super) struct People {
    users: HashMap<UserId, User>,
    relationships: HashSet<(UserId, UserId)>,
    last_news: HashMap<UserId, LastNews>,
    /// When each message came in.
    messages: HashMap<String, DateTime<Utc>>,
}

impl People {
    pub(super) fn known(&self, ids: &BTreeSet<UserId>) -> HashMap<UserId, User> {
        let known = ids.iter().filter_map(|id| self.users.get(id));
        known.map(|user| (user.id.clone(), user.clone())).collect()
    }

    /// A client and a therapist.
    pub(super) fn are_related(&self, two: &(UserId, UserId)) -> bool {
        self.relationships.contains(two)
    }

    /// Whether the news of somebody have taken them out.
    pub(super) fn has_left(&self, user: &UserId) -> bool {
        self.last_news.contains_key(user) && !self.users.contains_key(user)
    }

    /// With the entries of the audit log.
    fn take(
        &mut self,
        news: &UserNews,
        by: By,
        ids: &dyn IdSource,
    ) -> (NewsOutcome, Vec<AuditEntry>) {
        self.messages.retain(|_, at| *at >= news.received_at - UserNews::REMEMBERED);
        if self.messages.contains_key(&news.message) {
            return (NewsOutcome::Repeated, vec![]);
        }
        self.messages.insert(news.message.clone(), news.received_at);
        let last = self.last_news.get(&news.user).copied();
        let Some((last, entry)) = news.decide(last, self.users.get(&news.user)) else {
            return (NewsOutcome::Outdated, vec![]);
        };
        self.last_news.insert(news.user.clone(), last);
        let noted = match entry {
            DirectoryEntry::Keep => vec![],
            DirectoryEntry::Put(user) => self.put(&user, by).into_iter().collect(),
            DirectoryEntry::Remove => self.remove(&news.user, by, ids),
        };
        (NewsOutcome::Taken, noted)
    }

    fn remove(&mut self, user: &UserId, by: By, ids: &dyn IdSource) -> Vec<AuditEntry> {
        let Some(before) = self.users.remove(user) else { return vec![] };
        // In an order of their own, so that counted ids fall the same in every run.
        let ended: BTreeSet<_> = self
            .relationships
            .extract_if(|(client, therapist)| [client, therapist].contains(&user))
            .collect();
        AuditEntry::of_removed_user(by, &before, ended, ids)
    }

    fn put(&mut self, user: &User, by: By) -> Option<AuditEntry> {
        let before = self.users.insert(user.id.clone(), user.clone());
        AuditEntry::of_user(by, before.as_ref(), Some(user))
    }
}

#[async_trait]
impl Directory for MemoryStore {
    async fn users(&self, ids: &BTreeSet<UserId>) -> Result<HashMap<UserId, User>, StoreError> {
        Ok(self.state().people.known(ids))
    }

    async fn related(&self, client: &UserId, therapist: &UserId) -> Result<bool, StoreError> {
        Ok(self.state().people.are_related(&(client.clone(), therapist.clone())))
    }

    fn id(&self) -> Option<DirectoryId> {
        Some(self.directory)
    }
}

#[async_trait]
impl DirectoryAdmin for MemoryStore {
    async fn put_user(&self, user: &User, by: By) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(entry) = state.people.put(user, by) {
            state.count(&user.id);
            state.note([entry]);
        }
        Ok(())
    }

    async fn relate(&self, client: &UserId, therapist: &UserId, by: By) -> Result<(), ChangeError> {
        let mut state = self.state();
        check_relationship(client, therapist, &state.people.users).map_err(Decline::from)?;
        if state.people.relationships.insert((client.clone(), therapist.clone())) {
            state.audit.append(AuditEntry::of_new_relationship(by, client, therapist));
        }
        Ok(())
    }

    async fn unrelate(
        &self,
        client: &UserId,
        therapist: &UserId,
        by: By,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.people.relationships.remove(&(client.clone(), therapist.clone())) {
            state.audit.append(AuditEntry::of_ended_relationship(by, client, therapist));
        }
        Ok(())
    }

    async fn take_news(
        &self,
        news: &UserNews,
        by: By,
        ids: &dyn IdSource,
    ) -> Result<NewsOutcome, StoreError> {
        let mut state = self.state();
        let was_there = state.people.users.contains_key(&news.user);
        let (outcome, entries) = state.people.take(news, by.clone(), ids);
        if !entries.is_empty() {
            state.count(&news.user);
        }
        if was_there && !state.people.users.contains_key(&news.user) {
            let gone = state.feeds.take(&news.user);
            state.note(AuditEntry::of_removed_feeds(&by, &gone, ids));
            let gone = state.links.take(&news.user);
            state.note(AuditEntry::of_removed_links(&by, &gone, ids));
        }
        state.note(entries);
        Ok(outcome)
    }
}
