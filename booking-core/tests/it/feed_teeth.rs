//! The suite bites: stores of calendar feeds that are wrong in ways that look right each fail the case
//! that is about it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::{Harness, World, feeds};
use booking_core::{By, CalendarFeed, FeedDigest, FeedId, Feeds, MemoryStore, StoreError, UserId};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Looks how many there are, and adds one later.
    CountsBefore,
    /// Counts everybody's together.
    CountsEverybodys,
    /// Whoever knows an id takes the feed back.
    RevokesAnybodys,
    /// Lists by id, whatever the order in which they were made.
    ListsById,
    /// Keeps the feeds of those who leave.
    KeepsThoseOfNobody,
}

struct Faulty {
    inner: Arc<MemoryStore>,
    /// Knows of nobody who leaves.
    apart: Arc<MemoryStore>,
    fault: Fault,
}

impl Faulty {
    fn store(&self) -> &MemoryStore {
        if self.fault == Fault::KeepsThoseOfNobody { &self.apart } else { &self.inner }
    }
}

#[async_trait]
impl Feeds for Faulty {
    async fn add_feed(
        &self,
        feed: &CalendarFeed,
        digest: &FeedDigest,
        by: By,
    ) -> Result<bool, StoreError> {
        const MOST: usize = CalendarFeed::MAX_PER_OWNER as usize;
        if self.fault == Fault::CountsEverybodys {
            let mut all = 0;
            for owner in ["client_123", "client_124"] {
                all += self.inner.feeds_of(&UserId::new(owner).unwrap()).await?.len();
            }
            return Ok(all < MOST && self.inner.add_feed(feed, digest, by).await?);
        }
        if self.fault == Fault::CountsBefore {
            let had = self.inner.feeds_of(&feed.owner).await?.len();
            tokio::time::sleep(Duration::from_millis(5)).await;
            // The store below keeps the promise: this one says yes to whom it has seen room for.
            return Ok(self.inner.add_feed(feed, digest, by).await? || had < MOST);
        }
        self.store().add_feed(feed, digest, by).await
    }

    async fn feeds_of(&self, owner: &UserId) -> Result<Vec<CalendarFeed>, StoreError> {
        let mut feeds = self.store().feeds_of(owner).await?;
        if self.fault == Fault::ListsById {
            feeds.sort_by_key(|feed| feed.id);
        }
        Ok(feeds)
    }

    async fn feed(&self, id: FeedId) -> Result<Option<(CalendarFeed, FeedDigest)>, StoreError> {
        self.store().feed(id).await
    }

    async fn revoke_feed(&self, owner: &UserId, id: FeedId, by: By) -> Result<bool, StoreError> {
        if self.fault == Fault::RevokesAnybodys
            && let Some((feed, _)) = self.inner.feed(id).await?
        {
            return self.inner.revoke_feed(&feed.owner, id, by).await;
        }
        self.store().revoke_feed(owner, id, by).await
    }
}

fn harness(fault: Fault) -> Harness {
    let inner = Arc::new(MemoryStore::default());
    let feeds = Arc::new(Faulty { inner: inner.clone(), apart: Arc::default(), fault });
    Harness { feeds, ..Harness::new(inner, ()) }
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
    counts_before: CountsBefore fails feeds::nobody_has_too_many;
    counts_everybodys: CountsEverybodys fails feeds::nobody_has_too_many;
    revokes_anybodys: RevokesAnybodys fails feeds::a_feed_is_taken_back_by_its_owner;
    lists_by_id: ListsById fails feeds::feeds_come_back_as_made;
    keeps_those_of_nobody: KeepsThoseOfNobody fails feeds::feeds_go_with_their_owner;
}
