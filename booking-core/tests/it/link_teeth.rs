//! The suite bites: stores of linked calendars that are wrong in ways that look right each fail the case
//! that is about it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::{Harness, World, copies, links, unwritten};
use booking_core::{
    BusyTimes, By, Copied, CopyClaim, CopyState, Linked, LinkedCalendar, LinkedCalendarId,
    LinkedCalendars, MemoryStore, Refresh, Span, SpanSet, StoreError, UnreadEvents, Unwritten,
    UserId,
};
use chrono::{DateTime, TimeDelta, Utc};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Looks how many there are, and adds one later.
    CountsBefore,
    /// Whoever knows an id removes the link.
    RemovesAnybodys,
    /// Knows of nobody who leaves.
    KeepsThoseOfNobody,
    /// Replaces whatever version there is.
    ChangesAnyVersion,
    /// Looks what is due, and claims it later.
    LooksThenClaims,
    /// Takes a copy whoever has claimed the link since.
    TakesAnyCopy,
    /// Takes what was copied from where the link led before.
    TakesCopiesOfBefore,
    /// Says that every copy is another.
    CountsTheSame,
    /// Has a link looked at again while somebody is at it.
    RefreshesAlways,
    /// Forgets the times when a calendar could not be read.
    ForgetsOnFailure,
    /// Shows a copy before all of it is there.
    CopiesInTwo,
    /// Leaves out what goes on for days.
    CutsTheFirst,
    /// Takes all for written once a copy says so.
    ForgetsWhatWasNotWritten,
    /// Keeps no note of what could not be read.
    ForgetsUnread,
    /// Whoever copies has to begin again when something was not written.
    NotesBreakClaims,
    /// Whoever writes all of them anew has to.
    NotesBeginAgain,
    /// What was not written is forgotten with what is left, since that hides it.
    WhatIsLeftHidesNotes,
    /// Whoever copies has to begin again when a link is called something else.
    LabelsBreakClaims,
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

    async fn present(&self, link: &LinkedCalendar) -> Result<LinkedCalendar, StoreError> {
        Ok(self.inner.linked_calendar(link.id).await?.unwrap_or_else(|| link.clone()))
    }
}

async fn others_go_first() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

#[async_trait]
impl LinkedCalendars for Faulty {
    async fn link(&self, calendar: &LinkedCalendar, by: By) -> Result<Linked, StoreError> {
        if self.fault == Fault::CountsBefore {
            let had = self.inner.linked_to(&calendar.therapist).await?.len();
            others_go_first().await;
            // The store below keeps the promise: this one says yes to whom it has seen room for.
            let linked = self.inner.link(calendar, by).await?;
            let has_room = had < LinkedCalendar::MAX_PER_THERAPIST as usize;
            return Ok(if has_room { Linked::Done } else { linked });
        }
        self.store().link(calendar, by).await
    }

    async fn linked_to(&self, therapist: &UserId) -> Result<Vec<LinkedCalendar>, StoreError> {
        self.store().linked_to(therapist).await
    }

    async fn linked_calendar(
        &self,
        id: LinkedCalendarId,
    ) -> Result<Option<LinkedCalendar>, StoreError> {
        self.store().linked_calendar(id).await
    }

    async fn relink(&self, calendar: &LinkedCalendar, by: By) -> Result<bool, StoreError> {
        if self.fault == Fault::ChangesAnyVersion {
            let version = self.present(calendar).await?.version + 1;
            let calendar = LinkedCalendar { version, ..calendar.clone() };
            return self.inner.relink(&calendar, by).await;
        }
        if self.fault == Fault::LabelsBreakClaims {
            let is_there = self.inner.relink(calendar, by).await?;
            let refresh = Refresh {
                now: calendar.copy.next_at,
                unless_checked_after: DateTime::<Utc>::MAX_UTC,
                unless_due_by: DateTime::<Utc>::MIN_UTC,
            };
            self.inner.refresh(&calendar.therapist, calendar.id, &refresh).await?;
            return Ok(is_there);
        }
        self.store().relink(calendar, by).await
    }

    async fn unlink(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        by: By,
    ) -> Result<bool, StoreError> {
        if self.fault == Fault::RemovesAnybodys
            && let Some(link) = self.inner.linked_calendar(id).await?
        {
            return self.inner.unlink(&link.therapist, id, by).await;
        }
        self.store().unlink(therapist, id, by).await
    }

    async fn refresh(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        refresh: &Refresh,
    ) -> Result<bool, StoreError> {
        let unless_due_by = if self.fault == Fault::RefreshesAlways {
            DateTime::<Utc>::MIN_UTC
        } else {
            refresh.unless_due_by
        };
        self.store().refresh(therapist, id, &Refresh { unless_due_by, ..*refresh }).await
    }

    async fn claim_links(&self, claim: &CopyClaim) -> Result<Vec<LinkedCalendar>, StoreError> {
        if self.fault == Fault::LooksThenClaims {
            let mut due = Vec::new();
            for therapist in ["therapist_456", "therapist_457"] {
                due.extend(self.inner.linked_to(&UserId::new(therapist).unwrap()).await?);
            }
            due.retain(|link| link.copy.next_at <= claim.now);
            due.sort_by_key(|link| link.copy.next_at);
            due.truncate(claim.limit as usize);
            others_go_first().await;
            self.inner.claim_links(claim).await?;
            due.iter_mut().for_each(|link| link.copy.next_at = claim.until);
            return Ok(due);
        }
        self.store().claim_links(claim).await
    }

    async fn copied(
        &self,
        claimed: &LinkedCalendar,
        state: &CopyState,
        times: Option<&BusyTimes>,
    ) -> Result<Copied, StoreError> {
        let present = self.present(claimed).await?;
        let none = BusyTimes::default();
        match (self.fault, times) {
            (Fault::TakesAnyCopy, _) => self.inner.copied(&present, state, times).await,
            (Fault::TakesCopiesOfBefore, _) => {
                let copy = claimed.copy.clone();
                let claimed = LinkedCalendar { copy, ..present };
                self.inner.copied(&claimed, state, times).await
            }
            (Fault::CountsTheSame, _) => {
                let copied = self.inner.copied(claimed, state, times).await?;
                Ok(if copied == Copied::Same { Copied::Changed } else { copied })
            }
            (Fault::ForgetsOnFailure, None) => {
                self.inner.copied(claimed, state, Some(&none)).await.map(|_| Copied::Same)
            }
            (Fault::CopiesInTwo, Some(_)) => {
                let first = CopyState { next_at: claimed.copy.next_at, ..state.clone() };
                self.inner.copied(claimed, &first, Some(&none)).await?;
                others_go_first().await;
                self.inner.copied(claimed, state, times).await
            }
            (Fault::CutsTheFirst, Some(times)) => {
                let long = |span: &&Span| span.length() < TimeDelta::hours(20);
                let short: SpanSet = times.as_slice().iter().filter(long).copied().collect();
                let short = BusyTimes::within(everything(), &short).unwrap();
                self.inner.copied(claimed, state, Some(&short)).await
            }
            (Fault::ForgetsWhatWasNotWritten, _) => {
                let unwritten = present.copy.unwritten;
                let copy = CopyState { unwritten, ..claimed.copy.clone() };
                let claimed = LinkedCalendar { copy, ..claimed.clone() };
                self.inner.copied(&claimed, state, times).await
            }
            (Fault::NotesBeginAgain, _) if present.copy.unwritten > claimed.copy.unwritten => {
                let again = CopyState { written_to: None, ..state.clone() };
                self.inner.copied(claimed, &again, times).await
            }
            (Fault::WhatIsLeftHidesNotes, _) => {
                let since = present.copy.unwritten - claimed.copy.unwritten;
                let fault = state.fault.clone().or(present.copy.fault);
                let state =
                    CopyState { unwritten: state.unwritten + since, fault, ..state.clone() };
                let unwritten = present.copy.unwritten;
                let copy = CopyState { unwritten, ..claimed.copy.clone() };
                let claimed = LinkedCalendar { copy, ..claimed.clone() };
                self.inner.copied(&claimed, &state, times).await
            }
            (Fault::ForgetsUnread, _) => {
                let unread = UnreadEvents::default();
                self.inner.copied(claimed, &CopyState { unread, ..state.clone() }, times).await
            }
            _ => self.store().copied(claimed, state, times).await,
        }
    }

    async fn unwritten(&self, what: &Unwritten) -> Result<(), StoreError> {
        if self.fault == Fault::NotesBreakClaims
            && let Some(id) = what.link
            && let Some(link) = self.inner.linked_calendar(id).await?
        {
            let refresh = Refresh {
                now: link.copy.next_at - TimeDelta::milliseconds(1),
                unless_checked_after: DateTime::<Utc>::MAX_UTC,
                unless_due_by: DateTime::<Utc>::MIN_UTC,
            };
            self.inner.refresh(&link.therapist, id, &refresh).await?;
        }
        self.store().unwritten(what).await
    }
}

fn everything() -> Span {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    Span::new(at("2000-01-01T00:00:00Z"), at("2100-01-01T00:00:00Z")).unwrap()
}

fn harness(fault: Fault) -> Harness {
    let inner = Arc::new(MemoryStore::default());
    let links = Arc::new(Faulty { inner: inner.clone(), apart: Arc::default(), fault });
    Harness { links, ..Harness::new(inner, ()) }
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
    counts_before: CountsBefore fails links::nobody_links_too_many;
    removes_anybodys: RemovesAnybodys fails links::a_link_goes_with_its_times;
    keeps_those_of_nobody: KeepsThoseOfNobody fails links::links_go_with_their_therapist;
    changes_any_version: ChangesAnyVersion fails links::a_link_changes_once;
    looks_then_claims: LooksThenClaims fails copies::each_is_claimed_once;
    takes_any_copy: TakesAnyCopy fails copies::outdated_copies_count_for_nothing;
    takes_copies_of_before: TakesCopiesOfBefore fails copies::outdated_copies_count_for_nothing;
    counts_the_same: CountsTheSame fails copies::copies_are_counted;
    refreshes_always: RefreshesAlways fails copies::a_refresh_makes_due;
    forgets_on_failure: ForgetsOnFailure fails copies::times_stay_until_there_are_others;
    forgets_unread: ForgetsUnread fails copies::times_stay_until_there_are_others;
    copies_in_two: CopiesInTwo fails copies::copies_and_bookings_come_one_after_the_other;
    forgets_what_was_not_written: ForgetsWhatWasNotWritten
        fails unwritten::a_copy_makes_good_what_was_before_its_claim;
    notes_break_claims: NotesBreakClaims
        fails unwritten::a_copy_makes_good_what_was_before_its_claim;
    notes_begin_again: NotesBeginAgain
        fails unwritten::a_copy_makes_good_what_was_before_its_claim;
    what_is_left_hides_notes: WhatIsLeftHidesNotes
        fails unwritten::a_copy_makes_good_what_was_before_its_claim;
    labels_break_claims: LabelsBreakClaims fails copies::a_label_is_nothing_to_copies;
    cuts_the_first: CutsTheFirst fails copies::busy_times_are_part_of_the_calendar;
}
