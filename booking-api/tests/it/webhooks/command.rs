//! Webhooks of the real command, on every store. Under `dev` they may be on this machine.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::receiver::{Received, Receiver, Reply};
use crate::server::{DataDir, Server, Store, on_every_store, session};

const WEBHOOKS: &str = "/booking/webhooks";
const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until a receiver has got so many requests.
async fn arrived(receiver: &Receiver, count: usize) -> Vec<Received> {
    let mut received = Vec::new();
    let begun = Instant::now();
    loop {
        received.extend(receiver.take());
        if received.len() >= count {
            return received;
        }
        assert!(begun.elapsed() < PATIENCE, "{} of {count} requests", received.len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// From the booking to the receiver, in order, and signed; before and after a change of secrets.
#[tokio::test]
async fn what_happens_to_a_meeting_arrives_in_order() {
    on_every_store(async |server| {
        let receiver = Receiver::start(Reply::Status(200, "")).await;
        server.open_mondays().await;
        let body = json!({"url": receiver.url(), "description": "CRM"});
        let made = server.admin().post(WEBHOOKS, &body).await.expect(201);
        let (first, path) = (made.str("secret").to_owned(), format!("{WEBHOOKS}/{}", made.id()));
        let meeting = server.booked("2024-01-15T09:00:00Z", 60).await.id();
        let moved = json!({"startTime": "2024-01-15T11:00:00Z"});
        server.client().update(&meeting, &moved).await.expect(200);
        let rotate = format!("{path}/rotate-secret");
        let rotated = server.admin().send(Method::POST, &rotate, None).await.expect(200);
        let second = rotated.str("secret").to_owned();
        server.client().cancel(&meeting).await.expect(200);

        let received = arrived(&receiver, 3).await;
        let kinds: Vec<String> = received
            .iter()
            .map(|received| received.json()["type"].as_str().unwrap_or_default().to_owned())
            .collect();
        let expected = ["booked", "rescheduled", "cancelled"];
        assert_eq!(kinds, expected.map(|kind| format!("booking.appointment.{kind}.v1")));
        assert!(received.iter().all(|received| received.is_signed_by(&first)));

        // A page of what was sent, the latest first; the last is perhaps just being written down.
        let deliveries = format!("{path}/deliveries?limit=2");
        let listed = server.admin().get(&deliveries).await.expect(200);
        let kinds = listed.column("eventType");
        assert_eq!(
            kinds,
            ["booking.appointment.cancelled.v1", "booking.appointment.rescheduled.v1"]
        );
        assert!(listed.header("link").ends_with("rel=\"next\""));

        let last = &listed.items()[0]["sequence"];
        delivered(server, &format!("{path}/deliveries?state=delivered"), 3).await;
        let replay = json!({"from": last, "to": last});
        let replayed = server.admin().post(&format!("{path}/replay"), &replay).await.expect(200);
        assert_eq!(replayed.body, json!({"replayed": 1}));
        let again = arrived(&receiver, 1).await.remove(0);
        assert_eq!(again.body, received[2].body);
        assert!(again.is_signed_by(&first) && again.is_signed_by(&second));

        let tested = server.admin().send(Method::POST, &format!("{path}/test"), None).await;
        assert_eq!(tested.expect(200).body["delivered"], true);
        server.admin().delete(&path).await.expect(204);
        server.client().book(&session("2024-01-15T09:00:00Z", 60)).await.expect(201);
        for text in [server.log(), server.greeting()] {
            assert!(!text.contains(&first[6..]) && !text.contains(&second[6..]), "{text}");
            assert!(!text.contains("whsec_") && !text.contains("/hook"), "{text}");
        }
    })
    .await;
}

async fn delivered(server: &Server, path: &str, count: usize) {
    let begun = Instant::now();
    while server.admin().get(path).await.expect(200).items().len() != count {
        assert!(begun.elapsed() < PATIENCE, "{count} deliveries are never done");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Also on stores whose locks are not this process's, no change is lost to another.
#[tokio::test]
async fn changes_at_the_same_time_lose_nothing() {
    on_every_store(async |server| {
        let receiver = Receiver::start(Reply::Status(200, "")).await;
        let admin = server.admin();
        let made = admin.post(WEBHOOKS, &json!({"url": receiver.url()})).await.expect(201);
        let path = format!("{WEBHOOKS}/{}", made.id());
        let rotate = format!("{path}/rotate-secret");
        for n in 0..5 {
            let (description, name) = (json!({"description": n.to_string()}), n.to_string());
            let is_active = json!({"isActive": n % 2 == 0});
            let (rotated, one, other) = tokio::join!(
                admin.send(Method::POST, &rotate, None),
                admin.put(&path, &description),
                admin.put(&path, &is_active),
            );
            one.expect(200);
            other.expect(200);
            let shown = admin.get(&path).await.expect(200);
            assert_eq!(shown.str("description"), name);
            assert_eq!(shown.body["isActive"], is_active["isActive"]);
            admin.send(Method::POST, &format!("{path}/test"), None).await.expect(200);
            let test = arrived(&receiver, 1).await.remove(0);
            assert!(test.is_signed_by(rotated.expect(200).str("secret")));
        }
    })
    .await;
}

/// What could not be delivered when the server went away is delivered by the next.
#[tokio::test]
async fn a_restart_loses_no_webhook_and_no_event() {
    let data = DataDir::new();
    let mut server = Server::start_in(&data, Store::Sqlite).await;
    let receiver = Receiver::start(Reply::Silence).await;
    server.open_mondays().await;
    let made = server.admin().post(WEBHOOKS, &json!({"url": receiver.url()})).await.expect(201);
    let path = format!("{WEBHOOKS}/{}", made.id());
    let before = server.admin().get(&path).await.expect(200);
    server.booked("2024-01-15T09:00:00Z", 60).await;
    let first = arrived(&receiver, 1).await.remove(0);
    server.kill();
    let server = Server::start_in(&data, Store::Sqlite).await;
    server.admin().get(&path).await.expect(200).check_same(&before);
    let listed = server.admin().get(&format!("{path}/deliveries")).await.expect(200);
    assert_eq!(listed.column("state"), ["pending"], "whoever was killed may have it for a while");
    assert_eq!(listed.items()[0]["eventId"], first.header("webhook-id"));
}
