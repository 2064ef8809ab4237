//! What is kept for whom.

use std::collections::BTreeMap;

use crate::hold::Hold;
use crate::id::{HoldId, UserId};

/// By therapist, and by holder: each pair has one.
#[derive(Debug, Default)]
pub(super) struct HoldTable(BTreeMap<UserId, BTreeMap<UserId, Hold>>);

impl HoldTable {
    /// Those that keep this therapist's time, expired or not.
    pub(super) fn of(&self, therapist: &UserId) -> Vec<Hold> {
        self.0.get(therapist).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    pub(super) fn placed_by(&self, holder: &UserId) -> Vec<Hold> {
        self.0.values().filter_map(|holds| holds.get(holder)).cloned().collect()
    }

    /// In place of the one before. Those of the therapist that have expired for long go.
    pub(super) fn put(&mut self, new: &Hold) {
        let holds = self.0.entry(new.therapist.clone()).or_default();
        holds.retain(|_, hold| hold.is_live(new.clears_until()));
        holds.insert(new.holder.clone(), new.clone());
    }

    pub(super) fn delete(&mut self, id: HoldId) -> Option<Hold> {
        let is_meant = |_: &UserId, hold: &mut Hold| hold.id == id;
        let mut found = self.0.values_mut().flat_map(|holds| holds.extract_if(.., is_meant));
        found.next().map(|(_, hold)| hold)
    }
}
