//! Changes a practice while others list its slots, on many tasks at once over a store that takes its
//! time, and holds each list against what there was between the last change that had been acknowledged
//! when it began and the last that had begun when it ended. (The zone may be of another moment
//! than the rest, as it is where a directory lives elsewhere.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::fixtures::by;
use booking_core::{
    Actor, Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, Directory,
    DirectoryAdmin, DirectoryId, Meeting, MeetingId, MeetingPatch, MeetingQuery, MemoryStore,
    NewAvailability, Scope, SessionDuration, Slot, SlotCacheCounts, Store, StoreError, User,
};
use chrono::Weekday;
use chrono_tz::Tz;
use tokio::time::sleep;

use super::{Process, announced, booking, lists_of, runtime, viewers};
use crate::strategies::hours;
use crate::world::{ANY, World, jane, joe, john, session, start};

/// A store in which things take a while, so that everything happens between everything else.
pub(super) struct Slow {
    inner: Arc<MemoryStore>,
    calls: AtomicU64,
}

impl Slow {
    pub(super) fn over(world: &World) -> Arc<Self> {
        Arc::new(Self { inner: world.store.clone(), calls: AtomicU64::new(0) })
    }

    async fn pause(&self) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match call.wrapping_mul(2_654_435_761) >> 7 & 3 {
            0 => {}
            1 => tokio::task::yield_now().await,
            long => sleep(Duration::from_millis(long - 1)).await,
        }
    }
}

#[async_trait]
impl Store for Slow {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.pause().await;
        let read = self.inner.read(scope).await;
        self.pause().await;
        read
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        let changed = self.inner.change(scope, decide).await;
        self.pause().await;
        changed
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        let applied = self.inner.apply_if_current(seen, change).await;
        self.pause().await;
        applied
    }

    fn directory(&self) -> Option<DirectoryId> {
        self.inner.directory()
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.pause().await;
        let read = self.inner.diaries(query).await;
        self.pause().await;
        read
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.inner.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

/// A list, and which changes it may reflect: by number, from the last acknowledged when it began to
/// the last begun when it ended.
struct Seen {
    viewer: usize,
    acknowledged: usize,
    begun: usize,
    slots: Vec<Slot>,
}

pub(super) const CHANGES: usize = 120;
const LISTERS: usize = 9;

/// Changes and lists at the same time; how many lists there were, or one that is older than it may be.
pub(super) async fn stress(process: Process, world: &World) -> Result<usize, String> {
    let (begun, acknowledged) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let mut listing = Vec::new();
    for lister in 0..LISTERS {
        let (begun, acknowledged) = (begun.clone(), acknowledged.clone());
        let lists = process.lists.clone();
        listing.push(tokio::spawn(async move {
            let (viewer, mut seen) = (lister % 3, Vec::new());
            while acknowledged.load(Ordering::SeqCst) < CHANGES {
                let acknowledged = acknowledged.load(Ordering::SeqCst);
                let slots = lists.list(&viewers()[viewer]).await.expect("memory holds");
                let begun = begun.load(Ordering::SeqCst);
                seen.push(Seen { viewer, acknowledged, begun, slots });
                tokio::task::yield_now().await;
            }
            seen
        }));
    }
    let mut truths = vec![Truth::of(world).await];
    let mut practice = Practice::default();
    for number in 1..=CHANGES {
        begun.store(number, Ordering::SeqCst);
        practice.change(&process, number).await;
        acknowledged.store(number, Ordering::SeqCst);
        truths.push(Truth::of(world).await);
    }
    let mut lists = 0;
    for seen in listing {
        for Seen { viewer, acknowledged, begun, slots } in seen.await.expect("nobody panics") {
            lists += 1;
            let may_be = &truths[acknowledged..=begun];
            if !may_be.iter().any(|truth| shows(may_be, truth.zone, viewer, &slots)) {
                return Err(format!("{viewer} saw something older than {acknowledged}"));
            }
        }
    }
    let lists_then = |truth: &Truth| truth.in_zone[truth.zone].clone();
    let distinct = truths.windows(2).filter(|two| lists_then(&two[0]) != lists_then(&two[1]));
    let distinct = distinct.count();
    assert!(distinct > CHANGES / 2, "only {distinct} changes show");
    Ok(lists)
}

/// Whether somebody may have seen this list in that zone. While a change of two people is being
/// committed, one of them may be shown as they were before and the other as after: of a meeting that
/// moves, both times are taken then.
fn shows(may_be: &[Truth], zone: usize, viewer: usize, slots: &[Slot]) -> bool {
    let lists = || may_be.iter().map(|truth| &truth.in_zone[zone][viewer]);
    lists().any(|one| lists().any(|other| in_both(one, other) == slots))
}

/// What fits into either list.
fn in_both(one: &[Slot], other: &[Slot]) -> Vec<Slot> {
    let shorter = |slot: &Slot| {
        let same = other.iter().find(|also| also.start == slot.start)?;
        Some(Slot { durations: slot.durations.and(same.durations)?, ..*slot })
    };
    one.iter().filter_map(shorter).collect()
}

/// Where Jane may live.
const ZONES: [Tz; 2] = [Tz::UTC, Tz::Asia__Kathmandu];

/// What there was at a moment, as the store itself says: everybody's list in either zone.
struct Truth {
    zone: usize,
    in_zone: Vec<Vec<Vec<Slot>>>,
}

impl Truth {
    async fn of(world: &World) -> Self {
        let jane = world.store.user(&jane().id).await.expect("memory holds").expect("she is there");
        let zone = ZONES.iter().position(|zone| *zone == jane.zone()).expect("one of the two");
        let mut in_zone = Vec::new();
        for zone in ZONES {
            let elsewhere = MemoryStore::default();
            let moved = User { zone: Some(zone), ..jane.clone() };
            elsewhere.put_user(&moved, by()).await.expect("memory holds");
            in_zone.push(lists_of(&booking(world.store.clone(), Arc::new(elsewhere))).await);
        }
        Self { zone, in_zone }
    }
}

/// What there is to change.
#[derive(Default)]
pub(super) struct Practice {
    with_jane: Option<MeetingId>,
    with_joe: Option<MeetingId>,
}

impl Practice {
    /// One after the other, whatever becomes of each: some are refused, and change nothing.
    pub(super) async fn change(&mut self, process: &Process, number: usize) {
        let Process { booking, directory, .. } = process;
        let time = format!("{:02}:{:02}", 11 + number % 4, number % 2 * 30);
        let book = async |therapist: &Actor| {
            let request = session(therapist, &time, SessionDuration::HalfHour);
            let booked = booking.book(&john(), &request, None).await;
            booked.ok().map(|answered| answered.value.meeting.id)
        };
        let cancel = async |meeting: Option<MeetingId>| {
            if let Some(id) = meeting {
                let _refused = booking.cancel(&john(), id, None, &ANY).await.is_err();
            }
        };
        match number % 8 {
            1 => self.with_jane = book(&jane()).await,
            2 | 5 => {
                let patch = MeetingPatch { start: Some(start(&time)), ..MeetingPatch::default() };
                if let Some(id) = self.with_jane {
                    let _refused = booking.update(&john(), id, &patch, &ANY).await.is_err();
                }
            }
            3 => self.with_joe = book(&joe()).await,
            4 => {
                let Some(directory) = directory else { return };
                let zone = ZONES[usize::from(number % 16 == 4)];
                let known = directory.user(&jane().id).await.expect("memory holds");
                let moved = User { zone: Some(zone), ..known.expect("she is there") };
                directory.put_user(&moved, by()).await.expect("memory holds");
            }
            6 => cancel(self.with_joe.take()).await,
            7 => cancel(self.with_jane.take()).await,
            _ => {
                let open = booking.availability(&jane()).await.expect("memory holds");
                match open.iter().find(|slot| slot.window == hours("18:00", "19:00")) {
                    Some(evening) => {
                        booking.delete_availability(&jane(), evening.id).await.expect("there");
                    }
                    None => {
                        let window = hours("18:00", "19:00");
                        let new = NewAvailability { weekday: Weekday::Mon, window, notes: None };
                        booking.add_availability(&jane(), &new, None).await.expect("free");
                    }
                }
            }
        }
    }
}

#[test]
fn whatever_was_acknowledged_is_in_every_later_list() {
    let world = World::default();
    let (process, cache, hub) = announced(Slow::over(&world), &world);
    let _hearing = hub.hearing();
    let lists = runtime().block_on(stress(process, &world)).expect("nothing is older");
    let SlotCacheCounts { hits, misses, bypassed } = cache.counts();
    assert_eq!((hits + misses, bypassed), (lists as u64, 0));
    assert!(hits > 100 && misses > 100, "both ways are taken: {hits} and {misses}");
}
