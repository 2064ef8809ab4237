//! The directory.

use std::collections::{BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::directory::{Directory, DirectoryAdmin, User};
use crate::id::UserId;
use crate::store::StoreError;
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
    fn take(&mut self, news: &UserNews) -> NewsOutcome {
        self.messages.retain(|_, at| *at >= news.received_at - UserNews::REMEMBERED);
        if self.messages.contains_key(&news.message) {
            return NewsOutcome::Repeated;
        }
        self.messages.insert(news.message.clone(), news.received_at);
        let last = self.last_news.get(&news.user).copied();
        let Some((last, entry)) = news.decide(last, self.users.get(&news.user)) else {
            return NewsOutcome::Outdated;
        };
        self.last_news.insert(news.user.clone(), last);
        match entry {
            DirectoryEntry::Keep => {}
            DirectoryEntry::Put(user) => {
                self.users.insert(user.id.clone(), user);
            }
            DirectoryEntry::Remove => {
                self.users.remove(&news.user);
                self.relationships
                    .retain(|(client, therapist)| ![client, therapist].contains(&&news.user));
            }
        }
        NewsOutcome::Taken
    }
}

#[async_trait]
impl Directory for MemoryStore {
    async fn users(&self, ids: &BTreeSet<UserId>) -> Result<HashMap<UserId, User>, StoreError> {
        let state = self.state();
        let known = ids.iter().filter_map(|id| state.people.users.get(id));
        Ok(known.map(|user| (user.id.clone(), user.clone())).collect())
    }

    async fn related(&self, client: &UserId, therapist: &UserId) -> Result<bool, StoreError> {
        Ok(self.state().people.relationships.contains(&(client.clone(), therapist.clone())))
    }
}

#[async_trait]
impl DirectoryAdmin for MemoryStore {
    async fn put_user(&self, user: &User) -> Result<(), StoreError> {
        self.state().people.users.insert(user.id.clone(), user.clone());
        Ok(())
    }

    async fn relate(&self, client: &UserId, therapist: &UserId) -> Result<(), StoreError> {
        let mut state = self.state();
        if [client, therapist].iter().any(|user| !state.people.users.contains_key(*user)) {
            return Err(StoreError::Corrupt("a relationship joins known users".into()));
        }
        state.people.relationships.insert((client.clone(), therapist.clone()));
        Ok(())
    }

    async fn unrelate(&self, client: &UserId, therapist: &UserId) -> Result<(), StoreError> {
        self.state().people.relationships.remove(&(client.clone(), therapist.clone()));
        Ok(())
    }

    async fn take_news(&self, news: &UserNews) -> Result<NewsOutcome, StoreError> {
        Ok(self.state().people.take(news))
    }
}
