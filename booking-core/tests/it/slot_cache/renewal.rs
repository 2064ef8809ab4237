//! What is remembered is renewed by revisions: nothing is a second older than what others have changed,
//! and the store is asked little. Time passes only where something waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    Actor, Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, Directory,
    DirectoryAdmin, DirectoryId, Meeting, MeetingQuery, MemoryStore, Role, Scope, SlotCache, Store,
    StoreError, UserId,
};
use chrono::Days;
use proptest::prelude::*;
use tokio::time::{Instant, advance, sleep};

use super::stress::Practice;
use super::{Still, booking, lists_of, viewers};
use crate::strategies::cases;
use crate::world::{World, actor, jane, john, the_monday};

/// How old a list may be.
const PROMISED: Duration = Duration::from_secs(1);

/// A store whose reads take as long as they are told to, and are counted.
#[derive(Default)]
struct Observed {
    inner: Arc<MemoryStore>,
    /// How long each takes, by turns: half of it before it sees anything.
    takes: Vec<Duration>,
    /// How long it takes to say how often calendars have changed, if that is something else.
    questions_take: Option<Duration>,
    /// Says of everybody what it said first.
    stands_still: Option<Mutex<BTreeMap<UserId, u64>>>,
    looks: AtomicUsize,
    questions: AtomicUsize,
}

impl Observed {
    /// How long this one takes.
    fn turn(&self, count: &AtomicUsize) -> Duration {
        let turn = count.fetch_add(1, Ordering::Relaxed);
        self.takes.get(turn % self.takes.len().max(1)).copied().unwrap_or_default()
    }

    fn hold_still(&self, revisions: &mut BTreeMap<UserId, u64>) {
        if let Some(first) = &self.stands_still {
            let mut first = first.lock().unwrap();
            for (person, revision) in revisions {
                *revision = *first.entry(person.clone()).or_insert(*revision);
            }
        }
    }
}

#[async_trait]
impl Store for Observed {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.inner.read(scope).await
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        let takes = self.turn(&self.looks);
        sleep(takes / 2).await;
        let mut found = self.inner.diaries(query).await?;
        self.hold_still(&mut found.revisions);
        sleep(takes / 2).await;
        Ok(found)
    }

    async fn revisions(
        &self,
        people: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, u64>, StoreError> {
        let turn = self.turn(&self.questions);
        let takes = self.questions_take.unwrap_or(turn);
        sleep(takes / 2).await;
        let mut revisions = self.inner.revisions(people).await?;
        self.hold_still(&mut revisions);
        sleep(takes / 2).await;
        Ok(revisions)
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        self.inner.change(scope, decide).await
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        self.inner.apply_if_current(seen, change).await
    }

    fn directory(&self) -> Option<DirectoryId> {
        self.inner.directory()
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.inner.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    Pass(Duration),
    /// Another process changes something, and nobody tells of it.
    Elsewhere(usize),
    List(usize),
}

/// Has it all happen, and holds each list against what there was from a second before it began until
/// it ended.
fn is_never_old(store: Observed, steps: &[Step]) -> Result<(), String> {
    let still = Still::over(100, |inner| Arc::new(Observed { inner, ..store }));
    let _hearing = still.hub.hearing();
    let other = still.elsewhere();
    still.world.run(async {
        let mut truths = vec![(Instant::now(), lists_of(&other.booking).await)];
        let (mut practice, mut listing) = (Practice::default(), Vec::new());
        for step in steps {
            match step {
                Step::Pass(time) => sleep(*time).await,
                Step::Elsewhere(number) => {
                    practice.change(&other, *number).await;
                    truths.push((Instant::now(), lists_of(&other.booking).await));
                }
                Step::List(viewer) => {
                    let (lists, viewer) = (still.process.lists.clone(), *viewer);
                    listing.push(tokio::spawn(async move {
                        let began = Instant::now();
                        let slots = lists.list(&viewers()[viewer]).await.expect("memory holds");
                        (viewer, began, Instant::now(), slots)
                    }));
                }
            }
        }
        for list in listing {
            let (viewer, began, ended, slots) = list.await.expect("nobody panics");
            let ends = truths.iter().map(|(from, _)| Some(*from)).collect::<Vec<_>>();
            let ends = ends.into_iter().chain([None]).collect::<Vec<_>>();
            let was_so = truths.iter().zip(&ends[1..]).any(|((from, truth), end)| {
                let is_recent =
                    end.is_none_or(|end| began.saturating_duration_since(end) <= PROMISED);
                is_recent && *from <= ended && truth[viewer] == slots
            });
            if !was_so {
                return Err(format!("{viewer} saw something too old"));
            }
        }
        Ok(())
    })
}

fn pass() -> impl Strategy<Value = Step> {
    prop_oneof![1_u64..100, 300_u64..1_000]
        .prop_map(|millis| Step::Pass(Duration::from_millis(millis)))
}

fn steps(
    changes: impl Strategy<Value = usize>,
    viewers: impl Strategy<Value = usize>,
) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => pass(),
        1 => changes.prop_map(Step::Elsewhere),
        4 => viewers.prop_map(Step::List),
    ];
    prop::collection::vec(step, 1..80)
}

fn slow() -> impl Strategy<Value = Observed> {
    let millis = prop_oneof![Just(0_u64), 1_u64..60, 60_u64..700];
    prop::collection::vec(millis.prop_map(Duration::from_millis), 1..6)
        .prop_map(|takes| Observed { takes, ..Observed::default() })
}

impl std::fmt::Debug for Observed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observed").field("takes", &self.takes).finish_non_exhaustive()
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever changes of a therapist: for one who has nothing else to do, and for the therapist.
    #[test]
    fn no_list_is_a_second_older_than_what_others_changed(
        store in slow(),
        steps in steps(1_usize..40, 1_usize..3),
    ) {
        prop_assert_eq!(is_never_old(store, &steps), Ok(()));
    }

    /// What keeps the client busy with another therapist.
    #[test]
    fn nor_than_what_keeps_the_client_busy(
        store in slow(),
        steps in steps((0_usize..9).prop_map(|n| n / 2 * 8 + 3 + n % 2 * 3), Just(0_usize)),
    ) {
        prop_assert_eq!(is_never_old(store, &steps), Ok(()));
    }
}

/// With teeth: whoever renews without comparing shows what is old.
#[test]
fn a_cache_that_renews_whatever_became_of_it_is_caught() {
    let lists = |n: usize| {
        let wait = || Step::Pass(Duration::from_millis(400));
        (0..n).flat_map(move |_| [Step::List(0), Step::List(2), wait()])
    };
    let steps: Vec<_> = lists(4).chain([Step::Elsewhere(1)]).chain(lists(4)).collect();
    assert_eq!(is_never_old(Observed::default(), &steps), Ok(()));
    let stands_still = Observed { stands_still: Some(Mutex::default()), ..Observed::default() };
    assert!(is_never_old(stands_still, &steps).is_err(), "the suite has no teeth");
}

fn therapists(world: &World, count: usize) -> Vec<Actor> {
    let therapists = (0..count).map(|n| actor(&format!("therapist_{n}"), Role::Therapist));
    therapists.inspect(|therapist| world.introduce(therapist)).collect()
}

/// Lists them all again and again; how often the store was read meanwhile, and asked for revisions.
fn asked(people: usize, dates: u64, rounds: usize, every: Duration) -> (usize, usize) {
    let mut observed = None;
    let still = Still::over(10_000, |inner| {
        observed.insert(Arc::new(Observed { inner, ..Observed::default() })).clone()
    });
    let _hearing = still.hub.hearing();
    let therapists = therapists(&still.world, people);
    still.world.run(async {
        for _ in 0..rounds {
            for therapist in &therapists {
                for date in (0..dates).filter_map(|n| the_monday().checked_add_days(Days::new(n))) {
                    let listed = still.process.booking.slots(&john(), &therapist.id, date).await;
                    assert!(listed.unwrap().is_empty());
                }
            }
            advance(every).await;
        }
    });
    let observed = observed.unwrap();
    (observed.looks.load(Ordering::Relaxed), observed.questions.load(Ordering::Relaxed))
}

#[test]
fn one_question_renews_a_whole_practice() {
    let (looks, questions) = asked(40, 3, 180, Duration::from_millis(50));
    assert_eq!(looks, 40 * 3, "each once");
    assert!((9..=20).contains(&questions), "{questions} in nine seconds");
    // More than one question asks about.
    let (looks, questions) = asked(2_500, 1, 9, Duration::from_millis(950));
    assert_eq!(looks, 2_500);
    assert!((8..=8 * 3).contains(&questions), "{questions} in eight rounds");
}

/// A change of one leaves the others where they are.
#[test]
fn who_has_changed_is_read_anew_and_nobody_else() {
    let still = Still::over(100, |inner| Arc::new(Observed { inner, ..Observed::default() }));
    let _hearing = still.hub.hearing();
    let other = therapists(&still.world, 1).remove(0);
    still.world.run(async {
        let hits = async |therapist: &Actor| {
            let before = still.cache.counts().hits;
            let client = actor("client_nobody", Role::Client);
            still.process.booking.slots(&client, &therapist.id, the_monday()).await.unwrap();
            still.cache.counts().hits > before
        };
        assert!(!hits(&jane()).await && !hits(&other).await);
        still.booked_elsewhere("11:00").await;
        advance(Duration::from_millis(900)).await;
        assert!(hits(&other).await, "nothing has changed");
        assert!(!hits(&jane()).await && hits(&jane()).await);
    });
}

/// Whoever is not there has no calendar that could count.
#[test]
fn who_comes_is_found() {
    let still = Still::over(100, |inner| {
        let stands_still = Some(Mutex::default());
        Arc::new(Observed { inner, stands_still, ..Observed::default() })
    });
    let _hearing = still.hub.hearing();
    let somebody = actor("therapist_new", Role::Therapist);
    let is_there =
        async || still.process.booking.slots(&john(), &somebody.id, the_monday()).await.is_ok();
    still.world.run(async { assert!(!is_there().await && !is_there().await) });
    still.world.introduce(&somebody);
    still.world.run(async {
        assert!(!is_there().await, "nobody has told of it");
        advance(Duration::from_millis(900)).await;
        assert!(is_there().await);
    });
}

/// Where users are kept elsewhere, or the store does not count, everything is read again.
#[test]
fn what_nobody_counts_is_not_renewed() {
    let still = Still::new();
    let _hearing = still.hub.hearing();
    let elsewhere = Arc::new(MemoryStore::default());
    still.world.run(async {
        let known = still.world.store.users(&[jane().id].into()).await.unwrap();
        elsewhere
            .put_user(&known[&jane().id], booking_core::testing::fixtures::by())
            .await
            .unwrap();
        let cache = SlotCache::new(100, &still.hub);
        let booking = booking(still.world.store.clone(), elsewhere).with_cache(cache.clone());
        for round in 1..4 {
            for _ in 0..2 {
                booking.slots(&john(), &jane().id, the_monday()).await.unwrap();
            }
            assert_eq!((cache.counts().hits, cache.counts().misses), (round, round));
            advance(Duration::from_millis(900)).await;
        }
    });
}

/// Whoever asks first may wait for long; nobody else does.
#[test]
fn nobody_waits_for_long_while_another_asks() {
    let still = Still::over(100, |inner| {
        let questions_take = Some(Duration::from_secs(20));
        Arc::new(Observed { inner, questions_take, ..Observed::default() })
    });
    let _hearing = still.hub.hearing();
    still.world.run(async {
        still.list().await;
        advance(Duration::from_millis(900)).await;
        let lists = still.process.lists.clone();
        let asking = tokio::spawn(async move { lists.list(&john()).await.expect("memory holds") });
        sleep(Duration::from_millis(1)).await;
        let began = Instant::now();
        still.list().await;
        assert!(began.elapsed() <= Duration::from_millis(110), "{:?}", began.elapsed());
        assert!(still.list().await.1, "what was read meanwhile is remembered");
        assert!(!asking.is_finished());
        // Nor does it matter if whoever asks goes away.
        asking.abort();
        assert!(asking.await.is_err());
        advance(Duration::from_millis(900)).await;
        assert!(still.list().await.1, "the next one asks");
    });
}
