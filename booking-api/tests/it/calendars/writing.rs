//! Meetings, written into calendars outside: into a real CalDAV server, and into some that are not
//! what they should be.

use std::sync::Arc;
use std::time::Duration;

use booking_api::calendars::{CaughtUp, OpenError};
use booking_core::{EventSink, MeetingPatch, MeetingStatus, Patch, Role, Text, Then, UserId, ical};
use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::answers::{Answers, Step, raw, to, whole};
use super::practice::{JANE, OTHER, Practice, actor, client};
use super::radicale::Radicale;
use super::{PATIENCE, at, location};

/// The lines of an event that say what it is.
fn said(text: &str) -> Vec<&str> {
    let begins = |name: &&str| {
        ["UID:", "DTSTART", "DTEND", "SEQUENCE:", "STATUS:", "SUMMARY:"]
            .iter()
            .any(|wanted| name.starts_with(wanted))
    };
    let mut lines: Vec<_> = text.lines().filter(begins).collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn a_meeting_is_there_moves_and_goes() {
    let (server, practice) = (Radicale::start().await, Practice::new().await);
    practice.link(JANE, Some(Ok(server.location())));
    let id = practice.book("2024-01-15T14:00:00Z").await;
    let name = format!("{id}.ics");
    assert_eq!(practice.deliver().await, (1, 0));
    let text = server.get(&name).await.expect("a meeting");
    let uid = format!("UID:{id}@booking");
    assert_eq!(
        said(&text),
        [
            "DTEND:20240115T150000Z",
            "DTSTART:20240115T140000Z",
            "SEQUENCE:0",
            "STATUS:CONFIRMED",
            "SUMMARY:Session",
            &uid,
        ]
    );
    for secret in ["divorce", "Smith", "client_123", "example.com"] {
        assert!(!text.contains(secret), "{text}");
    }
    // The same event as in the owner's calendar feed.
    let feed = ical::meetings("x", ical::Detail::Times, &[practice.meeting(id).await]);
    assert_eq!(said(&feed), said(&text));

    practice.move_to(id, "2024-01-16T09:30:00Z").await;
    assert_eq!(practice.deliver().await, (1, 0));
    let text = server.get(&name).await.expect("a meeting");
    let moved = said(&text);
    assert!(moved.contains(&"DTSTART:20240116T093000Z") && moved.contains(&"SEQUENCE:1"), "{text}");
    assert!(moved.contains(&&*uid));

    practice.clock.set(at("2024-01-16T11:00:00Z"));
    let other = practice.book("2024-01-17T14:00:00Z").await;
    let done = MeetingPatch {
        status: Some(MeetingStatus::Completed),
        session_notes: Patch::Set(Text::new("secret notes").expect("notes")),
        ..MeetingPatch::default()
    };
    practice.change(actor(JANE, Role::Therapist), id, done).await;
    practice.cancel(other).await;
    assert_eq!(practice.deliver().await, (3, 0));
    let text = server.get(&name).await.expect("it took place");
    assert!(!text.contains("secret notes"), "{text}");
    assert_eq!(server.get(&format!("{other}.ics")).await, None);
}

#[tokio::test]
async fn a_meeting_goes_with_its_therapist() {
    let (one, two, practice) =
        (Radicale::start().await, Radicale::start().await, Practice::new().await);
    practice.link(JANE, Some(Ok(one.location())));
    practice.link(OTHER, Some(Ok(two.location())));
    let id = practice.book("2024-01-15T14:00:00Z").await;
    let name = format!("{id}.ics");
    practice.deliver().await;
    assert!(one.get(&name).await.is_some() && two.get(&name).await.is_none());
    let therapist = Some(UserId::new(OTHER).expect("an id"));
    practice.change(client(), id, MeetingPatch { therapist, ..MeetingPatch::default() }).await;
    assert_eq!(practice.deliver().await, (2, 0));
    assert!(one.get(&name).await.is_none() && two.get(&name).await.is_some());
}

/// Whoever had it before may not let go of it for days: it is there for who has it now, and what happens to
/// it there comes with the next attempt at the other.
#[tokio::test]
async fn a_meeting_does_not_wait_for_those_it_has_left() {
    let (mut one, two, practice) =
        (Radicale::start().await, Radicale::start().await, Practice::new().await);
    let link = practice.link(JANE, Some(Ok(one.location())));
    practice.link(OTHER, Some(Ok(two.location())));
    let id = practice.book("2024-01-15T14:00:00Z").await;
    let name = format!("{id}.ics");
    assert_eq!(practice.deliver().await, (1, 0));
    one.let_write(false).await;
    let therapist = Some(UserId::new(OTHER).expect("an id"));
    practice.change(client(), id, MeetingPatch { therapist, ..MeetingPatch::default() }).await;
    assert_eq!(practice.deliver().await, (0, 1));
    assert!(one.get(&name).await.is_some() && two.get(&name).await.is_some());

    practice.move_to(id, "2024-01-16T09:30:00Z").await;
    assert_eq!(practice.deliver().await, (0, 0));
    practice.clock.advance(TimeDelta::seconds(6));
    assert_eq!(practice.deliver().await, (0, 1));
    let text = two.get(&name).await.expect("a meeting");
    assert!(text.contains("DTSTART:20240116T093000Z"), "{text}");
    practice.cancel(id).await;
    one.let_write(true).await;
    practice.clock.advance(TimeDelta::minutes(6));
    assert_eq!(practice.deliver().await, (4, 0));
    assert!(one.get(&name).await.is_none() && two.get(&name).await.is_none());
    assert!(practice.unwritten().iter().all(|(unwritten, _)| *unwritten == link));
}

/// What was booked before a collection was linked, or changed while nobody listened.
#[tokio::test]
async fn a_collection_that_is_new_is_filled() {
    let (server, practice) = (Radicale::start().await, Practice::new().await);
    let mut kept = Vec::new();
    for day in 1..=120 {
        let start = at("2024-02-01T09:00:00Z") + TimeDelta::days(day);
        kept.push(practice.book(&start.to_rfc3339()).await);
    }
    let (past, gone) =
        (practice.book("2024-01-02T09:00:00Z").await, practice.book("2024-03-01T14:00:00Z").await);
    practice.cancel(gone).await;
    practice.clock.set(at("2024-02-01T00:00:00Z"));
    let jane = UserId::new(JANE).expect("an id");
    let from = at("2024-02-01T00:00:00Z");
    // Into that one alone, whatever becomes of others.
    practice.link(JANE, Some(Ok(location("http://127.0.0.1:9/nobody/"))));
    let fill = async |whose: &UserId| {
        practice.sink.catch_up(&server.location(), whose, from, None, PATIENCE).await
    };
    for _ in 0..2 {
        assert_eq!(fill(&jane).await, CaughtUp { written: 121, left: None });
    }
    assert!(server.get(&format!("{}.ics", kept[0])).await.is_some());
    assert!(server.get(&format!("{}.ics", kept[119])).await.is_some());
    for other in [past, gone] {
        assert_eq!(server.get(&format!("{other}.ics")).await, None);
    }
    // Who is a client there has it in nobody's calendar.
    let client = client().id;
    assert_eq!(fill(&client).await, CaughtUp { written: 0, left: None });
}

/// Events that come again, and in whatever order: what is there is what is so.
#[tokio::test]
async fn neither_order_nor_repeats_matter() {
    let (server, practice) = (Radicale::start().await, Practice::new().await);
    practice.link(JANE, Some(Ok(server.location())));
    let (kept, gone) =
        (practice.book("2024-01-15T14:00:00Z").await, practice.book("2024-01-15T16:00:00Z").await);
    practice.move_to(kept, "2024-01-18T09:00:00Z").await;
    practice.move_to(gone, "2024-01-19T09:00:00Z").await;
    practice.cancel(gone).await;
    let log = practice.log().await;
    assert_eq!(log.len(), 5);
    let mut chance = fastrand::Rng::with_seed(3);
    for _ in 0..4 {
        let mut events = [&log[..], &log].concat();
        chance.shuffle(&mut events);
        for event in &events {
            practice.sink.deliver(event).await.expect("radicale takes it");
            let meeting = event.event.payload.meeting();
            let text = server.get(&format!("{meeting}.ics")).await;
            assert_eq!(text.is_some(), meeting == kept);
            assert!(text.is_none_or(|text| text.contains("DTSTART:20240118T090000Z")));
        }
    }
}

/// What happens while the server is away is there once it is back.
#[tokio::test]
async fn a_server_that_is_away_for_a_while_misses_nothing() {
    let (mut server, practice) = (Radicale::start().await, Practice::new().await);
    practice.link(JANE, Some(Ok(server.location())));
    let (moved, cancelled) =
        (practice.book("2024-01-15T14:00:00Z").await, practice.book("2024-01-15T16:00:00Z").await);
    assert_eq!(practice.deliver().await, (2, 0));
    server.kill();
    practice.move_to(moved, "2024-01-18T09:00:00Z").await;
    practice.cancel(cancelled).await;
    let new = practice.book("2024-01-15T16:00:00Z").await;
    assert_eq!(practice.deliver().await, (0, 3));
    practice.clock.advance(TimeDelta::seconds(6));
    assert_eq!(practice.deliver().await, (0, 3));
    server.resume().await;
    practice.clock.advance(TimeDelta::minutes(6));
    assert_eq!(practice.deliver().await, (3, 0));
    let text = server.get(&format!("{moved}.ics")).await.expect("a meeting");
    assert!(text.contains("DTSTART:20240118T090000Z"), "{text}");
    assert_eq!(server.get(&format!("{cancelled}.ics")).await, None);
    assert!(server.get(&format!("{new}.ics")).await.is_some());
}

/// All are tried again, and none is told where the calendar is, or what opens it.
#[tokio::test]
async fn what_fails_is_tried_again_and_says_why() {
    let (server, practice) = (Radicale::start().await, Practice::new().await);
    let broken = Answers::start(
        "127.0.0.1",
        Box::new(|line| match line.split(['/', ' ']).nth(2).unwrap_or_default() {
            "busy" => whole("503 So", "retry-after: 90\r\n", ""),
            "full" => whole("507 So", "", ""),
            "closed" => raw(""),
            _ => whole("403 So", "", "not here"),
        }),
    )
    .await;
    let id = practice.book("2024-01-15T14:00:00Z").await;
    let event = practice.log().await.remove(0);
    practice.sink.deliver(&event).await.expect("nobody is owed anything");

    let away = location(&format!("{}/jane/none/", server.origin()));
    let away = away.with_credentials(server.location().credentials().expect("some").clone());
    let at = |path: &str| Some(Ok(location(&broken.url(path))));
    for (target, code, status, rest) in [
        (Some(Ok(server.location_with("wrong"))), "unauthorized", Some(401), None),
        (at("/busy/"), "status", Some(503), Some(90)),
        (at("/full/"), "status", Some(507), None),
        (at("/closed/"), "unreachable", None, None),
        (at("/forbidden/"), "status", Some(403), None),
        (Some(Ok(location("https://10.0.0.1/"))), "refused_address", None, None),
        (Some(Ok(away)), "status", Some(409), None),
        (Some(Err(OpenError::NoKey)), "sealed", None, None),
        (None, "the linked calendars cannot be reached", None, None),
    ] {
        practice.unlink_all();
        let is_told = target.is_some();
        let broken = practice.link(JANE, target);
        if is_told {
            practice.link(JANE, Some(Ok(server.location())));
        }
        let failure = practice.sink.deliver(&event).await.expect_err(code);
        assert!(failure.reason.contains(code), "{failure:?}");
        assert_eq!(failure.status, status, "{failure:?}");
        assert_eq!(failure.then, Then::Retry(rest.map(Duration::from_secs)), "{failure:?}");
        for secret in ["http", "127.0.0.1", "jane", "wrong", "10.0.0.1"] {
            assert!(!failure.reason.contains(secret), "{failure:?}");
        }
        // It is noted before it is given up, with as little.
        let unwritten = practice.unwritten();
        let told: Vec<_> =
            unwritten.iter().map(|(link, why)| (*link, why.fault.as_str())).collect();
        assert_eq!(told, if is_told { vec![(broken, code)] } else { vec![] });
        for (_, why) in unwritten {
            for secret in ["http", "127.0.0.1", "jane", "wrong", "10.0.0.1"] {
                assert!(!why.detail.as_str().contains(secret), "{why}");
            }
        }
        // Another calendar of theirs does not have to wait for that.
        let name = format!("{id}.ics");
        assert_eq!(server.get(&name).await.is_some(), is_told, "{code}");
        if is_told {
            server.delete(&name).await;
        }
    }
}

/// Whoever looks after this server is told of all that fail, and none is asked sooner than it wants.
#[tokio::test]
async fn each_that_fails_says_why() {
    let practice = Practice::new().await;
    let server = Answers::start(
        "127.0.0.1",
        Box::new(|line| match line.split(['/', ' ']).nth(2).unwrap_or_default() {
            "busy" => whole("503 So", "retry-after: 90\r\n", ""),
            "tired" => whole("429 So", "retry-after: 30\r\n", ""),
            "closed" => raw(""),
            _ => whole("201 Created", "", ""),
        }),
    )
    .await;
    practice.book("2024-01-15T14:00:00Z").await;
    let event = practice.log().await.remove(0);
    let outcomes = [
        ("/closed/", Some("unreachable: the connection broke off")),
        ("/busy/", Some("status: the server answered with status 503")),
        ("/fine/", None),
        ("/tired/", Some("status: the server answered with status 429")),
    ];
    let link = |path| practice.link(JANE, Some(Ok(location(&server.url(path)))));
    let mut links = outcomes.map(|(path, outcome)| (link(path), outcome));
    links.sort_by_key(|(link, _)| *link);
    let failure = practice.sink.deliver(&event).await.expect_err("three do not take it");
    let told = links.iter().filter_map(|(link, outcome)| Some(format!("{link}: {}", (*outcome)?)));
    assert_eq!(failure.reason, told.collect::<Vec<_>>().join("; "));
    let status = links.iter().find_map(|(_, outcome)| outcome.as_ref()?.rsplit_once("status "));
    let status = status.and_then(|(_, status)| status.parse().ok());
    let then = Then::Retry(Some(Duration::from_secs(90)));
    assert_eq!((failure.status, failure.then), (status, then));
}

/// What is written is for the server that was linked; on the same server it may move.
#[tokio::test]
async fn meetings_are_not_sent_on_to_other_servers() {
    let practice = Practice::new().await;
    let other = Answers::start("127.0.0.1", Box::new(|_| whole("201 Created", "", ""))).await;
    let there = other.url("/there/");
    let home = Answers::start(
        "127.0.0.1",
        Box::new(move |line| match line.split(' ').nth(1).unwrap_or_default() {
            path if path.starts_with("/away/") => to("307 So", &there),
            path if path.starts_with("/old/") => to("308 So", "/new/one.ics"),
            _ => whole("201 Created", "", ""),
        }),
    )
    .await;
    practice.book("2024-01-15T14:00:00Z").await;
    let event = practice.log().await.remove(0);
    practice.link(JANE, Some(Ok(location(&home.url("/away/")))));
    let failure = practice.sink.deliver(&event).await.expect_err("not there");
    assert_eq!((failure.status, other.take()), (Some(307), vec![]));
    home.take();
    practice.unlink_all();
    practice.link(JANE, Some(Ok(location(&home.url("/old")))));
    practice.sink.deliver(&event).await.expect("it has moved");
    let methods: Vec<String> =
        home.take().iter().map(|head| head.chars().take(14).collect()).collect();
    assert_eq!(methods, ["put /old/meeti", "put /new/one.i"]);
}

/// A meeting changes while it is written: the writer sees to it that the last word is what is so.
#[tokio::test]
async fn a_writer_that_was_slow_does_not_leave_what_was() {
    let practice = Practice::new().await;
    let go_on = Arc::new(Notify::new());
    let told = go_on.clone();
    let server = Answers::start(
        "127.0.0.1",
        Box::new(move |line| {
            let answer = whole("204 No Content", "", "");
            let wait = line.starts_with("PUT").then(|| Step::Until(told.clone()));
            wait.into_iter().chain(answer).collect()
        }),
    )
    .await;
    practice.link(JANE, Some(Ok(location(&server.url("/")))));
    let id = practice.book("2024-01-15T14:00:00Z").await;
    let event = practice.log().await.remove(0);
    let sink = practice.sink.clone();
    let writing = tokio::spawn(async move { sink.deliver(&event).await });
    let mut heads = Vec::new();
    let begun = async {
        while heads.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            heads = server.take();
        }
    };
    timeout(PATIENCE, begun).await.expect("it is being written");
    practice.cancel(id).await;
    go_on.notify_one();
    writing.await.expect("no panic").expect("the server takes it");
    let then = server.take();
    assert!(heads[0].starts_with("put /") && then.len() == 1, "{heads:?} {then:?}");
    assert!(then[0].starts_with("delete /"), "{then:?}");
}
