//! The suite bites: stores that break one promise each fail the case that is about it.
//!
//! | broken store | what it does |
//! |---|---|
//! | check, then insert | reads and decides without a lock, and applies later |
//! | unsorted locks | locks the therapist first, then the client |
//! | snapshot older than the lock | decides on what it had read before it had the lock |
//! | events outside the transaction | writes the change, and then the events |
//! | row by row | writes the rows of a change one after the other |
//! | a lock that stays | is still locked after a decision declined |
//! | applied unseen | applies what was decided without locks, whatever has changed since |
//! | diary by diary | reads what lists are made of for one therapist after the other |
//! | half counted | looks whether the therapist's calendar has changed, and not at the client's |
//! | endless pages | loads as many meetings as are asked for, whatever comes with them |
//!
//! The first four are also done to Postgres, in `teeth.rs` of booking-store.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::{
    Harness, World, atomicity, availability, current, diaries, dropped, lists, overrides,
    published, races, series, settings,
};
use booking_core::{
    Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, Meeting, MeetingQuery,
    MemoryStore, Place, Scope, Store, StoreError, UserId,
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinError;
use tokio::time::error::Elapsed;

/// How a store goes about a change without keeping its promises.
#[derive(Clone, Copy)]
enum Fault {
    /// Reads and decides without a lock, and applies later.
    CheckThenInsert,
    /// Locks each person's calendar, as it comes: the therapist's first.
    UnsortedLocks,
    /// Takes the lock, but decides on what it had read before.
    SnapshotOlderThanLock,
    /// Writes the events afterwards, and now and then fails to.
    EventsOutsideTransaction,
    /// Writes rows one by one, with nothing around them.
    RowByRow,
    /// Keeps the lock when a decision declines.
    KeepsLockWhenDeclined,
    /// Applies what was decided without locks, without another look.
    AppliedUnseen,
    /// Looks at the therapist's revision alone.
    HalfCounted,
    /// Reads each therapist's diary by itself.
    DiaryByDiary,
    /// Loads as many meetings as are asked for, whatever comes with them.
    EndlessPages,
}

struct Faulty {
    inner: Arc<MemoryStore>,
    fault: Fault,
    lock: Mutex<()>,
    calendars: std::sync::Mutex<HashMap<UserId, Arc<Mutex<()>>>>,
    changes: AtomicU32,
}

/// Widens the gap that a fault opens, so that no race has to be lucky.
async fn others_go_first() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

impl Faulty {
    async fn apply(&self, change: Change) -> Result<Change, ChangeError> {
        self.inner.change(&Scope::default(), &|_| Ok(change.clone())).await
    }

    async fn lock(&self, person: &UserId) -> OwnedMutexGuard<()> {
        let calendar = self
            .calendars
            .lock()
            .expect("nothing panics")
            .entry(person.clone())
            .or_default()
            .clone();
        calendar.lock_owned().await
    }
}

#[async_trait]
impl Store for Faulty {
    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        let now = self.inner.read(&seen.scope).await?.revisions;
        let is_same = |person: &UserId| now.get(person) == seen.revisions.get(person);
        let is_current = match self.fault {
            Fault::AppliedUnseen => true,
            Fault::HalfCounted => {
                seen.scope.hours_of.as_ref().is_some_and(is_same) && seen.vouch_for(change)
            }
            _ => false,
        };
        if is_current {
            others_go_first().await;
            self.apply(change.clone()).await.map_err(|_| StoreError::Corrupt("declined".into()))?;
        }
        Ok(is_current)
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        match self.fault {
            Fault::CheckThenInsert => {
                let change = decide(&self.inner.read(scope).await?)?;
                others_go_first().await;
                self.apply(change).await
            }
            Fault::UnsortedLocks => {
                let therapist = scope.hours_of.as_ref();
                let others = scope.people.iter().filter(|person| Some(*person) != therapist);
                let mut locked = vec![];
                for person in therapist.into_iter().chain(others) {
                    locked.push(self.lock(person).await);
                    others_go_first().await;
                }
                self.apply(decide(&self.inner.read(scope).await?)?).await
            }
            Fault::SnapshotOlderThanLock => {
                let seen = self.inner.read(scope).await?;
                others_go_first().await;
                let _locked = self.lock.lock().await;
                self.apply(decide(&seen)?).await
            }
            Fault::EventsOutsideTransaction => {
                let events = std::sync::Mutex::new(vec![]);
                let without_events = |calendars: &Calendars| {
                    let mut change = decide(calendars)?;
                    *events.lock().expect("nothing panics") = std::mem::take(&mut change.events);
                    Ok(change)
                };
                let mut change = self.inner.change(scope, &without_events).await?;
                change.events = events.into_inner().expect("nothing panics");
                if !self.changes.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
                    let events = change.events.clone();
                    self.apply(Change { events, ..Change::default() }).await?;
                }
                Ok(change)
            }
            Fault::RowByRow => {
                let change = decide(&self.inner.read(scope).await?)?;
                for write in change.writes.clone() {
                    self.apply(Change { writes: vec![write], ..Change::default() }).await?;
                    others_go_first().await;
                }
                self.apply(Change { writes: vec![], ..change.clone() }).await?;
                Ok(change)
            }
            Fault::AppliedUnseen
            | Fault::HalfCounted
            | Fault::DiaryByDiary
            | Fault::EndlessPages => self.inner.change(scope, decide).await,
            Fault::KeepsLockWhenDeclined => {
                let locked = self.lock.lock().await;
                let changed = self.inner.change(scope, decide).await;
                if changed.is_err() {
                    std::mem::forget(locked);
                }
                changed
            }
        }
    }

    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.inner.read(scope).await
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        let mut found = self.inner.diaries(query).await?;
        if let Fault::DiaryByDiary = self.fault {
            for (id, diary) in &mut found.therapists {
                others_go_first().await;
                let one = DiariesQuery { therapists: [id.clone()].into(), ..query.clone() };
                *diary = self.inner.diaries(&one).await?.therapists.remove(id).unwrap_or_default();
            }
        }
        Ok(found)
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        let mut found = self.inner.meetings(query).await?;
        while let Fault::EndlessPages = self.fault
            && let Some(last) = found.last().filter(|_| found.len() < query.limit as usize)
        {
            let after = Some(Place { start: last.start, id: last.id });
            let more = self.inner.meetings(&MeetingQuery { after, ..query.clone() }).await?;
            if more.is_empty() {
                break;
            }
            found.extend(more);
            found.truncate(query.limit as usize);
        }
        Ok(found)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

fn harness(fault: Fault) -> Harness {
    let inner = Arc::new(MemoryStore::default());
    let (lock, calendars, changes) = Default::default();
    let store = Arc::new(Faulty { inner: inner.clone(), fault, lock, calendars, changes });
    let (outbox, directory) = (inner.clone(), inner.clone());
    Harness { store, outbox, directory, ..Harness::new(inner, ()) }
}

/// How the case ends within some seconds: by itself, not at all, or by a panic.
async fn run<F>(
    fault: Fault,
    seconds: u64,
    case: fn(World) -> F,
) -> Result<Result<(), Elapsed>, JoinError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let run = async move { case(World::new(harness(fault)).await).await };
    tokio::spawn(tokio::time::timeout(Duration::from_secs(seconds), run)).await
}

macro_rules! fails {
    ($($test:ident: $fault:ident fails $($case:path),+;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                $(
                    let end = run(Fault::$fault, 600, $case).await;
                    assert!(end.is_err(), "{} did not notice: {end:?}", stringify!($case));
                )+
            }
        )+
    };
}

fails! {
    check_then_insert: CheckThenInsert fails
        races::one_start_has_one_winner,
        races::a_client_is_in_one_place,
        races::a_person_with_two_roles_is_in_one_place,
        races::a_meeting_is_cancelled_once,
        races::overlapping_availability_is_added_once,
        races::a_repeated_booking_is_made_once,
        races::no_change_is_lost_under_another,
        series::many_series_race_for_the_same_times,
        series::what_is_cancelled_is_cancelled_once,
        availability::deleted_while_being_booked,
        settings::the_last_place_has_one_winner,
        settings::what_is_kept_free_has_one_winner,
        settings::a_version_of_settings_is_replaced_once,
        overrides::overlapping_overrides_are_added_once;
    snapshot_older_than_lock: SnapshotOlderThanLock fails
        races::one_start_has_one_winner,
        races::a_version_is_changed_once,
        races::events_follow_the_order_of_changes,
        races::no_change_is_lost_under_another,
        series::many_series_race_for_the_same_times,
        availability::switched_off_while_being_booked,
        settings::the_last_place_has_one_winner,
        settings::changed_while_being_booked,
        overrides::taken_off_while_being_booked;
    events_outside_transaction: EventsOutsideTransaction fails
        published::events_exist_exactly_for_changes,
        series::a_series_takes_what_is_free,
        atomicity::what_is_returned_was_applied;
    applied_unseen: AppliedUnseen fails
        current::what_is_out_of_date_is_not_applied,
        current::a_version_is_replaced_once,
        current::one_hour_has_one_winner,
        current::it_answers_for_what_was_named_alone,
        settings::the_last_place_has_one_winner,
        settings::changed_while_being_booked;
    half_counted: HalfCounted fails
        current::what_is_out_of_date_is_not_applied;
    endless_pages: EndlessPages fails
        lists::a_page_ends_with_its_texts;
    diary_by_diary: DiaryByDiary fails
        diaries::diaries_are_of_one_moment;
    row_by_row: RowByRow fails
        series::a_series_is_seen_as_a_whole,
        dropped::a_dropped_change_is_all_or_nothing;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unsorted_locks() {
    let case = races::crossed_bookings_do_not_block_each_other;
    let end = run(Fault::UnsortedLocks, 5, case).await;
    assert!(matches!(end, Ok(Err(_))), "did not notice: {end:?}");
    // It is about the order alone: those who never cross do not meet.
    let case = races::one_start_has_one_winner;
    let end = run(Fault::UnsortedLocks, 600, case).await;
    assert!(matches!(end, Ok(Ok(()))), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lock_that_stays() {
    let case = atomicity::a_declined_change_writes_nothing;
    let end = run(Fault::KeepsLockWhenDeclined, 1, case).await;
    assert!(matches!(end, Ok(Err(_))), "did not notice: {end:?}");
}
