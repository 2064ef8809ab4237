//! A table of what files say, and one of what clocks do to them.

use booking_core::{ExternalTimes, Span, Unclear, external_times};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{calendar, event, once, read, year};
use crate::strategies::offset_seconds;

pub(super) const BERLIN: Tz = Tz::Europe__Berlin;

/// In Berlin, which in January is an hour ahead: what is busy, as `day hour:minute-hour:minute`.
#[track_caller]
pub(super) fn check(file: &str, expected: &[&str]) {
    let times = read(file, BERLIN).unwrap();
    assert_eq!(times.unclear, [], "{file}");
    assert_eq!(shortened(&times), expected, "{file}");
}

fn shown_short(file: &str) -> Vec<String> {
    shortened(&read(file, BERLIN).unwrap())
}

fn shortened(times: &ExternalTimes) -> Vec<String> {
    let show = |at: DateTime<Utc>| at.with_timezone(&BERLIN);
    let line = |span: Span| {
        let (start, end) = (show(span.start()), show(span.end()));
        let days = (end.date_naive() - start.date_naive()).num_days();
        let more = if days == 0 { String::new() } else { format!("+{days}") };
        format!("{} {}-{}{more}", start.format("%m-%d"), start.format("%H:%M"), end.format("%H:%M"))
    };
    times.busy.iter().map(line).collect()
}

#[test]
fn what_an_event_says_of_itself() {
    let at_nine = "UID:1\nDTSTART;TZID=Europe/Berlin:20240115T090000\n";
    let nine_to_ten = &["01-15 09:00-10:00"];
    let with = |lines: &str| event(&format!("{at_nine}{lines}"));

    check(&with("DTEND;TZID=Europe/Berlin:20240115T100000"), nine_to_ten);
    check(&with("DURATION:PT1H"), nine_to_ten);
    check(&with("DURATION:PT30M30M"), nine_to_ten);
    check(&with("DTEND;TZID=Europe/London:20240115T090000"), nine_to_ten);
    check(&with("DTEND:20240115T090000Z"), &["01-15 09:00-10:00"]);
    check(&with("DTEND:20240115T090000Z\nSTATUS:TENTATIVE\nTRANSP:OPAQUE"), nine_to_ten);
    check(&with("DURATION:PT1H\nTRANSP:TRANSPARENT"), &[]);
    check(&with("DURATION:PT1H\nSTATUS:CANCELLED"), &[]);
    check(&with("DURATION:PT1H\nstatus:cancelled"), &[]);
    check(&with("DURATION:PT0S"), &[]);
    check(&with("DTEND;TZID=Europe/Berlin:20240115T090000"), &[]);
    check(&with(""), &[]);
    check(&with("DURATION:P1D"), &["01-15 09:00-09:00+1"]);
    check(&event("DTSTART:20240115T080000Z\nDURATION:PT1H"), nine_to_ten);
    check(&event("DTSTART:20240115T090000\nDURATION:PT1H"), nine_to_ten);
}

#[test]
fn days_are_those_of_the_calendar() {
    let day = "UID:1\nDTSTART;VALUE=DATE:20240115";
    let one = &["01-15 00:00-00:00+1"];
    check(&event(day), one);
    check(&event(&format!("{day}\nDTEND;VALUE=DATE:20240116")), one);
    check(&event(&format!("{day}\nDTEND;VALUE=DATE:20240115")), one);
    check(&event(&format!("{day}\nDURATION:P1D")), one);
    check(&event("DTSTART:20240115"), one);
    check(&event(&format!("{day}\nDTEND;VALUE=DATE:20240118")), &["01-15 00:00-00:00+3"]);
    check(&event(&format!("{day}\nDTEND:20240115T110000Z")), &["01-15 00:00-12:00"]);
}

#[test]
fn series_and_what_is_changed_in_them() {
    let daily = "UID:1\nDTSTART;TZID=Europe/Berlin:20240115T090000\nDURATION:PT1H\n\
                 RRULE:FREQ=DAILY;COUNT=4";
    let whole =
        ["01-15 09:00-10:00", "01-16 09:00-10:00", "01-17 09:00-10:00", "01-18 09:00-10:00"];
    check(&event(daily), &whole);
    let except = |line: &str| event(&format!("{daily}\n{line}"));
    let without_second = [whole[0], whole[2], whole[3]];
    check(&except("EXDATE;TZID=Europe/Berlin:20240116T090000"), &without_second);
    check(&except("EXDATE:20240116T080000Z"), &without_second);
    check(&except("EXDATE;TZID=America/New_York:20240116T030000"), &without_second);
    check(&except("EXDATE;VALUE=DATE:20240116"), &without_second);
    check(&except("EXDATE:20240116T080001Z"), &whole);
    check(
        &except("EXDATE:20240115T080000Z,20240116T080000Z\nEXDATE:20240118T080000Z"),
        &whole[2..3],
    );
    check(&except("RDATE:20240116T080000Z"), &whole);
    let more = [&whole[..], &["01-20 09:00-10:00"]].concat();
    check(&except("RDATE:20240120T080000Z"), &more);
    check(&except("RDATE;VALUE=PERIOD:20240120T080000Z/PT1H"), &more);
    check(&except("RDATE;VALUE=PERIOD:20240120T080000Z/20240120T090000Z"), &more);

    let changed = |lines: &str| {
        calendar(&format!(
            "BEGIN:VEVENT\n{daily}\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT"
        ))
    };
    let moved = "DTSTART:20240116T130000Z\nDURATION:PT2H";
    let of_second = "RECURRENCE-ID;TZID=Europe/Berlin:20240116T090000";
    let second = [whole[0], "01-16 14:00-16:00", whole[2], whole[3]];
    check(&changed(&format!("{of_second}\n{moved}")), &second);
    check(&changed(&format!("RECURRENCE-ID:20240116T080000Z\n{moved}")), &second);
    check(&changed(&format!("{of_second}\n{moved}\nSTATUS:CANCELLED")), &without_second);
    check(&changed(&format!("{of_second}\n{moved}\nTRANSP:TRANSPARENT")), &without_second);

    let following = "RECURRENCE-ID;RANGE=THISANDFUTURE:20240117T080000Z\nDURATION:PT30M\n";
    let from_third = [whole[0], whole[1], "01-17 11:00-11:30", "01-18 11:00-11:30"];
    check(&changed(&format!("{following}DTSTART:20240117T100000Z")), &from_third);
    check(&changed(&format!("{following}DTSTART:20240117T100000Z\nSTATUS:CANCELLED")), &whole[..2]);
}

#[test]
fn rules_go_by_the_wall_clock_and_end_where_they_say() {
    let series = |rule: &str| {
        event(&format!("DTSTART;TZID=Europe/Berlin:20240115T003000\nDURATION:PT1H\nRRULE:{rule}"))
    };
    let two = &["01-15 00:30-01:30", "01-22 00:30-01:30"];
    check(&series("FREQ=WEEKLY;COUNT=2"), two);
    check(&series("FREQ=WEEKLY;UNTIL=20240121T233000Z"), two);
    check(&series("FREQ=WEEKLY;UNTIL=20240121T232959Z"), &two[..1]);
    check(&series("FREQ=WEEKLY;UNTIL=20240122"), two);
    check(&series("FREQ=WEEKLY;UNTIL=20240122T003000"), two);
    check(&series("FREQ=WEEKLY;UNTIL=20230122T003000"), &two[..1]);
    check(&series("freq=weekly;byday=MO;count=2"), two);
    // The night has two half past twos, the first of them before one o'clock of UTC.
    let nightly =
        "DTSTART;TZID=Europe/Berlin:20241025T023000\nDURATION:PT1M\nRRULE:FREQ=DAILY;UNTIL=";
    let nights = ["10-25 02:30-02:31", "10-26 02:30-02:31", "10-27 02:30-02:31"];
    check(&event(&format!("{nightly}20241027T003000Z")), &nights);
    check(&event(&format!("{nightly}20241027T010000Z")), &nights);
    check(&event(&format!("{nightly}20241027T002959Z")), &nights[..2]);
    // The 15th is a Monday: a start that the rule does not know is the first all the same.
    check(&series("FREQ=WEEKLY;BYDAY=TU;COUNT=1"), &["01-15 00:30-01:30", "01-16 00:30-01:30"]);
    check(
        &series("FREQ=MONTHLY;BYDAY=-1WE;UNTIL=20240301"),
        &["01-15 00:30-01:30", "01-31 00:30-01:30", "02-28 00:30-01:30"],
    );
    // Long before the window, and on into it.
    let old = "DTSTART;TZID=Europe/Berlin:19991224T090000\nDURATION:PT1H\nRRULE:FREQ=YEARLY";
    check(&event(old), &["12-24 09:00-10:00"]);
    let over_new_year = "DTSTART;VALUE=DATE:20231220\nDTEND;VALUE=DATE:20240110";
    check(&event(over_new_year), &["01-01 01:00-00:00+9"]);
}

/// A zone that is nobody's, half an hour from Berlin's, with rules of its own.
#[test]
fn zones_that_a_file_describes() {
    let zone = "BEGIN:VTIMEZONE\nTZID:Customized Time Zone\n\
        BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0230\nTZOFFSETTO:+0130\n\
        RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
        BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0130\nTZOFFSETTO:+0230\n\
        RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE";
    let series = |from: &str| {
        calendar(&format!(
            "{zone}\nBEGIN:VEVENT\nDTSTART;TZID=Customized Time Zone:{from}\nDURATION:PT1H\n\
             RRULE:FREQ=DAILY;COUNT=2\nEND:VEVENT"
        ))
    };
    check(&series("20240115T093000"), &["01-15 09:00-10:00", "01-16 09:00-10:00"]);
    check(&series("20240715T093000"), &["07-15 09:00-10:00", "07-16 09:00-10:00"]);
    // 02:30 on the 31st of March is skipped there: the clock before says when it would have been, and it
    // does not count.
    check(
        &series("20240330T023000"),
        &["03-30 02:00-03:00", "03-31 03:00-04:00", "04-01 02:00-03:00"],
    );
    let alias = zone.replace(
        "TZID:Customized Time Zone",
        "TZID:Customized Time Zone\nX-LIC-LOCATION:Asia/Tokyo",
    );
    let file = series("20240115T093000").replace(&calendar_lines(zone), &calendar_lines(&alias));
    check(&file, &["01-15 01:30-02:30", "01-16 01:30-02:30"]);
}

fn calendar_lines(body: &str) -> String {
    body.lines().map(|line| format!("{}\r\n", line.trim_start())).collect()
}

#[test]
fn free_busy_and_other_components() {
    let body = "BEGIN:VFREEBUSY\nUID:f\nDTSTART:20240101T000000Z\n\
        FREEBUSY:20240115T080000Z/PT1H,20240116T080000Z/20240116T090000Z\n\
        FREEBUSY;FBTYPE=FREE:20240117T080000Z/PT1H\n\
        FREEBUSY;FBTYPE=BUSY-TENTATIVE:20240118T080000Z/PT1H\nEND:VFREEBUSY\n\
        BEGIN:VTODO\nDTSTART:20240119T080000Z\nDURATION:PT1H\nEND:VTODO\n\
        BEGIN:VEVENT\nDTSTART:20240120T080000Z\nDURATION:PT1H\n\
        BEGIN:VALARM\nTRIGGER:-PT15M\nDURATION:PT9H\nEND:VALARM\nEND:VEVENT";
    check(
        &calendar(body),
        &["01-15 09:00-10:00", "01-16 09:00-10:00", "01-18 09:00-10:00", "01-20 09:00-10:00"],
    );
}

#[test]
fn copies_of_an_event() {
    let copy = |uid: &str, sequence: &str, hour: &str| {
        format!(
            "BEGIN:VEVENT\n{uid}SEQUENCE:{sequence}\nDTSTART:20240115T{hour}0000Z\nDURATION:PT1H\n\
             END:VEVENT\n"
        )
    };
    let two = |one: String, other: String| calendar(&format!("{one}{other}"));
    let (nine, noon) = ("01-15 09:00-10:00", "01-15 12:00-13:00");
    check(&two(copy("UID:1\n", "1", "08"), copy("UID:1\n", "2", "11")), &[noon]);
    check(&two(copy("UID:1\n", "1", "08"), copy("UID:1\n", "1", "11")), &[nine, noon]);
    check(&two(copy("UID:1\n", "1", "08"), copy("UID:2\n", "2", "11")), &[nine, noon]);
    check(&two(copy("", "1", "08"), copy("", "2", "11")), &[nine, noon]);
    // What an override replaces cannot be read: it is no newer copy of the series.
    let odd = copy("UID:1\nRECURRENCE-ID:soon\n", "9", "11");
    assert_eq!(shown_short(&two(copy("UID:1\n", "1", "08"), odd)), [nine, noon]);
    // Two calendars in one file.
    let file = format!("{}{}", event("DTSTART:20240115T080000Z\nDURATION:PT1H"), calendar(""));
    check(&file, &[nine]);
}

#[test]
fn an_unclear_event_is_named_and_blocks_what_it_can() {
    let one = |lines: &str, what: Unclear, expected: &[&str]| {
        let good = "BEGIN:VEVENT\nDTSTART:20240120T080000Z\nDURATION:PT1H\nEND:VEVENT";
        let file = calendar(&format!("BEGIN:VEVENT\nUID:odd\n{lines}\nEND:VEVENT\n{good}"));
        let times = read(&file, BERLIN).unwrap();
        assert_eq!(times.unclear_count, 1, "{lines}");
        assert_eq!((times.unclear[0].uid.as_str(), times.unclear[0].what), ("odd", what));
        assert_eq!(shown_short(&file), [expected, &["01-20 09:00-10:00"]].concat(), "{lines}");
    };
    let at_nine = "DTSTART:20240115T080000Z\nDURATION:PT1H\n";
    let nine = &["01-15 09:00-10:00"];
    one("DURATION:PT1H", Unclear::Start, &[]);
    one("DTSTART:tomorrow\nDURATION:PT1H", Unclear::Start, &[]);
    one("DTSTART:20240230T080000Z\nDURATION:PT1H", Unclear::Start, &[]);
    one("DTSTART:20240115T080000Z\nDTEND:20240115T070000Z", Unclear::End, &[]);
    one("DTSTART:20240115\nDTEND:20240114", Unclear::End, &["01-15 00:00-00:00+1"]);
    one("DTSTART:20240115\nDURATION:soon", Unclear::End, &["01-15 00:00-00:00+1"]);
    for rule in [
        "FREQ=NEVER",
        "COUNT=4",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=00",
        "FREQ=DAILY;COUNT=1;COUNT=2",
        "FREQ=DAILY;COUNT=99999999999",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=00",
        "FREQ=DAILY;INTERVAL=70000",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYWEEKDAY=XMO",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=MONTHLY;BYDAY=MO,6FR",
        "FREQ=MONTHLY;BYDAY=MO,-1FR;BYSETPOS=1",
        "FREQ=WEEKLY;BYDAY=é",
        "FREQ=MONTHLY;BYDAY=twoMO",
        "FREQ=DAILY;UNTIL=never",
        "FREQ=DAILY;UNTIL=20240101;UNTIL=20240102",
        "FREQ=DAILY;FREQ=DAILY",
        "RSCALE=HEBREW;FREQ=YEARLY",
        "FREQ=WEEKLY;BYMONTHDAY=3",
    ] {
        one(&format!("{at_nine}RRULE:{rule}"), Unclear::Rule, nine);
    }
    one(&format!("{at_nine}EXDATE:today"), Unclear::Dates, nine);
    one(&format!("{at_nine}RDATE:today"), Unclear::Dates, nine);
    one(&format!("{at_nine}RECURRENCE-ID:today"), Unclear::Dates, nine);
}

/// Ten whole days around a change are one span, and ten noons are noons, in eleven zones.
#[test]
fn where_clocks_change() {
    for (zone, changes) in [
        (Tz::Europe__London, "2024-03-31"),
        (Tz::Europe__London, "2024-10-27"),
        (Tz::America__New_York, "2024-03-10"),
        (Tz::America__New_York, "2024-11-03"),
        (Tz::Australia__Lord_Howe, "2024-04-07"),
        (Tz::Australia__Lord_Howe, "2024-10-06"),
        (Tz::Pacific__Auckland, "2024-04-07"),
        (Tz::America__Santiago, "2024-09-08"),
        (Tz::Africa__Cairo, "2024-04-26"),
        (Tz::America__Havana, "2024-03-10"),
        (Tz::Asia__Beirut, "2024-03-31"),
        (Tz::Antarctica__Troll, "2024-03-31"),
        (Tz::Africa__Casablanca, "2024-04-14"),
    ] {
        let change: NaiveDate = changes.parse().unwrap();
        let noon = |days: i64| once(zone, &format!("{}T12:00", change + TimeDelta::days(days)));
        assert_ne!(offset_seconds(zone, noon(-1)), offset_seconds(zone, noon(0)), "{zone}");
        let first = (change - TimeDelta::days(5)).format("%Y%m%d").to_string();
        let days = event(&format!("DTSTART:{first}\nRRULE:FREQ=DAILY;COUNT=10"));
        let times = read(&days, zone).unwrap();
        // Ten days in one, without a gap.
        let [all] = times.busy.as_slice() else { panic!("{zone}") };
        let midnight = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
        assert_eq!(midnight(all.start()), change - TimeDelta::days(5));
        assert_eq!(midnight(all.end() - TimeDelta::seconds(1)), change + TimeDelta::days(4));

        let meeting =
            format!("DTSTART;TZID={zone}:{first}T120000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=10");
        let times = read(&event(&meeting), zone).unwrap();
        let noons: Vec<_> = (-5..5).map(noon).collect();
        assert_eq!(times.busy.iter().map(Span::start).collect::<Vec<_>>(), noons, "{zone}");
        assert!(times.busy.iter().all(|span| span.length() == TimeDelta::hours(1)));
    }
}

#[test]
fn nights_in_which_clocks_change_end_when_the_last_reading_says() {
    let night = |first: &str, last: &str| {
        event(&format!(
            "DTSTART;TZID=Europe/Berlin:2024{first}T220000\n\
             DTEND;TZID=Europe/Berlin:2024{last}T060000\nRRULE:FREQ=DAILY;COUNT=3"
        ))
    };
    // Eight hours, of which the clocks skip one: by the wall until six, by the hours until seven.
    check(
        &night("0329", "0330"),
        &["03-29 22:00-06:00+1", "03-30 22:00-07:00+1", "03-31 22:00-06:00+1"],
    );
    // Eight hours and one twice: until five by the hours, until six by the wall.
    check(
        &night("1025", "1026"),
        &["10-25 22:00-06:00+1", "10-26 22:00-06:00+1", "10-27 22:00-06:00+1"],
    );
}

/// A copy of one of our own meetings, old or not, and whatever came of it on its way, keeps nothing.
#[test]
fn our_own_meetings_are_not_busy_when_they_come_back() {
    use booking_core::ical::{Detail, meetings};
    use booking_core::testing::fixtures::{client, hour, meeting, therapist};

    let ours = meeting(&client(), &therapist(), hour(14));
    let file = meetings("Sessions", Detail::Titles, std::slice::from_ref(&ours));
    assert!(file.contains(&format!("UID:{}@booking\r\n", ours.id)));
    let known = [ours.id].into();
    let check = |file: &str, expected: &[&str]| {
        let times = external_times(file.as_bytes(), year(), BERLIN, &known).unwrap();
        assert_eq!(shortened(&times), expected, "{file}");
    };
    check(&file, &[]);
    let copy = file.replace("TRANSP:OPAQUE", "RRULE:FREQ=DAILY;COUNT=3");
    check(&copy, &[]);
    let theirs = meeting(&client(), &therapist(), hour(14));
    check(&meetings("Sessions", Detail::Times, &[ours.clone(), theirs]), &["01-15 15:00-16:00"]);

    // Whatever only looks like one is somebody else's.
    for (uid, is_ours) in [
        (format!("{}@booking", ours.id), true),
        (format!("  {}@booking ", ours.id), true),
        (format!("{}@booking.example.com", ours.id), false),
        (ours.id.to_string(), false),
        ("meeting_01h455vb4pex5vsknk084sn02q@booking".to_owned(), false),
        ("@booking".to_owned(), false),
        ("meeting_1@booking".to_owned(), false),
        ("avail_01h455vb4pex5vsknk084sn02q@booking".to_owned(), false),
    ] {
        let file = event(&format!("UID:{uid}\nDTSTART:20240115T080000Z\nDURATION:PT1H"));
        let busy: &[&str] = if is_ours { &[] } else { &["01-15 09:00-10:00"] };
        check(&file, busy);
    }
}
