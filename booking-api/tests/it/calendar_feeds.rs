//! Calendar feeds over HTTP: what a calendar app is shown by an address alone, and what it is not.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::server::{DataDir, MONDAY_14, Server, on_every_store, session};

const FEEDS: &str = "/booking/calendar/feeds";

/// Distinctive, so that finding one means that it was told.
const TITLE: &str = "Title-Xylophone";
const PRIVATE: [&str; 8] = [
    "Description-Quagmire",
    "SessionNotes-Obelisk",
    "Notes-Zeppelin",
    "John",
    "Jane",
    "example.com",
    "client_123",
    "therapist_456",
];
const URL: &str = "https://meet.invalid/room-tarantula";

/// Makes a feed, and returns its address without the `/api` that callers add.
async fn make(owner: &Caller, body: Value) -> String {
    let made = owner.post(FEEDS, &body).await.expect(201);
    made.str("path").strip_prefix("/api").expect("where the API is").to_owned()
}

async fn read(server: &Server, path: &str) -> Answer {
    let answer = server.anonymous().get(path).await.expect(200);
    assert_eq!(answer.header("content-type"), "text/calendar; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    answer
}

/// The values of a property, in the order of the calendar.
fn values<'a>(calendar: &'a Answer, property: &str) -> Vec<&'a str> {
    let lines = calendar.text.lines();
    lines.filter_map(|line| line.strip_prefix(property)?.strip_prefix(':')).collect()
}

/// A session with everything that somebody could say about it.
async fn booked(server: &Server) -> String {
    server.open_mondays().await;
    let mut body = session(MONDAY_14, 60);
    body["title"] = json!(TITLE);
    body["description"] = json!(PRIVATE[0]);
    let id = server.client().book(&body).await.expect(201).id();
    let private = json!({"sessionNotes": PRIVATE[1], "meetingUrl": URL});
    server.therapist().update(&id, &private).await.expect(200);
    id
}

#[tokio::test]
async fn an_app_reads_what_its_owner_wants_it_to() {
    on_every_store(async |server| {
        let id = booked(server).await;
        for owner in [server.client(), server.therapist()] {
            let times = make(&owner, json!({})).await;
            let titles = make(&owner, json!({"shows": "titles", "name": "At work, daily"})).await;
            for (path, summary, url, name) in [
                (times, "Session", &[][..], "Sessions"),
                (titles, TITLE, &[URL][..], "At work\\, daily"),
            ] {
                let calendar = read(server, &path).await;
                assert_eq!(values(&calendar, "NAME"), [name]);
                assert_eq!(values(&calendar, "UID"), [format!("{id}@booking")]);
                assert_eq!(values(&calendar, "DTSTART"), ["20240115T140000Z"]);
                assert_eq!(values(&calendar, "SUMMARY"), [summary]);
                assert_eq!(values(&calendar, "URL"), url);
                for private in PRIVATE {
                    assert!(!calendar.text.contains(private), "{private}: {}", calendar.text);
                }
                assert_eq!(calendar.text.contains("tarantula"), !url.is_empty());
            }
        }
    })
    .await;
}

/// A session that moves grows its sequence and keeps its id; a cancelled one says so.
#[tokio::test]
async fn apps_can_follow_what_happens() {
    let server = Server::memory().await;
    let path = make(&server.client(), json!({})).await;
    let empty = read(&server, &path).await;
    assert_eq!(values(&empty, "UID"), [""; 0]);
    assert_eq!(values(&empty, "BEGIN"), ["VCALENDAR", "VTIMEZONE", "STANDARD"]);
    let id = booked(&server).await;
    let mut sequences = BTreeSet::new();
    let mut look = async |start: &str, status: &str| {
        let calendar = read(&server, &path).await;
        assert_eq!(values(&calendar, "UID"), [format!("{id}@booking")]);
        assert_eq!(values(&calendar, "DTSTART"), [start]);
        assert_eq!(values(&calendar, "STATUS"), [status]);
        let [sequence] = values(&calendar, "SEQUENCE")[..] else { panic!("one") };
        let sequence: u32 = sequence.parse().unwrap();
        assert!(sequences.last().is_none_or(|last| *last < sequence));
        sequences.insert(sequence);
    };
    look("20240115T140000Z", "CONFIRMED").await;
    let moved = json!({"startTime": "2024-01-15T15:00:00Z"});
    server.client().update(&id, &moved).await.expect(200);
    look("20240115T150000Z", "CONFIRMED").await;
    server.therapist().update(&id, &json!({"status": "CONFIRMED"})).await.expect(200);
    look("20240115T150000Z", "CONFIRMED").await;
    server.client().cancel(&id).await.expect(200);
    look("20240115T150000Z", "CANCELLED").await;
}

#[tokio::test]
async fn a_calendar_that_is_known_is_not_sent_again() {
    on_every_store(async |server| {
        let path = make(&server.client(), json!({})).await;
        let before = read(server, &path).await;
        let tag = before.header("etag").to_owned();
        assert!(tag.len() > 10 && tag.starts_with('"'), "{tag}");
        let knows = server.anonymous().with("if-none-match", tag.clone());
        let same = knows.get(&path).await.expect(304);
        assert_eq!((same.text.as_str(), same.header("etag")), ("", &*tag));
        assert_eq!(same.header("cache-control"), "private, no-cache");
        let head = server.anonymous().send(Method::HEAD, &path, None).await.expect(200);
        assert_eq!((head.text.as_str(), head.header("etag")), ("", &*tag));
        assert_eq!(head.header("content-type"), "text/calendar; charset=utf-8");
        booked(server).await;
        let changed = knows.get(&path).await.expect(200);
        assert_ne!(changed.header("etag"), tag);
        // Another feed of the same person is another text.
        let titles = make(&server.client(), json!({"shows": "titles"})).await;
        let other = server.anonymous().with("if-none-match", changed.header("etag"));
        other.get(&titles).await.expect(200);
    })
    .await;
}

/// From the answer on, in every process; and nothing tells a revoked feed from one that never was.
#[tokio::test]
async fn a_revoked_feed_is_gone_at_once() {
    on_every_store(async |server| {
        let made = server.client().post(FEEDS, &json!({})).await.expect(201);
        let path = made.str("path").strip_prefix("/api").unwrap().to_owned();
        let of_feed = format!("{FEEDS}/{}", made.id());
        read(server, &path).await;
        server.other_client().delete(&of_feed).await.refused(404, "feed_not_found");
        server.therapist().delete(&of_feed).await.refused(404, "feed_not_found");
        read(server, &path).await;
        server.client().delete(&of_feed).await.expect(204);
        let gone = server.anonymous().get(&path).await.refused(404, "feed_not_found");
        let never = path.replace("feed_0", "feed_1");
        let never = server.anonymous().get(&never).await.refused(404, "feed_not_found");
        assert_eq!(gone.text, never.text);
        assert_eq!(gone.header("cache-control"), "no-store");
        server.client().delete(&of_feed).await.refused(404, "feed_not_found");
        assert_eq!(server.client().get(FEEDS).await.expect(200).items(), [Value::Null; 0]);
    })
    .await;
}

#[tokio::test]
async fn nothing_but_the_key_opens_a_feed() {
    let server = Server::memory().await;
    let path = make(&server.client(), json!({})).await;
    let (folder, file) = path.rsplit_once('/').unwrap();
    let (id, secret) = file.trim_end_matches(".ics").split_once('-').unwrap();
    assert_eq!(secret.len(), 48, "192 bits");
    let other = if secret.starts_with('0') { "1" } else { "0" };
    let wrong = [
        format!("{id}.ics"),
        format!("{id}-.ics"),
        format!("{id}-{}.ics", "0".repeat(48)),
        format!("{id}-{other}{}.ics", &secret[1..]),
        format!("{id}-{}.ics", &secret[..47]),
        format!("{id}-{secret}"),
        format!("{id}-{secret}.ICS"),
        format!("{id}-{secret}.ics.ics"),
        format!("{id}-{}.ics", secret.to_uppercase() + "g"),
        format!("{id}-{secret}.json"),
        "feed.ics".to_owned(),
        ".ics".to_owned(),
        "%00.ics".to_owned(),
        "-".repeat(4_000),
    ];
    for wrong in wrong {
        let answer = server.anonymous().get(&format!("{folder}/{wrong}")).await;
        answer.refused(404, "feed_not_found");
    }
    // Nor is a token looked at, good or bad.
    server.other_client().get(&path).await.expect(200);
    server.anonymous().with_token("nonsense").get(&path).await.expect(200);
    // No page may read it in somebody's browser, and nothing is written there.
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        server.anonymous().send(method, &path, None).await.refused(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn feeds_are_listed_to_their_owner_without_their_addresses() {
    on_every_store(async |server| {
        let body = json!({"shows": "titles", "name": "Phone"});
        let made = server.client().post(FEEDS, &body).await.expect(201);
        assert_eq!(made.header("cache-control"), "no-store");
        make(&server.client(), json!({})).await;
        make(&server.therapist(), json!({"shows": "availability", "name": null})).await;
        let listed = server.client().get(FEEDS).await.expect(200);
        assert_eq!(listed.column("shows"), ["titles", "times"]);
        assert_eq!(listed.items()[0]["name"], "Phone");
        assert_eq!(listed.items()[0]["id"], made.body["id"]);
        let fields: Vec<_> = listed.items()[0].as_object().unwrap().keys().collect();
        assert_eq!(fields.len(), 4, "{fields:?}");
        let secret = made.str("path").rsplit_once('-').unwrap().1.trim_end_matches(".ics");
        assert!(!listed.text.contains(secret));
        let theirs = server.therapist().get(FEEDS).await.expect(200);
        assert_eq!(theirs.column("shows"), ["availability"]);
        assert_eq!(server.other_client().get(FEEDS).await.expect(200).items().len(), 0);
        server.admin().get(FEEDS).await.refused(403, "role_required");
    })
    .await;
}

#[tokio::test]
async fn feeds_are_bounded_and_checked() {
    let server = Server::memory().await;
    let client = server.client();
    for (wrong, pointer) in [
        (json!({"shows": "everything"}), "/shows"),
        (json!({"shows": null}), "/shows"),
        (json!({"shows": "availability"}), "/shows"),
        (json!({"name": "x".repeat(101)}), "/name"),
        (json!({"name": "bell\u{7}"}), "/name"),
    ] {
        let refused = client.post(FEEDS, &wrong).await.refused(400, "invalid_request");
        assert_eq!(refused.pointers(), [pointer]);
    }
    let stranger = server.caller("client", "stranger");
    stranger.post(FEEDS, &json!({})).await.refused(404, "user_not_found");
    for _ in 0..10 {
        make(&client, json!({})).await;
    }
    client.post(FEEDS, &json!({})).await.refused(400, "feed_limit");
    make(&server.other_client(), json!({})).await;
    let first = client.get(FEEDS).await.expect(200).column("id")[0].to_owned();
    client.delete(&format!("{FEEDS}/{first}")).await.expect(204);
    make(&client, json!({})).await;
}

/// By address, as all other requests: there is no user to count for.
#[tokio::test]
async fn readers_are_counted() {
    let flags = ["--database-url", "memory:", "--rate-per-address", "3"];
    let server = Server::start_with(&DataDir::new(), &flags).await;
    let path = make(&server.client(), json!({})).await;
    read(&server, &path).await;
    server.anonymous().get("/booking/calendar/wrong.ics").await.refused(404, "feed_not_found");
    server.anonymous().get(&path).await.refused(429, "rate_limited");
}

/// Weekly windows on the therapist's clocks, and no notes.
#[tokio::test]
async fn a_therapist_shows_when_they_are_available() {
    on_every_store(async |server| {
        let user = json!({
            "role": "therapist", "firstName": "Jane", "lastName": "Smith",
            "email": "jane@example.com", "timeZone": "America/New_York",
        });
        server.admin().put("/booking/directory/users/therapist_456", &user).await.expect(200);
        let window = json!({
            "dayOfWeek": 0, "startTime": "01:00", "endTime": "04:00", "notes": PRIVATE[2],
        });
        let slot = server.therapist().post("/booking/availability", &window).await.expect(201).id();
        let path = make(&server.therapist(), json!({"shows": "availability"})).await;
        let calendar = read(server, &path).await;
        let uids = values(&calendar, "UID");
        assert!(uids[0].starts_with("feed_") && uids[1] == format!("{slot}@booking"), "{uids:?}");
        let start = values(&calendar, "DTSTART;TZID=America/New_York");
        assert_eq!(start, ["20240107T010000"]);
        assert_eq!(values(&calendar, "RRULE"), ["FREQ=WEEKLY;BYDAY=SU"]);
        let but = values(&calendar, "EXDATE;TZID=America/New_York");
        assert_eq!(but[..2], ["20240310T010000", "20241103T010000"]);
        // 01:00 to 04:00 on the day that has no 02:00 are two hours.
        let short = "DTSTART:20240310T060000Z\r\nDTEND:20240310T080000Z\r\n";
        assert!(calendar.text.contains(short), "{}", calendar.text);
        for private in PRIVATE {
            assert!(!calendar.text.contains(private), "{private}: {}", calendar.text);
        }
        // It was a therapist's, and there is none any more.
        let client = json!({
            "role": "client", "firstName": "Jane", "lastName": "Smith", "email": "j@example.com",
        });
        server.admin().put("/booking/directory/users/therapist_456", &client).await.expect(200);
        server.anonymous().get(&path).await.refused(404, "feed_not_found");
    })
    .await;
}

/// The log, the metrics and the audit log know that there is a feed, and nothing that opens it.
#[tokio::test]
async fn addresses_are_written_down_nowhere() {
    on_every_store(async |server| {
        let body = json!({"shows": "titles", "name": "Name-Marzipan"});
        let made = server.client().post(FEEDS, &body).await.expect(201);
        let path = made.str("path").strip_prefix("/api").unwrap().to_owned();
        let secret = path.rsplit_once('-').unwrap().1.trim_end_matches(".ics");
        read(server, &path).await;
        let named = server.anonymous().with("x-request-id", "line-1");
        named.get(&path).await.expect(200);
        named.get(&format!("{path}x")).await.refused(404, "feed_not_found");
        named.send(Method::POST, &path, None).await.refused(405, "method_not_allowed");
        server.client().delete(&format!("{FEEDS}/{}", made.id())).await.expect(204);
        named.get(&path).await.refused(404, "feed_not_found");

        let log = server.log();
        let line = log.lines().find(|line| line.contains("line-1")).expect("it is logged");
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["route"], "/api/booking/calendar/{file}");
        let metrics = server.anonymous().get("/metrics").await.expect(200).text;
        assert!(metrics.contains("/api/booking/calendar/{file}"), "{metrics}");
        let audit = server.admin().get("/booking/audit?limit=1000").await.expect(200);
        let entries =
            audit.items().iter().filter(|entry| entry["subject"]["id"] == made.body["id"]);
        let entries: Vec<&Value> = entries.collect();
        let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str()).collect();
        assert_eq!(actions, [Some("feed.revoked"), Some("feed.created")]);
        let change = |field, value| json!({"field": field, "before": null, "after": value});
        let changes = json!([change("ownerId", "client_123"), change("shows", "titles")]);
        assert_eq!(entries[1]["changes"], changes);
        assert_eq!(entries[1]["withheld"], json!(["name"]));
        for place in [&log, &metrics, &audit.text] {
            for private in [secret, "Marzipan"] {
                assert!(!place.contains(private), "{private}: {place}");
            }
        }
    })
    .await;
}
