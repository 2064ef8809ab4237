//! Clerk tells of its users. Signatures are made here by the rule of Svix; that they are as Svix
//! makes them is tested beside the code, by vectors of its own library.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::caller::{Answer, Caller};
use crate::issuer::{Answers, Issuer, jwk};
use crate::server::session;
use crate::serving::Serving;
use crate::signing::{IssuerKey, unix_now};

const PATH: &str = "/webhooks/clerk";
/// What the secret is in base64.
const KEY: &[u8] = b"a secret of 24 bytes or more";

struct World {
    issuer: Issuer,
    serving: Serving,
}

impl World {
    async fn new() -> Self {
        let keys = json!([jwk("a", IssuerKey::ours())]);
        let issuer = Issuer::start(Answers::Keys(keys)).await;
        let secret = format!("whsec_{}", BASE64_STANDARD.encode(KEY));
        let settings = [
            ("BOOKING_ISSUER", issuer.url.as_str()),
            ("BOOKING_CLERK_WEBHOOK_SECRET", secret.as_str()),
        ];
        let serving = Serving::start(&settings).await;
        Self { issuer, serving }
    }

    /// Somebody with a token that says this of their role, or nothing.
    fn caller(&self, id: &str, role: Option<&str>) -> Caller {
        let now = unix_now();
        let claims = json!({
            "iss": self.issuer.url, "sub": id, "exp": now + 600, "metadata": {"role": role},
        });
        let token =
            IssuerKey::ours().sign_with_header(&json!({"alg": "RS256", "kid": "a"}), &claims);
        self.serving.anonymous.with_token(&token)
    }

    async fn send(&self, id: &str, event: &Value) -> Answer {
        let body = event.to_string();
        let now = unix_now().to_string();
        let signature = sign(KEY, id, &now, &body);
        self.post(
            &[("svix-id", id), ("svix-timestamp", &now), ("svix-signature", &signature)],
            &body,
        )
        .await
    }

    async fn post(&self, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let caller =
            headers.iter().fold(self.serving.anonymous.clone(), |caller, (name, value)| {
                caller.with(name, *value)
            });
        caller.send(Method::POST, PATH, Some(body.as_bytes().to_vec())).await
    }

    /// The entry in the directory, as an admin sees it.
    async fn user(&self, id: &str) -> Answer {
        let admin = self.caller("root", Some("admin"));
        admin.get(&format!("/booking/directory/users/{id}")).await
    }
}

fn sign(key: &[u8], id: &str, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(tag))
}

/// An event as Clerk documents it, with what is not read here too.
fn user_event(kind: &str, id: &str, updated_at: u64, changes: &Value) -> Value {
    let mut data = json!({
        "id": id, "object": "user", "first_name": "Jane", "last_name": "Smith",
        "email_addresses": [
            {"id": "idn_1", "object": "email_address", "email_address": "old@example.com",
             "verification": {"status": "verified"}, "linked_to": []},
            {"id": "idn_2", "object": "email_address", "email_address": "jane@example.com",
             "verification": {"status": "verified"}, "linked_to": []},
        ],
        "primary_email_address_id": "idn_2", "external_accounts": [], "phone_numbers": [],
        "public_metadata": {"role": "therapist", "timeZone": "Europe/Berlin"},
        "private_metadata": {}, "unsafe_metadata": {"role": "admin"}, "banned": false,
        "created_at": 1_700_000_000_000_u64, "updated_at": updated_at, "username": null,
    });
    for (name, value) in changes.as_object().expect("an object") {
        data[name] = value.clone();
    }
    json!({
        "data": data, "object": "event", "type": kind, "timestamp": updated_at,
        "instance_id": "ins_1", "event_attributes": {"http_request": {"client_ip": "192.0.2.1"}},
    })
}

fn deleted(id: &str, at: u64) -> Value {
    json!({
        "data": {"deleted": true, "id": id, "object": "user"}, "object": "event",
        "type": "user.deleted", "timestamp": at, "instance_id": "ins_1",
    })
}

#[tokio::test]
async fn users_come_change_and_go() {
    let world = World::new().await;
    let none = json!({});
    world.send("msg_1", &user_event("user.created", "user_jane", 1_000, &none)).await.expect(204);
    let jane = world.user("user_jane").await.expect(200).body;
    assert_eq!(
        jane,
        json!({
            "id": "user_jane", "role": "therapist", "firstName": "Jane", "lastName": "Smith",
            "email": "jane@example.com", "timeZone": "Europe/Berlin",
        })
    );
    // Her token need not say what she is.
    let window = json!({"dayOfWeek": 1, "startTime": "09:00", "endTime": "17:00"});
    let therapist = world.caller("user_jane", None);
    therapist.post("/booking/availability", &window).await.expect(201);

    // Late, and out of order: it changes nothing.
    let renamed = user_event("user.updated", "user_jane", 3_000, &json!({"last_name": "Miller"}));
    world.send("msg_3", &renamed).await.expect(204);
    let late = user_event("user.updated", "user_jane", 2_000, &json!({"last_name": "Old"}));
    world.send("msg_2", &late).await.expect(204);
    // The same message again, whatever it says now.
    let again = user_event("user.updated", "user_jane", 9_000, &json!({"last_name": "Again"}));
    world.send("msg_3", &again).await.expect(204);
    assert_eq!(world.user("user_jane").await.body["lastName"], "Miller");

    let client = json!({"public_metadata": {"role": "client"}, "first_name": null});
    world.send("msg_4", &user_event("user.created", "user_john", 1_000, &client)).await.expect(204);
    assert_eq!(world.user("user_john").await.expect(200).body["firstName"], "");
    let admin = world.caller("root", Some("admin"));
    let related = "/booking/directory/relationships/user_john/user_jane";
    admin.put(related, &none).await.expect(204);
    let mut booking = session("2199-01-07T14:00:00Z", 60);
    booking["therapistId"] = json!("user_jane");
    let john = world.caller("user_john", None);
    let meeting = john.book(&booking).await.expect(201).id();

    // She goes: nobody books with her, her token is for nothing, and John still has his meeting.
    world.send("msg_5", &deleted("user_jane", 4_000)).await.expect(204);
    world.user("user_jane").await.refused(404, "user_not_found");
    therapist.get("/booking/meetings").await.refused(403, "role_required");
    therapist.get("/booking/availability").await.refused(401, "role_required");
    john.book(&booking).await.refused(404, "therapist_not_found");
    let seen = john.get(&format!("/booking/meetings/{meeting}")).await.expect(200);
    assert_eq!(seen.body["therapistId"], "user_jane");
    assert!(!seen.text.contains("Miller"), "{}", seen.text);
    john.cancel(&meeting).await.expect(200);
    for (message, at) in [("msg_6", 3_500), ("msg_7", 9_000)] {
        let revived = user_event("user.updated", "user_jane", at, &none);
        world.send(message, &revived).await.expect(204);
        world.user("user_jane").await.refused(404, "user_not_found");
    }
    admin.put(related, &none).await.refused(404, "user_not_found");
}

#[tokio::test]
async fn what_is_odd_or_of_no_interest_is_taken_calmly() {
    let world = World::new().await;
    for (n, (what, changes, expected)) in [
        ("no role", json!({"public_metadata": {}}), None),
        ("no metadata", json!({"public_metadata": null}), None),
        ("an empty role", json!({"public_metadata": {"role": null}}), None),
        ("no address", json!({"email_addresses": []}), None),
        ("no primary address", json!({"primary_email_address_id": null}), None),
        ("no such address", json!({"primary_email_address_id": "idn_3"}), None),
        (
            "no such zone",
            json!({"public_metadata": {"role": "client", "timeZone": "Mars"}}),
            Some(Value::Null),
        ),
        ("a long name", json!({"last_name": "x".repeat(5_000)}), Some(json!("Europe/Berlin"))),
        ("an odd name", json!({"first_name": "Ja\u{0}ne\u{7}"}), Some(json!("Europe/Berlin"))),
        ("no names", json!({"first_name": null, "last_name": null}), Some(json!("Europe/Berlin"))),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("user_{n}");
        let event = user_event("user.created", &id, 1_000, &changes);
        world.send(&format!("msg_{n}"), &event).await.expect(204);
        let found = world.user(&id).await;
        assert_eq!(found.status == 200, expected.is_some(), "{what}: {}", found.text);
        if let Some(zone) = expected {
            assert_eq!(found.body["timeZone"], zone, "{what}");
        }
    }
    for kind in ["session.created", "organization.created", "user.something_new", "email.created"] {
        let event = json!({"type": kind, "data": {"id": "x"}, "timestamp": 1});
        world.send(&format!("msg_{kind}"), &event).await.expect(204);
    }
    for event in [
        json!({"type": "user.created", "data": {}}),
        json!({"type": "user.created"}),
        json!({"type": "user.updated", "data": {"id": 5}}),
        json!({"type": "user.deleted", "data": {"id": ""}}),
        json!({"type": "user.deleted", "data": {"id": "with blanks"}}),
        json!({"type": 1}),
        json!([]),
    ] {
        world.send("msg_bad", &event).await.refused(400, "invalid_request");
    }
    // What could not be read is not taken for a repeat when it comes right.
    world.send("msg_bad", &user_event("user.created", "user_x", 1, &json!({}))).await.expect(204);
    world.user("user_x").await.expect(200);
}

/// Who is taken for somebody without a role loses all: what cannot be read must not do that.
#[tokio::test]
async fn a_role_that_cannot_be_read_costs_nobody_their_place() {
    let world = World::new().await;
    let admin = world.caller("root", Some("admin"));
    let none = json!({});
    let client = json!({"public_metadata": {"role": "client"}});
    world.send("msg_1", &user_event("user.created", "user_jane", 1_000, &none)).await.expect(204);
    world.send("msg_2", &user_event("user.created", "user_john", 1_000, &client)).await.expect(204);
    admin.put("/booking/directory/relationships/user_john/user_jane", &none).await.expect(204);
    let jane = world.user("user_jane").await.expect(200).body;
    let window = json!({"dayOfWeek": 1, "startTime": "09:00", "endTime": "17:00"});
    let therapist = world.caller("user_jane", None);
    therapist.post("/booking/availability", &window).await.expect(201);
    let mut booking = session("2199-01-07T14:00:00Z", 60);
    booking["therapistId"] = json!("user_jane");

    let of_role = "public_metadata.role is none of client, therapist and admin";
    let of_metadata = "public_metadata is no object";
    let john = world.caller("user_john", None);
    for (n, (metadata, reason)) in [
        (json!({"role": "Therapist"}), of_role),
        (json!({"role": "therapist "}), of_role),
        (json!({"role": "owner"}), of_role),
        (json!({"role": ""}), of_role),
        (json!({"role": ["therapist"]}), of_role),
        (json!({"role": {"name": "therapist"}}), of_role),
        (json!({"role": 7}), of_role),
        (json!({"role": true}), of_role),
        (json!("therapist"), of_metadata),
        (json!(["therapist"]), of_metadata),
    ]
    .into_iter()
    .enumerate()
    {
        let changes = json!({"public_metadata": metadata, "last_name": "Miller"});
        let event = user_event("user.updated", "user_jane", 2_000, &changes);
        let answer = world.send(&format!("msg_bad_{n}"), &event).await;
        assert_eq!(answer.outcome(), (400, "invalid_request"), "{metadata}: {}", answer.text);
        assert_eq!(answer.body["detail"], reason, "{metadata}");
        assert_eq!(world.user("user_jane").await.expect(200).body, jane, "{metadata}");
        // Nobody books with a therapist to whom they do not belong.
        let meeting = john.book(&booking).await.expect(201).id();
        john.cancel(&meeting).await.expect(200);
    }

    // Clerk repeats it, and by then it is right; and nothing at all is still a role that is gone.
    let renamed = user_event("user.updated", "user_jane", 2_000, &json!({"last_name": "Miller"}));
    world.send("msg_bad_0", &renamed).await.expect(204);
    assert_eq!(world.user("user_jane").await.expect(200).body["lastName"], "Miller");
    let no_role = json!({"public_metadata": {"role": null}});
    world
        .send("msg_3", &user_event("user.updated", "user_jane", 3_000, &no_role))
        .await
        .expect(204);
    world.user("user_jane").await.refused(404, "user_not_found");
    let went = admin.get("/booking/audit?person=user_john").await.expect(200);
    assert!(went.text.contains("relationship.removed"), "{}", went.text);
}

/// What is wrong with it, its headers and body, and the answer.
type Forgery<'a> = (&'a str, Vec<(&'static str, String)>, String, u16);

#[tokio::test]
async fn only_what_clerk_signed_now_is_believed() {
    let world = World::new().await;
    let body = user_event("user.created", "user_eve", 1, &json!({})).to_string();
    let now = unix_now();
    let at = |seconds: i64| (i64::try_from(now).unwrap() + seconds).to_string();
    let good = |timestamp: &str| sign(KEY, "msg_1", timestamp, &body);
    let cases: Vec<Forgery<'_>> = {
        let headers = |id: &str, timestamp: String, signature: String| {
            vec![
                ("svix-id", id.to_owned()),
                ("svix-timestamp", timestamp),
                ("svix-signature", signature),
            ]
        };
        let other = sign(b"another secret of 24 byte", "msg_1", &at(0), &body);
        vec![
            ("no headers", vec![], body.clone(), 400),
            ("no signature", headers("msg_1", at(0), String::new()), body.clone(), 400),
            ("another secret", headers("msg_1", at(0), other.clone()), body.clone(), 400),
            ("another id", headers("msg_2", at(0), good(&at(0))), body.clone(), 400),
            ("an empty id", headers("", at(0), sign(KEY, "", &at(0), &body)), body.clone(), 400),
            ("another time", headers("msg_1", at(-1), good(&at(0))), body.clone(), 400),
            (
                "another body",
                headers("msg_1", at(0), good(&at(0))),
                body.replace("eve", "bob"),
                400,
            ),
            ("a blank more", headers("msg_1", at(0), good(&at(0))), format!("{body} "), 400),
            ("too old", headers("msg_1", at(-310), good(&at(-310))), body.clone(), 400),
            ("of the future", headers("msg_1", at(310), good(&at(310))), body.clone(), 400),
            ("no time", headers("msg_1", "now".to_owned(), good("now")), body.clone(), 400),
            (
                "far off",
                headers("msg_1", i64::MAX.to_string(), good(&i64::MAX.to_string())),
                body.clone(),
                400,
            ),
            (
                "another scheme",
                headers("msg_1", at(0), good(&at(0)).replace("v1,", "v1a,")),
                body.clone(),
                400,
            ),
            ("too large", headers("msg_1", at(0), good(&at(0))), "x".repeat(70_000), 413),
        ]
    };
    for (what, headers, body, status) in cases {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = world.post(&headers, &body).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text);
        world.user("user_eve").await.refused(404, "user_not_found");
    }
    for timestamp in [at(0), at(-290), at(280)] {
        let other = sign(b"another secret of 24 byte", "msg_1", &timestamp, &body);
        let several = format!("v1a,xx {other} {}", good(&timestamp));
        let headers =
            [("svix-id", "msg_1"), ("svix-timestamp", &timestamp), ("svix-signature", &several)];
        world.post(&headers, &body).await.expect(204);
    }
    world.user("user_eve").await.expect(200);
    world.serving.anonymous.get(PATH).await.refused(405, "method_not_allowed");
    let log = world.serving.log();
    assert!(log.contains("news of a user") && !log.contains("jane@example.com"), "{log}");
    assert!(!log.contains("Smith") && !log.contains(&BASE64_STANDARD.encode(KEY)), "{log}");
}

/// Whoever has no secret says so only with the last byte, and that may never come: they have neither the
/// server's places nor the webhook's.
#[tokio::test]
async fn strangers_do_not_take_every_place() {
    let world = World::new().await;
    let now = unix_now();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\nsvix-id: x\r\nsvix-timestamp: {now}\r\nsvix-signature: v1,x\r\n\
         content-length: 2\r\n\r\n{{"
    );
    let address = world.serving.port.address();
    let mut unfinished = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(address).await.expect("the server listens");
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        unfinished.push(stream);
    }
    world.send("msg_1", &deleted("user_eve", now * 1_000)).await.expect(204);
    // The first of them, long before its time is over.
    let mut answer = [0; 12];
    unfinished[0].read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 503");
}

/// Without its secret there is no such address.
#[tokio::test]
async fn without_a_secret_there_is_no_webhook() {
    let issuer = Issuer::start(Answers::HangsUp).await;
    let serving = Serving::start(&[("BOOKING_ISSUER", issuer.url.as_str())]).await;
    serving.anonymous.post(PATH, &json!({})).await.refused(404, "not_found");
}
