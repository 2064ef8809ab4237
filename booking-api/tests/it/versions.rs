//! `ETag` and `If-Match`: nobody overwrites what they have not seen.

use serde_json::json;

use crate::races::{check_one_winner, race};
use crate::server::{MONDAY_14, Server, on_every_store};

#[tokio::test]
async fn every_change_and_nothing_else_makes_a_new_version() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let made = server.booked(MONDAY_14, 60).await;
        assert_eq!(made.header("etag"), "\"1\"");
        let path = format!("/booking/meetings/{}", made.id());
        for (body, etag) in [
            (json!({"title": "Second"}), "\"2\""),
            (json!({"title": "Second"}), "\"2\""),
            (json!({}), "\"2\""),
            (json!({"status": "SCHEDULED"}), "\"2\""),
            (json!({"status": "CONFIRMED"}), "\"3\""),
            (json!({"startTime": "2024-01-15T14:00:00+00:00", "duration": 60}), "\"3\""),
            (json!({"duration": 90}), "\"4\""),
        ] {
            let answer = server.client().put(&path, &body).await.expect(200);
            assert_eq!(answer.header("etag"), etag, "{body}");
            let read = server.therapist().get(&path).await.expect(200);
            assert_eq!((read.header("etag"), &read.text), (etag, &answer.text), "{body}");
        }
    })
    .await;
}

#[tokio::test]
async fn if_match_names_versions_or_any() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let id = server.booked(MONDAY_14, 60).await.id();
    let path = format!("/booking/meetings/{id}");
    server.client().put(&path, &json!({"title": "Second"})).await.expect(200);
    let (ok, stale, malformed) = ((200, ""), (412, "version_mismatch"), (400, "invalid_request"));
    for (if_match, expected) in [
        ("*", ok),
        ("\"2\"", ok),
        ("\"1\", \"2\"", ok),
        ("\"1\",\"2\",\"3\"", ok),
        ("  \"2\"  ", ok),
        ("\"1\"", stale),
        ("\"3\"", stale),
        ("\"1\", \"3\"", stale),
        // If-Match compares strongly (RFC 9110, section 13.1.1).
        ("W/\"2\"", stale),
        ("W/\"1\", \"2\"", ok),
        ("\"\"", stale),
        ("\"xyz\"", stale),
        ("\"99999999999999999999999\"", stale),
        ("2", malformed),
        ("\"2", malformed),
        ("2\"", malformed),
        ("w/\"2\"", malformed),
        ("W/2", malformed),
        ("*, \"2\"", malformed),
        ("\"1\" \"2\"", malformed),
        ("'2'", malformed),
    ] {
        let caller = server.client().with("if-match", if_match);
        let answer = caller.put(&path, &json!({})).await;
        assert_eq!(answer.outcome(), expected, "{if_match}: {}", answer.text);
        if expected == malformed {
            assert_eq!(answer.pointers(), ["/If-Match"], "{if_match}");
        }
    }
}

/// RFC 9110, section 8.8.3: any visible character but the quote, and compared to the letter.
#[tokio::test]
async fn entity_tags_are_opaque() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let id = server.booked(MONDAY_14, 60).await.id();
    for if_match in ["\"01\"", "\"+1\"", "\" 1\"", "\"1 \"", "\"a,b\"", "\"7,8\", \"9\""] {
        let caller = server.client().with("if-match", if_match);
        let answer = caller.update(&id, &json!({})).await;
        assert_eq!(answer.outcome(), (412, "version_mismatch"), "{if_match}: {}", answer.text);
    }
}

#[tokio::test]
async fn cancelling_honours_if_match() {
    let server = Server::memory().await;
    server.open_mondays().await;
    for method in ["DELETE", "POST"] {
        let id = server.booked(MONDAY_14, 60).await.id();
        let path = format!("/booking/meetings/{id}/cancel");
        server.client().update(&id, &json!({"title": "Second"})).await.expect(200);
        for (if_match, expected) in
            [("2", 400), ("\"1\"", 412), ("W/\"2\"", 412), ("\"2\"", 200), ("\"2\"", 412)]
        {
            let caller = server.therapist().with("if-match", if_match);
            let answer = caller.send(method.parse().unwrap(), &path, None).await;
            assert_eq!(answer.status, expected, "{method} {if_match}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn an_update_is_not_lost_to_somebody_who_has_not_seen_it() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let id = server.booked(MONDAY_14, 60).await.id();
        let path = format!("/booking/meetings/{id}");
        let clients_view = server.client().get(&path).await.expect(200);
        let therapists_view = server.therapist().get(&path).await.expect(200);

        let therapist = server.therapist().with("if-match", therapists_view.header("etag"));
        therapist.put(&path, &json!({"description": "Bring the diary"})).await.expect(200);
        let client = server.client().with("if-match", clients_view.header("etag"));
        let answer = client.put(&path, &json!({"description": "Nothing special"})).await;
        answer.refused(412, "version_mismatch");

        let now = server.client().get(&path).await.expect(200);
        assert_eq!(now.body["description"], "Bring the diary");
        let client = server.client().with("if-match", now.header("etag"));
        client.put(&path, &json!({"description": "Diary and pen"})).await.expect(200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_who_saw_the_same_version_changes_it() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let id = server.booked(MONDAY_14, 60).await.id();
        let answers = race((0..16).map(|n| {
            let caller = if n % 2 == 0 { server.client() } else { server.therapist() };
            let (caller, id) = (caller.with("if-match", "\"1\""), id.clone());
            async move { caller.update(&id, &json!({"title": format!("Title {n}")})).await }
        }))
        .await;
        check_one_winner(&answers, 200, (412, "version_mismatch"));
    })
    .await;
}
