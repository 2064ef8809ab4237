//! Linked calendars.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStore;
use crate::audit::{AuditEntry, By};
use crate::id::{LinkedCalendarId, UserId};
use crate::linked_calendar::{
    BusyTimes, Copied, CopyClaim, CopyState, Linked, LinkedCalendar, LinkedCalendars, Refresh,
    Unwritten, WriteBack,
};
use crate::span::{Span, SpanSet};
use crate::store::StoreError;

/// Each with when it is busy.
#[derive(Debug, Default)]
pub(super) struct LinkTable(BTreeMap<LinkedCalendarId, (LinkedCalendar, BusyTimes)>);

impl LinkTable {
    fn of(&self, therapist: &UserId) -> Vec<LinkedCalendar> {
        let links = self.0.values().map(|(link, _)| link);
        let links = links.filter(|link| link.therapist == *therapist);
        let mut links: Vec<_> = links.cloned().collect();
        links.sort_by_key(|link| (link.created_at, link.id));
        links
    }

    /// All of somebody who goes.
    pub(super) fn take(&mut self, therapist: &UserId) -> Vec<LinkedCalendar> {
        let gone = self.of(therapist);
        for link in &gone {
            self.0.remove(&link.id);
        }
        gone
    }

    /// The pieces of all of a therapist's that overlap any of these spans.
    pub(super) fn busy(&self, therapist: &UserId, within: &SpanSet) -> Vec<Span> {
        let theirs = self.0.values().filter(|(link, _)| link.therapist == *therapist);
        let pieces = theirs.flat_map(|(_, times)| times.as_slice());
        pieces.filter(|piece| within.overlaps(**piece)).copied().collect()
    }

    fn theirs(&mut self, therapist: &UserId, id: LinkedCalendarId) -> Option<&mut LinkedCalendar> {
        let link = self.0.get_mut(&id).map(|(link, _)| link);
        link.filter(|link| link.therapist == *therapist)
    }
}

#[async_trait]
impl LinkedCalendars for MemoryStore {
    async fn link(&self, calendar: &LinkedCalendar, by: By) -> Result<Linked, StoreError> {
        let mut state = self.state();
        if state.people.has_left(&calendar.therapist) {
            return Ok(Linked::NobodysAnyMore);
        }
        let has = state.links.of(&calendar.therapist).len();
        if has >= LinkedCalendar::MAX_PER_THERAPIST as usize {
            return Ok(Linked::TooMany);
        }
        state.links.0.insert(calendar.id, (calendar.clone(), BusyTimes::default()));
        state.note([AuditEntry::of_new_link(by, calendar)]);
        Ok(Linked::Done)
    }

    async fn linked_to(&self, therapist: &UserId) -> Result<Vec<LinkedCalendar>, StoreError> {
        Ok(self.state().links.of(therapist))
    }

    async fn linked_calendar(
        &self,
        id: LinkedCalendarId,
    ) -> Result<Option<LinkedCalendar>, StoreError> {
        Ok(self.state().links.0.get(&id).map(|(link, _)| link.clone()))
    }

    async fn relink(&self, calendar: &LinkedCalendar, by: By) -> Result<bool, StoreError> {
        let mut state = self.state();
        let present = state.links.theirs(&calendar.therapist, calendar.id);
        let Some(present) = present.filter(|link| link.version + 1 == calendar.version) else {
            return Ok(false);
        };
        let before = present.clone();
        let copy = calendar.copy_after(&before);
        *present = LinkedCalendar { created_at: before.created_at, copy, ..calendar.clone() };
        let entry = AuditEntry::of_changed_link(by, &before, calendar);
        state.note([entry]);
        Ok(true)
    }

    async fn unlink(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        by: By,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.links.theirs(therapist, id).is_none() {
            return Ok(false);
        }
        if let Some((link, _)) = state.links.0.remove(&id) {
            state.count(therapist);
            state.note([AuditEntry::of_removed_link(by, &link)]);
        }
        Ok(true)
    }

    async fn refresh(
        &self,
        therapist: &UserId,
        id: LinkedCalendarId,
        refresh: &Refresh,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(link) = state.links.theirs(therapist, id) else { return Ok(false) };
        let copy = &mut link.copy;
        let is_stale = copy.checked_at.is_none_or(|at| at <= refresh.unless_checked_after);
        if is_stale && copy.next_at > refresh.unless_due_by {
            copy.next_at = refresh.now;
        }
        Ok(true)
    }

    async fn claim_links(&self, claim: &CopyClaim) -> Result<Vec<LinkedCalendar>, StoreError> {
        let mut state = self.state();
        let links = state.links.0.values_mut().map(|(link, _)| link);
        let mut due: Vec<_> = links.filter(|link| link.copy.next_at <= claim.now).collect();
        due.sort_by_key(|link| (link.copy.next_at, link.id));
        due.truncate(claim.limit as usize);
        let claimed = due.into_iter().map(|link| {
            link.copy.next_at = claim.until;
            link.clone()
        });
        Ok(claimed.collect())
    }

    async fn copied(
        &self,
        claimed: &LinkedCalendar,
        copy: &CopyState,
        times: Option<&BusyTimes>,
    ) -> Result<Copied, StoreError> {
        let mut state = self.state();
        let is_as_claimed = |link: &LinkedCalendar| {
            link.is_copied_as(claimed) && link.copy.next_at == claimed.copy.next_at
        };
        let present = state.links.0.get_mut(&claimed.id);
        let Some((link, before)) = present.filter(|(link, _)| is_as_claimed(link)) else {
            return Ok(Copied::Outdated);
        };
        link.copy = noted(&claimed.copy, &link.copy, copy);
        match times.filter(|times| **times != *before) {
            None => Ok(Copied::Same),
            Some(times) => {
                *before = times.clone();
                state.count(&claimed.therapist);
                Ok(Copied::Changed)
            }
        }
    }

    async fn unwritten(&self, what: &Unwritten) -> Result<(), StoreError> {
        let mut state = self.state();
        let links = state.links.0.values_mut().map(|(link, _)| link);
        let is_meant = |link: &&mut LinkedCalendar| {
            link.write_back == WriteBack::On && what.link.is_none_or(|id| id == link.id)
        };
        for link in links.filter(is_meant) {
            link.copy.unwritten = link.copy.unwritten.saturating_add(1);
            link.copy.fault = Some((what.fault, what.detail.clone()));
        }
        Ok(())
    }
}

/// A state that somebody found after the claim, with what was not written since then. Its fault is one that
/// keeps whoever goes on with the rest from being done with it; why some are left may be none.
fn noted(claimed: &CopyState, present: &CopyState, found: &CopyState) -> CopyState {
    let since = present.unwritten.saturating_sub(claimed.unwritten);
    if since == 0 {
        return found.clone();
    }
    let read_in_vain = found.fault.clone().filter(|_| found.failures > 0);
    CopyState {
        unwritten: found.unwritten.saturating_add(since),
        fault: read_in_vain.or_else(|| present.fault.clone()),
        ..found.clone()
    }
}
