//! What was not written into a collection, although it was to be, gets there once it can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use booking_api::calendars::{CaughtUp, Keyring, Location, OutsideCalendars};
use booking_core::{
    Behind, CalendarHost, CalendarKind, CalendarLinks, CalendarSource, Copier, CopyFault,
    EventSink, Fetched, Hub, LinkedCalendar, LinkedCalendars as _, MeetingId, NewLink, Passed,
    Relay, Role, SourceError, Span, SubscriberId, Text, Then, Unwritten, UserId, Validators,
    WriteBack,
};
use chrono::{DateTime, TimeDelta, Utc};

use super::answers::{Answers, Step, whole};
use super::practice::{JANE, Practice, actor};
use super::radicale::Radicale;
use super::{PATIENCE, at, location, patient_client};

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
const ANOTHER: &str = "Ib8pBZwVdtF4UnYIvGnZLR4Wq7d4wUxCqQPQcE8BJ2o=";
const EVERY: Duration = Duration::from_mins(15);

/// One of the processes of a practice, with a key of its own.
struct Process<'a> {
    practice: &'a Practice,
    outside: OutsideCalendars,
    links: CalendarLinks,
    copier: Copier,
    relay: Relay,
}

impl<'a> Process<'a> {
    async fn with(practice: &'a Practice, key: &str) -> Self {
        let Practice { store, booking, clock, .. } = practice;
        let keyring = Keyring::from_keys(&[key]).expect("a key");
        let outside =
            OutsideCalendars::new(patient_client(), keyring, store.clone(), store.clone());
        let links = CalendarLinks::new(booking.clone(), store.clone());
        let copier = Copier::new(links.clone(), Arc::new(outside.clone()), EVERY);
        let relay = Relay::new(store.clone(), Hub::default(), clock.clone());
        let name = SubscriberId::new("calendars").expect("a name");
        let relay = relay.with_sink(name, Arc::new(outside.sink())).await;
        let relay = relay.expect("memory holds");
        Self { practice, outside, links, copier, relay }
    }

    async fn link(&self, location: &Location) {
        let id = self.links.new_id();
        let new = NewLink {
            id,
            kind: CalendarKind::CalDav,
            label: None,
            host: CalendarHost::new("127.0.0.1").expect("a host"),
            location: self.outside.seal(location, id).expect("random numbers"),
            zone: None,
            write_back: WriteBack::On,
        };
        let jane = actor(JANE, Role::Therapist);
        self.links.add(&jane, new).await.expect("there is room");
    }

    /// As it is once all that is due has been delivered.
    async fn deliver(&self) -> ((usize, usize), LinkedCalendar) {
        let Passed { delivered, failed } = self.relay.pass().await.expect("memory holds");
        ((delivered, failed), self.linked().await)
    }

    /// As it is after the next copy.
    async fn copy(&self) -> LinkedCalendar {
        let due = self.linked().await.copy.next_at;
        self.practice.clock.set(due);
        assert_eq!(self.copier.pass().await.expect("memory holds"), 1);
        self.linked().await
    }

    async fn linked(&self) -> LinkedCalendar {
        let jane = actor(JANE, Role::Therapist);
        self.links.list(&jane).await.expect("memory holds").remove(0)
    }
}

fn fault(link: &LinkedCalendar) -> Option<CopyFault> {
    link.copy.fault.as_ref().map(|(fault, _)| *fault)
}

/// What is there of a meeting: when it begins.
async fn start_of(server: &Radicale, meeting: MeetingId) -> Option<String> {
    let text = server.get(&format!("{meeting}.ics")).await?;
    let start = text.lines().find_map(|line| line.strip_prefix("DTSTART:"));
    Some(start.expect("a start").to_owned())
}

/// Whoever has another key cannot tell where to write: it is not done for that.
#[tokio::test]
async fn a_process_without_the_key_loses_nothing() {
    let (server, practice) = (Radicale::start().await, Practice::new().await);
    let [right, wrong] =
        [Process::with(&practice, KEY).await, Process::with(&practice, ANOTHER).await];
    right.link(&server.location()).await;
    assert_eq!(fault(&right.copy().await), None);
    let (moved, gone) =
        (practice.book("2024-01-15T14:00:00Z").await, practice.book("2024-01-15T16:00:00Z").await);
    assert_eq!(right.deliver().await.0, (2, 0));

    practice.move_to(moved, "2024-01-18T09:00:00Z").await;
    practice.cancel(gone).await;
    let (delivered, linked) = wrong.deliver().await;
    assert_eq!((delivered, fault(&linked)), ((0, 2), Some(CopyFault::Sealed)));
    let tried = linked.copy.unwritten;
    assert_eq!(tried, 2);
    // Even should nobody else ever try.
    for _ in 0..2 {
        assert_eq!(fault(&right.copy().await), None);
        assert_eq!(start_of(&server, moved).await.as_deref(), Some("20240118T090000Z"));
        assert_eq!(start_of(&server, gone).await, None);
    }
    practice.clock.advance(TimeDelta::hours(1));
    assert_eq!(right.deliver().await.0, (2, 0));
}

/// It can be read all the time; what was given up meanwhile gets there once it can be written into, and
/// its owner knows.
#[tokio::test]
async fn what_a_collection_did_not_take_it_gets_later() {
    let (mut server, practice) = (Radicale::start().await, Practice::new().await);
    let process = Process::with(&practice, KEY).await;
    process.link(&server.location()).await;
    process.copy().await;
    let (moved, gone) =
        (practice.book("2024-01-15T14:00:00Z").await, practice.book("2024-01-15T16:00:00Z").await);
    assert_eq!(process.deliver().await.0, (2, 0));

    server.let_write(false).await;
    practice.move_to(moved, "2024-01-18T09:00:00Z").await;
    practice.cancel(gone).await;
    let new = practice.book("2024-01-15T16:00:00Z").await;
    let (delivered, linked) = process.deliver().await;
    assert_eq!((delivered, fault(&linked)), ((0, 3), Some(CopyFault::Status)));
    let detail = linked.copy.fault.expect("one").1;
    assert!(detail.as_str().ends_with("the server answered with status 403"), "{detail:?}");
    // Until they are dead letters.
    let mut tries = 1;
    loop {
        practice.clock.advance(TimeDelta::days(1) + TimeDelta::hours(3));
        let ((delivered, failed), _) = process.deliver().await;
        assert_eq!(delivered, 0);
        if failed == 0 {
            break;
        }
        tries += 1;
    }
    assert_eq!(tries, 10);
    assert_eq!(start_of(&server, moved).await.as_deref(), Some("20240115T140000Z"));
    let copied = process.copy().await;
    assert_eq!((fault(&copied), copied.copy.failures), (Some(CopyFault::Status), 0));
    assert_eq!(copied.copy.fetched_at, copied.copy.checked_at);

    server.let_write(true).await;
    let copied = process.copy().await;
    assert_eq!((fault(&copied), copied.copy.unwritten), (None, 0));
    assert_eq!(start_of(&server, moved).await.as_deref(), Some("20240118T090000Z"));
    assert_eq!(start_of(&server, gone).await, None);
    assert_eq!(start_of(&server, new).await.as_deref(), Some("20240115T160000Z"));
}

/// What cannot be noted is not given up.
#[tokio::test]
async fn nothing_is_given_up_that_is_not_noted() {
    let practice = Practice::new().await;
    practice.link(JANE, Some(Ok(location("http://127.0.0.1:9/nobody/"))));
    practice.book("2024-01-15T14:00:00Z").await;
    let event = practice.log().await.remove(0);
    practice.linked.forgets.store(true, Ordering::Relaxed);
    let failure = practice.sink.deliver(&event).await.expect_err("nobody is there");
    assert!(matches!(failure.then, Then::Wait(_)), "{failure:?}");
    practice.linked.forgets.store(false, Ordering::Relaxed);
    let failure = practice.sink.deliver(&event).await.expect_err("nobody is there");
    assert!(matches!(failure.then, Then::Retry(None)), "{failure:?}");
    assert_eq!(practice.unwritten().len(), 1);
}

/// So many sessions, a day each.
async fn booked(practice: &Practice, days: i64) -> Vec<String> {
    let mut meetings = Vec::new();
    for day in 1..=days {
        let start = at("2024-02-01T09:00:00Z") + TimeDelta::days(day);
        meetings.push(practice.book(&start.to_rfc3339()).await.to_string());
    }
    meetings
}

/// A server that takes everything, after a while.
async fn slow(pause: Duration) -> Answers {
    let answer = move |_: &str| [vec![Step::Pause(pause)], whole("201 Created", "", "")].concat();
    Answers::start("127.0.0.1", Box::new(answer)).await
}

/// A server that takes its time: who comes again goes on where it was left, and it is full one day.
#[tokio::test]
async fn a_slow_collection_is_filled_in_several_goes() {
    let practice = Practice::new().await;
    let meetings = booked(&practice, 60).await;
    let pause = Duration::from_millis(200);
    let slow = slow(pause).await;
    let (place, jane) = (location(&slow.url("/")), UserId::new(JANE).expect("an id"));
    let (mut from, mut goes, mut asked) = (at("2024-02-01T00:00:00Z"), 0, Vec::new());
    loop {
        goes += 1;
        assert!(goes < 1_000, "it is never full");
        // Eight at a time: far from enough for all.
        let run = practice.sink.catch_up(&place, &jane, from, None, pause * 5).await;
        asked.extend(slow.take());
        let Some(left) = run.left else { break };
        assert_eq!(left.error.fault, CopyFault::TimedOut);
        let to = left.written_to.expect("it says how far it came");
        assert!(to >= from);
        from = to;
    }
    assert!(goes > 1);
    for meeting in &meetings {
        assert!(asked.iter().any(|head| head.contains(meeting.as_str())), "{meeting}");
    }
    // The last of each go again, and those that were under way; not all of them each time.
    assert!(asked.len() < 60 + goes * 20, "{} in {goes}", asked.len());
}

/// Writes for a moment only, and reads nothing.
struct Hasty(OutsideCalendars, Duration);

#[async_trait]
impl CalendarSource for Hasty {
    async fn fetch(
        &self,
        _: &LinkedCalendar,
        _: Option<&Validators>,
        _: Span,
    ) -> Result<Fetched, SourceError> {
        Ok(Fetched::Texts { texts: vec![], validators: Text::new("one").ok() })
    }

    async fn catch_up(
        &self,
        link: &LinkedCalendar,
        from: DateTime<Utc>,
        _: Duration,
    ) -> Result<(), Behind> {
        self.0.catch_up(link, from, self.1).await
    }
}

/// Before each copy of a slow collection there is something more that it did not take: all sessions have
/// their turn nevertheless, and then once more, since that may have been one of the first.
#[tokio::test]
async fn notes_keep_nothing_from_a_slow_collection() {
    let practice = Practice::new().await;
    let meetings = booked(&practice, 100).await;
    let pause = Duration::from_millis(100);
    let slow = slow(pause).await;
    let process = Process::with(&practice, KEY).await;
    let source = Arc::new(Hasty(process.outside.clone(), pause * 5));
    let process = Process { copier: Copier::new(process.links.clone(), source, EVERY), ..process };
    process.link(&location(&slow.url("/"))).await;
    let link = Some(process.linked().await.id);
    let SourceError { fault, detail } = SourceError::new(CopyFault::Status, "one more");
    let note = Unwritten { link, fault, detail };
    for is_noted in [true, false] {
        let mut asked = Vec::new();
        for go in 0.. {
            assert!(go < 60, "some never have their turn");
            if is_noted {
                practice.store.unwritten(&note).await.expect("memory holds");
            }
            let copied = process.copy().await.copy;
            asked.extend(slow.take());
            let had_turn = |meeting: &String| asked.iter().any(|head| head.contains(meeting));
            let is_done = is_noted || copied.unwritten == 0;
            if is_done && meetings.iter().all(had_turn) {
                assert!(go > 1);
                assert_eq!(copied.fault.is_some(), is_noted);
                break;
            }
            assert!(copied.fault.is_some() && copied.unwritten > 0);
        }
    }
}

/// One meeting that it never takes keeps no others from it; one that takes none is left alone soon.
#[tokio::test]
async fn a_collection_gets_what_it_takes() {
    let practice = Practice::new().await;
    let mut meetings = Vec::new();
    for day in 1..=40 {
        let start = at("2024-02-01T09:00:00Z") + TimeDelta::days(day);
        meetings.push(practice.book(&start.to_rfc3339()).await.to_string());
    }
    let odd = meetings[20].clone();
    let server = Answers::start(
        "127.0.0.1",
        Box::new(move |line| {
            let is_taken = !line.contains("/none/") && !line.contains(&odd);
            whole(if is_taken { "201 Created" } else { "409 So" }, "", "")
        }),
    )
    .await;
    let (jane, from) = (UserId::new(JANE).expect("an id"), at("2024-02-01T00:00:00Z"));
    let fill = async |path: &str| {
        let place = location(&server.url(path));
        practice.sink.catch_up(&place, &jane, from, None, PATIENCE).await
    };
    let CaughtUp { written, left } = fill("/some/").await;
    let left = left.expect("it did not take one");
    let words = "sessions cannot be written into it: the server answered with status 409";
    assert_eq!((written, &left.error), (39, &SourceError::new(CopyFault::Status, words)));
    // All have had their turn: the next time begins with the first.
    assert_eq!(left.written_to, None);
    assert_eq!(server.take().len(), 40);
    let CaughtUp { written, left } = fill("/none/").await;
    let eighth = at("2024-02-09T09:00:00Z");
    assert_eq!((written, left.and_then(|left| left.written_to)), (0, Some(eighth)));
    assert_eq!(server.take().len(), 8);
}

/// A slow server refuses some, so many in a row that it is left alone for a while: all the others get
/// there, and it stays behind until it takes those too.
#[tokio::test]
async fn what_is_never_taken_keeps_nothing_from_a_slow_collection() {
    let practice = Practice::new().await;
    let mut meetings = Vec::new();
    for day in 1..=40 {
        let start = at("2024-02-01T09:00:00Z") + TimeDelta::days(day);
        meetings.push(practice.book(&start.to_rfc3339()).await.to_string());
    }
    // The third, and more in a row than are tried at a time.
    let refused: Vec<_> = [&meetings[2..3], &meetings[8..26]].concat();
    let pause = Duration::from_millis(200);
    let is_picky = Arc::new(AtomicBool::new(true));
    let picky = is_picky.clone();
    let server = Answers::start(
        "127.0.0.1",
        Box::new(move |line| {
            let refuses =
                picky.load(Ordering::Relaxed) && refused.iter().any(|id| line.contains(id));
            let answer = whole(if refuses { "409 So" } else { "201 Created" }, "", "");
            [vec![Step::Pause(pause)], answer].concat()
        }),
    )
    .await;
    let (place, jane) = (location(&server.url("/")), UserId::new(JANE).expect("an id"));
    let first = at("2024-02-01T00:00:00Z");
    let (mut from, mut earlier, mut goes, mut sweeps) = (first, None, 0, 0);
    loop {
        goes += 1;
        assert!(goes < 1_000, "it is never full");
        let run = practice.sink.catch_up(&place, &jane, from, earlier, pause * 5).await;
        let Some(left) = run.left else { break };
        if left.written_to.is_none() {
            sweeps += 1;
            assert_eq!(left.error.fault, CopyFault::Status);
            let asked = server.take();
            for meeting in &meetings {
                assert!(asked.iter().any(|head| head.contains(meeting.as_str())), "{meeting}");
            }
            is_picky.store(sweeps < 2, Ordering::Relaxed);
        }
        from = left.written_to.unwrap_or(first);
        earlier = left.written_to.and(Some(left.error));
    }
    assert!(sweeps == 2 && goes > 6, "{sweeps} turns in {goes} goes");
}
