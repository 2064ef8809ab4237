//! The suite bites: stores of holds that are wrong in ways that look right each fail the case that is
//! about it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::{Harness, World, diaries, hold_races, holds};
use booking_core::{
    Calendars, Change, ChangeError, Decide, Diaries, DiariesQuery, Hold, HoldId, Meeting,
    MeetingQuery, MemoryStore, Scope, Store, StoreError, Write,
};
use tokio::task::JoinError;
use tokio::time::error::Elapsed;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// None at all.
    Right,
    /// Decisions are not told of holds.
    Undecided,
    /// Lists of slots are not.
    Unlisted,
    /// Those who have placed them are not.
    ToldNobody,
    /// Who holds something else holds what they held before, too.
    KeepsBoth,
    /// What is deleted stays.
    KeepsDeleted,
    /// Of a therapist's time, the last that was put is kept.
    OneOfEachTherapist,
    /// What has expired stays for ever.
    KeepsExpired,
    /// Nobody who has decided is told that a hold came or went.
    Uncounted,
    /// Reads, and decides, and writes later.
    CheckThenInsert,
}

struct Faulty {
    inner: Arc<MemoryStore>,
    /// All that were ever put, but for those that were deleted.
    put: Mutex<BTreeMap<HoldId, Hold>>,
    fault: Fault,
}

impl Faulty {
    /// What was found, as this store tells it.
    fn told(&self, mut found: Calendars) -> Calendars {
        let Scope { hours_of, placed_by, .. } = &found.scope;
        self.distort(&mut found.holds, |hold| hours_of.as_ref() == Some(&hold.therapist));
        self.distort(&mut found.placed, |hold| placed_by.as_ref() == Some(&hold.holder));
        match self.fault {
            Fault::Undecided => found.holds.clear(),
            Fault::ToldNobody => found.placed.clear(),
            _ => {}
        }
        found
    }

    fn distort(&self, holds: &mut Vec<Hold>, is_meant: impl Fn(&Hold) -> bool) {
        match self.fault {
            Fault::KeepsBoth | Fault::KeepsDeleted | Fault::KeepsExpired => {
                let put = self.put.lock().unwrap();
                *holds = put.values().filter(|hold| is_meant(hold)).cloned().collect();
            }
            Fault::OneOfEachTherapist => {
                holds.sort_by_key(|hold| hold.id);
                holds.drain(..holds.len().saturating_sub(1));
            }
            _ => {}
        }
    }

    /// What this store takes for kept.
    fn note(&self, change: &Change) {
        let mut put = self.put.lock().unwrap();
        for audited in &change.writes {
            match audited.write() {
                Write::PutHold(new) => {
                    let is_pair =
                        |hold: &Hold| hold.holder == new.holder && hold.therapist == new.therapist;
                    let is_over = |hold: &Hold| {
                        hold.therapist == new.therapist && !hold.is_live(new.created_at)
                    };
                    put.retain(|_, hold| {
                        (self.fault == Fault::KeepsBoth || !is_pair(hold))
                            && (self.fault == Fault::KeepsExpired || !is_over(hold))
                    });
                    put.insert(new.id, new.clone());
                }
                Write::DeleteHold(id) if self.fault != Fault::KeepsDeleted => {
                    put.remove(id);
                }
                _ => {}
            }
        }
    }
}

#[async_trait]
impl Store for Faulty {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        Ok(self.told(self.inner.read(scope).await?))
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        if self.fault == Fault::CheckThenInsert {
            let change = decide(&self.inner.read(scope).await?)?;
            tokio::time::sleep(Duration::from_millis(2)).await;
            return self.inner.change(&Scope::default(), &|_| Ok(change.clone())).await;
        }
        let noting = |found: &Calendars| {
            let change = decide(&self.told(found.clone()))?;
            self.note(&change);
            Ok(change)
        };
        self.inner.change(scope, &noting).await
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        if self.fault != Fault::Uncounted || change.writes.len() != 1 {
            return Ok(false);
        }
        let is_current = self.inner.read(&seen.scope).await?.busy == seen.busy;
        if is_current {
            let applied = self.inner.change(&Scope::default(), &|_| Ok(change.clone())).await;
            applied.map_err(|_| StoreError::Corrupt("declined".into()))?;
        }
        Ok(is_current)
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        let mut found = self.inner.diaries(query).await?;
        if self.fault == Fault::Unlisted {
            found.therapists.values_mut().for_each(|diary| diary.holds.clear());
        }
        Ok(found)
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.inner.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

/// How the case ends: by itself, not in time, or by a panic.
async fn run<F>(fault: Fault, case: fn(World) -> F) -> Result<Result<(), Elapsed>, JoinError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let inner = Arc::new(MemoryStore::default());
    let store = Arc::new(Faulty { inner: inner.clone(), put: Mutex::default(), fault });
    let harness = Harness {
        store,
        outbox: inner.clone(),
        directory: inner.clone(),
        audit: inner.clone(),
        feeds: inner.clone(),
        links: inner,
        keep: Box::new(()),
    };
    let run = async move { case(World::new(harness).await).await };
    tokio::spawn(tokio::time::timeout(Duration::from_mins(10), run)).await
}

macro_rules! fails {
    ($($test:ident: $fault:ident fails $($case:path),+;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                $(
                    let end = run(Fault::$fault, $case).await;
                    assert!(end.is_err(), "{} did not notice: {end:?}", stringify!($case));
                )+
            }
        )+

        /// Nor is it the store around the store that the cases notice.
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn what_is_right_passes() {
            $($(run(Fault::Right, $case).await.unwrap().unwrap();)+)+
        }
    };
}

fails! {
    undecided: Undecided fails
        holds::holds_come_back_as_written,
        holds::a_held_start_is_its_holders,
        hold_races::one_held_start_has_one_winner;
    unlisted: Unlisted fails
        holds::a_held_start_is_its_holders,
        diaries::diaries_say_what_reads_say;
    told_nobody: ToldNobody fails
        holds::holds_come_back_as_written,
        holds::a_held_start_is_its_holders;
    keeps_both: KeepsBoth fails
        holds::a_hold_replaces_the_one_before;
    keeps_deleted: KeepsDeleted fails
        holds::a_deleted_hold_is_gone,
        holds::what_was_held_is_used_up;
    one_of_each_therapist: OneOfEachTherapist fails
        holds::holds_come_back_as_written,
        holds::expired_holds_do_not_pile_up;
    keeps_expired: KeepsExpired fails
        holds::expired_holds_do_not_pile_up;
    uncounted: Uncounted fails
        holds::holds_count_as_changes_of_a_calendar;
    check_then_insert: CheckThenInsert fails
        hold_races::one_held_start_has_one_winner,
        hold_races::a_hold_and_a_booking_keep_each_other_out,
        hold_races::of_many_holds_one_is_left,
        hold_races::the_last_place_is_held_or_booked;
}
