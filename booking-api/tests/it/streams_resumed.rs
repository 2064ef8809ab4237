//! Streams of events that are resumed: nothing is missed, and nothing comes twice.

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::caller::Caller;
use crate::server::{MONDAY_14, Server, on_every_store, open_always, session};
use crate::sse::{Message, Stream};

const EVENTS: &str = "/booking/events";

/// A stream, also for who has closed so many in a second that they seem to have more than a user may.
async fn patiently(caller: &Caller, path: &str) -> Stream {
    loop {
        match caller.try_stream(path).await {
            Ok(stream) => return stream,
            Err(answer) => answer.refused(429, "too_many_streams"),
        };
        sleep(Duration::from_millis(100)).await;
    }
}

/// A reader that loses its connection time and again, while many book, cancel and book again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_reconnects_misses_nothing_and_gets_nothing_twice() {
    const CLIENTS: usize = 6;
    const SESSIONS: usize = 12;
    on_every_store(async |server| {
        open_always(&server.therapist()).await;
        let clients = server.add_clients(CLIENTS).await;
        let mut work: JoinSet<()> = clients
            .into_iter()
            .enumerate()
            .map(async |(lane, client)| {
                for day in 0..SESSIONS {
                    let start = format!("2024-02-{:02}T{:02}:00:00Z", day + 1, lane);
                    let id = client.book(&session(&start, 60)).await.expect(201).id();
                    client.cancel(&id).await.expect(200);
                }
            })
            .collect();
        let mut seen: Vec<Message> = Vec::new();
        let (mut last, mut by_header) = (0, true);
        while seen.len() < 2 * CLIENTS * SESSIONS {
            let sequence = last.to_string();
            let (caller, path) = match by_header {
                // The header is newer: an address stays what it was when a page first asked.
                true => (
                    server.therapist().with("last-event-id", sequence),
                    format!("{EVENTS}?lastEventId=0"),
                ),
                false => (server.therapist(), format!("{EVENTS}?lastEventId={sequence}")),
            };
            let mut stream = patiently(&caller, &path).await;
            for _ in 0..=(seen.len() % 7) {
                if seen.len() < 2 * CLIENTS * SESSIONS {
                    seen.push(stream.next().await.expect("one more"));
                }
            }
            last = stream.last_id.expect("an id");
            by_header = !by_header;
        }
        while let Some(done) = work.join_next().await {
            done.expect("no client fails");
        }
        let path = format!("{EVENTS}?lastEventId=0");
        let mut all = patiently(&server.therapist(), &path).await;
        let all = all.take(2 * CLIENTS * SESSIONS).await;
        assert_eq!(seen, all);
        let mut ids: Vec<u64> = all.iter().map(|message| message.id.expect("an id")).collect();
        let mut events: Vec<Value> =
            all.iter().map(|message| message.json()["id"].take()).collect();
        ids.dedup();
        events.sort_by_key(Value::to_string);
        events.dedup();
        assert_eq!((ids.len(), events.len()), (seen.len(), seen.len()));
        assert!(ids.is_sorted());
    })
    .await;
}

/// The first message of a reconnected client is the one it has not seen, though it had seen none.
#[tokio::test]
async fn who_has_seen_nothing_yet_knows_where_to_go_on() {
    let server = Server::memory().await;
    server.open_mondays().await;
    server.booked(MONDAY_14, 60).await;
    server.client().events_after(0).await.take(1).await;
    let stream = server.client().stream(EVENTS).await;
    let at = stream.last_id.expect("a greeting with an id");
    drop(stream);
    let id = server.booked("2024-01-15T09:00:00Z", 30).await.id();
    let mut again = server.client().events_after(at).await;
    assert_eq!(again.next().await.expect("a message").json()["subject"], id);
    // An id of another log, such as before a database was restored, is as good as none.
    let mut ahead = server.client().events_after(u64::MAX).await;
    ahead.expect_silence(Duration::from_millis(300)).await;
}
