//! CalDAV servers that are broken, or want something else.

use std::time::Duration;

use booking_api::calendars::{FetchError, Fetched, RefusedLocation};
use booking_core::CalendarKind;

use super::answers::{Answers, Step, raw, to, whole};
use super::{PATIENCE, client_for, location, texts, window, with_login};

const CALENDAR: &str = "BEGIN:VCALENDAR\nEND:VCALENDAR\n";

fn multistatus(inner: &str) -> Vec<Step> {
    let xml = format!(
        "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\" \
         xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:S=\"http://calendarserver.org/ns/\">\
         {inner}</D:multistatus>"
    );
    whole("207 Multi-Status", "content-type: application/xml\r\n", &xml)
}

fn response(href: &str, props: &str) -> String {
    format!(
        "<D:response><D:href>{href}</D:href><D:propstat><D:prop>{props}</D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}

/// A collection, with what its server says of its versions.
fn collection(versions: &str) -> Vec<Step> {
    let kind = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>";
    multistatus(&response("/", &format!("{kind}{versions}")))
}

fn event(href: &str) -> String {
    response(href, &format!("<C:calendar-data>{CALENDAR}</C:calendar-data>"))
}

/// What comes of a collection whose server answers like this.
async fn read(
    script: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static,
) -> Result<Fetched, FetchError> {
    let server = Answers::start("127.0.0.2", Box::new(script)).await;
    let client = client_for(&["127.0.0.2/32"], PATIENCE, PATIENCE);
    client.fetch(CalendarKind::CalDav, &location(&server.url("/")), None, window()).await
}

/// What comes of it when it is what it should be, and its content is this.
async fn read_content(content: Vec<Step>) -> Result<Fetched, FetchError> {
    read(move |line| if line.starts_with("PROPFIND") { collection("") } else { content.clone() })
        .await
}

#[tokio::test]
async fn what_is_no_collection_says_so() {
    let plain = multistatus(&response("/", "<D:resourcetype><D:collection/></D:resourcetype>"));
    let other =
        multistatus(&response("/", "<D:resourcetype><calendar xmlns='x'/></D:resourcetype>"));
    let unreadable = FetchError::Unreadable;
    let refused = FetchError::RefusedAddress(RefusedLocation::NotPublic);
    for (answer, expected) in [
        (whole("200 OK", "", "<html>"), FetchError::NotACalendar),
        (whole("204 No Content", "", ""), FetchError::NotACalendar),
        (whole("405 So", "", ""), FetchError::NotACalendar),
        (whole("501 So", "", ""), FetchError::NotACalendar),
        (plain, FetchError::NotACalendar),
        (other, FetchError::NotACalendar),
        (multistatus(""), FetchError::NotACalendar),
        (whole("207 So", "", ""), unreadable),
        (whole("207 So", "", CALENDAR), unreadable),
        (raw(b"HTTP/1.1 207 So\r\ncontent-length: 2\r\n\r\n\xff\xfe"), unreadable),
        (whole("207 So", "content-encoding: gzip\r\n", "<multistatus xmlns='DAV:'/>"), unreadable),
        (whole("401 So", "", ""), FetchError::Unauthorized),
        (whole("404 So", "", ""), FetchError::NotFound),
        (whole("403 So", "", ""), FetchError::Status { status: 403, retry_after: None }),
        (to("307 So", "http://169.254.169.254/"), refused),
        (to("302 So", "http://127.0.0.1/"), refused),
        (to("303 So", "/other"), FetchError::Status { status: 303, retry_after: None }),
        (to("308 So", "/"), FetchError::TooManyRedirects),
    ] {
        let shown = format!("{answer:?}");
        assert_eq!(read(move |_| answer.clone()).await, Err(expected), "{shown}");
    }
}

#[tokio::test]
async fn hostile_xml_has_its_end() {
    let laughs: String = (1..30)
        .map(|n| format!("<!ENTITY e{n} '{}'>", format!("&e{};", n - 1).repeat(10)))
        .collect();
    let laughs = format!(
        "<!DOCTYPE m [<!ENTITY e0 'ha'>{laughs}]><D:multistatus xmlns:D='DAV:'>&e29;</D:multistatus>"
    );
    let file = "<!DOCTYPE m [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>\
                <D:multistatus xmlns:D='DAV:'>&f;</D:multistatus>";
    let (open, close) = ("<D:response>".repeat(200_000), "</D:response>".repeat(200_000));
    let endless = vec![
        Step::Say(b"HTTP/1.1 207 So\r\n\r\n<D:multistatus xmlns:D='DAV:'>".to_vec()),
        Step::Repeat(b"<D:response/>".repeat(5_000), Duration::ZERO),
    ];
    let other_data = response("/1", &format!("<D:calendar-data>{CALENDAR}</D:calendar-data>"));
    for (content, expected) in [
        (whole("207 So", "", &laughs), FetchError::Unreadable),
        (whole("207 So", "", file), FetchError::Unreadable),
        (multistatus(&format!("{open}{close}")), FetchError::Unreadable),
        (multistatus(&"<D:response/>".repeat(20_001)), FetchError::TooLarge),
        (multistatus(&other_data), FetchError::Unreadable),
        (
            multistatus(&response("/1", "<C:calendar-data>x</C:calendar-data>")),
            FetchError::Unreadable,
        ),
        (endless, FetchError::TooLarge),
        (whole("200 OK", "", CALENDAR), FetchError::NotACalendar),
    ] {
        let shown: String = format!("{content:?}").chars().take(300).collect();
        assert_eq!(read_content(content).await, Err(expected), "{shown}");
    }
}

/// Half of the events would free what the others keep.
#[tokio::test]
async fn all_of_a_collection_counts_or_nothing() {
    let status = |status: &str| {
        format!(
            "<D:response><D:href>/2</D:href><D:status>HTTP/1.1 {status}</D:status></D:response>"
        )
    };
    let withheld = |status: &str| {
        format!(
            "<D:response><D:propstat><D:prop><C:calendar-data/></D:prop>\
             <D:status>HTTP/1.1 {status}</D:status></D:propstat></D:response>"
        )
    };
    for (other, expected) in [
        (String::new(), Ok(1)),
        (event("/2"), Ok(2)),
        (status("404 Not Found"), Ok(1)),
        (withheld("404 Not Found"), Ok(1)),
        (status("507 Insufficient Storage"), Err(FetchError::TooLarge)),
        (status("403 Forbidden"), Err(FetchError::Unreadable)),
        (withheld("403 Forbidden"), Err(FetchError::Unreadable)),
        (response("/2", "<D:getetag>1</D:getetag>"), Err(FetchError::Unreadable)),
    ] {
        let outcome = read_content(multistatus(&format!("{}{other}", event("/1")))).await;
        assert_eq!(outcome.map(|fetched| texts(fetched).0.len()), expected, "{other}");
    }
}

/// An answer's addresses are not followed, whatever they say: what is there comes with it.
#[tokio::test]
async fn no_address_in_an_answer_is_asked() {
    let elsewhere = Answers::start("127.0.0.1", Box::new(|_| whole("200 OK", "", ""))).await;
    let hrefs = [
        elsewhere.url("/secret"),
        "http://169.254.169.254/latest/".to_owned(),
        "//127.0.0.1/".to_owned(),
        "../../../etc/passwd".to_owned(),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ];
    let content: String = hrefs.iter().map(|href| event(href)).collect();
    let (found, validators) = texts(read_content(multistatus(&content)).await.expect("six events"));
    assert_eq!(
        (found, validators),
        (vec![CALENDAR.to_owned(); hrefs.len()], Some("{}".to_owned()))
    );
    assert_eq!(elsewhere.take(), [""; 0]);
}

#[tokio::test]
async fn a_collection_is_the_same_while_all_of_its_versions_are() {
    let (ctag, sync) = ("<S:getctag>1</S:getctag>", "<D:sync-token>urn:2</D:sync-token>");
    let both = format!("{ctag}{sync}");
    let newer = both.replace("urn:2", "urn:3");
    let unsure = ctag.replace(">1<", "> <");
    for (before, now, is_same) in [
        (&*both, &*both, true),
        (ctag, ctag, true),
        (sync, sync, true),
        (&both, &newer, false),
        (&both, ctag, false),
        (ctag, &both, false),
        ("", "", false),
        (&unsure, &unsure, false),
    ] {
        let client = client_for(&["127.0.0.2/32"], PATIENCE, PATIENCE);
        let fetch = async |versions: &str, known: Option<&str>| {
            let versions = versions.to_owned();
            let script = move |line: &str| match line.starts_with("PROPFIND") {
                true => collection(&versions),
                false => multistatus(&event("/1")),
            };
            let server = Answers::start("127.0.0.2", Box::new(script)).await;
            let location = location(&server.url("/"));
            client.fetch(CalendarKind::CalDav, &location, known, window()).await
        };
        let (_, known) = texts(fetch(before, None).await.expect("an event"));
        let again = fetch(now, known.as_deref()).await.expect("an event, or nothing new");
        assert_eq!(again == Fetched::Unchanged, is_same, "{before} {now}");
    }
}

/// The method stays what it is, and what it asks; the credentials stay at home.
#[tokio::test]
async fn questions_are_the_same_after_a_redirect() {
    let other = Answers::start(
        "127.0.0.2",
        Box::new(|line| match line.starts_with("PROPFIND") {
            true => collection(""),
            false => multistatus(""),
        }),
    )
    .await;
    let there = other.url("/there/");
    let home = Answers::start("127.0.0.2", Box::new(move |_| to("301 Moved", &there))).await;
    let client = client_for(&["127.0.0.2/32"], PATIENCE, PATIENCE);
    let linked = with_login(&home.url("/"), "jane", "secret");
    let outcome = client.fetch(CalendarKind::CalDav, &linked, None, window()).await;
    assert_eq!(texts(outcome.expect("nothing in it")).0, [""; 0]);
    let (asked, arrived) = (home.take(), other.take());
    for (heads, is_known) in [(&asked, true), (&arrived, false)] {
        assert!(heads[0].starts_with("propfind /") && heads[0].contains("\r\ndepth: 0\r\n"));
        assert!(heads[1].starts_with("report /") && heads[1].contains("\r\ndepth: 1\r\n"));
        assert!(heads.iter().all(|head| head.contains("\r\nauthorization: ") == is_known));
        assert!(heads.iter().all(|head| !head.contains("\r\ncontent-length: 0\r\n")));
    }
}
