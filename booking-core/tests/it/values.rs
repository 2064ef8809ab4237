//! What each value type takes and what it turns away.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use booking_core::{
    AvailabilityId, Description, Email, EventId, IdempotencyKey, InvalidDuration, MeetingId,
    MeetingStatus, MeetingType, MeetingUrl, Name, Notes, Reason, Role, SessionDuration,
    SessionNotes, Span, SpanSet, StartTime, Text, TextError, Title, UserId, WallTime, Window,
    format_instant,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::strategies::cases;

fn wall(text: &str) -> Option<WallTime> {
    text.parse().ok()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_wall_time_reads_as_it_is_written(minutes in 0..=1440_u16) {
        let time = WallTime::from_minutes(minutes).unwrap();
        prop_assert_eq!(time.minutes(), minutes);
        prop_assert_eq!(time.to_string(), format!("{:02}:{:02}", minutes / 60, minutes % 60));
        prop_assert_eq!(wall(&time.to_string()), Some(time));
        prop_assert_eq!(WallTime::from_minutes(1441 + minutes), None);
    }

    #[test]
    fn a_wall_time_is_two_digits_twice(text in "[0-9 :+a-]{0,6}") {
        let well_formed = text.len() == 5
            && text.bytes().enumerate().all(|(at, b)| if at == 2 { b == b':' } else { b.is_ascii_digit() })
            && text[3..] < *"60"
            && *text <= *"24:00";
        prop_assert_eq!(wall(&text).is_some(), well_formed);
    }
}

#[test]
fn texts_that_are_no_wall_time() {
    for text in [
        "",
        "9:00",
        "09:0",
        "0900",
        "09-00",
        "09:60",
        "24:01",
        "25:00",
        "99:99",
        "-1:00",
        "+9:00",
        " 9:00",
        "09:00 ",
        "09:00:00",
        "９:００",
        "٠٩:٠٠",
        "09：00",
        "0é:0",
    ] {
        assert_eq!(wall(text), None, "{text:?}");
    }
    for text in ["00:00", "00:01", "09:00", "23:59", "24:00"] {
        assert_eq!(wall(text).unwrap().to_string(), text);
    }
}

#[test]
fn a_window_starts_before_it_ends() {
    let window = |start, end| Window::new(wall(start).unwrap(), wall(end).unwrap());
    assert!(window("09:00", "09:01").is_some());
    assert!(window("00:00", "24:00").is_some());
    assert!(window("09:00", "09:00").is_none());
    assert!(window("22:00", "02:00").is_none());
    assert!(window("24:00", "24:00").is_none());
}

/// The type promises it, so it must hold for windows from a store or a wire too.
#[test]
fn a_window_starts_before_it_ends_wherever_it_comes_from() {
    let read = |json: &str| serde_json::from_str::<Window>(json).ok();
    assert!(read(r#"{"start":"09:00","end":"12:00"}"#).is_some());
    assert_eq!(read(r#"{"start":"12:00","end":"12:00"}"#), None);
    assert_eq!(read(r#"{"start":"12:00","end":"09:00"}"#), None);
}

/// The limit that a kind of text keeps.
fn limit_of<const MAX: usize>(_: Option<Text<MAX>>) -> usize {
    for one in ["a", "é", "語", "🙂", "\n", "\t"] {
        assert!(Text::<MAX>::new(one.repeat(MAX)).is_ok(), "{MAX} times {one:?}");
        let more = Text::<MAX>::new(one.repeat(MAX + 1));
        assert_eq!(more, Err(TextError::TooLong { max: MAX }), "one more {one:?}");
    }
    assert!(Text::<MAX>::new("").is_ok());
    MAX
}

#[test]
fn texts_are_limited_by_characters_not_bytes() {
    assert_eq!(limit_of(None::<Title>), 200);
    assert_eq!(limit_of(None::<Description>), 5_000);
    assert_eq!(limit_of(None::<Notes>), 2_000);
    assert_eq!(limit_of(None::<Reason>), 1_000);
    assert_eq!(limit_of(None::<SessionNotes>), 20_000);
    assert_eq!(limit_of(None::<Name>), 200);
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn texts_have_no_control_characters_but_newline_and_tab(before in "\\PC{0,5}", c: char) {
        let text = format!("{before}{c}");
        let expected = match c {
            '\n' | '\t' => Ok(text.as_str()),
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => Err(TextError::ControlCharacter),
            _ => Ok(text.as_str()),
        };
        let title = Title::new(text.as_str());
        prop_assert_eq!(title.as_ref().map(Text::as_str).map_err(|error| *error), expected);
    }
}

#[test]
fn control_characters_are_refused() {
    for c in ('\0'..='\u{ff}').filter(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        assert_eq!(Title::new(c.to_string()), Err(TextError::ControlCharacter), "{c:?}");
    }
}

#[test]
fn what_people_type_stays_out_of_logs() {
    let shown = [
        format!("{:?}", SessionNotes::new("secret").unwrap()),
        format!("{:?}", MeetingUrl::new("https://secret.example").unwrap()),
        format!("{:?}", Email::new("secret@example.com").unwrap()),
    ];
    assert!(shown.iter().all(|text| !text.contains("secret")), "{shown:?}");
}

#[test]
fn user_ids_are_visible_ascii() {
    let good = |text: &str| UserId::new(text).is_ok_and(|id| id.as_str() == text);
    assert!(good("a"));
    assert!(good("user_2abCD|google:1@x/~!"));
    assert!(good(&"x".repeat(128)));
    for text in ["", " ", "two words", "tab\t", "nul\0", "del\x7f", "é", "id\n", &"x".repeat(129)]
    {
        assert!(UserId::new(text).is_err(), "{text:?}");
    }
}

#[test]
fn e_mail_addresses_have_the_shape_of_one() {
    let longest = format!("{}@example.com", "x".repeat(254 - 12));
    for text in ["a@b", "john.doe+x@example.com", "jörg@exämple.de", longest.as_str()] {
        assert!(Email::new(text).is_ok_and(|email| email.as_str() == text), "{text:?}");
    }
    let too_long = format!("x{longest}");
    for text in ["", "a", "@", "a@", "@b", "a b@c", "a@b c", "a@b\n", "a@\0b", too_long.as_str()] {
        assert!(Email::new(text).is_err(), "{text:?}");
    }
}

#[test]
fn meeting_urls_are_absolute_and_http() {
    let start = "https://example.com/";
    let longest = format!("{start}{}", "x".repeat(MeetingUrl::MAX_CHARS - start.len()));
    for text in [
        "https://meet.example.com/room/1?pwd=x#y",
        "http://localhost:8080",
        "HTTPS://EXAMPLE.COM",
        "https://[::1]/",
        longest.as_str(),
    ] {
        assert!(MeetingUrl::new(text).is_ok_and(|url| url.as_str() == text), "{text:?}");
    }
    let too_long = format!("{longest}x");
    for text in [
        "",
        "/room",
        "room",
        "//example.com/x",
        "example.com/room",
        "https://",
        "https:example.com",
        "https:/example.com",
        "https:\\\\example.com\\x",
        "https://user:password@example.com",
        "https://user@example.com",
        "https:///",
        "http:",
        "javascript:alert(1)",
        "ftp://example.com",
        "data:text/html,x",
        "file:///etc/passwd",
        " https://example.com",
        "https://example.com/\n",
        "java\nscript:alert(1)",
        "https://exa mple.com",
        "https://example.com:99999",
        "https://exämple.de",
        too_long.as_str(),
    ] {
        assert!(MeetingUrl::new(text).is_err(), "{text:?}");
    }
}

#[test]
fn sessions_start_at_whole_minutes_of_writable_years() {
    let start = |text: &str| StartTime::new(text.parse::<DateTime<Utc>>().unwrap());
    for text in [
        "2024-01-15T14:00:00.000Z",
        "2024-01-15T14:07:00Z",
        "2024-01-15T14:00:00+05:45",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:00Z",
    ] {
        assert!(start(text).is_ok_and(|start| start.instant().to_rfc3339() == utc(text)), "{text}");
    }
    for text in [
        "2024-01-15T14:00:01Z",
        "2024-01-15T14:00:00.001Z",
        "2024-01-15T14:00:00.000000001Z",
        "2016-12-31T23:59:60Z",
        "9999-12-31T23:59:00-00:01",
        "-0001-12-31T23:59:00Z",
    ] {
        assert!(start(text).is_err(), "{text}");
    }
}

fn utc(text: &str) -> String {
    text.parse::<DateTime<Utc>>().expect("an instant").to_rfc3339()
}

#[test]
fn instants_go_out_in_utc_with_three_decimals() {
    for (instant, text) in [
        ("2024-01-15T14:00:00Z", "2024-01-15T14:00:00.000Z"),
        ("2024-01-15T14:00:00.1239Z", "2024-01-15T14:00:00.123Z"),
        ("2024-01-15T14:00:00.5+02:00", "2024-01-15T12:00:00.500Z"),
    ] {
        assert_eq!(format_instant(instant.parse().unwrap()), text);
    }
}

#[test]
fn idempotency_keys_are_short_and_visible() {
    let good = |text: &str| IdempotencyKey::new(text).is_ok_and(|key| key.as_str() == text);
    assert!(good("a"));
    assert!(good("8e03978e-40d5-43dd-bc93-6894a57f9324"));
    assert!(good("two words"));
    assert!(good(&"x".repeat(255)));
    for text in ["", "é", "tab\t", "nul\0", "line\n", &"x".repeat(256)] {
        assert!(IdempotencyKey::new(text).is_err(), "{text:?}");
    }
}

fn check_typed_id<Id>(prefix: &str)
where
    Id: FromStr + Display + Debug,
{
    const SUFFIX: &str = "01h455vb4pex5vsknk084sn02q";
    let text = format!("{prefix}_{SUFFIX}");
    let read = text.parse::<Id>().ok().map(|id| (id.to_string(), format!("{id:?}")));
    assert_eq!(read, Some((text.clone(), text.clone())));
    for bad in [
        String::new(),
        SUFFIX.to_owned(),
        format!("_{SUFFIX}"),
        format!("other_{SUFFIX}"),
        format!("{prefix}{SUFFIX}"),
        format!("{prefix}__{SUFFIX}"),
        format!("{}_{SUFFIX}", prefix.to_uppercase()),
        format!("{prefix}_{}", SUFFIX.to_uppercase()),
        format!("{prefix}_{}", &SUFFIX[1..]),
        format!("{prefix}_{SUFFIX}0"),
        format!("{prefix}_8{}", &SUFFIX[1..]),
        format!("{prefix}_{}l", &SUFFIX[1..]),
        format!(" {text}"),
        format!("{text}\0"),
    ] {
        assert!(bad.parse::<Id>().is_err(), "{bad:?}");
    }
}

#[test]
fn minted_ids_say_their_kind() {
    check_typed_id::<MeetingId>("meeting");
    check_typed_id::<AvailabilityId>("avail");
    check_typed_id::<EventId>("event");
}

#[test]
fn sessions_last_30_60_90_or_120_minutes() {
    let known: Vec<u32> =
        (0..1_000).filter(|minutes| SessionDuration::try_from(*minutes).is_ok()).collect();
    assert_eq!(known, [30, 60, 90, 120]);
    assert_eq!(SessionDuration::try_from(u32::MAX), Err(InvalidDuration));
    assert_eq!(SessionDuration::ALL.map(SessionDuration::minutes), [30, 60, 90, 120]);
    assert_eq!(SessionDuration::TwoHours.to_delta(), TimeDelta::hours(2));
}

#[test]
fn sessions_end_where_time_does_or_before() {
    for duration in SessionDuration::ALL {
        let last = DateTime::<Utc>::MAX_UTC - duration.to_delta();
        for start in [DateTime::<Utc>::MIN_UTC, DateTime::UNIX_EPOCH, last] {
            let span = duration.span_from(start).expect("room");
            assert_eq!((span.start(), span.length()), (start, duration.to_delta()));
        }
        assert_eq!(duration.span_from(last + TimeDelta::nanoseconds(1)), None);
    }
}

#[test]
fn words_are_those_of_the_contract() {
    let statuses: Vec<&str> = MeetingStatus::ALL.iter().map(|status| status.as_str()).collect();
    assert_eq!(statuses, ["SCHEDULED", "CONFIRMED", "COMPLETED", "CANCELLED", "NO_SHOW"]);
    let types: Vec<&str> = MeetingType::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(types, ["video", "audio", "in_person", "chat"]);
    let roles: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
    assert_eq!(roles, ["client", "therapist", "admin"]);
    for status in MeetingStatus::ALL {
        assert_eq!(status.as_str().parse(), Ok(*status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    for word in ["", "scheduled", "SCHEDULED ", "Video", "inPerson"] {
        assert!(word.parse::<MeetingStatus>().is_err() && word.parse::<MeetingType>().is_err());
    }
}

fn instant(minute: usize) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(i64::try_from(minute).expect("a small number"))
}

const MINUTES: usize = 40;

/// Spans of a short hour, by their first minute and the first after.
fn spans() -> impl Strategy<Value = Vec<(usize, usize)>> {
    vec((0..MINUTES, 1..12_usize).prop_map(|(start, length)| (start, start + length)), 0..8)
}

fn span((start, end): (usize, usize)) -> Span {
    Span::new(instant(start), instant(end)).expect("start before end")
}

fn set(spans: &[(usize, usize)]) -> SpanSet {
    spans.iter().copied().map(span).collect()
}

/// The same, minute by minute.
fn bits(spans: &[(usize, usize)]) -> Vec<bool> {
    (0..2 * MINUTES).map(|m| spans.iter().any(|(start, end)| (*start..*end).contains(&m))).collect()
}

fn check_set(set: &SpanSet, expected: &[bool]) -> Result<(), TestCaseError> {
    let found: Vec<bool> =
        (0..expected.len()).map(|minute| set.containing(instant(minute)).is_some()).collect();
    prop_assert_eq!(found.as_slice(), expected);
    let fewest = expected.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    prop_assert_eq!(set.as_slice().len(), fewest + usize::from(expected[0]));
    prop_assert!(set.as_slice().windows(2).all(|pair| pair[0].end() < pair[1].start()));
    prop_assert_eq!(set.is_empty(), !expected.contains(&true));
    Ok(())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn sets_of_spans_are_sets_of_minutes(one in spans(), other in spans()) {
        let (a, b) = (bits(&one), bits(&other));
        check_set(&set(&one), &a)?;
        let either: Vec<bool> = a.iter().zip(&b).map(|(a, b)| *a || *b).collect();
        check_set(&set(&one).union(&set(&other)), &either)?;
        let rest: Vec<bool> = a.iter().zip(&b).map(|(a, b)| *a && !*b).collect();
        check_set(&set(&one).subtract(&set(&other)), &rest)?;
    }

    #[test]
    fn questions_to_a_set_are_questions_to_its_minutes(
        spans in spans(),
        start in 0..MINUTES,
        length in 1..20_usize,
    ) {
        let (set, bits) = (set(&spans), &bits(&spans)[start..start + length]);
        let asked = span((start, start + length));
        prop_assert_eq!(set.encloses(asked), bits.iter().all(|bit| *bit));
        prop_assert_eq!(set.overlaps(asked), bits.contains(&true));
        let containing = set.containing(asked.start());
        prop_assert!(containing.is_none_or(|span| set.as_slice().contains(&span)));
    }

    #[test]
    fn two_spans_and_their_minutes(one in (0..20_usize, 1..9_usize), other in (0..20_usize, 1..9_usize)) {
        let of = |(start, length): (usize, usize)| start..start + length;
        let (a, b) = (span((one.0, one.0 + one.1)), span((other.0, other.0 + other.1)));
        let shared = of(one).filter(|minute| of(other).contains(minute)).count();
        prop_assert_eq!(a.overlaps(b), shared > 0);
        prop_assert_eq!(a.encloses(b), shared == other.1);
        let intersection = a.intersection(b).map_or(TimeDelta::zero(), Span::length);
        prop_assert_eq!(intersection, TimeDelta::minutes(i64::try_from(shared).unwrap()));
        prop_assert_eq!(a.contains(b.start()), of(one).contains(&other.0));
        prop_assert_eq!(Span::new(a.end(), a.start()), None);
        prop_assert_eq!(Span::new(a.start(), a.start()), None);
    }
}
