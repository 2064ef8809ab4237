//! Somebody who asks for one thing after the other, at random.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::history::{Asked, Meeting, Minute, Outcome, Patch, Person, Place, Request, Window};
use super::world::{World, any_start};

/// Beyond so many live meetings more are cancelled than booked, however long the run.
const CROWDED: usize = 1_500;
const DURATIONS: [i64; 4] = [30, 60, 90, 120];
/// How often a booking whose outcome is not known is tried again, at most.
const REPEATS: usize = 3;

pub(crate) async fn work(world: Arc<World>, seed: u64) {
    let mut worker = Worker { rng: Rng::with_seed(seed), world };
    while !worker.world.is_over() {
        worker.act().await;
    }
}

struct Worker {
    rng: Rng,
    world: Arc<World>,
}

impl Worker {
    async fn act(&mut self) {
        let crowded = self.world.board().live.len() > CROWDED;
        match self.rng.u32(0..100) {
            0..40 if !crowded => self.book().await,
            40..42 => self.book_twice_at_once().await,
            42..45 => self.rush().await,
            45..64 => self.reschedule().await,
            64..67 => self.swap().await,
            67..70 => self.hand_over().await,
            70..77 => self.confirm().await,
            77..80 => self.update(Patch::default()).await,
            80..83 => self.complete().await,
            83..92 => self.change_hours().await,
            92..96 => self.look().await,
            _ => self.cancel().await,
        }
    }

    /// To a process at random. Where nobody answers, or with bad news, there is no hurry.
    async fn send(&mut self, request: &Request) -> Outcome {
        let process = self.rng.usize(0..self.world.fleet.len());
        let outcome = self.world.send(process, request).await;
        if matches!(outcome, Outcome::Unknown | Outcome::Unreached) {
            tokio::time::sleep(Duration::from_millis(self.rng.u64(10..80))).await;
        }
        outcome
    }

    async fn ask(&mut self, by: Person, asked: Asked) {
        let request = self.world.request(by, asked);
        self.send(&request).await;
    }

    async fn book(&mut self) {
        let request = self.booking();
        let has_key = matches!(request.asked, Asked::Book { key: Some(_), .. });
        let mut outcome = self.send(&request).await;
        for _ in 0..REPEATS {
            let in_doubt = matches!(outcome, Outcome::Unknown | Outcome::Unreached);
            // Some give up, and never find out.
            if !has_key || !in_doubt || self.rng.u8(0..4) == 0 {
                return;
            }
            outcome = self.send(&request).await;
        }
    }

    /// One intention, over two processes.
    async fn book_twice_at_once(&mut self) {
        let mut request = self.booking();
        if let Asked::Book { key, .. } = &mut request.asked {
            *key = Some(request.tag.to_string());
        }
        let (one, other) = (self.rng.usize(0..self.world.fleet.len()), 1);
        let other = (one + other) % self.world.fleet.len();
        tokio::join!(self.world.send(one, &request), self.world.send(other, &request));
    }

    /// Three people who want the same time of the same therapist, at the same time.
    async fn rush(&mut self) {
        let [mut one, mut two, mut three] = [self.booking(), self.booking(), self.booking()];
        let Asked::Book { place, .. } = &one.asked else { return };
        let wanted = Place { start: self.world.hot_start(), ..place.clone() };
        for request in [&mut one, &mut two, &mut three] {
            let Asked::Book { client, place, status, .. } = &mut request.asked else { return };
            if *client == wanted.therapist {
                return;
            }
            request.by = Person::client(client);
            (*place, *status) = (wanted.clone(), "SCHEDULED");
        }
        let n = self.rng.usize(0..self.world.fleet.len());
        let process = |k| (n + k) % self.world.fleet.len();
        let world = &self.world;
        tokio::join!(
            world.send(process(0), &one),
            world.send(process(1), &two),
            world.send(process(2), &three)
        );
    }

    fn booking(&mut self) -> Request {
        let world = self.world.clone();
        let client = self.one_of(&world.people.clients);
        let therapist = self.other_therapist(&client);
        let by_therapist = self.rng.u8(0..5) == 0;
        let by = if by_therapist { Person::therapist(&therapist) } else { Person::client(&client) };
        let status = if by_therapist && self.rng.bool() { "CONFIRMED" } else { "SCHEDULED" };
        let place = Place { therapist, start: self.start(), minutes: self.minutes() };
        let mut request = world.request(by, Asked::Book { client, place, status, key: None });
        if let Asked::Book { key, .. } = &mut request.asked {
            *key = self.rng.bool().then(|| request.tag.to_string());
        }
        request
    }

    async fn reschedule(&mut self) {
        let (start, minutes) = (self.start(), self.minutes());
        let patch = match self.rng.u8(0..4) {
            0 => Patch { minutes: Some(minutes), ..Patch::default() },
            1 => Patch { start: Some(start), minutes: Some(minutes), ..Patch::default() },
            _ => Patch { start: Some(start), ..Patch::default() },
        };
        self.update(patch).await;
    }

    /// Each wants the other's time: the first to leave its own makes room.
    async fn swap(&mut self) {
        let Some([one, other]) = self.two_meetings() else { return };
        let to = |start: Minute| Patch { start: Some(start), ..Patch::default() };
        let aside = to(any_start(&mut self.rng));
        let aside = self.change_of(&one, aside);
        self.send(&aside).await;
        let there = self.change_of(&other, to(one.place.start));
        let here = self.change_of(&one, to(other.place.start));
        let (n, all) = (self.rng.usize(0..self.world.fleet.len()), self.world.fleet.len());
        tokio::join!(self.world.send(n, &there), self.world.send((n + 1) % all, &here));
    }

    /// To another therapist.
    async fn hand_over(&mut self) {
        let Some(meeting) = self.meeting() else { return };
        let therapist = self.other_therapist(&meeting.client);
        if therapist == meeting.place.therapist {
            return;
        }
        let patch = Patch { therapist: Some(therapist), ..Patch::default() };
        let asked = Asked::Update { expected: self.expected(&meeting), meeting: meeting.id, patch };
        self.ask(Person::client(&meeting.client), asked).await;
    }

    async fn confirm(&mut self) {
        self.update(Patch { status: Some("CONFIRMED"), ..Patch::default() }).await;
    }

    async fn update(&mut self, patch: Patch) {
        let Some(meeting) = self.meeting() else { return };
        let request = self.change_of(&meeting, patch);
        self.send(&request).await;
    }

    fn change_of(&mut self, meeting: &Meeting, patch: Patch) -> Request {
        let expected = self.expected(meeting);
        let asked = Asked::Update { meeting: meeting.id.clone(), patch, expected };
        let by = self.participant(meeting);
        self.world.request(by, asked)
    }

    async fn complete(&mut self) {
        let past = {
            let mut board = self.world.board();
            let count = board.past.len();
            if count == 0 {
                return;
            }
            let at = self.rng.usize(0..count);
            // Some stay for somebody else to try again.
            if self.rng.bool() { board.past.swap_remove(at) } else { board.past[at].clone() }
        };
        let status = if self.rng.bool() { "COMPLETED" } else { "NO_SHOW" };
        let patch = Patch { status: Some(status), ..Patch::default() };
        let asked = Asked::Update { meeting: past.id, patch, expected: None };
        self.ask(Person::therapist(&past.place.therapist), asked).await;
    }

    async fn cancel(&mut self) {
        let Some(meeting) = self.meeting() else { return };
        let by = self.participant(&meeting);
        let expected = self.expected(&meeting);
        let meeting = meeting.id;
        let asked = match self.rng.u8(0..3) {
            0 => {
                let patch = Patch { status: Some("CANCELLED"), ..Patch::default() };
                Asked::Update { meeting, patch, expected }
            }
            n => Asked::Cancel { meeting, says_why: n == 1, expected },
        };
        self.ask(by, asked).await;
    }

    /// Sundays come and go.
    async fn change_hours(&mut self) {
        let world = self.world.clone();
        let from = self.rng.i64(0..47) * 30;
        let to = (from + self.rng.i64(1..12) * 30).min(24 * 60);
        let mut window = Window { weekday: 0, from, to, is_on: true };
        let known = self.rng.choice(world.board().slots.iter()).cloned();
        match (self.rng.u8(0..3), known) {
            (1, Some(slot)) => {
                window.is_on = self.rng.u8(0..4) > 0;
                let asked = Asked::Change { slot: slot.id, window };
                self.ask(Person::therapist(&slot.therapist), asked).await;
            }
            (2, Some(slot)) => {
                let asked = Asked::Close { slot: slot.id };
                self.ask(Person::therapist(&slot.therapist), asked).await;
            }
            _ => {
                let therapist = self.one_of(&world.people.therapists);
                self.ask(Person::therapist(&therapist), Asked::Open(window)).await;
            }
        }
    }

    async fn look(&mut self) {
        let Some(meeting) = self.meeting() else { return };
        let by = Person::client(&meeting.client);
        let asked = match self.rng.u8(0..8) {
            0 => Asked::List,
            1 => Asked::Slots { therapist: meeting.place.therapist, day: meeting.place.start },
            _ => Asked::Read { meeting: meeting.id },
        };
        self.ask(by, asked).await;
    }

    fn meeting(&mut self) -> Option<Meeting> {
        let board = self.world.board();
        self.rng.choice(board.live.iter()).cloned()
    }

    /// Two different ones of one therapist, if that is easily found.
    fn two_meetings(&mut self) -> Option<[Meeting; 2]> {
        let one = self.meeting()?;
        let board = self.world.board();
        let alike = |other: &&Meeting| {
            other.id != one.id
                && other.place.therapist == one.place.therapist
                && other.place.minutes == one.place.minutes
        };
        let other = self.rng.choice(board.live.iter().filter(alike).collect::<Vec<_>>())?.clone();
        Some([one, other])
    }

    fn participant(&mut self, meeting: &Meeting) -> Person {
        match self.rng.u8(0..3) {
            0 => Person::therapist(&meeting.place.therapist),
            _ => Person::client(&meeting.client),
        }
    }

    /// Half of them want to change what they have seen.
    fn expected(&mut self, meeting: &Meeting) -> Option<u64> {
        self.rng.bool().then_some(meeting.version)
    }

    fn other_therapist(&mut self, client: &str) -> String {
        loop {
            let therapist = self.one_of(&self.world.clone().people.therapists);
            if therapist != client {
                return therapist;
            }
        }
    }

    fn start(&mut self) -> Minute {
        match self.rng.u8(0..5) {
            0 => self.world.hot_start(),
            _ => any_start(&mut self.rng),
        }
    }

    fn minutes(&mut self) -> i64 {
        DURATIONS[self.rng.usize(0..DURATIONS.len())]
    }

    fn one_of(&mut self, ids: &[String]) -> String {
        ids[self.rng.usize(0..ids.len())].clone()
    }
}
