//! What calendar apps read, as a parser of other people's reads it: `ical-rs`, which also knows what the
//! RFCs allow where, and how rules recur.

use std::collections::BTreeMap;

use booking_core::ical::{self as ours, Detail, Week};
use booking_core::testing::fixtures::{
    at, client, hour, meeting, now, slot, text, therapist, window,
};
use booking_core::{
    AvailabilitySlot, Meeting, MeetingStatus, MeetingUrl, Notes, Span, SpanSet, Text, WeeklyHours,
    format_instant,
};
use chrono::{DateTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use ical::component::IcalComponent;
use ical::ical::Ical;
use ical::prop::IcalProp;
use ical::recur::IcalRecurDateTime;
use ical::recur::set::IcalRecurSet;
use ical::tree::cst::IcalCst;
use ical::tz::IcalTz;
use ical::value::IcalValue;
use proptest::prelude::*;

use crate::strategies::{ZONES, cases};

/// What a reader makes of it. Fails on lines that are too long, or end otherwise, and on whatever the
/// RFCs do not allow.
fn read(text: &str) -> Ical<'static> {
    let lines = text.strip_suffix("\r\n").expect("the last line ends").split("\r\n");
    for line in lines {
        assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{line:?}");
        assert!(!line.is_empty() && line != " ", "{text}");
    }
    let read = IcalCst::parse(text).expect("it parses").decode().into_owned();
    let valid = read.clone().validate();
    assert!(valid.is_ok(), "{:?}\n{text}", valid.err());
    read
}

fn prop(props: &[IcalProp<'_>], name: &str) -> Option<String> {
    let mut found = props.iter().filter(|prop| prop.name.eq_ignore_ascii_case(name));
    let value = match &found.next()?.value {
        IcalValue::Text(text) => text.0.to_string(),
        IcalValue::DateTime(time) => time.0.to_string(),
        IcalValue::Integer(number) => number.0.to_string(),
        IcalValue::Uri(uri) => uri.0.to_string(),
        // Of a name that no RFC has.
        IcalValue::Unknown(value) => value.components.concat().concat(),
        other => format!("{other:?}"),
    };
    assert!(found.next().is_none(), "{name} is there twice");
    Some(value)
}

fn components<'a>(
    parent: &'a [IcalComponent<'static>],
    name: &str,
) -> Vec<&'a IcalComponent<'static>> {
    parent.iter().filter(|component| *component.name == *name).collect()
}

fn compact(instant: DateTime<Utc>) -> String {
    let mut text = format_instant(instant);
    text.truncate(19);
    text.retain(|c| !"-:".contains(c));
    text + "Z"
}

/// Characters that mean something to iCalendar, and some of one to four bytes.
fn nasty(most: usize) -> impl Strategy<Value = String> {
    let chars = prop::sample::select(
        &[
            ',', ';', ':', '\\', '"', '\n', '\t', ' ', 'n', 'N', 'x', '^', '\'', 'é', '漢', '🧑',
            '\u{feff}', '\u{202e}', '\u{2028}',
        ][..],
    );
    prop::collection::vec(prop_oneof![6 => chars, 1 => any::<char>()], 0..=most).prop_map(|chars| {
        chars.into_iter().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
    })
}

fn meetings() -> impl Strategy<Value = Vec<Meeting>> {
    let status = prop::sample::select(MeetingStatus::ALL);
    let one = (nasty(200), status, 0..=10_000_i64, any::<u32>(), any::<bool>());
    let one = one.prop_map(|(title, status, minutes, version, has_url)| {
        let url = has_url.then(|| MeetingUrl::new("https://meet.example.com/r?a=1,2;b=3").unwrap());
        Meeting {
            title: Text::new(title).unwrap(),
            status,
            version: 1 + u64::from(version) * 2,
            meeting_url: url,
            updated_at: now() + TimeDelta::minutes(minutes),
            ..meeting(&client(), &therapist(), hour(0) + TimeDelta::minutes(minutes))
        }
    });
    prop::collection::vec(one, 0..6)
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn what_is_written_is_read_back(name in nasty(100), meetings in meetings()) {
        let text = ours::meetings(&name, Detail::Titles, &meetings);
        let read = read(&text);
        for property in ["NAME", "X-WR-CALNAME"] {
            prop_assert_eq!(prop(&read.props, property), Some(name.clone()));
        }
        let events = components(&read.components, "VEVENT");
        prop_assert_eq!(events.len(), meetings.len());
        for (event, meeting) in events.into_iter().zip(&meetings) {
            // Alone it is the same event, with nothing about a calendar around it.
            let alone = self::read(&ours::object(Detail::Titles, meeting));
            prop_assert_eq!(&alone.components[..], std::slice::from_ref(event));
            prop_assert_eq!(prop(&alone.props, "NAME"), None);
            prop_assert_eq!(prop(&alone.props, "METHOD"), None);
            let prop = |name| prop(&event.props, name);
            prop_assert_eq!(prop("UID"), Some(format!("{}@booking", meeting.id)));
            prop_assert_eq!(prop("SUMMARY"), Some(meeting.title.as_str().to_owned()));
            let is_cancelled = meeting.status == MeetingStatus::Cancelled;
            let status = if is_cancelled { "CANCELLED" } else { "CONFIRMED" };
            prop_assert_eq!(prop("STATUS"), Some(status.to_owned()));
            let sequence = (meeting.version - 1).min(2_147_483_647);
            prop_assert_eq!(prop("SEQUENCE"), Some(sequence.to_string()));
            let times = [
                ("DTSTART", meeting.start),
                ("DTEND", meeting.end()),
                ("DTSTAMP", meeting.updated_at),
                ("LAST-MODIFIED", meeting.updated_at),
                ("CREATED", meeting.created_at),
            ];
            for (name, instant) in times {
                prop_assert_eq!(prop(name), Some(compact(instant)));
            }
            let url = meeting.meeting_url.as_ref().map(|url| url.as_str().to_owned());
            prop_assert_eq!(prop("URL"), url.clone());
            prop_assert_eq!(prop("LOCATION"), url);
        }
    }

    /// Whatever else there is to know of a meeting is not in the calendar of one who wants times.
    #[test]
    fn times_are_nothing_but_times(meetings in meetings(), other in nasty(200)) {
        let plain = |meeting: &Meeting| Meeting {
            title: Text::new("Another").unwrap(),
            meeting_url: None,
            ..meeting.clone()
        };
        let said = |meeting: &Meeting| Meeting {
            description: Some(Text::new(other.clone()).unwrap()),
            session_notes: Some(Text::new(other.clone()).unwrap()),
            ..meeting.clone()
        };
        let plainly: Vec<_> = meetings.iter().map(plain).collect();
        let wordily: Vec<_> = meetings.iter().map(said).collect();
        let times = |meetings: &[Meeting]| ours::meetings("Sessions", Detail::Times, meetings);
        prop_assert_eq!(times(&plainly), times(&wordily));
        let titles = |meetings: &[Meeting]| ours::meetings("Sessions", Detail::Titles, meetings);
        prop_assert_eq!(titles(&meetings), titles(&wordily));
    }

    /// Whatever the week and the zone: who expands it by the RFC finds what is offered, to the second.
    #[test]
    fn a_week_recurs_as_it_is_offered(
        windows in prop::collection::vec((0..7_u8, 0..48_u16, 1..=48_u16), 0..5),
        zone in prop::sample::select(ZONES),
        year in 2007..2037_i32,
    ) {
        let mut slots: Vec<AvailabilitySlot> = Vec::new();
        for (day, start, length) in windows {
            let window = window(start * 30, (start + length).min(48) * 30);
            let weekday = Weekday::try_from(day).unwrap();
            let taken = |one: &AvailabilitySlot| one.weekday == weekday && one.window.overlaps(window);
            if !slots.iter().any(taken) {
                slots.push(slot(&therapist(), weekday, window));
            }
        }
        check_week(zone, &slots, year);
    }
}

/// The ends of days, in some of all zones there are, in some years: all of them in all take an hour.
#[test]
fn clock_changes_here_and_there() {
    let slots: Vec<_> = booking_core::WEEKDAYS
        .into_iter()
        .flat_map(|day| [(0, 150), (1_410, 1_440)].map(|(from, to)| (day, from, to)))
        .map(|(day, from, to)| slot(&therapist(), day, window(from, to)))
        .collect();
    for (n, zone) in chrono_tz::TZ_VARIANTS.into_iter().step_by(11).enumerate() {
        let year = [2008, 2011, 2014, 2019, 2024, 2026][n % 6];
        check_week(zone, &slots, year);
    }
}

fn check_week(zone: Tz, slots: &[AvailabilitySlot], year: i32) {
    let week = Week {
        id: "feed_1",
        zone,
        slots,
        since: now(),
        set_at: None,
        now: at(&format!("{year}-07-01T00:00:00Z")),
    };
    let text = ours::availability("Week", &week);
    let read = read(&text);
    let [availability] = components(&read.components, "VAVAILABILITY")[..] else {
        panic!("{text}")
    };
    let tz = IcalTz::of_calendar(&read, zone.name()).expect("its zone is there");
    // What is told of clocks begins and ends with a year, wherever.
    let from = at(&format!("{year}-01-03T00:00:00Z"));
    let within = Span::new(from, from + TimeDelta::days(4 * 365 - 7)).unwrap();
    let available = components(&availability.components, "AVAILABLE");
    let found: SpanSet = available
        .into_iter()
        .flat_map(|available| expand(available, &tz, within))
        .filter_map(|span| span.intersection(within))
        .collect();
    let expected = WeeklyHours::from_iter(slots).spans(zone, within);
    for (found, expected) in found.as_slice().iter().zip(expected.as_slice()) {
        assert_eq!(found, expected, "{zone} {year}\n{text}");
    }
    assert_eq!(found.as_slice().len(), expected.as_slice().len(), "{zone} {year}");
}

/// As RFC 5545 has it: local times that recur on the wall, each for exactly as long as the first.
fn expand(available: &IcalComponent<'static>, tz: &IcalTz, within: Span) -> Vec<Span> {
    let time = |name| civil(&prop(&available.props, name).expect("it is there"));
    let [(start, in_utc), (end, _)] = ["DTSTART", "DTEND"].map(time);
    let span = |start: i64, end: i64| {
        let instant = |second| DateTime::from_timestamp(second, 0).unwrap();
        Span::new(instant(start), instant(end)).expect("it begins before it ends")
    };
    if in_utc {
        return vec![span(start.seconds(), end.seconds())];
    }
    let length = tz.resolve(end).literal_instant(end) - tz.resolve(start).literal_instant(start);
    let set = IcalRecurSet::of_component_in(available, std::slice::from_ref(tz));
    let starts = set.expand_in_zone(tz).map(|one| tz.resolve(one.start).literal_instant(one.start));
    let starts = starts.take_while(|start| *start < within.end().timestamp());
    starts.map(|start| span(start, start + length)).collect()
}

fn civil(text: &str) -> (IcalRecurDateTime, bool) {
    let number = |from: usize, to: usize| text[from..to].parse::<u16>().unwrap();
    let small = |from: usize| u8::try_from(number(from, from + 2)).unwrap();
    let time = IcalRecurDateTime {
        year: number(0, 4).into(),
        month: small(4),
        day: small(6),
        hour: small(9),
        minute: small(11),
        second: small(13),
    };
    (time, text.ends_with('Z'))
}

/// The document, once, to the letter.
#[test]
fn a_cancelled_meeting_to_the_letter() {
    let mut cancelled = meeting(&client(), &therapist(), hour(14));
    cancelled.id = "meeting_01h455vb4pex5vsknk084sn02q".parse().unwrap();
    cancelled.version = 3;
    cancelled.status = MeetingStatus::Cancelled;
    cancelled.updated_at = at("2024-01-02T08:00:00.999Z");
    let text = ours::meetings("Jane; work", Detail::Times, &[cancelled]);
    let expected = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//booking//booking-core//EN\n\
        CALSCALE:GREGORIAN\nNAME:Jane\\; work\nX-WR-CALNAME:Jane\\; work\n\
        REFRESH-INTERVAL;VALUE=DURATION:PT1H\nX-PUBLISHED-TTL:PT1H\n\
        BEGIN:VEVENT\nUID:meeting_01h455vb4pex5vsknk084sn02q@booking\n\
        DTSTAMP:20240102T080000Z\nCREATED:20240101T120000Z\nLAST-MODIFIED:20240102T080000Z\n\
        SEQUENCE:2\nDTSTART:20240115T140000Z\nDTEND:20240115T150000Z\n\
        STATUS:CANCELLED\nTRANSP:TRANSPARENT\nCLASS:PRIVATE\nSUMMARY:Session\n\
        END:VEVENT\nEND:VCALENDAR\n";
    assert_eq!(text, expected.replace('\n', "\r\n"));
}

/// There is always something in a calendar, and the last minute of the last year can be written.
#[test]
fn odd_calendars_are_valid() {
    let nothing = read(&ours::meetings("", Detail::Times, &[]));
    assert_eq!(components(&nothing.components, "VTIMEZONE").len(), 1);
    assert_eq!(nothing.components.len(), 1);
    let last = meeting(&client(), &therapist(), at("9999-12-31T23:30:00Z"));
    let last = read(&ours::meetings("", Detail::Times, &[last]));
    let [event] = components(&last.components, "VEVENT")[..] else { panic!("one event") };
    assert_eq!(prop(&event.props, "DTEND"), Some("99991231T235959Z".to_owned()));
}

/// Windows that are switched off are not there; notes never are; nothing at all is fine.
#[test]
fn a_week_tells_no_notes() {
    let off =
        AvailabilitySlot { is_available: false, ..slot(&therapist(), Weekday::Mon, window(0, 60)) };
    let notes: Option<Notes> = Some(text("Zeppelin"));
    let noted = AvailabilitySlot { notes, ..slot(&therapist(), Weekday::Tue, window(0, 60)) };
    let zone = Tz::America__New_York;
    let count = |slots: &[AvailabilitySlot]| {
        let week = Week { id: "feed_1", zone, slots, since: now(), set_at: None, now: now() };
        let text = ours::availability("Week", &week);
        assert!(!text.contains("Zeppelin"));
        let read = read(&text);
        let [one] = components(&read.components, "VAVAILABILITY")[..] else { panic!("one") };
        one.components.len()
    };
    assert_eq!(count(&[]), 0);
    assert_eq!(count(std::slice::from_ref(&off)), 0);
    assert_eq!(count(&[noted, off]), 1);
}

/// The sequence never falls, whatever happens to a meeting.
#[test]
fn sequences_grow_with_versions() {
    let mut seen = BTreeMap::new();
    for version in [1, 2, 3, 2_147_483_648, 2_147_483_649, u64::MAX] {
        let meeting = Meeting { version, ..meeting(&client(), &therapist(), hour(9)) };
        let read = read(&ours::meetings("", Detail::Times, &[meeting]));
        let [event] = components(&read.components, "VEVENT")[..] else { panic!("one event") };
        let sequence: i32 = prop(&event.props, "SEQUENCE").unwrap().parse().unwrap();
        seen.insert(version, sequence);
    }
    assert_eq!(seen.into_values().collect::<Vec<_>>(), [0, 1, 2, i32::MAX, i32::MAX, i32::MAX]);
}
