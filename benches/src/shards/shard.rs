//! One shard: a database that does one thing at a time, and all of it or nothing.

use std::collections::HashMap;

/// A person, by number.
pub(super) type Person = u32;
/// A time that a session takes, by number: they overlap when they are the same.
pub(super) type Slot = u32;
/// A booking that somebody tries to make, by number.
pub(super) type BookingId = u32;

/// What has become of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    Open,
    Stands,
    GivenUp,
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    /// By whom and when somebody's time is taken.
    taken: HashMap<(Person, Slot), BookingId>,
    /// Of clients who live here; kept for ever.
    claims: HashMap<BookingId, (Claim, Person, Slot)>,
    /// Of therapists who live here, and not yet booked.
    pending: HashMap<BookingId, (Person, Slot)>,
}

impl Shard {
    /// Takes the client's time, if it is free and this claim has not been given up.
    pub(super) fn claim(&mut self, id: BookingId, client: Person, slot: Slot) -> bool {
        if let Some((claim, ..)) = self.claims.get(&id) {
            return *claim != Claim::GivenUp;
        }
        let is_free = self.take(id, client, slot);
        if is_free {
            self.claims.insert(id, (Claim::Open, client, slot));
        }
        is_free
    }

    /// Takes the therapist's time, if it is free.
    pub(super) fn book(&mut self, id: BookingId, therapist: Person, slot: Slot) -> bool {
        let is_free = self.take(id, therapist, slot);
        if is_free {
            self.pending.insert(id, (therapist, slot));
        }
        is_free
    }

    /// Decides that a claim stands, unless it was given up. Said again, it is the same.
    pub(super) fn decide(&mut self, id: BookingId) -> bool {
        match self.claims.get_mut(&id) {
            Some((claim @ (Claim::Open | Claim::Stands), ..)) => {
                *claim = Claim::Stands;
                true
            }
            _ => false,
        }
    }

    /// Gives up a claim that does not stand, and says what has become of it. One that nobody has made
    /// is given up too: it may still be on its way.
    pub(super) fn give_up(&mut self, id: BookingId) -> Claim {
        let (claim, client, slot) =
            *self.claims.entry(id).or_insert((Claim::GivenUp, Person::MAX, Slot::MAX));
        if claim != Claim::Open {
            return claim;
        }
        self.claims.insert(id, (Claim::GivenUp, client, slot));
        self.free(id, client, slot);
        Claim::GivenUp
    }

    /// What a therapist's shard is told of a claim, or has asked for.
    pub(super) fn settle(&mut self, id: BookingId, claim: Claim) {
        if let Some((therapist, slot)) = self.pending.remove(&id)
            && claim == Claim::GivenUp
        {
            self.free(id, therapist, slot);
        }
    }

    pub(super) fn is_pending(&self, id: BookingId) -> bool {
        self.pending.contains_key(&id)
    }

    pub(super) fn is_open(&self, id: BookingId) -> bool {
        matches!(self.claims.get(&id), Some((Claim::Open, ..)))
    }

    /// Whose this time of a person is.
    pub(super) fn holder(&self, person: Person, slot: Slot) -> Option<BookingId> {
        self.taken.get(&(person, slot)).copied()
    }

    /// What is neither booked nor free.
    pub(super) fn unsettled(&self) -> usize {
        let open = self.claims.values().filter(|(claim, ..)| *claim == Claim::Open).count();
        open + self.pending.len()
    }

    fn take(&mut self, id: BookingId, person: Person, slot: Slot) -> bool {
        *self.taken.entry((person, slot)).or_insert(id) == id
    }

    fn free(&mut self, id: BookingId, person: Person, slot: Slot) {
        if self.holder(person, slot) == Some(id) {
            self.taken.remove(&(person, slot));
        }
    }
}
