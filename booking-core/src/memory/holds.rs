//! What is kept for whom.

use std::collections::BTreeMap;

use crate::hold::Hold;
use crate::id::{HoldId, UserId};

/// By therapist, and by holder: each pair has one.
#[derive(Debug, Default)]
pub(super) struct HoldTable(BTreeMap<(UserId, UserId), Hold>);

impl HoldTable {
    /// Those that keep this therapist's time, expired or not.
    pub(super) fn of(&self, therapist: &UserId) -> Vec<Hold> {
        self.0.values().filter(|hold| hold.therapist == *therapist).cloned().collect()
    }

    pub(super) fn placed_by(&self, holder: &UserId) -> Vec<Hold> {
        self.0.values().filter(|hold| hold.holder == *holder).cloned().collect()
    }

    /// In place of the one before. Those of the therapist that have expired for long go.
    pub(super) fn put(&mut self, new: &Hold) {
        let is_over = |hold: &Hold| !hold.is_live(new.clears_until());
        self.0.retain(|_, hold| hold.therapist != new.therapist || !is_over(hold));
        self.0.insert((new.therapist.clone(), new.holder.clone()), new.clone());
    }

    pub(super) fn delete(&mut self, id: HoldId) -> Option<Hold> {
        let pair = self.0.iter().find(|(_, hold)| hold.id == id)?.0.clone();
        self.0.remove(&pair)
    }
}
