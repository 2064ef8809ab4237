//! Several servers over one database: the rules hold across processes, and one that dies takes
//! nothing with it but what it had not answered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::caller::{Answer, Caller};
use crate::postgres::Database;
use crate::races::{book, check_one_winner, race, tally};
use crate::server::{DataDir, MONDAY_14, Server, Store, open_always, session};

const PROCESSES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs a scenario with three servers of one SQLite file, and with three of one Postgres database.
async fn on_each_database(scenario: impl AsyncFn(Vec<Server>)) {
    let (data, database) = (DataDir::new(), Database::new());
    let (mut on_sqlite, mut on_postgres) = (vec![], vec![]);
    for _ in 0..PROCESSES {
        on_sqlite.push(Server::start_in(&data, Store::Sqlite).await);
        on_postgres.push(Server::start_on(&data, &database.url).await);
    }
    let origins: BTreeSet<&str> =
        on_sqlite.iter().chain(&on_postgres).map(Server::origin).collect();
    assert_eq!(origins.len(), 2 * PROCESSES, "each is a process of its own");
    scenario(on_sqlite).await;
    scenario(on_postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_48_bookings_over_three_processes_wins() {
    on_each_database(async |servers| {
        servers[0].open_mondays().await;
        servers[0].add_clients(48).await;
        let answers = race((0..48).map(|n| {
            let client = servers[n % PROCESSES].caller("client", &format!("client_r{n}"));
            book(client, MONDAY_14, 60)
        }))
        .await;
        check_one_winner(&answers, 201, (400, "slot_conflict"));
        for server in &servers {
            let listed = server.therapist().get("/booking/meetings").await.expect(200);
            assert_eq!(listed.items().len(), 1);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn windows_do_not_overlap_over_three_processes() {
    on_each_database(async |servers| {
        let answers = race((0..33).map(|n| {
            let therapist = servers[n % PROCESSES].therapist();
            let window = json!({"dayOfWeek": 1, "startTime": "09:00", "endTime": "17:00"});
            async move { therapist.post("/booking/availability", &window).await }
        }))
        .await;
        check_one_winner(&answers, 201, (400, "availability_overlap"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_books_once_over_three_processes() {
    on_each_database(async |servers| {
        servers[0].open_mondays().await;
        let answers = race((0..24).map(|n| {
            let client = servers[n % PROCESSES].client().with("idempotency-key", "one-intention");
            book(client, MONDAY_14, 60)
        }))
        .await;
        let booked: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        // Within a process a repeat may be told to wait; each process answers at least one.
        assert!(booked.len() >= PROCESSES);
        assert!(booked.iter().all(|answer| answer.text == booked[0].text));
        let is_new = |answer: &&&Answer| answer.header("idempotency-replayed").is_empty();
        assert_eq!(booked.iter().filter(is_new).count(), 1);
        for (status, code) in tally(&answers).into_keys() {
            assert!(status == 201 || code == "idempotency_in_flight", "{status} {code}");
        }
        for server in &servers {
            let listed = server.client().get("/booking/meetings").await.expect(200);
            assert_eq!(listed.column("id"), [booked[0].id()]);
        }
    })
    .await;
}

#[tokio::test]
async fn all_processes_see_what_one_did_at_once() {
    on_each_database(async |servers| {
        servers[0].open_mondays().await;
        for (n, writer) in servers.iter().enumerate() {
            let start = format!("2024-01-15T{}:00:00.000Z", 10 + 2 * n);
            let made = writer.booked(&start, 60).await;
            let path = format!("/booking/meetings/{}", made.id());
            for reader in &servers {
                reader.therapist().get(&path).await.expect(200).check_same(&made);
                let refused = reader.other_client().book(&session(&start, 60)).await;
                refused.refused(400, "slot_conflict");
                within_a_second(async || !offers(&reader.other_client(), &start).await).await;
            }
            let other = &servers[(n + 1) % PROCESSES];
            let stale = writer.client().with("if-match", made.header("etag"));
            other.therapist().put(&path, &json!({"title": "Other"})).await.expect(200);
            stale.put(&path, &json!({"title": "One"})).await.refused(412, "version_mismatch");
        }
    })
    .await;
}

async fn offers(caller: &Caller, start: &str) -> bool {
    let day = "/booking/slots?therapistId=therapist_456&date=2024-01-15";
    caller.get(day).await.expect(200).column("startTime").contains(&start)
}

/// Looks until it is so. However slow the machine: whoever begins to look after a second sees it.
async fn within_a_second(is_so: impl AsyncFn() -> bool) {
    let done = Instant::now();
    loop {
        let begun = done.elapsed();
        if is_so().await {
            return;
        }
        assert!(begun < Duration::from_secs(1), "not seen {begun:?} later");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Lists come from memory, for those who ask often enough, and from the store once they must.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lists_are_never_older_than_what_was_answered() {
    on_each_database(async |servers| {
        servers[0].open_mondays().await;
        for n in 0..8 {
            let writer = &servers[n % PROCESSES];
            let start = format!("2024-01-15T{:02}:00:00.000Z", 9 + n);
            for server in &servers {
                for caller in [server.client(), server.other_client(), server.therapist()] {
                    within_a_second(async || offers(&caller, &start).await).await;
                }
            }
            let made = writer.booked(&start, 60).await;
            for caller in [writer.client(), writer.other_client(), writer.therapist()] {
                assert!(!offers(&caller, &start).await, "who booked it knows at once");
            }
            for server in &servers {
                within_a_second(async || !offers(&server.other_client(), &start).await).await;
            }
            writer.therapist().cancel(&made.id()).await.expect(200);
            for caller in [writer.client(), writer.other_client(), writer.therapist()] {
                assert!(offers(&caller, &start).await, "who cancelled it knows at once");
            }
        }
        for server in &servers {
            let metrics = server.anonymous().get("/metrics").await.expect(200).text;
            let hits = metrics
                .lines()
                .find_map(|line| line.strip_prefix("booking_slot_lists_total{cache=\"hit\"} "));
            assert!(hits.is_some_and(|hits| hits != "0"), "{hits:?} from memory");
        }
    })
    .await;
}

/// Books one full hour after the other until the server is gone, or there is no more to book.
/// Returns the ids of what was answered.
async fn book_on(client: Caller, lane: usize, answered: Arc<AtomicUsize>) -> Vec<String> {
    let mut booked = vec![];
    for n in 0..28 * 2 {
        let start = format!("2024-02-{:02}T{:02}:00:00Z", n / 2 + 1, n % 2 * 12 + lane);
        let body = session(&start, 60).to_string().into_bytes();
        match client.try_send(Method::POST, "/booking/meetings", Some(body)).await {
            Ok(answer) => booked.push(answer.expect(201).id()),
            Err(_gone) => break,
        }
        answered.fetch_add(1, Ordering::SeqCst);
    }
    booked
}

/// All of them book with one therapist, so that the one that dies very likely holds a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn others_go_on_when_one_process_is_killed() {
    const LANES: usize = 12;
    on_each_database(async |mut servers| {
        open_always(&servers[0].therapist()).await;
        servers[0].add_clients(LANES).await;
        let answered = Arc::new(AtomicUsize::new(0));
        let mut bookings = JoinSet::new();
        for lane in 0..LANES {
            let client = servers[lane % PROCESSES].caller("client", &format!("client_r{lane}"));
            let booking = book_on(client, lane, answered.clone());
            bookings.spawn(async move { (lane, booking.await) });
        }
        let enough = async {
            while answered.load(Ordering::SeqCst) < 5 * LANES {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.expect("bookings are answered");
        servers[0].kill();
        let mut promised = BTreeSet::new();
        for (lane, booked) in bookings.join_all().await {
            let is_whole = booked.len() == 28 * 2;
            assert_eq!(is_whole, lane % PROCESSES != 0, "{lane} stopped at {}", booked.len());
            promised.extend(booked);
        }
        for survivor in &servers[1..] {
            let path = "/booking/meetings?limit=1000";
            let listed = survivor.therapist().get(path).await.expect(200);
            let kept: BTreeSet<String> =
                listed.column("id").into_iter().map(str::to_owned).collect();
            assert!(promised.is_subset(&kept), "answered, and lost");
            let unanswered = kept.len() - promised.len();
            assert!(unanswered <= LANES / PROCESSES, "{unanswered} came from nowhere");
            let mut starts = listed.column("startTime");
            starts.dedup();
            assert_eq!(starts.len(), kept.len(), "sessions of one hour on full hours overlap");
        }
    })
    .await;
}

#[tokio::test]
async fn another_process_repeats_the_answer_of_one_that_was_killed() {
    on_each_database(async |mut servers| {
        servers[0].open_mondays().await;
        let once = |server: &Server| server.client().with("idempotency-key", "once");
        let first = once(&servers[0]).book(&session(MONDAY_14, 60)).await.expect(201);
        servers[0].kill();
        for survivor in &servers[1..] {
            let again = once(survivor).book(&session(MONDAY_14, 60)).await.expect(201);
            again.check_same(&first);
            assert_eq!(again.header("idempotency-replayed"), "true");
            let other = once(survivor).book(&session(MONDAY_14, 30)).await;
            other.refused(422, "idempotency_mismatch");
        }
    })
    .await;
}
