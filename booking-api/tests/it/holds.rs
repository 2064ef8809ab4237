//! Starts that are kept for somebody, over HTTP.

use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::server::{MONDAY_14, Server, on_every_store, open, session};

const HOLDS: &str = "/booking/holds";

/// The starts that somebody is offered on the Monday.
async fn offers(caller: &Caller) -> Vec<String> {
    let slots = caller.get("/booking/slots?therapistId=therapist_456&date=2024-01-15").await;
    let slots = slots.expect(200);
    slots.column("startTime").iter().map(|start| start[11..16].to_owned()).collect()
}

fn at(time: &str) -> String {
    format!("2024-01-15T{time}:00.000Z")
}

async fn keep(caller: &Caller, body: &Value) -> Answer {
    caller.post(HOLDS, body).await
}

#[tokio::test]
async fn a_start_is_kept_until_it_is_booked() {
    on_every_store(async |server| {
        open(&server.therapist(), 1, "14:00", "16:00").await;
        let (john, mary) = (server.client(), server.other_client());
        let kept = keep(&john, &session(MONDAY_14, 60)).await.expect(201);
        let mut expected = json!({
            "id": kept.id(), "therapistId": "therapist_456", "startTime": MONDAY_14,
            "endTime": at("15:00"), "duration": 60,
        });
        expected["expiresAt"] = kept.body["expiresAt"].clone();
        assert_eq!(kept.body, expected);
        assert!(kept.id().starts_with("hold_"));
        assert_eq!(john.get(HOLDS).await.expect(200).body, json!([expected]));
        assert_eq!(mary.get(HOLDS).await.expect(200).body, json!([]));

        assert_eq!(offers(&john).await, ["14:00", "14:30", "15:00", "15:30"]);
        assert_eq!(offers(&mary).await, ["15:00", "15:30"]);
        let found = "/booking/slots/search?therapistIds=therapist_456&from=2024-01-15\
                     &to=2024-01-15&timeZone=UTC";
        let found = mary.get(found).await.expect(200).body;
        assert_eq!(found["therapists"][0]["firstFree"]["startTime"], at("15:00"), "{found}");
        for told in [
            mary.book(&session(&at("14:30"), 30)).await,
            keep(&mary, &session(&at("14:30"), 60)).await,
        ] {
            // Nothing is said of whose it is.
            assert!(!told.text.contains("client_123") && !told.text.contains("hold_"));
            told.refused(400, "slot_conflict");
        }
        mary.delete(&format!("{HOLDS}/{}", kept.id())).await.refused(404, "hold_not_found");

        let booked = john.book(&session(MONDAY_14, 30)).await.expect(201);
        assert_eq!(john.get(HOLDS).await.expect(200).body, json!([]));
        assert_eq!(offers(&mary).await, ["14:30", "15:00", "15:30"]);
        let entries = server.admin().get(&format!("/booking/audit?subject={}", kept.id())).await;
        let entries = entries.expect(200);
        assert_eq!(entries.column("action"), ["hold.used", "hold.placed"]);
        assert_eq!(entries.items()[0]["people"], json!(["client_123", "therapist_456"]));
        let booking = server.admin().get(&format!("/booking/audit?subject={}", booked.id())).await;
        assert_eq!(booking.expect(200).column("action"), ["meeting.created"]);
    })
    .await;
}

#[tokio::test]
async fn a_later_hold_takes_the_place_of_an_earlier_one() {
    on_every_store(async |server| {
        open(&server.therapist(), 1, "14:00", "16:00").await;
        let (john, mary) = (server.client(), server.other_client());
        let first = keep(&john, &session(MONDAY_14, 30)).await.expect(201);
        let second = keep(&john, &session(&at("15:30"), 30)).await.expect(201);
        assert_eq!(offers(&mary).await, ["14:00", "14:30", "15:00"]);
        assert_eq!(john.get(HOLDS).await.expect(200).column("id"), [second.id()]);
        // Where it is refused, the one before stays.
        mary.book(&session(MONDAY_14, 30)).await.expect(201);
        keep(&john, &session(MONDAY_14, 30)).await.refused(400, "slot_conflict");
        assert_eq!(john.get(HOLDS).await.expect(200).column("id"), [second.id()]);
        let gone = format!("{HOLDS}/{}", first.id());
        john.delete(&gone).await.refused(404, "hold_not_found");
        let path = format!("{HOLDS}/{}", second.id());
        assert!(john.delete(&path).await.expect(204).text.is_empty());
        john.delete(&path).await.refused(404, "hold_not_found");
        assert_eq!(offers(&mary).await, ["14:30", "15:00", "15:30"]);
    })
    .await;
}

/// By the server's clock alone: nothing runs for it.
#[tokio::test]
async fn a_hold_expires() {
    on_every_store(async |server| {
        open(&server.therapist(), 1, "14:00", "16:00").await;
        let (john, mary) = (server.client(), server.other_client());
        server.set_clock("2024-01-02T09:00:00Z").await;
        let mut wanted = session(MONDAY_14, 120);
        wanted["minutes"] = json!(3);
        let kept = keep(&john, &wanted).await.expect(201);
        let expires = kept.str("expiresAt").to_owned();
        assert!(expires.starts_with("2024-01-02T09:03:"), "{expires}");
        server.set_clock("2024-01-02T09:02:50Z").await;
        assert!(offers(&mary).await.is_empty());
        server.set_clock(&expires).await;
        assert_eq!(offers(&mary).await.len(), 4);
        assert_eq!(john.get(HOLDS).await.expect(200).body, json!([]));
        john.delete(&format!("{HOLDS}/{}", kept.id())).await.refused(404, "hold_not_found");
        mary.book(&session(MONDAY_14, 60)).await.expect(201);
        john.book(&session(MONDAY_14, 60)).await.refused(400, "slot_conflict");
    })
    .await;
}

#[tokio::test]
async fn a_held_place_counts_for_others() {
    on_every_store(async |server| {
        let jane = server.therapist();
        open(&jane, 1, "14:00", "16:00").await;
        jane.put("/booking/settings", &json!({"maxMeetingsPerDay": 1})).await.expect(200);
        let (john, mary) = (server.client(), server.other_client());
        keep(&john, &session(MONDAY_14, 30)).await.expect(201);
        assert!(offers(&mary).await.is_empty());
        mary.book(&session(&at("15:30"), 30)).await.refused(400, "day_full");
        assert_eq!(offers(&john).await.len(), 4);
        john.book(&session(MONDAY_14, 30)).await.expect(201);
        john.book(&session(&at("15:30"), 30)).await.refused(400, "day_full");
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = Server::memory().await;
    open(&server.therapist(), 1, "14:00", "16:00").await;
    let john = server.client();
    for wrong in [json!(0), json!(11), json!(-1), json!(2.5), json!("5"), json!(u64::MAX)] {
        let mut body = session(MONDAY_14, 30);
        body["minutes"] = wrong;
        let told = keep(&john, &body).await.refused(400, "invalid_request");
        assert_eq!(told.pointers(), ["/minutes"]);
    }
    let told = keep(&john, &json!({})).await.refused(400, "invalid_request");
    assert_eq!(told.pointers(), ["/therapistId", "/startTime", "/duration"]);
    let jane = server.therapist();
    let told = keep(&jane, &session(MONDAY_14, 30)).await.refused(400, "invalid_request");
    assert_eq!(told.pointers(), ["/clientId"]);
    let mut body = session(MONDAY_14, 30);
    body["clientId"] = json!("client_123");
    keep(&jane, &body).await.expect(201);
    keep(&john, &body).await.refused(400, "slot_conflict");
}

/// Of many who want to hold one start, at processes' worth of connections, one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_start_is_held_once() {
    on_every_store(async |server| {
        open(&server.therapist(), 1, "14:00", "16:00").await;
        let callers = [server.client(), server.other_client()];
        for round in 0..3 {
            let start = at(&format!("1{}:00", 4 + round / 2));
            let wants = (0..8).map(|n| {
                let (caller, body) = (callers[n % 2].clone(), session(&start, 30));
                tokio::spawn(async move { (n % 2, keep(&caller, &body).await.status) })
            });
            let mut won = std::collections::BTreeSet::new();
            for want in wants.collect::<Vec<_>>() {
                let (who, status) = want.await.expect("an answer");
                assert!([201, 400].contains(&status), "{status}");
                won.extend((status == 201).then_some(who));
            }
            assert_eq!(won.len(), 1, "{won:?}");
            for caller in &callers {
                for id in caller.get(HOLDS).await.expect(200).column("id") {
                    caller.delete(&format!("{HOLDS}/{id}")).await.expect(204);
                }
            }
        }
    })
    .await;
}

/// Whoever looks on sees it go, and come back when it expires.
#[tokio::test]
async fn streams_of_slots_see_holds() {
    let server = Server::memory().await;
    open(&server.therapist(), 1, "14:00", "14:30").await;
    let (john, mary) = (server.client(), server.other_client());
    let path = "/booking/slots/stream?therapistId=therapist_456&date=2024-01-15";
    let mut stream = mary.stream(path).await;
    let mut count = async || {
        let slots = stream.next().await.expect("a message").json();
        slots.as_array().map(Vec::len)
    };
    assert_eq!(count().await, Some(1));
    let mut wanted = session(MONDAY_14, 30);
    wanted["minutes"] = json!(1);
    let expires = keep(&john, &wanted).await.expect(201).str("expiresAt").to_owned();
    assert_eq!(count().await, Some(0));
    server.set_clock(&expires).await;
    assert_eq!(count().await, Some(1));
}
