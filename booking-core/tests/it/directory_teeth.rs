//! The suite bites: directories that are wrong in ways that look right each fail the case that is about
//! it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::{Harness, World, news, people};
use booking_core::{
    By, ChangeError, Decline, Directory, DirectoryAdmin, DirectoryId, IdSource, MemoryStore,
    NewsOutcome, Refusal, StoreError, User, UserId, UserNews, check_relationship,
};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Two users who are known are enough for it.
    RelatesAnybody,
    /// Who is not known breaks a foreign key.
    FailsForTheUnknown,
    /// Looks who the two are, and relates them later.
    LooksBefore,
}

struct Faulty {
    inner: Arc<MemoryStore>,
    fault: Fault,
}

#[async_trait]
impl Directory for Faulty {
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

#[async_trait]
impl DirectoryAdmin for Faulty {
    async fn put_user(&self, user: &User, by: By) -> Result<(), StoreError> {
        self.inner.put_user(user, by).await
    }

    async fn relate(&self, client: &UserId, therapist: &UserId, by: By) -> Result<(), ChangeError> {
        // The store below keeps the promise: this one says what it would have said.
        let two = BTreeSet::from([client.clone(), therapist.clone()]);
        let users = self.inner.users(&two).await?;
        let (known, seen) =
            (users.len() == two.len(), check_relationship(client, therapist, &users));
        if self.fault == Fault::LooksBefore {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let related = self.inner.relate(client, therapist, by).await;
        match (self.fault, &related) {
            (Fault::RelatesAnybody, Err(ChangeError::Declined(_))) if known => Ok(()),
            (
                Fault::FailsForTheUnknown,
                Err(ChangeError::Declined(Decline::Refused(Refusal::UserNotFound))),
            ) => Err(StoreError::Corrupt("no such user".into()).into()),
            (Fault::LooksBefore, _) => Ok(seen.map_err(Decline::from)?),
            _ => related,
        }
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
        self.inner.take_news(news, by, ids).await
    }
}

fn harness(fault: Fault) -> Harness {
    let inner = Arc::new(MemoryStore::default());
    let directory = Arc::new(Faulty { inner: inner.clone(), fault });
    Harness { directory, ..Harness::new(inner, ()) }
}

macro_rules! fails {
    ($($test:ident: $fault:ident fails $case:path;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                let run = async { $case(World::new(harness(Fault::$fault)).await).await };
                let run = tokio::time::timeout(Duration::from_mins(10), run);
                let end = tokio::spawn(run).await;
                assert!(end.is_err(), "{} did not notice: {end:?}", stringify!($case));
            }
        )+
    };
}

fails! {
    relates_anybody: RelatesAnybody fails people::relationships_are_between_a_user_and_a_therapist;
    fails_for_the_unknown: FailsForTheUnknown fails
        people::relationships_are_between_a_user_and_a_therapist;
    looks_before: LooksBefore fails news::a_relationship_does_not_outlive_its_people;
}
