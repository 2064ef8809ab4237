//! A file is asked for by what its server said of it.

use booking_api::calendars::{FetchError, Fetched};
use booking_core::CalendarKind;

use super::answers::{Answers, raw, whole};
use super::{location, patient_client, texts, window};

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n";

#[tokio::test]
async fn a_file_is_asked_for_by_its_tag_and_its_date() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let server = Answers::start(
        "127.0.0.1",
        Box::new(move |line| {
            let headers = match line.split(' ').nth(1).unwrap_or_default() {
                "/both" => format!("etag: W/\"a b\"\r\nlast-modified: {date}\r\n"),
                "/tag" => "etag: \"1\"\r\n".to_owned(),
                "/date" => format!("last-modified: {date}\r\n"),
                "/none" => String::new(),
                "/long" => format!("etag: \"{}\"\r\n", "x".repeat(500)),
                "/quotes" => format!("etag: {q}\r\nlast-modified: {q}\r\n", q = "\"".repeat(400)),
                other => panic!("nobody asks for {other}"),
            };
            whole("200 OK", &headers, CALENDAR)
        }),
    )
    .await;
    let client = patient_client();
    for (path, tag, modified) in [
        ("/both", Some("W/\"a b\""), Some(date)),
        ("/tag", Some("\"1\""), None),
        ("/date", None, Some(date)),
        ("/none", None, None),
        ("/long", None, None),
        ("/quotes", None, None),
    ] {
        let location = location(&server.url(path));
        let first = client.fetch(CalendarKind::Ics, &location, None, window()).await;
        let (_, validators) = texts(first.expect("a calendar"));
        assert_eq!(validators.is_some(), tag.or(modified).is_some(), "{path}");
        assert!(validators.as_ref().is_none_or(|text| text.len() <= 1_024));
        let again = client.fetch(CalendarKind::Ics, &location, validators.as_deref(), window());
        again.await.expect("a calendar");
        let heads = server.take();
        assert!(!heads[0].contains("\r\nif-"), "nothing is known at first: {}", heads[0]);
        for (name, value) in [("if-none-match", tag), ("if-modified-since", modified)] {
            let line = value.map(|value| format!("{name}: {}", value.to_ascii_lowercase()));
            let sent = heads[1].lines().find(|line| line.starts_with(name));
            assert_eq!(sent, line.as_deref(), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_as_it_was_is_not_sent_again() {
    let server = Answers::start(
        "127.0.0.1",
        Box::new(|line| match line.contains("/old") {
            true => raw("HTTP/1.1 304 Not Modified\r\n\r\n"),
            false => whole("200 OK", "etag: \"1\"\r\n", CALENDAR),
        }),
    )
    .await;
    let client = patient_client();
    let fetch = async |path: &str, validators: Option<&str>| {
        let location = location(&server.url(path));
        client.fetch(CalendarKind::Ics, &location, validators, window()).await
    };
    let (_, known) = texts(fetch("/new", None).await.expect("a calendar"));
    assert_eq!(fetch("/old", known.as_deref()).await, Ok(Fetched::Unchanged));
    // Who asks with nothing cannot be told that it is the same.
    for nothing in [None, Some(""), Some("{}"), Some("{\"ctag\":\"1\"}"), Some("x")] {
        let outcome = fetch("/old", nothing).await;
        assert_eq!(outcome, Err(FetchError::Status { status: 304, retry_after: None }));
    }
}
