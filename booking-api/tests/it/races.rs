//! Real concurrency: many clients, one prize.

use std::collections::BTreeMap;

use serde_json::json;
use tokio::task::JoinSet;

use crate::caller::{Answer, Caller};
use crate::server::{MONDAY_14, Server, on_every_store, open, session};

/// Runs all of them at the same time, each in a task of its own.
pub(crate) async fn race<F>(contenders: impl IntoIterator<Item = F>) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    contenders.into_iter().collect::<JoinSet<F::Output>>().join_all().await
}

/// How often each outcome came.
pub(crate) fn tally(answers: &[Answer]) -> BTreeMap<(u16, &str), usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        *tally.entry(answer.outcome()).or_default() += 1;
    }
    tally
}

/// One of them won; all the others were told this.
#[track_caller]
pub(crate) fn check_one_winner(answers: &[Answer], won: u16, lost: (u16, &str)) {
    let expected = BTreeMap::from([((won, ""), 1), (lost, answers.len() - 1)]);
    assert_eq!(tally(answers), expected);
}

pub(crate) async fn book(caller: Caller, start: &'static str, duration: u32) -> Answer {
    caller.book(&session(start, duration)).await
}

/// What live meetings take, as pairs of a start and a number of half hours, none of them twice.
async fn check_no_overlaps(server: &Server) {
    let live = "/booking/meetings?status=SCHEDULED,CONFIRMED";
    let listed = server.therapist().get(live).await.expect(200);
    let mut taken_until = String::new();
    for meeting in listed.items() {
        let start = meeting["startTime"].as_str().expect("a start");
        assert!(taken_until.as_str() <= start, "overlap: {}", listed.text);
        let minutes = meeting["duration"].as_u64().expect("a duration");
        let hour: u64 = start[11..13].parse().expect("an hour");
        let minute: u64 = start[14..16].parse().expect("a minute");
        let end = hour * 60 + minute + minutes;
        taken_until = format!("{}{:02}:{:02}:00.000Z", &start[..11], end / 60, end % 60);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_32_clients_gets_a_start() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let clients = server.add_clients(32).await;
        let answers = race(clients.into_iter().map(|c| book(c, MONDAY_14, 60))).await;
        check_one_winner(&answers, 201, (400, "slot_conflict"));
        check_no_overlaps(server).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overlapping_starts_race_like_equal_ones() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let clients = server.add_clients(24).await;
        let starts = ["2024-01-15T13:30:00Z", "2024-01-15T14:00:00Z", "2024-01-15T14:30:00Z"];
        let answers = race(
            clients.into_iter().enumerate().map(|(n, client)| book(client, starts[n % 3], 120)),
        )
        .await;
        check_one_winner(&answers, 201, (400, "slot_conflict"));
        check_no_overlaps(server).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn different_starts_do_not_hinder_each_other() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let clients = server.add_clients(16).await;
        let answers = race(clients.into_iter().enumerate().map(|(n, client)| async move {
            let start = format!("2024-01-15T{:02}:{:02}:00Z", 9 + n / 2, n % 2 * 30);
            client.book(&session(&start, 30)).await
        }))
        .await;
        assert_eq!(tally(&answers), BTreeMap::from([((201, ""), 16)]));
        check_no_overlaps(server).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_is_in_one_place_at_a_time() {
    on_every_store(async |server| {
        server.open_mondays().await;
        open(&server.other_therapist(), 1, "09:00", "17:00").await;
        server.relate("client_123", "therapist_457").await;
        let sessions = [("therapist_456", MONDAY_14), ("therapist_457", "2024-01-15T14:30:00Z")];
        let answers = race((0..32).map(|n| {
            let client = server.client();
            let (therapist, start) = sessions[n % 2];
            async move {
                let mut body = session(start, 60);
                body["therapistId"] = json!(therapist);
                client.book(&body).await
            }
        }))
        .await;
        check_one_winner(&answers, 201, (400, "slot_conflict"));
        let listed = server.client().get("/booking/meetings").await.expect(200);
        assert_eq!(listed.items().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overlapping_windows_are_never_both_created() {
    on_every_store(async |server| {
        let answers = race((0..32).map(|n| {
            let therapist = server.therapist();
            let start = format!("{:02}:00", 8 + n % 4);
            let window = json!({"dayOfWeek": 1, "startTime": start, "endTime": "17:00"});
            async move { therapist.post("/booking/availability", &window).await }
        }))
        .await;
        check_one_winner(&answers, 201, (400, "availability_overlap"));
        let listed = server.therapist().get("/booking/availability").await.expect(200);
        assert_eq!(listed.items().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_meeting_is_cancelled_once() {
    on_every_store(async |server| {
        server.open_mondays().await;
        for contenders in [2, 16] {
            let id = server.booked(MONDAY_14, 60).await.id();
            let answers = race((0..contenders).map(|n| {
                let caller = if n % 2 == 0 { server.client() } else { server.therapist() };
                let id = id.clone();
                async move { caller.cancel(&id).await }
            }))
            .await;
            check_one_winner(&answers, 200, (400, "meeting_closed"));
            let path = format!("/booking/meetings/{id}");
            let seen = server.client().get(&path).await.expect(200);
            assert_eq!(seen.header("etag"), "\"2\"", "one change");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_two_meetings_moves_to_a_start() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let mine = server.booked("2024-01-15T09:00:00Z", 60).await.id();
        let others = session("2024-01-15T11:00:00Z", 60);
        let theirs = server.other_client().book(&others).await.expect(201).id();
        let answers = race([(server.client(), mine), (server.other_client(), theirs)].map(
            |(caller, id)| async move {
                caller.update(&id, &json!({"startTime": "2024-01-15T15:00:00Z"})).await
            },
        ))
        .await;
        check_one_winner(&answers, 200, (400, "slot_conflict"));
        check_no_overlaps(server).await;
    })
    .await;
}

/// A move frees one time and takes another: both at once, or neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn moves_and_bookings_race_for_the_same_times() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let clients = server.add_clients(12).await;
        let id = server.booked("2024-01-15T09:00:00Z", 60).await.id();
        let mover = server.client();
        let moving = tokio::spawn(async move {
            let mut answers = Vec::new();
            for hour in [11, 9, 11, 9, 11, 9] {
                let start = format!("2024-01-15T{hour:02}:00:00Z");
                answers.push(mover.update(&id, &json!({"startTime": start})).await);
            }
            answers
        });
        let starts = ["2024-01-15T09:00:00Z", "2024-01-15T11:00:00Z", "2024-01-15T10:30:00Z"];
        let booked = race(
            clients.into_iter().enumerate().map(|(n, client)| book(client, starts[n % 3], 60)),
        )
        .await;
        let moved = moving.await.unwrap();
        for answer in booked.iter().chain(&moved) {
            let fair = matches!(answer.outcome(), (200 | 201, "") | (400, "slot_conflict"));
            assert!(fair, "{}", answer.text);
        }
        check_no_overlaps(server).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn repeats_that_race_book_once() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let answers = race((0..32).map(|_| {
            let client = server.client().with("idempotency-key", "one-intention");
            book(client, MONDAY_14, 60)
        }))
        .await;
        let booked: Vec<&Answer> = answers.iter().filter(|a| a.status == 201).collect();
        let tally = tally(&answers);
        let in_flight = tally.get(&(409, "idempotency_in_flight")).copied().unwrap_or_default();
        assert_eq!(booked.len() + in_flight, 32, "{tally:?}");
        let first = booked.first().expect("one of them is the first");
        assert!(booked.iter().all(|answer| answer.text == first.text), "one answer for all");
        let new = booked.iter().filter(|a| a.header("idempotency-replayed").is_empty()).count();
        assert_eq!(new, 1, "all but one are repeats");
        let listed = server.client().get("/booking/meetings").await.expect(200);
        assert_eq!(listed.column("id"), [first.id()]);
    })
    .await;
}
