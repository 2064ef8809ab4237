//! SIGKILL at any moment: what was answered is kept, and what is kept is whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::caller::Caller;
use crate::server::{DataDir, Server, Store, open_always, session};

const ROUNDS: usize = 3;
const CLIENTS: usize = 8;
/// The server dies once so many bookings are answered, in the midst of others.
const KILL_AFTER: usize = 40;
const PATIENCE: Duration = Duration::from_secs(300);

/// Books one start after the other until the server is gone; returns what was answered with 201.
async fn book_until_killed(
    client: Caller,
    round: usize,
    lane: usize,
    answered: Arc<AtomicUsize>,
) -> Vec<Value> {
    let mut booked = Vec::new();
    // Each round has a month, each day has room for each client.
    for n in 0..28 * 3 {
        let (day, hour) = (n / 3 + 1, n % 3 * 8 + lane);
        let start = format!("2024-{:02}-{day:02}T{hour:02}:00:00Z", round + 2);
        let body = session(&start, 60).to_string().into_bytes();
        let Ok(answer) = client.try_send(Method::POST, "/booking/meetings", Some(body)).await
        else {
            return booked;
        };
        booked.push(answer.expect(201).body);
        answered.fetch_add(1, Ordering::SeqCst);
    }
    panic!("the server was not killed in time");
}

/// Every meeting of the therapist by id, read page by page; no two at one time.
async fn all_meetings(server: &Server) -> BTreeMap<String, Value> {
    let listed = server.therapist().get("/booking/meetings?limit=1000").await.expect(200);
    let mut starts = listed.column("startTime");
    let count = starts.len();
    starts.dedup();
    assert_eq!(starts.len(), count, "sessions of one hour on full hours overlap");
    let id = |meeting: &Value| meeting["id"].as_str().expect("an id").to_owned();
    listed.items().iter().map(|meeting| (id(meeting), meeting.clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_server_has_kept_everything_that_it_answered() {
    let data = DataDir::new();
    let mut server = Server::start_in(&data, Store::Sqlite).await;
    open_always(&server.therapist()).await;
    server.add_clients(CLIENTS).await;
    let mut promised: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..ROUNDS {
        let answered = Arc::new(AtomicUsize::new(0));
        let bookings: JoinSet<Vec<Value>> = (0..CLIENTS)
            .map(|lane| {
                let client = server.caller("client", &format!("client_r{lane}"));
                book_until_killed(client, round, lane, answered.clone())
            })
            .collect();
        let enough = async {
            while answered.load(Ordering::SeqCst) < KILL_AFTER {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.expect("bookings are answered");
        server.kill();
        for meeting in bookings.join_all().await.into_iter().flatten() {
            promised.insert(meeting["id"].as_str().expect("an id").to_owned(), meeting);
        }

        server = Server::start_in(&data, Store::Sqlite).await;
        let kept = all_meetings(&server).await;
        for (id, meeting) in &promised {
            assert_eq!(kept.get(id), Some(meeting), "answered, and lost in round {round}");
        }
        // One more per client at most: written, and killed before the answer.
        let unanswered = kept.len() - promised.len();
        assert!(unanswered <= CLIENTS * (round + 1), "{unanswered} came from nowhere");
        assert!(promised.len() >= KILL_AFTER * (round + 1));
    }
}

/// A meeting and its event are written together: what was answered is also told, if need be after
/// a restart.
#[tokio::test]
async fn a_restart_tells_of_what_was_done_before_a_kill() {
    let data = DataDir::new();
    let mut server = Server::start_in(&data, Store::Sqlite).await;
    server.open_mondays().await;
    let id = server.booked("2024-01-15T14:00:00Z", 60).await.id();
    server.kill();
    let server = Server::start_in(&data, Store::Sqlite).await;
    let mut events = server.client().events_after(0).await;
    let first = tokio::time::timeout(PATIENCE, events.next()).await.expect("in time");
    assert_eq!(first.expect("an event").json()["subject"], id);
}
