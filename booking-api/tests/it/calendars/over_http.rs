//! Calendars that therapists link over HTTP: what they keep from being booked, and what is told of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::PATIENCE;
use super::answers::{Answers, whole};
use crate::caller::{Answer, Caller};
use crate::server::{DataDir, Server, on_every_store, open, session};

const CALENDARS: &str = "/booking/calendars";

/// Distinctive, so that finding one means that it was told.
const PATH: &str = "/jane/key-tarantula.ics?token=quagmire";
const PASSWORD: &str = "obelisk-zeppelin";
const SECRETS: [&str; 4] = ["tarantula", "quagmire", "obelisk", "jane.doe"];

/// Every Monday from the 23rd of September on, four times.
const MONDAYS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n\
    DTSTART;VALUE=DATE:20240923\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// One hour on the first of them.
const AN_HOUR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:2\r\n\
    DTSTART:20240923T140000Z\r\nDTEND:20240923T150000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

const DATES: [&str; 6] =
    ["2024-09-16", "2024-09-23", "2024-09-30", "2024-10-07", "2024-10-14", "2024-10-21"];

/// A server of calendars, and what it answers with now: a status and a body.
async fn calendars() -> (Answers, Arc<Mutex<(String, String)>>) {
    let says = Arc::new(Mutex::new(("200 OK".to_owned(), MONDAYS.to_owned())));
    let said = says.clone();
    let script = move |_: &str| {
        let (status, body) = said.lock().expect("no panic").clone();
        whole(&status, "", &body)
    };
    (Answers::start("127.0.0.1", Box::new(script)).await, says)
}

fn say(says: &Mutex<(String, String)>, status: &str, body: &str) {
    *says.lock().expect("no panic") = (status.to_owned(), body.to_owned());
}

fn linked(server: &Answers) -> Value {
    json!({
        "kind": "ics", "url": server.url(PATH), "username": "jane.doe", "password": PASSWORD,
        "label": "Home", "timeZone": "America/New_York",
    })
}

pub(super) async fn until(owner: &Caller, id: &str, is_so: impl Fn(&Answer) -> bool) -> Answer {
    let since = Instant::now();
    loop {
        let answer = owner.get(&format!("{CALENDARS}/{id}")).await.expect(200);
        if is_so(&answer) {
            return answer;
        }
        assert!(since.elapsed() < PATIENCE, "{}", answer.text);
        sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// The starts that can be booked on each of the dates.
async fn free(server: &Server) -> Vec<usize> {
    let mut free = Vec::new();
    for date in DATES {
        let path = format!("/booking/slots?therapistId=therapist_456&date={date}");
        free.push(server.client().get(&path).await.expect(200).items().len());
    }
    free
}

/// The clock is moved on, so that it was not a moment ago that somebody looked.
async fn look_again(server: &Server, id: &str, now: &str) {
    server.set_clock(now).await;
    let path = format!("{CALENDARS}/{id}/refresh");
    server.therapist().send(Method::POST, &path, None).await.expect(202);
}

fn assert_quiet(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn a_linked_calendar_keeps_its_times_from_being_booked() {
    on_every_store(async |server| {
        server.add_user("therapist", "therapist_456", Some("America/New_York")).await;
        open(&server.therapist(), 1, "09:00", "17:00").await;
        let all = free(server).await;
        assert!(all.iter().all(|starts| *starts == all[0] && *starts > 10), "{all:?}");

        let (calendars, says) = calendars().await;
        let owner = server.therapist();
        let made = owner.post(CALENDARS, &linked(&calendars)).await.expect(201);
        assert_quiet(&made.text);
        assert_eq!((made.str("host"), made.str("label")), ("127.0.0.1", "Home"));
        let id = made.id();
        let read = until(&owner, &id, |answer| answer.str("state") != "pending").await;
        assert_eq!(read.str("state"), "ok", "{}", read.text);
        let asked = calendars.take();
        assert!(asked.iter().any(|head| head.contains("authorization: basic ")), "{asked:?}");
        let four = [all[0], 0, 0, 0, 0, all[0]];
        assert_eq!(free(server).await, four);
        for (date, taken) in DATES.into_iter().zip(four.map(|starts| starts == 0)) {
            let booked = server.client().book(&session(&format!("{date}T15:00:00Z"), 60)).await;
            if taken {
                booked.refused(400, "slot_conflict");
            } else {
                server.client().cancel(&booked.expect(201).id()).await.expect(200);
            }
        }

        // While it cannot be read, the last copy counts.
        say(&says, "503 Service Unavailable", "");
        look_again(server, &id, "2024-01-01T12:05:00Z").await;
        let failing = until(&owner, &id, |answer| answer.str("state") == "failing").await;
        assert_eq!(failing.body["error"]["code"], "status");
        assert_eq!(failing.str("fetchedAt"), read.str("fetchedAt"));
        assert_ne!(failing.str("checkedAt"), read.str("checkedAt"));
        assert_quiet(&failing.text);
        assert_eq!(free(server).await, four);

        // Of one of which a part can be read, that part counts, and the owner is told of the rest.
        let odd = "BEGIN:VEVENT\r\nUID:odd \"1\"\r\nDTSTART:soon\r\nEND:VEVENT\r\nEND:VCALENDAR";
        say(&says, "200 OK", &AN_HOUR.replace("END:VCALENDAR", odd));
        look_again(server, &id, "2024-01-01T12:07:00Z").await;
        let partial = until(&owner, &id, |answer| answer.str("state") == "partial").await;
        let unreadable = json!({"count": 1, "first": [{"uid": "odd \"1\"", "part": "start"}]});
        assert_eq!(partial.body["unreadable"], unreadable);
        assert!(partial.body["error"].is_null(), "{}", partial.text);
        assert_eq!(owner.get(CALENDARS).await.expect(200).items()[0], partial.body);

        say(&says, "200 OK", AN_HOUR);
        look_again(server, &id, "2024-01-01T12:10:00Z").await;
        let whole = until(&owner, &id, |answer| answer.str("state") == "ok").await;
        assert!(whole.body["unreadable"].is_null(), "{}", whole.text);
        let an_hour = free(server).await;
        assert!((1..all[0]).contains(&an_hour[1]), "{an_hour:?}");
        assert_eq!([&an_hour[..1], &an_hour[2..]].concat(), all[1..]);

        let listed = owner.get(CALENDARS).await.expect(200);
        assert_quiet(&listed.text);
        assert_eq!(listed.column("id"), [&id]);
        owner.delete(&format!("{CALENDARS}/{id}")).await.expect(204);
        assert_eq!(free(server).await, all);
        owner.get(&format!("{CALENDARS}/{id}")).await.refused(404, "calendar_not_found");
        let audit = server.admin().get("/booking/audit?limit=50").await.expect(200);
        assert_quiet(&audit.text);
        assert!(audit.text.contains("calendar.linked") && audit.text.contains("calendar.unlinked"));
        assert_quiet(&server.log());
    })
    .await;
}

/// What was said once stays, but for what is said anew.
#[tokio::test]
async fn a_link_is_changed_without_its_address() {
    let server = Server::memory().await;
    let (calendars, _says) = calendars().await;
    let owner = server.therapist();
    let id = owner.post(CALENDARS, &linked(&calendars)).await.expect(201).id();
    until(&owner, &id, |answer| answer.str("state") == "ok").await;
    let path = format!("{CALENDARS}/{id}");
    calendars.take();
    server.set_clock("2024-01-01T12:05:00Z").await;
    let changed = owner.put(&path, &json!({"label": "Away"})).await.expect(200);
    assert_eq!(changed.str("label"), "Away");
    assert!(changed.body["timeZone"].is_null());
    let since = Instant::now();
    let asked = loop {
        let asked = calendars.take();
        if !asked.is_empty() {
            break asked;
        }
        assert!(since.elapsed() < PATIENCE, "it is read anew");
        sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(asked[0].contains("tarantula") && asked[0].contains("authorization"), "{asked:?}");

    // Another address has no password but its own.
    let elsewhere = json!({"url": calendars.url("/other.ics")});
    until(&owner, &id, |answer| answer.str("state") == "ok").await;
    calendars.take();
    server.set_clock("2024-01-01T12:10:00Z").await;
    owner.put(&path, &elsewhere).await.expect(200);
    let since = Instant::now();
    loop {
        let asked = calendars.take();
        if let Some(head) = asked.iter().find(|head| head.contains("/other.ics")) {
            assert!(!head.contains("authorization"), "{head}");
            break;
        }
        assert!(since.elapsed() < PATIENCE, "it is read there");
        sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_link_is_named() {
    let server = Server::memory().await;
    let owner = server.therapist();
    let good = json!({"kind": "caldav", "url": "https://calendar.example.com/jane/"});
    let with = |fields: Value| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    for (fields, pointer) in [
        (json!({"kind": "icloud"}), "/kind"),
        (json!({"url": "ftp://example.com/a"}), "/url"),
        (json!({"url": "https://jane:secret@example.com/a"}), "/url"),
        (json!({"url": "https://example.com/a#b"}), "/url"),
        (json!({"url": "http://8.8.8.8/a"}), "/url"),
        (json!({"url": "https://10.0.0.1/a"}), "/url"),
        (json!({"url": "https://169.254.169.254/latest"}), "/url"),
        (json!({"url": format!("https://example.com/{}", "a".repeat(2_000))}), "/url"),
        (json!({"username": "jane"}), "/password"),
        (json!({"password": "secret"}), "/username"),
        (json!({"username": "a:b", "password": "secret"}), "/username"),
        (json!({"label": "a".repeat(101)}), "/label"),
        (json!({"timeZone": "Mars/Olympus"}), "/timeZone"),
        (json!({"kind": "ics", "writeBack": true}), "/writeBack"),
    ] {
        let refused = owner.post(CALENDARS, &with(fields.clone())).await;
        let refused = refused.refused(400, "invalid_request");
        assert_eq!(refused.pointers(), [pointer], "{fields}");
        assert!(!refused.text.contains("secret@"), "{}", refused.text);
    }
    for _ in 0..10 {
        owner.post(CALENDARS, &good).await.expect(201);
    }
    owner.post(CALENDARS, &good).await.refused(400, "calendar_limit");
    let ids: BTreeSet<String> =
        owner.get(CALENDARS).await.expect(200).column("id").into_iter().map(Into::into).collect();
    assert_eq!(ids.len(), 10);
    let one = format!("{CALENDARS}/{}", ids.first().unwrap());
    let alone = json!({"username": "jane", "password": "secret"});
    assert_eq!(owner.put(&one, &alone).await.refused(400, "invalid_request").pointers(), ["/url"]);
    let other = server.other_therapist();
    for path in [one.as_str(), "/booking/calendars/calendar_1", "/booking/calendars/x"] {
        other.get(path).await.refused(404, "calendar_not_found");
        other.put(path, &json!({})).await.refused(404, "calendar_not_found");
        other.delete(path).await.refused(404, "calendar_not_found");
        let refresh = format!("{path}/refresh");
        other.send(Method::POST, &refresh, None).await.refused(404, "calendar_not_found");
    }
    server.client().get(CALENDARS).await.refused(401, "role_required");
}

/// What was sealed can be read and removed by its owner when the keys are gone, and says so.
#[tokio::test]
async fn without_its_key_a_link_says_so() {
    let data = DataDir::new();
    let (calendars, _says) = calendars().await;
    let path = data.path().join("booking.db");
    let url = format!("sqlite:{}", path.display());
    let id = {
        let mut server = Server::start_on(&data, &url).await;
        let owner = server.therapist();
        let id = owner.post(CALENDARS, &linked(&calendars)).await.expect(201).id();
        until(&owner, &id, |answer| answer.str("state") == "ok").await;
        server.kill();
        id
    };
    let files = std::fs::read_dir(data.path()).expect("the directory");
    for file in
        files.flatten().filter(|file| file.file_name().to_string_lossy().contains("booking.db"))
    {
        let bytes = std::fs::read(file.path()).expect("a file");
        assert_quiet(&String::from_utf8_lossy(&bytes));
    }
    let another = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let flags = ["--database-url", url.as_str(), "--calendar-key", another];
    let server = Server::start_with(&data, &flags).await;
    look_again(&server, &id, "2024-01-01T13:00:00Z").await;
    let failing = until(&server.therapist(), &id, |answer| answer.str("state") == "failing").await;
    assert_eq!(failing.body["error"]["code"], "sealed");
    let busy = session("2024-09-23T15:00:00Z", 60);
    open(&server.therapist(), 1, "09:00", "17:00").await;
    server.client().book(&busy).await.refused(400, "slot_conflict");
    server.therapist().delete(&format!("{CALENDARS}/{id}")).await.expect(204);
    server.client().book(&busy).await.expect(201);
}
