//! Webhooks as an admin keeps them.

use booking_core::{Added, Deliveries, Subscriber, SubscriberId};
use reqwest::Method;
use serde_json::{Value, json};

use super::practice::Practice;
use super::receiver::{Receiver, Reply};
use crate::by::by;

const WEBHOOKS: &str = "/booking/webhooks";
const SOMEWHERE: &str = "https://crm.example.com/hooks/booking?tenant=7";

fn path(id: &str) -> String {
    format!("{WEBHOOKS}/{id}")
}

#[tokio::test]
async fn a_webhook_is_kept_as_it_was_put() {
    let practice = Practice::start().await;
    let admin = practice.admin();
    admin.get(WEBHOOKS).await.expect(200).check_text("[]");
    let body = json!({
        "url": SOMEWHERE, "description": "CRM",
        "eventTypes": ["booking.appointment.cancelled.v1", "booking.appointment.booked.v1"],
    });
    let made = admin.post(WEBHOOKS, &body).await.expect(201);
    let id = made.id();
    assert!(id.starts_with("webhook_"));
    assert_eq!(made.header("location"), format!("/api{}", path(&id)));
    assert!(made.str("secret").starts_with("whsec_") && made.str("secret").len() == 6 + 44);
    let mut expected = json!({
        "id": id, "url": SOMEWHERE, "description": "CRM",
        "eventTypes": ["booking.appointment.booked.v1", "booking.appointment.cancelled.v1"],
        "isActive": true, "createdAt": "2024-01-01T12:00:00.500Z",
        "previousSecretExpiresAt": null,
    });
    let read = admin.get(&path(&id)).await.expect(200);
    assert_eq!(read.body, expected);
    let mut shown = made.body.clone();
    shown.as_object_mut().unwrap().remove("secret");
    assert_eq!(shown, expected);

    // What is left out stays.
    admin.put(&path(&id), &json!({})).await.expect(200).check_same(&read);
    let other = json!({"url": "http://1.1.1.1", "isActive": false});
    let changed = admin.put(&path(&id), &other).await.expect(200);
    expected["url"] = "http://1.1.1.1".into();
    expected["isActive"] = false.into();
    assert_eq!(changed.body, expected);
    let cleared = json!({"description": null, "eventTypes": []});
    let cleared = admin.put(&path(&id), &cleared).await.expect(200);
    expected["description"] = Value::Null;
    expected["eventTypes"] = json!([]);
    assert_eq!(cleared.body, expected);
    assert_eq!(admin.get(WEBHOOKS).await.expect(200).body, json!([expected]));

    assert_eq!(admin.delete(&path(&id)).await.expect(204).text, "");
    admin.delete(&path(&id)).await.refused(404, "webhook_not_found");
    admin.get(WEBHOOKS).await.expect(200).check_text("[]");
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let practice = Practice::allowing(&[]).await;
    let id = practice.add(SOMEWHERE).await.id();
    let (create, update) = ((Method::POST, WEBHOOKS.to_owned()), (Method::PUT, path(&id)));
    let long = format!("https://example.com/{}", "x".repeat(1_981));
    let urls = [
        json!(""),
        json!(null),
        json!(1),
        json!("example.com"),
        json!("/hook"),
        json!("https:x.com"),
        json!("ftp://example.com"),
        json!("file:///etc/passwd"),
        json!("gopher://example.com"),
        json!("https://user@example.com"),
        json!("https://user:pass@example.com"),
        json!("https://:pass@example.com"),
        json!("https://example.com/#"),
        json!("https://example.com/#part"),
        json!("https://exa mple.com"),
        json!(" https://a.com"),
        json!("https://a.com\n"),
        json!("https://zoë.com/"),
        json!("https://"),
        json!(long),
        json!("http://127.0.0.1/"),
        json!("http://2130706433/"),
        json!("http://0x7f.1/"),
        json!("http://[::1]:80/"),
        json!("http://[::ffff:10.0.0.1]/"),
        json!("http://10.0.0.1:8080"),
        json!("http://169.254.169.254/latest/meta-data/"),
        json!("http://0/"),
        json!("http:///127.0.0.1/"),
        json!("http://user@127.0.0.1/"),
    ];
    let types = [
        json!("booking.appointment.booked.v1"),
        json!(null),
        json!(["booked"]),
        json!([1]),
        json!({}),
        json!(["booking.webhook.test.v1"]),
    ];
    for (method, path) in [create, update] {
        for (field, values) in [("url", &urls[..]), ("eventTypes", &types)] {
            for value in values {
                let mut body = json!({"url": SOMEWHERE});
                body[field] = value.clone();
                let body = Some(body.to_string().into_bytes());
                let answer = practice.admin().send(method.clone(), &path, body).await;
                let answer = answer.refused(400, "invalid_request");
                assert_eq!(answer.pointers(), [format!("/{field}")], "{value}");
            }
        }
    }
    let body = json!({"description": 5, "eventTypes": 5, "isActive": "yes", "url": 5});
    let answer = practice.admin().put(&path(&id), &body).await.refused(400, "invalid_request");
    assert_eq!(answer.pointers(), ["/url", "/description", "/eventTypes", "/isActive"]);
    let answer = practice.admin().post(WEBHOOKS, &json!({})).await.refused(400, "invalid_request");
    assert_eq!(answer.pointers(), ["/url"]);
    let body = json!({"url": SOMEWHERE, "description": "x".repeat(501)});
    let answer = practice.admin().post(WEBHOOKS, &body).await.refused(400, "invalid_request");
    assert_eq!(answer.pointers(), ["/description"]);
    let fits = format!("https://example.com/{}", "x".repeat(1_980));
    practice.add(&fits).await;
}

#[tokio::test]
async fn webhooks_are_for_admins() {
    let practice = Practice::start().await;
    let id = practice.add(SOMEWHERE).await.id();
    let one = path(&id);
    let operations = [
        (Method::POST, WEBHOOKS.to_owned()),
        (Method::GET, WEBHOOKS.to_owned()),
        (Method::GET, one.clone()),
        (Method::PUT, one.clone()),
        (Method::DELETE, one.clone()),
        (Method::POST, format!("{one}/rotate-secret")),
        (Method::POST, format!("{one}/test")),
        (Method::GET, format!("{one}/deliveries")),
        (Method::POST, format!("{one}/replay")),
    ];
    for (method, path) in operations {
        let body = || Some(b"not json".to_vec());
        let anybody = practice.anybody().send(method.clone(), &path, body()).await;
        anybody.refused(401, "unauthenticated");
        for role in ["client", "therapist"] {
            let refused = practice.caller(role).send(method.clone(), &path, body()).await;
            refused.refused(403, "role_required");
        }
        let elsewhere = path.replace(&id, "webhook_01h455vb4pex5vsknk084sn02q");
        let nowhere = path.replace(&id, "crm");
        if path != WEBHOOKS {
            for path in [elsewhere, nowhere] {
                let body = Some(b"{}".to_vec());
                let answer = practice.admin().send(method.clone(), &path, body).await;
                answer.refused(404, "webhook_not_found");
            }
        }
    }
    practice.admin().send(Method::PATCH, &one, None).await.refused(405, "method_not_allowed");
    assert_eq!(practice.admin().get(&one).await.expect(200).body["isActive"], true);
}

/// Subscribers of the program itself are none of an admin's business.
#[tokio::test]
async fn other_subscribers_are_not_shown() {
    let practice = Practice::start().await;
    let log = Subscriber {
        id: SubscriberId::new("log").unwrap(),
        event_types: [].into(),
        is_active: true,
        settings: Value::Null,
        created_at: "2024-01-01T00:00:00Z".parse().unwrap(),
    };
    assert_eq!(practice.store.add_subscriber(&log, by()).await.unwrap(), Added::Done);
    practice.admin().get(WEBHOOKS).await.expect(200).check_text("[]");
    practice.admin().get(&path("log")).await.refused(404, "webhook_not_found");
    practice.admin().delete(&path("log")).await.refused(404, "webhook_not_found");
}

#[tokio::test]
async fn there_are_at_most_64() {
    let practice = Practice::start().await;
    for _ in 0..60 {
        practice.add(SOMEWHERE).await;
    }
    let add = || async {
        let answer = practice.admin().post(WEBHOOKS, &json!({"url": SOMEWHERE})).await;
        answer.status
    };
    let racing: Vec<u16> = futures_util::future::join_all((0..16).map(|_| add())).await;
    let kept = practice.admin().get(WEBHOOKS).await.expect(200).items().len();
    let added = racing.iter().filter(|status| **status == 201).count();
    assert_eq!((kept, added), (64, 4), "{racing:?}");
    let refused = practice.admin().post(WEBHOOKS, &json!({"url": SOMEWHERE})).await;
    refused.refused(400, "webhook_limit");
    let first = practice.admin().get(WEBHOOKS).await.column("id")[0].to_owned();
    practice.admin().delete(&path(&first)).await.expect(204);
    practice.add(SOMEWHERE).await;
}

#[tokio::test]
async fn a_test_says_how_the_receiver_answered() {
    let receiver = Receiver::start(Reply::Status(202, "")).await;
    let practice = Practice::start().await;
    let made = practice.add(&receiver.url()).await;
    let (id, test) = (made.id(), format!("{}/test", path(&made.id())));
    let came_out = async |practice: &Practice, test: &str| {
        let mut tested = practice.admin().send(Method::POST, test, None).await.expect(200).body;
        assert!(tested["durationMs"].take().as_u64().is_some_and(|took| took < 60_000));
        tested
    };
    let expected = json!({"delivered": true, "status": 202, "error": null, "durationMs": null});
    assert_eq!(came_out(&practice, &test).await, expected);
    let [received] = &receiver.take()[..] else { panic!("one request") };
    assert!(received.is_signed_by(made.str("secret")));
    let event = received.json();
    assert_eq!(event["type"], "booking.webhook.test.v1");
    assert_eq!(event["id"], received.header("webhook-id"));
    assert_eq!(event["data"], json!({"webhookId": id}));
    let failed = |status: Option<u16>, error: &str| json!({"delivered": false, "status": status, "error": error, "durationMs": null});
    let table = [
        (Reply::Status(410, ""), 410, "the receiver answered 410"),
        (Reply::Status(500, ""), 500, "the receiver answered 500"),
    ];
    for (reply, status, error) in table {
        receiver.answer(reply);
        assert_eq!(came_out(&practice, &test).await, failed(Some(status), error));
    }
    receiver.answer(Reply::Silence);
    let impatient = Practice::impatient().await;
    let test = format!("{}/test", path(&impatient.add(&receiver.url()).await.id()));
    assert_eq!(came_out(&impatient, &test).await, failed(None, "no answer within 0.4 s"));
    // A test changes nothing, and is not among the deliveries.
    assert_eq!(practice.admin().get(&path(&id)).await.expect(200).body["isActive"], true);
    assert!(practice.deliveries(&id).await.is_empty());
}

#[tokio::test]
async fn deliveries_are_listed_without_what_they_say() {
    let receiver = Receiver::start(Reply::Status(200, "")).await;
    let practice = Practice::start().await;
    let id = practice.add(&receiver.url()).await.id();
    let meeting = practice.book(0).await;
    assert_eq!(practice.deliver().await, (1, 0));
    receiver.answer(Reply::Status(503, ""));
    practice.complete(meeting, "Cried a lot").await;
    let completed_at = "2024-01-31T12:00:00.500Z";
    assert_eq!(practice.deliver().await, (0, 1));
    let list = format!("{}/deliveries", path(&id));
    let listed = practice.admin().get(&list).await.expect(200);
    assert!(!listed.text.contains("Cried"), "{}", listed.text);
    let [completed, booked] = listed.items() else { panic!("{}", listed.text) };
    let mut completed = completed.clone();
    let next = completed["nextAttemptAt"].take();
    assert!(next.as_str().unwrap() > completed_at, "{next}");
    let last = json!({"at": completed_at, "status": 503, "error": "the receiver answered 503"});
    assert_eq!(completed["lastAttempt"], last);
    let events = practice.store_events().await;
    let expected = json!({
        "sequence": 2, "eventId": events[1].to_string(), "meetingId": meeting.to_string(),
        "eventType": "booking.appointment.completed.v1", "state": "pending", "failures": 1,
        "nextAttemptAt": null, "lastAttempt": last,
    });
    assert_eq!(completed, expected);
    let expected = json!({
        "sequence": 1, "eventId": events[0].to_string(), "meetingId": meeting.to_string(),
        "eventType": "booking.appointment.booked.v1", "state": "delivered", "failures": 0,
        "nextAttemptAt": null,
        "lastAttempt": {"at": "2024-01-01T12:00:00.500Z", "status": null, "error": null},
    });
    assert_eq!(booked, &expected);
}

#[tokio::test]
async fn deliveries_come_in_pages() {
    let receiver = Receiver::start(Reply::Status(200, "")).await;
    let practice = Practice::start().await;
    let id = practice.add(&receiver.url()).await.id();
    for n in 0..5 {
        practice.book(n).await;
    }
    assert_eq!(practice.deliver().await, (5, 0));
    let list = format!("{}/deliveries", path(&id));
    let (mut next, mut pages) = (format!("{list}?state=delivered&limit=2"), Vec::new());
    while !next.is_empty() {
        let page = practice.admin().get(&next).await.expect(200);
        let sequences: Vec<u64> =
            page.items().iter().map(|item| item["sequence"].as_u64().unwrap()).collect();
        pages.push(sequences);
        let link = page.header("link").to_owned();
        let address =
            link.strip_prefix("</api").and_then(|rest| rest.split_once(">; rel=\"next\""));
        next = address.map_or_else(String::new, |(address, _)| address.to_owned());
    }
    assert_eq!(pages, [vec![5, 4], vec![3, 2], vec![1]]);
    for state in ["pending", "dead"] {
        let none = practice.admin().get(&format!("{list}?state={state}")).await.expect(200);
        none.check_text("[]");
    }
    let wrong =
        [("state", "gone"), ("state", ""), ("limit", "0"), ("limit", "1001"), ("cursor", "x")];
    for (name, value) in wrong {
        let answer = practice.admin().get(&format!("{list}?{name}={value}")).await;
        assert_eq!(answer.refused(400, "invalid_request").pointers(), [format!("/{name}")]);
    }
}

#[tokio::test]
async fn events_are_sent_again_on_demand() {
    let receiver = Receiver::start(Reply::Status(200, "")).await;
    let practice = Practice::start().await;
    practice.book(0).await;
    practice.deliver().await;
    let id = practice.add(&receiver.url()).await.id();
    for n in 1..4 {
        practice.book(n).await;
    }
    assert_eq!(practice.deliver().await, (3, 0));
    receiver.take();
    let replay = async |body: Value| {
        let path = format!("{}/replay", path(&id));
        practice.admin().post(&path, &body).await.expect(200).body
    };
    assert_eq!(replay(json!({"only": "dead"})).await, json!({"replayed": 0}));
    assert_eq!(replay(json!({"from": 3, "to": 3})).await, json!({"replayed": 1}));
    assert_eq!(practice.deliver().await, (1, 0));
    let again = receiver.take();
    assert_eq!(again[0].json()["sequence"], "00000000000000000003");
    // Also what was published before there was this webhook.
    assert_eq!(replay(json!({})).await, json!({"replayed": 4}));
    assert_eq!(replay(json!({})).await, json!({"replayed": 0}), "all of it is on its way");
    assert_eq!(practice.deliver().await, (4, 0));
    assert_eq!(replay(json!({"from": 5})).await, json!({"replayed": 0}));

    let wrong = [
        (json!({"from": 2, "to": 1}), "/to"),
        (json!({"from": -1}), "/from"),
        (json!({"from": "1"}), "/from"),
        (json!({"to": 1.5}), "/to"),
        (json!({"to": 18_446_744_073_709_551_615_u64}), "/to"),
        (json!({"only": "pending"}), "/only"),
    ];
    for (body, pointer) in wrong {
        let answer = practice.admin().post(&format!("{}/replay", path(&id)), &body).await;
        assert_eq!(answer.refused(400, "invalid_request").pointers(), [pointer], "{body}");
    }
}

/// A dead letter is found, and sent again.
#[tokio::test]
async fn dead_letters_come_back() {
    let receiver = Receiver::start(Reply::Status(500, "")).await;
    let practice = Practice::start().await;
    let id = practice.add(&receiver.url()).await.id();
    practice.book(0).await;
    for _ in 0..10 {
        assert_eq!(practice.deliver().await, (0, 1));
        practice.clock.advance(chrono::TimeDelta::days(2));
    }
    let dead = format!("{}/deliveries?state=dead", path(&id));
    let listed = practice.admin().get(&dead).await.expect(200);
    assert_eq!(listed.items()[0]["failures"], 10);
    assert!(listed.items()[0]["nextAttemptAt"].is_null());
    receiver.answer(Reply::Status(200, ""));
    assert_eq!(practice.deliver().await, (0, 0));
    let replay = format!("{}/replay", path(&id));
    let replayed = practice.admin().post(&replay, &json!({"only": "dead"})).await.expect(200);
    assert_eq!(replayed.body, json!({"replayed": 1}));
    assert_eq!(practice.deliver().await, (1, 0));
}
