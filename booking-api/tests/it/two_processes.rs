//! Two servers of one data directory: the rules hold across processes.

use serde_json::json;

use crate::races::{book, check_one_winner, race, tally};
use crate::server::{DataDir, MONDAY_14, Server, Store};

async fn two_servers() -> [Server; 2] {
    let data = DataDir::new();
    let one = Server::start_in(&data, Store::Sqlite).await;
    let other = Server::start_in(&data, Store::Sqlite).await;
    assert_ne!(one.origin(), other.origin());
    [one, other]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_32_bookings_over_two_processes_wins() {
    let servers = two_servers().await;
    servers[0].open_mondays().await;
    servers[0].add_clients(32).await;
    let answers = race((0..32).map(|n| {
        let client = servers[n % 2].caller("client", &format!("client_r{n}"));
        book(client, MONDAY_14, 60)
    }))
    .await;
    check_one_winner(&answers, 201, (400, "slot_conflict"));
    for server in &servers {
        let listed = server.therapist().get("/booking/meetings").await.expect(200);
        assert_eq!(listed.items().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn windows_do_not_overlap_over_two_processes() {
    let servers = two_servers().await;
    let answers = race((0..32).map(|n| {
        let therapist = servers[n % 2].therapist();
        let window = json!({"dayOfWeek": 1, "startTime": "09:00", "endTime": "17:00"});
        async move { therapist.post("/booking/availability", &window).await }
    }))
    .await;
    check_one_winner(&answers, 201, (400, "availability_overlap"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_books_once_over_two_processes() {
    let servers = two_servers().await;
    servers[0].open_mondays().await;
    let answers = race((0..16).map(|n| {
        let client = servers[n % 2].client().with("idempotency-key", "one-intention");
        book(client, MONDAY_14, 60)
    }))
    .await;
    let booked: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!booked.is_empty());
    assert!(booked.iter().all(|answer| answer.text == booked[0].text));
    for (status, code) in tally(&answers).into_keys() {
        assert!(status == 201 || code == "idempotency_in_flight", "{status} {code}");
    }
    let listed = servers[1].client().get("/booking/meetings").await.expect(200);
    assert_eq!(listed.column("id"), [booked[0].id()]);
}

#[tokio::test]
async fn both_processes_see_what_either_did_at_once() {
    let [one, other] = two_servers().await;
    one.open_mondays().await;
    let made = one.booked(MONDAY_14, 60).await;
    let path = format!("/booking/meetings/{}", made.id());
    other.therapist().get(&path).await.expect(200).check_same(&made);
    let stale = one.client().with("if-match", made.header("etag"));
    other.therapist().put(&path, &json!({"title": "Other"})).await.expect(200);
    stale.put(&path, &json!({"title": "One"})).await.refused(412, "version_mismatch");
}
