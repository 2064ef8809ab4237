//! Who books what, in which order messages arrive, and who dies: all by one seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fastrand::Rng;

use super::shard::{BookingId, Claim, Person, Shard, Slot};

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Decides about everything that is left to chance.
    pub seed: u64,
    /// How many shards people are spread over.
    pub shards: u32,
    /// How many people there are; everybody may be client and therapist.
    pub people: u32,
    /// How many times there are to meet at.
    pub slots: u32,
    /// How many bookings are tried.
    pub bookings: u32,
    /// How many of a thousand steps are a process's last.
    pub deaths: u32,
    /// How many of a thousand messages are lost.
    pub losses: u32,
    /// By which rules.
    pub rules: Rules,
}

/// Who may say that a claim has been given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// The client's shard alone.
    OneDecides,
    /// The therapist's shard too, once the pending meeting is old: wrong, and here to show that the
    /// simulation would tell.
    EachByItsClock,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bookings whose people live in two shards.
    pub apart: u32,
    /// Bookings whose caller was told that they were made.
    pub acknowledged: u32,
    /// Whose caller was told that a time was taken.
    pub refused: u32,
    /// Of these, by a booking of which nothing came in the end.
    pub refused_for_nothing: u32,
    /// Whose caller was told nothing.
    pub unanswered: u32,
    /// Messages to shards.
    pub messages: u32,
    /// Acknowledged bookings that do not have both people's time in the end.
    pub lost: u32,
    /// Claims and pending meetings that never came to an end.
    pub unsettled: u32,
}

/// How long a message takes at most, and how long somebody waits before they ask: not much longer, so
/// that some ask too early.
const SLOWEST: u64 = 100;
const PATIENCE: u64 = 250;
/// Between two bookings on average.
const BETWEEN: u64 = 10;

#[derive(Debug, Clone, Copy)]
struct Booking {
    client: Person,
    therapist: Person,
    slot: Slot,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Unknown,
    Acknowledged,
    Refused(Option<BookingId>),
}

/// Something that arrives; the steps of a booking in their order, and what comes of deaths and losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Claim,
    Book,
    Decide,
    Settle,
    /// Nothing came of it, says who tried.
    Release,
    /// The therapist's shard looks at what is pending.
    LookAtPending,
    /// The client's shard looks at what is claimed.
    LookAtClaim,
    /// The client's shard is asked what has become of a claim.
    Ask,
}

struct World {
    plan: Plan,
    rng: Rng,
    now: u64,
    shards: Vec<Shard>,
    bookings: Vec<Booking>,
    coming: BinaryHeap<Reverse<(u64, u64, BookingId, Event)>>,
    sent: u64,
    counts: Counts,
}

/// Runs until nothing is on its way any more.
#[must_use]
pub fn simulate(plan: Plan) -> Counts {
    let mut world = World {
        plan,
        rng: Rng::with_seed(plan.seed),
        now: 0,
        shards: (0..plan.shards).map(|_| Shard::default()).collect(),
        bookings: Vec::new(),
        coming: BinaryHeap::new(),
        sent: 0,
        counts: Counts::default(),
    };
    world.plan_bookings();
    while let Some(Reverse((at, _, id, event))) = world.coming.pop() {
        world.now = at;
        world.step(id, event);
    }
    world.judge()
}

impl World {
    fn plan_bookings(&mut self) {
        let Plan { people, slots, bookings, .. } = self.plan;
        for id in 0..bookings {
            let client = self.rng.u32(..people);
            let therapist = (client + self.rng.u32(1..people)) % people;
            let slot = self.rng.u32(..slots);
            self.bookings.push(Booking { client, therapist, slot, outcome: Outcome::Unknown });
            self.counts.apart += u32::from(self.home(client) != self.home(therapist));
            let at = self.rng.u64(..u64::from(bookings) * BETWEEN);
            self.counts.messages += 1;
            self.put(at, id, Event::Claim);
        }
    }

    fn step(&mut self, id: BookingId, event: Event) {
        let Booking { client, therapist, slot, .. } = self.booking(id);
        let (of_client, of_therapist) = (self.home(client), self.home(therapist));
        match event {
            Event::Claim => {
                if self.shards[of_client].claim(id, client, slot) {
                    self.later(id, Event::LookAtClaim);
                    self.go_on(id, Event::Book);
                } else {
                    self.refuse(id, of_client, client);
                }
            }
            Event::Book => {
                if self.shards[of_therapist].book(id, therapist, slot) {
                    self.later(id, Event::LookAtPending);
                    self.go_on(id, Event::Decide);
                } else {
                    self.refuse(id, of_therapist, therapist);
                    self.go_on(id, Event::Release);
                }
            }
            Event::Decide => {
                if self.shards[of_client].decide(id) {
                    if self.answers() {
                        self.bookings[id as usize].outcome = Outcome::Acknowledged;
                    }
                    self.go_on(id, Event::Settle);
                } else {
                    self.refuse(id, of_client, client);
                }
            }
            Event::Settle => self.shards[of_therapist].settle(id, Claim::Stands),
            Event::Release => {
                self.shards[of_client].give_up(id);
            }
            Event::LookAtPending => {
                if self.shards[of_therapist].is_pending(id) {
                    match self.plan.rules {
                        Rules::OneDecides => self.send(id, Event::Ask),
                        Rules::EachByItsClock => {
                            self.shards[of_therapist].settle(id, Claim::GivenUp);
                        }
                    }
                    self.later(id, Event::LookAtPending);
                }
            }
            Event::LookAtClaim => {
                if self.shards[of_client].is_open(id) {
                    self.shards[of_client].give_up(id);
                }
            }
            Event::Ask => {
                let claim = self.shards[of_client].give_up(id);
                if !self.chance(self.plan.losses) {
                    self.shards[of_therapist].settle(id, claim);
                }
            }
        }
    }

    fn refuse(&mut self, id: BookingId, shard: usize, person: Person) {
        if self.answers() {
            let slot = self.booking(id).slot;
            let by = self.shards[shard].holder(person, slot);
            self.bookings[id as usize].outcome = Outcome::Refused(by);
        }
    }

    fn judge(mut self) -> Counts {
        for id in 0..self.plan.bookings {
            let Booking { outcome, .. } = self.booking(id);
            match outcome {
                Outcome::Unknown => self.counts.unanswered += 1,
                Outcome::Acknowledged => {
                    self.counts.acknowledged += 1;
                    self.counts.lost += u32::from(!self.has_both(id));
                }
                Outcome::Refused(by) => {
                    self.counts.refused += 1;
                    let was_for_nothing = by.is_some_and(|by| !self.has_both(by));
                    self.counts.refused_for_nothing += u32::from(was_for_nothing);
                }
            }
        }
        let unsettled: usize = self.shards.iter().map(Shard::unsettled).sum();
        self.counts.unsettled = u32::try_from(unsettled).unwrap_or(u32::MAX);
        self.counts
    }

    fn has_both(&self, id: BookingId) -> bool {
        let Booking { client, therapist, slot, .. } = self.booking(id);
        [client, therapist]
            .into_iter()
            .all(|person| self.shards[self.home(person)].holder(person, slot) == Some(id))
    }

    /// The next step, unless the process that takes it has died, or hears no answer to the last one.
    fn go_on(&mut self, id: BookingId, event: Event) {
        if !self.chance(self.plan.deaths) && self.answers() {
            self.send(id, event);
        }
    }

    fn send(&mut self, id: BookingId, event: Event) {
        self.counts.messages += 1;
        if !self.chance(self.plan.losses) {
            let at = self.now + self.rng.u64(1..=SLOWEST);
            self.put(at, id, event);
        }
    }

    fn later(&mut self, id: BookingId, event: Event) {
        self.put(self.now + PATIENCE, id, event);
    }

    fn put(&mut self, at: u64, id: BookingId, event: Event) {
        self.sent += 1;
        self.coming.push(Reverse((at, self.sent, id, event)));
    }

    fn answers(&mut self) -> bool {
        !self.chance(self.plan.losses)
    }

    fn chance(&mut self, of_a_thousand: u32) -> bool {
        self.rng.u32(..1_000) < of_a_thousand
    }

    fn booking(&self, id: BookingId) -> Booking {
        self.bookings[id as usize]
    }

    fn home(&self, person: Person) -> usize {
        (person % self.plan.shards) as usize
    }
}
