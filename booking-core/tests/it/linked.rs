//! Linked calendars through the service, and how they are copied.

mod background;
mod changed;
mod unread;
mod written;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::testing::fixtures::{
    as_client, as_therapist, at, client, hour, id, meeting, now, other_therapist, text, therapist,
};
use booking_core::testing::{Harness, World};
use booking_core::{
    Actor, Behind, BookingError, BusyTimes, CalendarKind, CalendarLinks, CalendarSource, Copier,
    CopyFault, Fetched, LinkPatch, LinkedCalendar, Meeting, MeetingStatus, MemoryStore, NewLink,
    Refusal, Role, SealedLocation, SourceError, Span, Validators, WriteBack, ical,
};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

const EVERY: Duration = Duration::from_mins(15);

/// Answers what it was told to, and remembers what it was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<Fetched, SourceError>>>,
    asked: Mutex<Vec<(Option<String>, Span)>>,
    writes: Mutex<VecDeque<Result<(), Behind>>>,
    written_from: Mutex<Vec<DateTime<Utc>>>,
}

#[async_trait]
impl CalendarSource for Script {
    async fn fetch(
        &self,
        _: &LinkedCalendar,
        validators: Option<&Validators>,
        window: Span,
    ) -> Result<Fetched, SourceError> {
        let known = validators.map(|known| known.as_str().to_owned());
        self.asked.lock().unwrap().push((known, window));
        self.answers.lock().unwrap().pop_front().expect("somebody asks once too often")
    }

    async fn catch_up(
        &self,
        _: &LinkedCalendar,
        from: DateTime<Utc>,
        _: Duration,
    ) -> Result<(), Behind> {
        self.written_from.lock().unwrap().push(from);
        self.writes.lock().unwrap().pop_front().expect("it is written into once too often")
    }
}

struct Practice {
    world: World,
    links: CalendarLinks,
    script: Arc<Script>,
    copier: Copier,
}

impl Practice {
    async fn open() -> Self {
        let world = World::new(Harness::new(Arc::new(MemoryStore::default()), ())).await;
        let links = CalendarLinks::new(world.booking.clone(), world.links());
        let script = Arc::<Script>::default();
        let copier = Copier::new(links.clone(), script.clone(), EVERY);
        Self { world, links, script, copier }
    }

    /// At that time, when the source answers that, if it is asked.
    async fn pass(&self, now: DateTime<Utc>, answer: Result<Fetched, SourceError>) -> bool {
        self.world.clock.set(now);
        *self.script.answers.lock().unwrap() = [answer].into();
        self.copier.pass().await.expect("the store answers") > 0
    }

    async fn link(&self) -> LinkedCalendar {
        self.links.list(&jane()).await.expect("they are listed").remove(0)
    }

    fn asked(&self) -> Vec<(Option<String>, Span)> {
        std::mem::take(&mut *self.script.asked.lock().unwrap())
    }

    async fn is_free(&self, start: DateTime<Utc>) -> bool {
        let (john, date) = (as_client(&client()), start.date_naive());
        let slots =
            self.world.booking.slots(&john, &therapist(), date).await.expect("they are listed");
        slots.iter().any(|slot| slot.start.instant() == start)
    }
}

fn jane() -> Actor {
    as_therapist(&therapist())
}

fn new(links: &CalendarLinks) -> NewLink {
    NewLink {
        id: links.new_id(),
        kind: CalendarKind::Ics,
        label: None,
        host: text("example.com"),
        location: SealedLocation(vec![1]),
        zone: None,
        write_back: WriteBack::Off,
    }
}

/// One hour, on a wall clock without a zone.
fn busy(local: &str, validators: &str) -> Result<Fetched, SourceError> {
    let text = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:{local}\r\nDURATION:PT1H\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    Ok(texts(vec![text], validators))
}

fn texts(texts: Vec<String>, validators: &str) -> Fetched {
    Fetched::Texts { texts, validators: Some(validators.to_owned().try_into().unwrap()) }
}

fn fault(fault: CopyFault) -> Result<Fetched, SourceError> {
    Err(SourceError::new(fault, "so it goes"))
}

fn refusal<T>(outcome: Result<T, BookingError>) -> Refusal {
    match outcome {
        Err(BookingError::Refused(refusal)) => refusal,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}

/// Give or take a tenth.
#[track_caller]
fn assert_about(waits: TimeDelta, minutes: i64) {
    let expected = TimeDelta::minutes(minutes);
    assert!((waits - expected).abs() <= expected / 10, "{waits} for {expected}");
}

#[tokio::test]
async fn who_may_link_what() {
    let Practice { links, .. } = Practice::open().await;
    let admin = Actor { id: id("admin_1"), role: Role::Admin };
    for stranger in [as_client(&client()), admin] {
        let added = links.add(&stranger, new(&links)).await;
        assert!(matches!(refusal(added), Refusal::RoleRequired { .. }));
        assert!(matches!(refusal(links.list(&stranger).await), Refusal::RoleRequired { .. }));
    }
    let unknown = as_therapist(&id("therapist_unknown"));
    assert_eq!(refusal(links.add(&unknown, new(&links)).await), Refusal::UserNotFound);
    let written = NewLink { write_back: WriteBack::On, ..new(&links) };
    let refused = refusal(links.add(&jane(), written.clone()).await);
    assert!(matches!(refused, Refusal::Invalid { field: "writeBack", .. }));
    let collection = NewLink { kind: CalendarKind::CalDav, ..written };
    let link = links.add(&jane(), collection).await.expect("a collection is written to");

    let other = as_therapist(&other_therapist());
    let patch = LinkPatch { label: None, zone: None, write_back: WriteBack::Off, location: None };
    assert_eq!(refusal(links.get(&other, link.id).await), Refusal::CalendarNotFound);
    assert_eq!(refusal(links.change(&other, link.id, &patch).await), Refusal::CalendarNotFound);
    assert_eq!(refusal(links.refresh(&other, link.id).await), Refusal::CalendarNotFound);
    assert_eq!(refusal(links.remove(&other, link.id).await), Refusal::CalendarNotFound);
    let changed = links.change(&jane(), link.id, &patch).await.expect("it is theirs");
    assert_eq!((changed.version, changed.write_back), (2, WriteBack::Off));
    links.remove(&jane(), link.id).await.expect("it is theirs");
    assert_eq!(refusal(links.get(&jane(), link.id).await), Refusal::CalendarNotFound);
}

/// At once when it is linked, and then every quarter of an hour; with what the server said last time,
/// but once a day without, because the window moves on.
#[tokio::test]
async fn a_calendar_is_read_again_and_again() {
    let practice = Practice::open().await;
    let Practice { world, links, .. } = &practice;
    world.open(&therapist()).await;
    links.add(&jane(), new(links)).await.expect("there is room");
    let local = "20240115T100000";
    assert!(practice.pass(now(), busy(local, "one")).await);
    let window = BusyTimes::window(now()).unwrap();
    assert_eq!(practice.asked(), [(None, window)]);
    assert!(!practice.is_free(hour(10)).await);
    let copy = practice.link().await.copy;
    assert_eq!(
        (copy.fetched_at, copy.expanded_at, copy.checked_at),
        (Some(now()), Some(now()), Some(now()))
    );
    assert_about(copy.next_at - now(), 15);
    assert!(!practice.pass(copy.next_at - TimeDelta::milliseconds(1), busy(local, "no")).await);

    assert!(practice.pass(copy.next_at, Ok(Fetched::Unchanged)).await);
    assert_eq!(practice.asked()[0].0.as_deref(), Some("one"));
    let same = practice.link().await.copy;
    assert_eq!((same.fetched_at, same.expanded_at), (Some(copy.next_at), Some(now())));
    assert!(!practice.is_free(hour(10)).await);

    let tomorrow = now() + TimeDelta::hours(24);
    assert!(practice.pass(tomorrow, busy("20240115T110000", "two")).await);
    let (known, later) = practice.asked().remove(0);
    assert_eq!((known, later.start() - window.start()), (None, TimeDelta::days(1)));
    assert!(practice.is_free(hour(10)).await && !practice.is_free(hour(11)).await);
}

/// A copy of a meeting keeps no time, even one that the meeting has left; but another installation, whose
/// ids look the same, and another therapist keep theirs.
#[tokio::test]
async fn only_the_therapists_own_meetings_are_passed_over() {
    let practice = Practice::open().await;
    let Practice { world, links, .. } = &practice;
    world.open(&therapist()).await;
    links.add(&jane(), new(links)).await.expect("there is room");
    let booked = |start| meeting(&client(), &therapist(), start);
    let moved = booked(hour(40));
    let cancelled = Meeting { status: MeetingStatus::Cancelled, ..booked(hour(11)) };
    let theirs = meeting(&client(), &other_therapist(), hour(36));
    let received = meeting(&therapist(), &other_therapist(), hour(38));
    let elsewhere = booked(hour(14));
    let far_off = booked(hour(24 * 500));
    let here = [&moved, &cancelled, &theirs, &received, &far_off].map(Clone::clone);
    world.insert(&here).await;

    let file = ical::meetings(
        "Sessions",
        ical::Detail::Times,
        &[
            Meeting { start: hour(10), ..moved },
            Meeting { status: MeetingStatus::Scheduled, ..cancelled },
            Meeting { start: hour(12), ..theirs },
            Meeting { start: hour(13), ..received },
            elsewhere,
            Meeting { start: hour(15), ..far_off },
        ],
    );
    assert!(practice.pass(now(), Ok(texts(vec![file], "one"))).await);
    for (start, is_free) in
        [(10, true), (11, true), (12, false), (13, false), (14, false), (15, false)]
    {
        assert_eq!(practice.is_free(hour(start)).await, is_free, "{start}");
    }
}

/// More of them than are looked up at a time, the last of which counts as the first.
#[tokio::test]
async fn many_meetings_are_passed_over() {
    let practice = Practice::open().await;
    let Practice { world, links, .. } = &practice;
    world.open(&therapist()).await;
    links.add(&jane(), new(links)).await.expect("there is room");
    let cancelled = |n: i64| Meeting {
        status: MeetingStatus::Cancelled,
        ..meeting(&client(), &therapist(), hour(n / 3))
    };
    let here: Vec<Meeting> = (0..2_001).map(cancelled).collect();
    world.insert(&here).await;

    let copies = [(0, 10), (999, 11), (1_000, 12), (2_000, 13)].map(|(n, start): (usize, i64)| {
        Meeting { status: MeetingStatus::Scheduled, start: hour(start), ..here[n].clone() }
    });
    let file = ical::meetings("Sessions", ical::Detail::Times, &copies);
    assert!(practice.pass(now(), Ok(texts(vec![file], "one"))).await);
    for start in 10..=13 {
        assert!(practice.is_free(hour(start)).await, "{start}");
    }
}

/// Less and less often, and at least every six hours; what was read last counts on, and its age shows.
#[tokio::test]
async fn what_cannot_be_read_keeps_its_copy() {
    let practice = Practice::open().await;
    let Practice { world, links, .. } = &practice;
    world.open(&therapist()).await;
    links.add(&jane(), new(links)).await.expect("there is room");
    assert!(practice.pass(now(), busy("20240115T100000", "one")).await);
    let too_many: Vec<String> = (0..20_001)
        .map(|n| {
            let start = at("2024-02-01T00:00:00Z") + TimeDelta::minutes(20 * n);
            format!(
                "BEGIN:VEVENT\r\nUID:{n}\r\nDTSTART:{}\r\nDURATION:PT1M\r\nEND:VEVENT\r\n",
                start.format("%Y%m%dT%H%M%SZ")
            )
        })
        .collect();
    let (first, second) = too_many.split_at(10_000);
    let file = |part: &[String]| format!("BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n", part.concat());
    let too_many = texts(vec![file(first), file(second)], "no");
    let broken = Ok(texts(vec!["BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n".to_owned()], "no"));
    let page = Ok(texts(vec!["<html>Please sign in</html>".to_owned()], "no"));
    let faults = [
        (fault(CopyFault::Unauthorized), CopyFault::Unauthorized, 1),
        (fault(CopyFault::Unreachable), CopyFault::Unreachable, 2),
        (page, CopyFault::NotACalendar, 4),
        (broken, CopyFault::Unreadable, 8),
        (Ok(too_many), CopyFault::TooBusy, 16),
        (fault(CopyFault::Status), CopyFault::Status, 32),
        (fault(CopyFault::Status), CopyFault::Status, 64),
        (fault(CopyFault::Status), CopyFault::Status, 128),
        (fault(CopyFault::Status), CopyFault::Status, 256),
        (fault(CopyFault::Status), CopyFault::Status, 360),
        (fault(CopyFault::Status), CopyFault::Status, 360),
    ];
    for (failures, (answer, expected, minutes)) in (1..).zip(faults) {
        let due = practice.link().await.copy.next_at;
        assert!(practice.pass(due, answer).await);
        let copy = practice.link().await.copy;
        assert_eq!(copy.fault.map(|(fault, _)| fault), Some(expected));
        assert_eq!(
            (copy.failures, copy.fetched_at, copy.checked_at),
            (failures, Some(now()), Some(due))
        );
        assert_eq!(copy.validators, Some(text("UTC one")));
        assert_about(copy.next_at - due, minutes);
        assert!(!practice.is_free(hour(10)).await, "the last copy counts");
    }
    let due = practice.link().await.copy.next_at;
    assert!(practice.pass(due, busy("20240115T110000", "two")).await);
    let copy = practice.link().await.copy;
    assert_eq!((copy.failures, copy.fault, copy.fetched_at), (0, None, Some(due)));
    assert_about(copy.next_at - due, 15);
    assert!(practice.is_free(hour(10)).await && !practice.is_free(hour(11)).await);
}

/// The calendar's own zone if it has one, that of the settings, or the directory's.
#[tokio::test]
async fn times_without_a_zone_are_the_therapists() {
    let practice = Practice::open().await;
    let Practice { world, links, .. } = &practice;
    world.open(&therapist()).await;
    let link = links.add(&jane(), new(links)).await.expect("there is room");
    let local = "20240115T100000";
    assert!(practice.pass(now(), busy(local, "one")).await);
    assert!(!practice.is_free(hour(10)).await, "in UTC, as the directory has it");
    let settings = booking_core::Settings {
        zone: Some(Tz::Europe__Berlin),
        ..booking_core::Settings::DEFAULT
    };
    let any = booking_core::ExpectedVersion::Any;
    world.booking.put_settings(&jane(), &settings, &any).await.expect("they are set");
    // What has not changed over there has changed all the same: it is not asked about.
    practice.asked();
    let due = practice.link().await.copy.next_at;
    assert!(practice.pass(due, busy(local, "two")).await);
    assert_eq!(practice.asked()[0].0, None);
    assert!(!practice.is_free(hour(9)).await && practice.is_free(hour(10)).await);
    let due = practice.link().await.copy.next_at;
    assert!(practice.pass(due, Ok(Fetched::Unchanged)).await);
    assert_eq!(practice.asked()[0].0.as_deref(), Some("two"));
    let patch = LinkPatch {
        label: None,
        zone: Some(Tz::America__New_York),
        write_back: WriteBack::Off,
        location: None,
    };
    links.change(&jane(), link.id, &patch).await.expect("it is theirs");
    let soon = due + TimeDelta::minutes(1);
    assert!(practice.pass(soon, busy(local, "three")).await);
    assert!(!practice.is_free(hour(15)).await && practice.is_free(hour(9)).await);
}

/// A minute apart, and not while somebody is at it.
#[tokio::test]
async fn a_refresh_is_not_for_the_impatient() {
    let practice = Practice::open().await;
    let links = &practice.links;
    let link = links.add(&jane(), new(links)).await.expect("there is room");
    assert!(practice.pass(now(), busy("20240115T100000", "one")).await);
    for (seconds, is_read) in [(0, false), (59, false), (60, true), (100, false), (120, true)] {
        practice.world.clock.set(now() + TimeDelta::seconds(seconds));
        links.refresh(&jane(), link.id).await.expect("it is theirs");
        let read = practice.pass(now() + TimeDelta::seconds(seconds), Ok(Fetched::Unchanged)).await;
        assert_eq!(read, is_read, "after {seconds} seconds");
    }
}
