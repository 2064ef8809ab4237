//! The built-in directory, as an admin keeps it.

use serde_json::{Value, json};

use crate::server::{DataDir, MONDAY_14, Server, Store, on_every_store, open, session};

const NEW_USER: &str = "/booking/directory/users/therapist_9";

fn user() -> Value {
    json!({
        "role": "therapist", "firstName": "Zoë", "lastName": "O'Neil",
        "email": "zoe@example.com", "timeZone": "America/New_York",
    })
}

#[tokio::test]
async fn a_user_is_kept_as_put() {
    on_every_store(async |server| {
        server.admin().get(NEW_USER).await.refused(404, "user_not_found");
        let kept = r#"{
            "id": "therapist_9", "role": "therapist", "firstName": "Zoë", "lastName": "O'Neil",
            "email": "zoe@example.com", "timeZone": "America/New_York"
        }"#;
        server.admin().put(NEW_USER, &user()).await.expect(200).check_text(kept);
        server.admin().get(NEW_USER).await.expect(200).check_text(kept);
        // PUT replaces: what is left out is gone.
        let mut without_zone = user();
        without_zone.as_object_mut().unwrap().remove("timeZone");
        let kept = kept.replace(r#""America/New_York""#, "null");
        server.admin().put(NEW_USER, &without_zone).await.expect(200).check_text(&kept);
        server.admin().get(NEW_USER).await.expect(200).check_text(&kept);
    })
    .await;
}

#[tokio::test]
async fn values_of_a_user_are_checked() {
    let server = Server::memory().await;
    let long = "x".repeat(201);
    let table: [(&str, &[Value]); 5] = [
        ("role", &[json!("Client"), json!("doctor"), json!(""), json!(1), json!(null)]),
        ("firstName", &[json!(1), json!(null), json!(long), json!("a\0b")]),
        ("lastName", &[json!(1), json!(null), json!(long)]),
        ("email", &[json!("nobody"), json!("@"), json!("a@"), json!("a b@c.d"), json!(null)]),
        ("timeZone", &[json!("Mars/Olympus"), json!("new york"), json!(""), json!(5)]),
    ];
    for (field, values) in table {
        for value in values {
            let mut body = user();
            body[field] = value.clone();
            let answer = server.admin().put(NEW_USER, &body).await;
            let answer = answer.refused(400, "invalid_request");
            assert_eq!(answer.pointers(), [format!("/{field}")], "{value}");
        }
    }
    let answer = server.admin().put(NEW_USER, &json!({})).await.refused(400, "invalid_request");
    assert_eq!(answer.pointers(), ["/role", "/firstName", "/lastName", "/email"]);
    for id in ["x".repeat(129), "two%20words".to_owned(), "z%C3%B6e".to_owned()] {
        let path = format!("/booking/directory/users/{id}");
        let answer = server.admin().put(&path, &user()).await.refused(400, "invalid_request");
        assert_eq!(answer.pointers(), ["/id"]);
        server.admin().get(&path).await.refused(404, "user_not_found");
    }
    let odd = "/booking/directory/users/auth0%7C5f7c%2Fx:y@z";
    let kept = server.admin().put(odd, &user()).await.expect(200);
    assert_eq!(kept.id(), "auth0|5f7c/x:y@z", "ids of identity providers are opaque");
    server.admin().get(odd).await.expect(200);
}

#[tokio::test]
async fn a_relationship_is_made_and_ended_as_often_as_one_likes() {
    on_every_store(async |server| {
        server.open_mondays().await;
        server.add_user("client", "client_9", None).await;
        let client = server.caller("client", "client_9");
        let path = "/booking/directory/relationships/client_9/therapist_456";
        client.book(&session(MONDAY_14, 60)).await.refused(403, "no_relationship");
        for _ in 0..2 {
            let done = server.admin().put(path, &json!({})).await.expect(204);
            assert_eq!(done.text, "");
        }
        client.book(&session(MONDAY_14, 60)).await.expect(201);
        for _ in 0..2 {
            let done = server.admin().delete(path).await.expect(204);
            assert_eq!(done.text, "");
        }
        let again = session("2024-01-15T09:00:00Z", 60);
        client.book(&again).await.refused(403, "no_relationship");
    })
    .await;
}

#[tokio::test]
async fn relationships_are_between_known_users_and_therapists() {
    let server = Server::memory().await;
    let put = |client: &str, therapist: &str| {
        let path = format!("/booking/directory/relationships/{client}/{therapist}");
        let admin = server.admin();
        async move { admin.send(reqwest::Method::PUT, &path, None).await }
    };
    put("client_9", "therapist_456").await.refused(404, "user_not_found");
    put("client_123", "therapist_9").await.refused(404, "user_not_found");
    let answer = put("client_123", "client_124").await.refused(400, "invalid_request");
    assert_eq!(answer.pointers(), ["/therapistId"]);
    put("client_123", "therapist_457").await.expect(204);
}

#[tokio::test]
async fn a_meeting_outlives_the_relationship_but_does_not_move_any_more() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let id = server.booked(MONDAY_14, 60).await.id();
        let related = "/booking/directory/relationships/client_123/therapist_456";
        server.admin().delete(related).await.expect(204);
        server.client().get(&format!("/booking/meetings/{id}")).await.expect(200);
        let moved = json!({"startTime": "2024-01-15T09:00:00Z"});
        server.client().update(&id, &moved).await.refused(403, "no_relationship");
        server.client().update(&id, &json!({"title": "Last one"})).await.expect(200);
        server.client().cancel(&id).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn meetings_show_people_as_the_directory_knows_them_now() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let id = server.booked(MONDAY_14, 60).await.id();
        let renamed = json!({
            "role": "client", "firstName": "Joanna", "lastName": "Doe-Ray",
            "email": "joanna@example.com",
        });
        let path = "/booking/directory/users/client_123";
        server.admin().put(path, &renamed).await.expect(200);
        let seen = server.therapist().get(&format!("/booking/meetings/{id}")).await.expect(200);
        let user =
            json!({"firstName": "Joanna", "lastName": "Doe-Ray", "email": "joanna@example.com"});
        assert_eq!(seen.body["client"], json!({"user": user}));
        assert_eq!(seen.header("etag"), "\"1\"", "the meeting has not changed");
    })
    .await;
}

#[tokio::test]
async fn somebody_who_is_no_therapist_any_more_cannot_be_booked() {
    let server = Server::memory().await;
    server.open_mondays().await;
    server.add_user("client", "therapist_456", None).await;
    server.client().book(&session(MONDAY_14, 60)).await.refused(404, "therapist_not_found");
}

#[tokio::test]
async fn a_therapist_may_be_the_client_of_another() {
    on_every_store(async |server| {
        open(&server.other_therapist(), 1, "09:00", "17:00").await;
        server.open_mondays().await;
        server.relate("therapist_456", "therapist_457").await;
        let body = json!({
            "therapistId": "therapist_457", "clientId": "therapist_456", "startTime": MONDAY_14,
            "duration": 60,
        });
        let id = server.other_therapist().book(&body).await.expect(201).id();
        // A person is in one place at a time, whatever they are there.
        server.client().book(&session(MONDAY_14, 60)).await.refused(400, "slot_conflict");
        let notes = json!({"sessionNotes": "Private"});
        server.other_therapist().update(&id, &notes).await.expect(200);
        let seen = server.therapist().get(&format!("/booking/meetings/{id}")).await.expect(200);
        assert!(seen.body.get("sessionNotes").is_none(), "{}", seen.text);
        server.therapist().update(&id, &notes).await.refused(403, "forbidden");
    })
    .await;
}

#[tokio::test]
async fn a_restart_keeps_the_directory_as_the_admin_left_it() {
    let data = DataDir::new();
    let mut server = Server::start_in(&data, Store::Sqlite).await;
    server.admin().put(NEW_USER, &user()).await.expect(200);
    server.add_user("client", "client_123", None).await;
    let demo = "/booking/directory/users/client_123";
    let before = server.admin().get(demo).await.expect(200);
    server.kill();
    let server = Server::start_in(&data, Store::Sqlite).await;
    server.admin().get(NEW_USER).await.expect(200);
    server.admin().get(demo).await.expect(200).check_same(&before);
}

#[tokio::test]
async fn nobody_is_their_own_client() {
    let server = Server::memory().await;
    let path = "/booking/directory/relationships/therapist_456/therapist_456";
    let answer = server.admin().put(path, &json!({})).await.refused(400, "invalid_request");
    assert_eq!(answer.pointers(), ["/therapistId"]);
}
