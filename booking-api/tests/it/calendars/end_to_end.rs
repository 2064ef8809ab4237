//! From a calendar app to a client's list of slots, and from a booking to the calendar app: the real
//! command, and a real CalDAV server.

use std::cell::Cell;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::radicale::Radicale;
use super::{PATIENCE, at};
use crate::caller::Answer;
use crate::commands::run;
use crate::server::{DataDir, MONDAY_14, NOW, Server, Store, on_every_store, session};

/// A linked calendar of `therapist_456`, who is there on Mondays.
struct Linked<'a> {
    server: &'a Server,
    path: String,
    /// A calendar is read again once a minute at most: time has to pass.
    now: Cell<DateTime<Utc>>,
}

impl<'a> Linked<'a> {
    async fn to(server: &'a Server, radicale: &Radicale, write_back: bool) -> Self {
        let body = radicale.link(write_back);
        let made = server.therapist().post("/booking/calendars", &body).await.expect(201);
        assert_eq!((made.str("host"), made.str("state")), ("127.0.0.1", "pending"));
        let path = format!("/booking/calendars/{}", made.id());
        let linked = Self { server, path, now: Cell::new(at(NOW)) };
        linked.until("ok").await;
        linked
    }

    async fn until(&self, state: &str) -> Answer {
        let is_so = async {
            loop {
                let answer = self.server.therapist().get(&self.path).await.expect(200);
                check_says_nothing(&answer.text);
                if answer.str("state") == state {
                    return answer;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, is_so).await.expect(state)
    }

    async fn pass(&self) -> DateTime<Utc> {
        let now = self.now.get() + TimeDelta::minutes(2);
        self.now.set(now);
        self.server.set_clock(&now.to_rfc3339()).await;
        now
    }

    /// Links another, and waits for what comes of it.
    async fn relink(&self, link: &Value, state: &str) -> Answer {
        self.pass().await;
        self.server.therapist().put(&self.path, link).await.expect(200);
        self.until(state).await
    }

    /// Has it read, and waits for what comes of it.
    async fn read(&self, state: &str) -> Answer {
        let now = self.pass().await;
        let path = format!("{}/refresh", self.path);
        self.server.therapist().post(&path, &json!({})).await.expect(202);
        let is_so = async {
            loop {
                let answer = self.until(state).await;
                let checked = at(answer.str("checkedAt"));
                if checked >= now {
                    return answer;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, is_so).await.expect("it is read")
    }
}

/// Neither where the calendar is nor what opens it.
fn check_says_nothing(text: &str) {
    for secret in ["http", "jane", "work", "pässword"] {
        assert!(!text.contains(secret), "{text}");
    }
}

async fn offers(server: &Server, start: &str) -> bool {
    let day = "/booking/slots?therapistId=therapist_456&date=2024-01-15";
    server.client().get(day).await.expect(200).column("startTime").contains(&start)
}

async fn until_it_has(radicale: &Radicale, meeting: &str, what: Option<&str>) {
    let name = format!("{meeting}.ics");
    let is_so = async {
        loop {
            let there = radicale.get(&name).await;
            if there.as_deref().map(|text| what.is_some_and(|what| text.contains(what)))
                == what.map(|_| true)
            {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(PATIENCE, is_so).await.is_ok(), "{what:?}");
}

/// What is there may not have been acknowledged yet.
async fn until_delivered(server: &Server) {
    let is_so = async {
        loop {
            let metrics = server.anonymous().get("/metrics").await.expect(200).text;
            let pending = r#"booking_deliveries_pending{subscriber="calendars"} 0"#;
            if metrics.contains(pending) && metrics.contains("booking_outbox_unpublished 0") {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, is_so).await.expect("all is delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_put_there_takes_a_slot_here() {
    on_every_store(async |server| {
        let radicale = Radicale::start().await;
        server.open_mondays().await;
        let linked = Linked::to(server, &radicale, false).await;
        assert!(offers(server, MONDAY_14).await);

        radicale.put("dentist.ics", "DTSTART:20240115T143000Z\nDURATION:PT15M").await;
        let read = linked.read("ok").await;
        assert_eq!(at(read.str("fetchedAt")), at(read.str("checkedAt")));
        assert!(!offers(server, "2024-01-15T14:30:00.000Z").await);
        let clash = session("2024-01-15T14:15:00.000Z", 30);
        assert!(server.client().book(&clash).await.status >= 400);
        let refused = server.client().book(&session(MONDAY_14, 60)).await;
        refused.refused(400, "slot_conflict");

        // What was read last counts for as long as nobody answers.
        radicale.delete("dentist.ics").await;
        let wrong = json!({"url": radicale.url(), "username": "jane", "password": "wrong"});
        let failing = linked.relink(&wrong, "failing").await;
        assert!(failing.text.contains("\"unauthorized\""), "{}", failing.text);
        assert!(!offers(server, "2024-01-15T14:30:00.000Z").await);
        linked.relink(&radicale.relink(), "ok").await;
        assert!(offers(server, "2024-01-15T14:30:00.000Z").await);
        server.client().book(&session(MONDAY_14, 60)).await.expect(201);
        assert_eq!(radicale.get("dentist.ics").await, None);
        let log = server.log();
        assert!(!log.contains("pässword") && !log.contains(&radicale.url()), "{log}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_meeting_booked_here_is_there_and_moves_and_goes() {
    on_every_store(async |server| {
        let radicale = Radicale::start().await;
        server.open_mondays().await;
        let before = server.booked("2024-01-15T15:00:00.000Z", 60).await.id();
        let linked = Linked::to(server, &radicale, true).await;
        until_it_has(&radicale, &before, Some("DTSTART:20240115T150000Z")).await;

        let meeting = server.booked("2024-01-15T16:00:00.000Z", 60).await.id();
        until_it_has(&radicale, &meeting, Some("DTSTART:20240115T160000Z")).await;
        // It is ours: read back, it is in nobody's way.
        linked.read("ok").await;
        let earlier = json!({"startTime": "2024-01-15T10:30:00Z"});
        server.client().update(&meeting, &earlier).await.expect(200);
        until_it_has(&radicale, &meeting, Some("DTSTART:20240115T103000Z")).await;
        assert!(offers(server, "2024-01-15T16:00:00.000Z").await);

        server.client().cancel(&meeting).await.expect(200);
        until_it_has(&radicale, &meeting, None).await;
        until_it_has(&radicale, &before, Some("STATUS:CONFIRMED")).await;
        // What is not linked any more is left alone.
        server.therapist().delete(&linked.path).await.expect(204);
        server.client().cancel(&before).await.expect(200);
        let next = server.booked("2024-01-15T11:30:00.000Z", 30).await.id();
        assert_eq!(radicale.get(&format!("{next}.ics")).await, None);
        assert!(radicale.get(&format!("{before}.ics")).await.is_some());
    })
    .await;
}

/// Radicale is away for a while, and the server is started anew meanwhile: neither loses anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_calendar_that_was_away_catches_up() {
    let (mut radicale, data) = (Radicale::start().await, DataDir::new());
    let mut server = Server::start_in(&data, Store::Sqlite).await;
    server.open_mondays().await;
    radicale.put("dentist.ics", "DTSTART:20240115T143000Z\nDURATION:PT15M").await;
    let linked = Linked::to(&server, &radicale, true).await;
    let [moved, gone] = [
        server.booked("2024-01-15T16:00:00.000Z", 60).await.id(),
        server.booked("2024-01-15T12:00:00.000Z", 60).await.id(),
    ];
    for meeting in [&moved, &gone] {
        until_it_has(&radicale, meeting, Some("STATUS:CONFIRMED")).await;
    }
    radicale.kill();
    let failing = linked.read("failing").await;
    assert!(failing.text.contains("\"unreachable\""), "{}", failing.text);
    let later = json!({"startTime": "2024-01-15T10:30:00Z"});
    server.client().update(&moved, &later).await.expect(200);
    server.client().cancel(&gone).await.expect(200);
    let new = server.booked("2024-01-15T09:00:00.000Z", 60).await.id();
    let (path, now) = (linked.path, linked.now);

    server.kill();
    let server = Server::start_in(&data, Store::Sqlite).await;
    let linked = Linked { server: &server, path, now };
    assert!(!offers(&server, "2024-01-15T14:30:00.000Z").await, "what was read last counts");
    linked.read("failing").await;
    radicale.resume().await;
    linked.read("ok").await;
    until_it_has(&radicale, &moved, Some("DTSTART:20240115T103000Z")).await;
    until_it_has(&radicale, &gone, None).await;
    until_it_has(&radicale, &new, Some("DTSTART:20240115T090000Z")).await;
    assert!(!offers(&server, "2024-01-15T14:30:00.000Z").await);
}

/// Its owner sees that it does not take what is to be written into it, and it gets it once it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collection_that_takes_nothing_says_so_and_is_made_good() {
    on_every_store(async |server| {
        let mut radicale = Radicale::start().await;
        server.open_mondays().await;
        let linked = Linked::to(server, &radicale, true).await;
        let gone = server.booked("2024-01-15T12:00:00.000Z", 60).await.id();
        until_it_has(&radicale, &gone, Some("STATUS:CONFIRMED")).await;
        until_delivered(server).await;
        radicale.let_write(false).await;
        server.client().cancel(&gone).await.expect(200);
        let new = server.booked("2024-01-15T09:00:00.000Z", 60).await.id();
        for failing in [linked.until("failing").await, linked.read("failing").await] {
            let error = &failing.body["error"];
            assert_eq!(error["code"], "status");
            let detail = "sessions cannot be written into it: the server answered with status 403";
            assert_eq!(error["detail"], detail);
            assert!(error["failures"].as_u64() > Some(0), "{}", failing.text);
        }
        radicale.let_write(true).await;
        // However often it has failed, it is due by then.
        linked.now.set(linked.now.get() + TimeDelta::minutes(20));
        let made_good = linked.read("ok").await;
        assert!(made_good.body["error"].is_null());
        assert_eq!(radicale.get(&format!("{gone}.ics")).await, None);
        assert!(radicale.get(&format!("{new}.ics")).await.is_some());
    })
    .await;
}

/// Events are not kept for it for a while: what they were about is written once they are again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_forgotten_is_made_good() {
    let (radicale, data) = (Radicale::start().await, DataDir::new());
    let mut server = Server::start_in(&data, Store::Sqlite).await;
    server.open_mondays().await;
    let linked = Linked::to(&server, &radicale, true).await;
    let meeting = server.booked("2024-01-15T12:00:00.000Z", 60).await.id();
    until_it_has(&radicale, &meeting, Some("STATUS:CONFIRMED")).await;
    until_delivered(&server).await;
    let (path, mut now) = (linked.path, linked.now);
    // As if it had been booked while nobody wrote.
    let name = format!("{meeting}.ics");
    radicale.delete(&name).await;
    for is_forgotten in [false, true] {
        server.kill();
        if is_forgotten {
            let url = format!("sqlite:{}", data.path().join("booking.db").display());
            let ran = run(&["forget-calendars", "--database-url", &url]).await;
            assert_eq!(ran.stdout, "no events are kept for linked calendars\n", "{}", ran.stderr);
        }
        server = Server::start_in(&data, Store::Sqlite).await;
        let linked = Linked { server: &server, path: path.clone(), now };
        linked.read("ok").await;
        assert_eq!(radicale.get(&name).await.is_some(), is_forgotten);
        now = linked.now;
    }
}
