//! What the workers share: whom they act for, what they know, and what they have seen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use serde_json::json;

use super::ask::ask;
use super::database::Database;
use super::fleet::Fleet;
use super::history::{
    Asked, Attempt, Meeting, Minute, Outcome, Person, Place, Request, Seen, Slot, Tag, Window,
    from_text,
};
use super::sinks::Sinks;
use crate::caller::Caller;
use crate::server::{DataDir, Server};
use crate::signing::{IssuerKey, good_claims};

const THERAPISTS: usize = 8;
const CLIENTS: usize = 12;
/// So many of the therapists are also clients, of each other too: bookings that cross.
const BOTH: usize = 2;
/// Sessions that have begun before the run does, so that they can be completed: a day's worth for
/// each day from Tuesday to Saturday.
const PAST: i64 = 5 * 48;
const PAST_BEGINS: &str = "2024-01-02T00:00:00Z";
/// A Monday that is far away, whenever this runs.
const FUTURE_BEGINS: &str = "2040-01-02T00:00:00Z";
const FUTURE_WEEKS: i64 = 17;
const DAY: Minute = 24 * 60;

pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) sinks: Sinks,
    pub(crate) people: People,
    pub(crate) seed: u64,
    /// The first operation of the load: those before it set it up.
    pub(crate) first: Tag,
    begun: Instant,
    board: Mutex<Board>,
    history: Mutex<Vec<Attempt>>,
    next_tag: AtomicU64,
    acknowledged: AtomicUsize,
    is_over: AtomicBool,
}

pub(crate) struct People {
    pub(crate) therapists: Vec<String>,
    /// Some of them therapists.
    pub(crate) clients: Vec<String>,
    tokens: BTreeMap<Person, String>,
}

/// What there is to be changed, as far as is known: it may have changed since.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) live: Vec<Meeting>,
    /// Live, and begun.
    pub(crate) past: Vec<Meeting>,
    pub(crate) slots: Vec<Slot>,
}

impl World {
    /// The people, their weekly hours and some past sessions, all by way of the API.
    pub(crate) async fn new(database: &Database, processes: usize, seed: u64) -> Self {
        let dev = Server::start_on(&DataDir::new(), &database.url()).await;
        let people = People::new();
        people.enter_into_directory(&dev).await;
        let sinks = Sinks::start(seed).await;
        let mut world = Self {
            fleet: Fleet::start(processes, database, &sinks).await,
            sinks,
            people,
            seed,
            first: Tag(1),
            begun: Instant::now(),
            board: Mutex::default(),
            history: Mutex::default(),
            next_tag: AtomicU64::new(1),
            acknowledged: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        };
        // Before there is an event, so that they get all of them.
        world.sinks.subscribe(&dev.admin()).await;
        for therapist in &world.people.therapists {
            // Sundays are for those who open and close them at random.
            for weekday in 1..7 {
                let window = Window { weekday, from: 0, to: DAY, is_on: true };
                world.set_up(&dev, Person::therapist(therapist), Asked::Open(window)).await;
            }
        }
        for n in 0..PAST {
            let one_of = |ids: &[String]| ids[n as usize % ids.len()].clone();
            let client = one_of(&world.people.clients[..CLIENTS]);
            let place = Place {
                therapist: one_of(&world.people.therapists),
                start: from_text(PAST_BEGINS) + n * 30,
                minutes: 30,
            };
            let by = Person::client(&client);
            world
                .set_up(&dev, by, Asked::Book { client, place, status: "SCHEDULED", key: None })
                .await;
        }
        let mut board = world.board();
        board.past = std::mem::take(&mut board.live);
        // Weekdays stay as they are.
        board.slots.clear();
        drop(board);
        world.first = Tag(*world.next_tag.get_mut());
        *world.acknowledged.get_mut() = 0;
        world
    }

    async fn set_up(&self, dev: &Server, by: Person, asked: Asked) {
        let request = self.request(by, asked);
        let caller = dev.anonymous().with_token(&self.people.tokens[&request.by]);
        let attempt = ask(&caller, &request, self.begun).await;
        assert!(matches!(attempt.outcome, Outcome::Acked(_)), "{attempt:?}");
        self.note(attempt);
    }

    /// A new operation.
    pub(crate) fn request(&self, by: Person, asked: Asked) -> Request {
        Request { tag: Tag(self.next_tag.fetch_add(1, Ordering::Relaxed)), by, asked }
    }

    /// Sends a request to one of the processes, and remembers what came of it.
    pub(crate) async fn send(&self, process: usize, request: &Request) -> Outcome {
        let caller = self.caller(process, &request.by);
        let attempt = ask(&caller, request, self.begun).await;
        let outcome = attempt.outcome.clone();
        self.note(attempt);
        outcome
    }

    /// Somebody, at one of the processes.
    pub(crate) fn caller(&self, process: usize, by: &Person) -> Caller {
        self.fleet.caller(process).with_token(&self.people.tokens[by])
    }

    fn note(&self, attempt: Attempt) {
        let asked = &attempt.request.asked;
        match &attempt.outcome {
            Outcome::Acked(seen) => {
                self.board().note(asked, seen);
                if asked.is_change() {
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            }
            Outcome::Refused(code) => self.board().forget(asked, code),
            Outcome::Unreached | Outcome::Unknown => {}
        }
        self.history.lock().expect("nobody panics with it").push(attempt);
    }

    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().expect("nobody panics with it")
    }

    /// All that happened.
    pub(crate) fn history(&self) -> Vec<Attempt> {
        self.history.lock().expect("nobody panics with it").clone()
    }

    /// Changes that were acknowledged; repeats count again, so that this is a little more than the
    /// number of operations.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// A start that everybody wants at the moment.
    pub(crate) fn hot_start(&self) -> Minute {
        let moment = self.acknowledged() as u64 / 50;
        any_start(&mut fastrand::Rng::with_seed(self.seed ^ (moment << 32)))
    }
}

/// Any half hour of the future; a few on Sundays, when there is availability only now and then.
pub(crate) fn any_start(rng: &mut fastrand::Rng) -> Minute {
    let days = if rng.u8(0..20) == 0 { 6..7 } else { 0..6 };
    let day = rng.i64(0..FUTURE_WEEKS) * 7 + rng.i64(days);
    from_text(FUTURE_BEGINS) + day * DAY + rng.i64(0..48) * 30
}

impl People {
    fn new() -> Self {
        let ids = |kind: &str, count| (0..count).map(|n| format!("{kind}_f{n}")).collect();
        let therapists: Vec<String> = ids("therapist", THERAPISTS);
        let mut clients: Vec<String> = ids("client", CLIENTS);
        clients.extend_from_slice(&therapists[..BOTH]);
        let all = clients.iter().map(|id| Person::client(id));
        let all = all.chain(therapists.iter().map(|id| Person::therapist(id)));
        let tokens = all.map(|person| {
            let mut claims = good_claims(&person.id, person.role);
            // A long run outlives the usual hour.
            claims["exp"] = json!(claims["exp"].as_u64().expect("seconds") + 24 * 3_600);
            (person, IssuerKey::ours().sign(&claims))
        });
        Self { tokens: tokens.collect(), therapists, clients }
    }

    async fn enter_into_directory(&self, dev: &Server) {
        for id in &self.therapists {
            dev.add_user("therapist", id, None).await;
        }
        for client in &self.clients {
            if !self.therapists.contains(client) {
                dev.add_user("client", client, None).await;
            }
            for therapist in self.therapists.iter().filter(|therapist| *therapist != client) {
                dev.relate(client, therapist).await;
            }
        }
    }
}

impl Board {
    /// What has gone without our knowing.
    fn forget(&mut self, asked: &Asked, code: &str) {
        match (asked, code) {
            (Asked::Update { meeting, .. } | Asked::Cancel { meeting, .. }, "meeting_closed") => {
                self.live.retain(|known| known.id != *meeting);
            }
            (Asked::Change { slot, .. } | Asked::Close { slot }, "availability_not_found") => {
                self.slots.retain(|known| known.id != *slot);
            }
            _ => {}
        }
    }

    /// What an acknowledged request tells.
    fn note(&mut self, asked: &Asked, seen: &Seen) {
        match (asked, seen) {
            (_, Seen::Meeting(meeting)) => {
                let known = self.live.iter().position(|known| known.id == meeting.id);
                match known {
                    Some(at) if !meeting.is_live() => drop(self.live.swap_remove(at)),
                    Some(at) if self.live[at].version < meeting.version => {
                        self.live[at] = meeting.clone();
                    }
                    None if meeting.is_live() && matches!(asked, Asked::Book { .. }) => {
                        self.live.push(meeting.clone());
                    }
                    _ => {}
                }
            }
            (Asked::Open(_), Seen::Slot(slot)) => self.slots.push(slot.clone()),
            (Asked::Close { slot }, _) => self.slots.retain(|known| known.id != *slot),
            _ => {}
        }
    }
}
