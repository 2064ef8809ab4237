//! Rows that belong to therapists: found by their ids, and all of a therapist's without a look at others'.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::Hash;

use crate::availability::AvailabilitySlot;
use crate::id::{AvailabilityId, OverrideId, UserId};
use crate::overrides::AvailabilityOverride;

pub(super) trait Row {
    type Id: Copy + Debug + Hash + Ord;

    fn id(&self) -> Self::Id;

    fn therapist(&self) -> &UserId;
}

#[derive(Debug)]
pub(super) struct Rows<R: Row> {
    whose: HashMap<R::Id, UserId>,
    rows: HashMap<UserId, BTreeMap<R::Id, R>>,
}

impl<R: Row> Default for Rows<R> {
    fn default() -> Self {
        Self { whose: HashMap::new(), rows: HashMap::new() }
    }
}

impl<R: Row> Rows<R> {
    pub(super) fn get(&self, id: R::Id) -> Option<&R> {
        self.rows.get(self.whose.get(&id)?)?.get(&id)
    }

    pub(super) fn of(&self, therapist: &UserId) -> impl Iterator<Item = &R> {
        self.rows.get(therapist).into_iter().flat_map(BTreeMap::values)
    }

    /// In place of the one before, which it returns.
    pub(super) fn put(&mut self, row: R) -> Option<R> {
        let before = self.delete(row.id());
        self.whose.insert(row.id(), row.therapist().clone());
        self.rows.entry(row.therapist().clone()).or_default().insert(row.id(), row);
        before
    }

    pub(super) fn delete(&mut self, id: R::Id) -> Option<R> {
        self.rows.get_mut(&self.whose.remove(&id)?)?.remove(&id)
    }
}

impl Row for AvailabilitySlot {
    type Id = AvailabilityId;

    fn id(&self) -> AvailabilityId {
        self.id
    }

    fn therapist(&self) -> &UserId {
        &self.therapist
    }
}

impl Row for AvailabilityOverride {
    type Id = OverrideId;

    fn id(&self) -> OverrideId {
        self.id
    }

    fn therapist(&self) -> &UserId {
        &self.therapist
    }
}
