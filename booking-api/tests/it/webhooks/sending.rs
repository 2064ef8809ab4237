//! What receivers get, and what their answers lead to.

use std::time::{Duration, Instant};

use booking_api::{WebhookOptions, WebhookSinks};
use booking_core::{MeetingPatch, Role, StartTime};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::practice::{PATIENCE, Practice};
use super::receiver::{Receiver, Reply};
use crate::port::Port;

const OK: Reply = Reply::Status(204, "");

/// Half an hour after the first session that can be booked.
fn later() -> MeetingPatch {
    let start = StartTime::new("2024-01-20T09:00:00Z".parse().unwrap()).unwrap();
    MeetingPatch { start: Some(start), ..MeetingPatch::default() }
}

#[tokio::test]
async fn an_event_is_a_signed_cloud_event() {
    let (practice, receiver) = (Practice::start().await, Receiver::start(OK).await);
    let secret = practice.add(&receiver.url()).await.str("secret").to_owned();
    let meeting = practice.book(0).await;
    assert_eq!(practice.deliver().await, (1, 0));
    let [received] = &receiver.take()[..] else { panic!("one request") };
    assert_eq!(received.request_line, "POST /hook?key=k%20y HTTP/1.1");
    assert_eq!(received.header("content-type"), "application/cloudevents+json");
    assert!(received.header("user-agent").starts_with("booking-api/"));
    assert_eq!(received.header("webhook-timestamp"), "1704110400");
    assert!(received.is_signed_by(&secret) && received.signatures() == 1);
    assert!(!received.is_signed_by("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    let event = received.json();
    assert_eq!(event["id"], received.header("webhook-id"));
    assert_eq!(event["type"], "booking.appointment.booked.v1");
    assert_eq!(event["subject"], meeting.to_string());
    assert_eq!(event["source"], "/booking");
}

#[tokio::test]
async fn a_repeat_has_the_same_id_and_body_and_a_signature_of_its_own() {
    let refuses = Receiver::start(Reply::Status(500, "")).await;
    let practice = Practice::start().await;
    let secret = practice.add(&refuses.url()).await.str("secret").to_owned();
    practice.book(0).await;
    assert_eq!(practice.deliver().await, (0, 1));
    practice.clock.advance(TimeDelta::seconds(6));
    refuses.answer(OK);
    assert_eq!(practice.deliver().await, (1, 0));
    let [first, second] = &refuses.take()[..] else { panic!("two requests") };
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("webhook-timestamp"), "1704110406");
    assert!(first.is_signed_by(&secret) && second.is_signed_by(&secret));
    assert_eq!(refuses.connections(), 1, "the connection is used again");
}

#[tokio::test]
async fn only_2xx_says_that_an_event_was_taken() {
    let redirect = "location: http://127.0.0.1:1/\r\n";
    let table: [(Reply, Option<u16>, &str); 11] = [
        (Reply::Status(200, ""), None, ""),
        (Reply::Status(299, ""), None, ""),
        (Reply::Endless, None, ""),
        (Reply::Stalled, None, ""),
        (Reply::Status(302, redirect), Some(302), "answered 302, and redirects are not followed"),
        (Reply::Status(307, redirect), Some(307), "answered 307, and redirects are not followed"),
        (Reply::Status(400, ""), Some(400), "the receiver answered 400"),
        (Reply::Status(500, ""), Some(500), "the receiver answered 500"),
        (Reply::Status(600, ""), Some(600), "the receiver answered 600"),
        (Reply::Silence, None, "no answer within 0.4 s"),
        (Reply::HangUp, None, "the connection broke off"),
    ];
    for (reply, status, error) in table {
        let practice = match reply {
            Reply::Silence => Practice::impatient().await,
            _ => Practice::start().await,
        };
        let receiver = Receiver::start(reply).await;
        let id = practice.add(&receiver.url()).await.id();
        practice.book(0).await;
        let began = Instant::now();
        let taken = error.is_empty();
        let expected = (usize::from(taken), usize::from(!taken));
        assert_eq!(practice.deliver().await, expected, "{reply:?}");
        assert!(began.elapsed() < PATIENCE / 2, "nobody waits for the end of {reply:?}");
        assert_eq!(receiver.take().len(), 1, "{reply:?}");
        let [delivery] = &practice.deliveries(&id).await[..] else { panic!("one delivery") };
        let last = &delivery["lastAttempt"];
        assert_eq!(last["status"], json!(status), "{reply:?}");
        assert_eq!(last["error"].is_null(), taken, "{reply:?}");
        assert!(last["error"].as_str().unwrap_or_default().contains(error), "{last}");
        assert_eq!(delivery["state"], if taken { "delivered" } else { "pending" });
        assert_eq!(delivery["nextAttemptAt"].is_null(), taken);
    }
}

#[tokio::test]
async fn nobody_there_is_a_failure_that_names_no_address() {
    let practice = Practice::start().await;
    let free = Port::free();
    let nobody = practice.add(&format!("http://{}/secret-path", free.address())).await.id();
    let no_tls = Receiver::start(OK).await;
    let no_tls = practice.add(&no_tls.url().replace("http:", "https:")).await.id();
    let unknown = practice.add("http://nobody.invalid/").await.id();
    practice.book(0).await;
    assert_eq!(practice.deliver().await, (0, 3));
    for (id, expected) in [(&nobody, "onnection refused"), (&no_tls, ""), (&unknown, "")] {
        let deliveries = practice.deliveries(id).await;
        let error = deliveries[0]["lastAttempt"]["error"].as_str().unwrap().to_owned();
        // There may be nobody either who would say that there is no such name.
        let is_unasked = *id == unknown && error.starts_with("no answer within ");
        assert!(error.starts_with("no connection: ") || is_unasked, "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("secret-path") && !error.contains("127.0.0.1"), "{error}");
    }
}

#[tokio::test]
async fn gone_ends_a_webhook_until_an_admin_says_otherwise() {
    let receiver = Receiver::start(Reply::Status(410, "")).await;
    let practice = Practice::start().await;
    let id = practice.add(&receiver.url()).await.id();
    practice.book(0).await;
    assert_eq!(practice.deliver().await, (0, 1));
    let path = format!("/booking/webhooks/{id}");
    assert_eq!(practice.admin().get(&path).await.expect(200).body["isActive"], false);
    practice.book(1).await;
    practice.clock.advance(TimeDelta::days(1));
    assert_eq!(practice.deliver().await, (0, 0));
    receiver.answer(OK);
    practice.admin().put(&path, &json!({"isActive": true})).await.expect(200);
    assert_eq!(practice.deliver().await, (1, 0), "the pending one, and not the one in between");
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let table = [
        (Reply::Status(429, "retry-after: 1000\r\n"), 1_000),
        (Reply::Status(503, "retry-after: Mon, 01 Jan 2024 12:16:40 GMT\r\n"), 999),
        // At most a day, and not sooner than we would have.
        (Reply::Status(429, "retry-after: 99999999999\r\n"), 86_400),
        (Reply::Status(503, "retry-after: 0\r\n"), 6),
        (Reply::Status(503, "retry-after: Mon, 01 Jan 2023 00:00:00 GMT\r\n"), 6),
        (Reply::Status(500, "retry-after: 1000\r\n"), 6),
    ];
    for (reply, seconds) in table {
        let (practice, receiver) = (Practice::start().await, Receiver::start(reply).await);
        practice.add(&receiver.url()).await;
        practice.book(0).await;
        assert_eq!(practice.deliver().await, (0, 1));
        practice.clock.advance(TimeDelta::seconds(seconds - 3));
        assert_eq!(practice.deliver().await, (0, 0), "{reply:?}");
        practice.clock.advance(TimeDelta::seconds(4));
        assert_eq!(practice.deliver().await, (0, 1), "{reply:?}");
    }
}

#[tokio::test]
async fn a_webhook_gets_the_kinds_of_events_it_wants() {
    let (all, some) = (Receiver::start(OK).await, Receiver::start(OK).await);
    let practice = Practice::start().await;
    practice.add(&all.url()).await;
    let wanted = ["booking.appointment.rescheduled.v1", "booking.appointment.completed.v1"];
    let body = json!({"url": some.url(), "eventTypes": wanted});
    practice.admin().post("/booking/webhooks", &body).await.expect(201);
    let meeting = practice.book(0).await;
    practice.put(Role::Client, meeting, &later()).await;
    practice.complete(meeting, "Slept well").await;
    assert_eq!(practice.deliver().await, (5, 0));
    let types = |receiver: &Receiver| -> Vec<Value> {
        receiver.take().iter().map(|received| received.json()["type"].clone()).collect()
    };
    assert_eq!(types(&some), wanted, "in order");
    assert_eq!(types(&all).len(), 3);
}

/// What leads into a private network is not sent, whatever it looked like when it was registered.
#[tokio::test]
async fn what_is_not_public_is_never_connected_to() {
    let receiver = Receiver::start(OK).await;
    let practice = Practice::start().await;
    let port = receiver.address.port();
    let add = async |host: &str| practice.add(&format!("http://{host}:{port}/")).await.id();
    let ids = [add("127.0.0.1").await, add("localhost").await, add("[::ffff:127.0.0.1]").await];
    practice.book(0).await;
    assert_eq!(practice.deliver().await, (3, 0), "here it is allowed");
    let connections = receiver.connections();

    // The same store, and a process that does not allow it.
    let strict = WebhookSinks::new(WebhookOptions::default(), practice.clock.clone()).unwrap();
    practice.book(1).await;
    let passed = practice.relay_with(&strict).pass().await.unwrap();
    assert_eq!((passed.delivered, passed.failed), (0, 3));
    for id in ids {
        let deliveries = practice.deliveries(&id).await;
        let error = deliveries[0]["lastAttempt"]["error"].as_str().unwrap().to_owned();
        assert!(error.ends_with("leads to no public address"), "{error}");
    }
    assert_eq!(receiver.connections(), connections);
}

/// Each has its own pace: who does not answer costs the others nothing.
#[tokio::test]
async fn a_broken_receiver_delays_nobody_else() {
    let (silent, well) = (Receiver::start(Reply::Silence).await, Receiver::start(OK).await);
    let practice = Practice::start().await;
    practice.add(&silent.url()).await;
    practice.add(&well.url()).await;
    for n in 0..40 {
        practice.book(n).await;
    }
    let relay = practice.relay();
    let running = tokio::spawn(relay.run(std::future::pending()));
    let all_taken = async {
        let mut taken = 0;
        while taken < 40 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            taken += well.take().len();
        }
    };
    tokio::time::timeout(PATIENCE / 2, all_taken).await.expect("all are taken");
    // What is on its way there is on its way still, and leaves no room for the rest.
    assert!((1..40).contains(&silent.take().len()));
    running.abort();
}
