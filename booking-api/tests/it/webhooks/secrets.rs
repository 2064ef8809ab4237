//! Secrets: shown once, changed with an overlap, and nowhere else to be seen.

use booking_core::Deliveries;
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;

use super::practice::Practice;
use super::receiver::{Received, Receiver, Reply};
use crate::by::by;

const OK: Reply = Reply::Status(200, "");

async fn rotate(practice: &Practice, id: &str) -> String {
    let path = format!("/booking/webhooks/{id}/rotate-secret");
    let rotated = practice.admin().send(Method::POST, &path, None).await.expect(200);
    let ends = practice.clock_now() + TimeDelta::hours(24);
    assert_eq!(rotated.str("previousSecretExpiresAt"), booking_core::format_instant(ends));
    rotated.str("secret").to_owned()
}

/// The request that the n-th session leads to.
async fn next(practice: &Practice, receiver: &Receiver, n: i32) -> Received {
    practice.book(n).await;
    assert_eq!(practice.deliver().await, (1, 0));
    receiver.take().remove(0)
}

#[tokio::test]
async fn for_a_day_both_secrets_sign() {
    let (practice, receiver) = (Practice::start().await, Receiver::start(OK).await);
    let made = practice.add(&receiver.url()).await;
    let (id, first) = (made.id(), made.str("secret").to_owned());
    let second = rotate(&practice, &id).await;
    assert_ne!(first, second);
    let both = next(&practice, &receiver, 0).await;
    assert!(both.signatures() == 2 && both.is_signed_by(&first) && both.is_signed_by(&second));
    practice.clock.advance(TimeDelta::hours(24) - TimeDelta::milliseconds(1));
    assert_eq!(next(&practice, &receiver, 1).await.signatures(), 2);
    practice.clock.advance(TimeDelta::milliseconds(1));
    let one = next(&practice, &receiver, 2).await;
    assert!(one.signatures() == 1 && one.is_signed_by(&second));
    let shown = practice.admin().get(&format!("/booking/webhooks/{id}")).await.expect(200);
    assert!(shown.body["previousSecretExpiresAt"].is_null());

    // Twice in a day: the oldest is out at once.
    let third = rotate(&practice, &id).await;
    let fourth = rotate(&practice, &id).await;
    let both = next(&practice, &receiver, 3).await;
    assert!(both.signatures() == 2 && both.is_signed_by(&third) && both.is_signed_by(&fourth));
}

#[tokio::test]
async fn changes_at_the_same_time_lose_nothing() {
    let (practice, receiver) = (Practice::start().await, Receiver::start(OK).await);
    for n in 0..20 {
        let id = practice.add(&receiver.url()).await.id();
        let path = format!("/booking/webhooks/{id}");
        let (described, inactive) = (json!({"description": "CRM"}), json!({"isActive": false}));
        let admin = practice.admin();
        let (secret, put, other) = tokio::join!(
            rotate(&practice, &id),
            admin.put(&path, &described),
            admin.put(&path, &inactive)
        );
        put.expect(200);
        other.expect(200);
        let shown = practice.admin().get(&path).await.expect(200);
        assert_eq!(
            (&shown.body["description"], &shown.body["isActive"]),
            (&json!("CRM"), &json!(false))
        );
        practice.admin().put(&path, &json!({"isActive": true})).await.expect(200);
        assert!(next(&practice, &receiver, n).await.is_signed_by(&secret));
        practice.admin().delete(&path).await.expect(204);
    }
}

/// Every answer but the two that are for it, and everything that could be printed.
#[tokio::test]
async fn a_secret_is_shown_once() {
    let (practice, receiver) = (Practice::start().await, Receiver::start(OK).await);
    let made = practice.add(&receiver.url()).await;
    let (id, first) = (made.id(), made.str("secret").to_owned());
    let second = rotate(&practice, &id).await;
    practice.book(0).await;
    practice.deliver().await;
    let path = format!("/booking/webhooks/{id}");
    let admin = practice.admin();
    let mut seen = vec![
        admin.get("/booking/webhooks").await.expect(200).text,
        admin.get(&path).await.expect(200).text,
        admin.put(&path, &json!({"isActive": false})).await.expect(200).text,
        admin.send(Method::POST, &format!("{path}/test"), None).await.expect(200).text,
        admin.get(&format!("{path}/deliveries")).await.expect(200).text,
        admin.post(&format!("{path}/replay"), &json!({})).await.expect(200).text,
        practice.anybody().get("/metrics").await.expect(200).text,
    ];
    let subscribers = practice.store.subscribers().await.unwrap();
    seen.push(format!("{subscribers:?}"));

    // Settings that this version cannot read may hold secrets all the more.
    let broken = |subscriber: &mut booking_core::Subscriber| {
        subscriber.is_active = true;
        subscriber.settings["secrets"] = json!([first]);
    };
    practice.store.change_subscriber(&subscribers[0].id, &broken, by()).await.unwrap();
    practice.book(1).await;
    assert_eq!(practice.deliver().await, (0, 2));
    let listed = admin.get(&format!("{path}/deliveries")).await.expect(200);
    assert!(listed.text.contains("the webhook's settings cannot be read"), "{}", listed.text);
    seen.push(listed.text);
    for operation in [Method::GET, Method::PUT] {
        let answer = admin.send(operation, &path, Some(b"{}".to_vec())).await;
        seen.push(answer.refused(500, "internal").text);
    }
    admin.delete(&path).await.expect(204);
    for text in seen {
        for secret in [&first, &second] {
            let bare = secret.trim_start_matches("whsec_");
            assert!(!text.contains(bare) && !text.contains("whsec_"), "{text}");
        }
    }
}
