//! `ETag` and `If-None-Match` of `GET /booking/slots`: who has the list already is not sent it again.

use serde_json::json;

use crate::caller::{Answer, Caller};
use crate::server::{MONDAY_14, Server, on_every_store, open, session};

const DAY: &str = "/booking/slots?therapistId=therapist_456&date=2024-01-15";

/// A list, or that it is still the same, as every answer to this question has it.
async fn ask(caller: &Caller, status: u16) -> Answer {
    let answer = caller.get(DAY).await.expect(status);
    let etag = answer.header("etag");
    assert!(etag.len() > 10 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    // The caller's own browser may keep it, and has to ask each time.
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert_eq!(answer.header("vary"), "authorization");
    if status == 304 {
        assert_eq!((answer.text.as_str(), answer.header("content-type")), ("", ""));
    }
    answer
}

#[tokio::test]
async fn a_list_has_another_tag_once_it_is_another_list() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let before = ask(&server.client(), 200).await;
        let tag = before.header("etag").to_owned();
        assert_eq!(ask(&server.client(), 200).await.header("etag"), tag);
        // The same list for whoever else sees the same.
        assert_eq!(ask(&server.therapist(), 200).await.header("etag"), tag);
        let knows = server.client().with("if-none-match", tag.clone());
        assert_eq!(ask(&knows, 304).await.header("etag"), tag);

        let id = server.booked(MONDAY_14, 60).await.id();
        let booked = ask(&knows, 200).await;
        assert_ne!(booked.header("etag"), tag);
        assert_ne!(booked.text, before.text);
        server.client().cancel(&id).await.expect(200);
        assert_eq!(ask(&knows, 304).await.header("etag"), tag);
    })
    .await;
}

#[tokio::test]
async fn if_none_match_names_lists_or_any() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let tag = ask(&server.client(), 200).await.header("etag").to_owned();
    for (if_none_match, status) in [
        ("*", 304),
        (" * ", 304),
        (&*tag, 304),
        // If-None-Match compares weakly (RFC 9110, section 13.1.2): some proxies weaken what they pass on.
        (&format!("W/{tag}"), 304),
        (&format!("\"1\", {tag}"), 304),
        (&format!("\"a,b\" ,, W/{tag},\"c\""), 304),
        ("\"1\"", 200),
        ("\"1\", W/\"2\"", 200),
        ("\"\"", 200),
        (&tag.replacen('"', "\"x", 1), 200),
        (&tag.to_lowercase(), 200),
        (&tag.to_uppercase(), 200),
    ] {
        ask(&server.client().with("if-none-match", if_none_match), status).await;
    }
    let lines = server.client().with("if-none-match", "\"1\"").with("if-none-match", tag.clone());
    ask(&lines, 304).await;
    for malformed in [tag.trim_matches('"'), "\"1", "1\"", "w/\"1\"", "*, \"1\"", "\"1\" \"2\""] {
        let answer = server.client().with("if-none-match", malformed).get(DAY).await;
        assert_eq!(answer.refused(400, "invalid_request").pointers(), ["/If-None-Match"]);
    }
}

/// Who may not have the list is not told that it is still the same.
#[tokio::test]
async fn refusals_come_first_and_are_not_kept() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let any = |caller: Caller| caller.with("if-none-match", "*");
    let answer = any(server.anonymous()).get(DAY).await.refused(401, "unauthenticated");
    assert_eq!(answer.header("cache-control"), "no-store");
    let nobody = DAY.replace("therapist_456", "nobody");
    let answer = any(server.client()).get(&nobody).await.refused(404, "therapist_not_found");
    assert_eq!(answer.header("cache-control"), "no-store");
    // Other answers stay what they were: appointments.
    server.booked(MONDAY_14, 60).await;
    let mine = any(server.client()).get("/booking/meetings").await.expect(200);
    assert_eq!((mine.header("cache-control"), mine.header("etag")), ("no-store", ""));
}

/// What is taken out for one client is not taken out for another: their tags differ.
#[tokio::test]
async fn one_clients_tag_is_not_anothers() {
    let server = Server::memory().await;
    for therapist in [server.therapist(), server.other_therapist()] {
        open(&therapist, 1, "13:00", "16:00").await;
    }
    server.relate("client_123", "therapist_457").await;
    let mut elsewhere = session(MONDAY_14, 60);
    elsewhere["therapistId"] = json!("therapist_457");
    server.client().book(&elsewhere).await.expect(201);
    let tag = ask(&server.client(), 200).await.header("etag").to_owned();
    ask(&server.other_client().with("if-none-match", tag.clone()), 200).await;
    ask(&server.client().with("if-none-match", tag), 304).await;
}
