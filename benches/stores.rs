//! Bookings by the second: SQLite and Postgres, on different people and all after one therapist,
//! without and with a relay that delivers their events meanwhile; and how long a booking takes on
//! SQLite as more tasks book at the same time. `cargo bench --bench stores`
//!
//! Rounds take turns, so that what else the machine does falls on all of them; medians are shown.
//! Postgres is the server of `DATABASE_URL`, or one that is made for it, with its safety of commits
//! turned off: that measures the library, not the disk. SQLite waits for the disk.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../booking-store/tests/it/postgres/server.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use booking_core::testing::fixtures::{
    as_client, audited, by, id, minute, now, slot, start, user, window,
};
use booking_core::{
    Announced, BookRequest, Booking, Change, DirectoryAdmin, EventStore, Hub, ManualClock,
    RandomIds, Recorded, Relay, Scope, SessionDuration, Store, SubscriberId, SystemClock, UserId,
    WEEKDAYS, Write, sink_fn,
};
use booking_store::{PostgresStore, SqliteStore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const TASKS: usize = 16;
const BOOKINGS: usize = 800;
const ROUNDS: usize = 5;
/// For the table by the number of tasks.
const CROWDS: [usize; 4] = [1, 8, 16, 64];

/// Who is booked.
#[derive(Clone, Copy, PartialEq)]
enum After {
    /// Each task has a therapist of its own.
    Different,
    /// All tasks want the same one, at different times.
    One,
}

/// A store with everything in it that a booking needs.
#[derive(Clone)]
struct Practice {
    store: Arc<dyn Store>,
    directory: Arc<dyn DirectoryAdmin>,
    events: Arc<dyn EventStore>,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!(
        "{BOOKINGS} bookings by {TASKS} tasks, median of {ROUNDS} rounds, bookings a second\n"
    );
    println!(
        "{:<10} {:<22} {:>10} {:>10} {:>8}",
        "store", "therapists", "no relay", "relay", "ratio"
    );
    for after in [After::Different, After::One] {
        runtime.block_on(compare("SQLite", after, sqlite));
        let postgres = || async {
            let database = server::Database::new();
            let store = PostgresStore::open(&database.url).await.unwrap();
            (Practice::over(store), Box::new(database) as Box<dyn std::any::Any>)
        };
        runtime.block_on(compare("Postgres", after, postgres));
    }
    runtime.block_on(by_tasks());
}

async fn sqlite() -> (Practice, Box<dyn std::any::Any>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("booking.db");
    let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
    (Practice::over(store), Box::new(folder))
}

/// Rounds of each number of tasks, in turn; how long a booking takes is of all rounds.
async fn by_tasks() {
    println!("\nSQLite, by tasks that book at the same time, milliseconds a booking\n");
    println!("{:>5} {:>12} {:>8} {:>8} {:>8}", "tasks", "bookings/s", "p50", "p99", "max");
    let mut rounds = CROWDS.map(|tasks| (tasks, vec![], vec![]));
    for _ in 0..ROUNDS {
        for (tasks, rates, took) in &mut rounds {
            let (practice, _keep) = sqlite().await;
            practice.fill(*tasks).await;
            let (whole, each) = book(&practice.booking(), After::Different, *tasks).await;
            rates.push(BOOKINGS as f64 / whole.as_secs_f64());
            took.extend(each);
        }
    }
    for (tasks, rates, mut took) in rounds {
        took.sort();
        let at = |share: f64| took[(share * (took.len() - 1) as f64) as usize].as_secs_f64() * 1e3;
        let [rate, p50, p99, most] = [median(rates), at(0.5), at(0.99), at(1.0)];
        println!("{tasks:>5} {rate:>12.0} {p50:>8.2} {p99:>8.2} {most:>8.2}");
    }
}

/// Rounds without and with a relay, in turn, each over a store of its own.
async fn compare(
    name: &str,
    after: After,
    practice: impl AsyncFn() -> (Practice, Box<dyn std::any::Any>),
) {
    let mut rates = [vec![], vec![]];
    for _ in 0..ROUNDS {
        for (rates, has_relay) in rates.iter_mut().zip([false, true]) {
            let (practice, _keep) = practice().await;
            rates.push(practice.round(after, has_relay).await);
        }
    }
    let [without, with] = rates.map(median);
    let who = if after == After::One { "one" } else { "different" };
    println!("{name:<10} {who:<22} {without:>10.0} {with:>10.0} {:>8.2}", with / without);
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

impl Practice {
    fn over<S: Store + DirectoryAdmin + EventStore + 'static>(store: S) -> Self {
        let store = Arc::new(store);
        Self { store: store.clone(), directory: store.clone(), events: store }
    }

    /// Bookings a second. What the relay has not delivered by then, it delivers afterwards.
    async fn round(&self, after: After, has_relay: bool) -> f64 {
        self.fill(TASKS).await;
        let hub = Hub::default();
        let store = Arc::new(Announced::new(self.store.clone(), hub.clone()));
        let booking = self.booking_over(store);
        let delivered = Arc::<AtomicUsize>::default();
        let stop = CancellationToken::new();
        let relay = if has_relay {
            let count = delivered.clone();
            let sink = sink_fn(move |_: Recorded| {
                count.fetch_add(1, Ordering::Relaxed);
                async { Ok(()) }
            });
            let relay = Relay::new(self.events.clone(), hub, Arc::new(SystemClock));
            let relay = relay.with_sink(SubscriberId::new("bench").unwrap(), Arc::new(sink)).await;
            Some(tokio::spawn(relay.unwrap().run(stop.clone().cancelled_owned())))
        } else {
            None
        };
        let (took, _) = book(&booking, after, TASKS).await;
        stop.cancel();
        if let Some(relay) = relay {
            relay.await.unwrap();
            assert_eq!(delivered.load(Ordering::Relaxed), BOOKINGS, "every event, once");
        }
        BOOKINGS as f64 / took.as_secs_f64()
    }

    fn booking(&self) -> Booking {
        self.booking_over(self.store.clone())
    }

    fn booking_over(&self, store: Arc<dyn Store>) -> Booking {
        let clock = Arc::new(ManualClock::new(now()));
        Booking::new(store, self.directory.clone(), clock, Arc::new(RandomIds))
    }

    /// A therapist per task, available all week, and their client.
    async fn fill(&self, tasks: usize) {
        for task in 0..tasks {
            let (client, therapist) = people(task);
            self.directory.put_user(&user(&therapist), by()).await.unwrap();
            self.directory.put_user(&user(&client), by()).await.unwrap();
            let scope = Scope { people: [therapist.clone()].into(), ..Scope::default() };
            let windows = WEEKDAYS.map(|weekday| slot(&therapist, weekday, window(0, 1_440)));
            let writes = windows.map(Write::InsertAvailability).map(audited).into();
            let change = Change { writes, ..Change::default() };
            self.store.change(&scope, &|_| Ok(change.clone())).await.unwrap();
        }
        for (client, therapist) in (0..tasks).flat_map(|n| [(n, n), (n, 0)]) {
            let (client, therapist) = (people(client).0, people(therapist).1);
            self.directory.relate(&client, &therapist, by()).await.unwrap();
        }
    }
}

/// How long all of it took, and each booking.
async fn book(booking: &Booking, after: After, crowd: usize) -> (Duration, Vec<Duration>) {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..crowd {
        let booking = booking.clone();
        tasks.spawn(async move {
            let (client, own) = people(task);
            let therapist = if after == After::One { people(0).1 } else { own };
            let mut took = vec![];
            for n in (task..BOOKINGS).step_by(crowd) {
                let at = start(minute(30 * i64::try_from(n).unwrap() + 60));
                let half_hour = SessionDuration::HalfHour;
                let request = BookRequest::new(therapist.clone(), at, half_hour);
                let began = Instant::now();
                booking.book(&as_client(&client), &request, None).await.unwrap();
                took.push(began.elapsed());
            }
            took
        });
    }
    let took = tasks.join_all().await.concat();
    (began.elapsed(), took)
}

fn people(task: usize) -> (UserId, UserId) {
    (id(&format!("client_{task}")), id(&format!("therapist_{task}")))
}
