//! Ports that say what they change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;

use crate::audit::By;
use crate::calendars::Calendars;
use crate::diary::{Diaries, DiariesQuery};
use crate::directory::{Directory, DirectoryAdmin, DirectoryId, User};
use crate::hub::Hub;
use crate::id::{IdSource, LinkedCalendarId, UserId};
use crate::linked_calendar::{
    BusyTimes, Copied, CopyClaim, CopyState, Linked, LinkedCalendar, LinkedCalendars, Refresh,
    Unwritten,
};
use crate::meeting::Meeting;
use crate::store::{Change, ChangeError, Decide, MeetingQuery, Scope, Store, StoreError};
use crate::user_news::{NewsOutcome, UserNews};

/// A store, or a directory, that tells a [`Hub`] whose calendars it has changed, once that is
/// committed.
///
/// ```
/// use std::sync::Arc;
///
/// use booking_core::{Announced, Hub, MemoryStore, Store};
///
/// let hub = Hub::default();
/// let store = Announced::new(Arc::new(MemoryStore::default()), hub.clone());
/// # let _: &dyn Store = &store;
/// ```
#[derive(Debug)]
pub struct Announced<T: ?Sized> {
    inner: Arc<T>,
    hub: Hub,
}

impl<T: ?Sized> Announced<T> {
    /// Tells this hub.
    pub const fn new(inner: Arc<T>, hub: Hub) -> Self {
        Self { inner, hub }
    }
}

#[async_trait]
impl<T: Store + ?Sized> Store for Announced<T> {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.inner.read(scope).await
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let telling = Telling { hub: &self.hub, people: &scope.people };
        let changed = self.inner.change(scope, decide).await;
        let is_as_before = match &changed {
            Ok(change) => change.is_empty(),
            Err(ChangeError::Declined(_)) => true,
            // Who knows how far the commit came.
            Err(ChangeError::Store(_)) => false,
        };
        if is_as_before {
            std::mem::forget(telling);
            // Others may have made it what was found, and this process not have heard of it yet.
            self.hub.forget(&scope.people);
        }
        changed
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        let telling = Telling { hub: &self.hub, people: &seen.scope.people };
        let applied = self.inner.apply_if_current(seen, change).await;
        if matches!(applied, Ok(false)) {
            std::mem::forget(telling);
        }
        applied
    }

    fn directory(&self) -> Option<DirectoryId> {
        self.inner.directory()
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.inner.diaries(query).await
    }

    async fn revisions(
        &self,
        people: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, u64>, StoreError> {
        self.inner.revisions(people).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.inner.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

/// Tells when it is dropped, so also when nobody waits for the end of a change: it may come to its
/// end all the same.
struct Telling<'a> {
    hub: &'a Hub,
    people: &'a BTreeSet<UserId>,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.hub.changed(self.people);
    }
}

#[async_trait]
impl<T: DirectoryAdmin + ?Sized> Directory for Announced<T> {
    async fn users(&self, ids: &BTreeSet<UserId>) -> Result<HashMap<UserId, User>, StoreError> {
        self.inner.users(ids).await
    }

    async fn related(&self, client: &UserId, therapist: &UserId) -> Result<bool, StoreError> {
        self.inner.related(client, therapist).await
    }

    fn id(&self) -> Option<DirectoryId> {
        Directory::id(self.inner.as_ref())
    }
}

/// A therapist's zone says what their availability means.
#[async_trait]
impl<T: DirectoryAdmin + ?Sized> DirectoryAdmin for Announced<T> {
    async fn put_user(&self, user: &User, by: By) -> Result<(), StoreError> {
        let people = BTreeSet::from([user.id.clone()]);
        let _telling = Telling { hub: &self.hub, people: &people };
        self.inner.put_user(user, by).await
    }

    async fn relate(&self, client: &UserId, therapist: &UserId, by: By) -> Result<(), ChangeError> {
        self.inner.relate(client, therapist, by).await
    }

    async fn unrelate(
        &self,
        client: &UserId,
        therapist: &UserId,
        by: By,
    ) -> Result<(), StoreError> {
        self.inner.unrelate(client, therapist, by).await
    }

    async fn take_news(
        &self,
        news: &UserNews,
        by: By,
        ids: &dyn IdSource,
    ) -> Result<NewsOutcome, StoreError> {
        let people = BTreeSet::from([news.user.clone()]);
        let telling = Telling { hub: &self.hub, people: &people };
        let outcome = self.inner.take_news(news, by, ids).await?;
        if outcome != NewsOutcome::Taken {
            std::mem::forget(telling);
        }
        Ok(outcome)
    }
}

/// When a linked calendar is busy is part of its therapist's.
#[async_trait]
impl<T: LinkedCalendars + ?Sized> LinkedCalendars for Announced<T> {
    async fn link(&self, calendar: &LinkedCalendar, by: By) -> Result<Linked, StoreError> {
        self.inner.link(calendar, by).await
    }

    async fn linked_to(&self, therapist: &UserId) -> Result<Vec<LinkedCalendar>, StoreError> {
        self.inner.linked_to(therapist).await
    }

    async fn linked_calendar(
        &self,
        id: LinkedCalendarId,
    ) -> Result<Option<LinkedCalendar>, StoreError> {
        self.inner.linked_calendar(id).await
    }

    async fn relink(&self, calendar: &LinkedCalendar, by: By) -> Result<bool, StoreError> {
        self.inner.relink(calendar, by).await
    }

    async fn unlink(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        by: By,
    ) -> Result<bool, StoreError> {
        let people = BTreeSet::from([therapist.clone()]);
        let _telling = Telling { hub: &self.hub, people: &people };
        self.inner.unlink(therapist, id, by).await
    }

    async fn refresh(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        refresh: &Refresh,
    ) -> Result<bool, StoreError> {
        self.inner.refresh(therapist, id, refresh).await
    }

    async fn claim_links(&self, claim: &CopyClaim) -> Result<Vec<LinkedCalendar>, StoreError> {
        self.inner.claim_links(claim).await
    }

    async fn copied(
        &self,
        claimed: &LinkedCalendar,
        state: &CopyState,
        times: Option<&BusyTimes>,
    ) -> Result<Copied, StoreError> {
        let people = BTreeSet::from([claimed.therapist.clone()]);
        let telling = Telling { hub: &self.hub, people: &people };
        let copied = self.inner.copied(claimed, state, times).await;
        if matches!(copied, Ok(Copied::Outdated | Copied::Same)) {
            std::mem::forget(telling);
        }
        copied
    }

    async fn unwritten(&self, what: &Unwritten) -> Result<(), StoreError> {
        self.inner.unwritten(what).await
    }
}
