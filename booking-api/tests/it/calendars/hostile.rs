//! Files from servers that are broken, or want something else.

use std::time::Duration;

use booking_api::calendars::{Client, FetchError, RefusedLocation, Unreached};
use booking_core::CalendarKind;
use tokio::task::JoinSet;

use super::answers::{Answers, Step, raw, to, whole};
use super::{PATIENCE, client_for, location, patient_client, texts, window, with_login};

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n";
const ICS: CalendarKind = CalendarKind::Ics;

const BROKE_OFF: FetchError = FetchError::Unreachable(Unreached::BrokeOff);
const NOT_PUBLIC: FetchError = FetchError::RefusedAddress(RefusedLocation::NotPublic);

fn status(status: u16) -> FetchError {
    FetchError::Status { status, retry_after: None }
}

/// What it says forever, after this.
fn endless(head: &str, bytes: Vec<u8>) -> Vec<Step> {
    vec![Step::Say(head.into()), Step::Repeat(bytes, Duration::ZERO)]
}

fn hostile(path: &str) -> Vec<Step> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let begins = format!("{ok}\r\nBEGIN:VCALENDAR\r\n");
    let slowly = |head: &str, bytes: &[u8]| {
        vec![Step::Say(head.into()), Step::Repeat(bytes.into(), Duration::from_millis(100))]
    };
    match path {
        "/endless" => endless(&begins, vec![b'x'; 65_536]),
        "/endless-chunks" => {
            let chunk = format!("{:x}\r\n{}\r\n", 65_536, "x".repeat(65_536));
            endless(&format!("{ok}transfer-encoding: chunked\r\n\r\n"), chunk.into())
        }
        "/long" => raw(format!("{ok}content-length: 5242881\r\n\r\nBEGIN:VCALENDAR")),
        "/longest" => raw(format!("{ok}content-length: 18446744073709551615\r\n\r\nBEGIN")),
        "/drip" => slowly(&begins, b"x"),
        "/drip-headers" => slowly(ok, b"a: b\r\n"),
        "/endless-headers" => endless(ok, b"a: b\r\n".repeat(1_000)),
        "/huge-header" => endless(&format!("{ok}a: "), vec![b'x'; 65_536]),
        "/many-headers" => raw(format!("{ok}{}\r\n{CALENDAR}", "a: b\r\n".repeat(500))),
        "/not-yet" => endless("", b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100)),
        "/silence" => vec![Step::Wait],
        "/stalled" => vec![Step::Say(begins.into()), Step::Wait],
        "/hangs-up" => vec![],
        "/too-short" => raw(format!("{ok}content-length: 999\r\n\r\n{CALENDAR}")),
        "/half-a-chunk" => raw(format!("{ok}transfer-encoding: chunked\r\n\r\n999\r\n{CALENDAR}")),
        "/two-lengths" => {
            raw(format!("{ok}content-length: 5\r\ncontent-length: 6\r\n\r\n{CALENDAR}"))
        }
        "/no-http" => raw("SSH-2.0-OpenSSH_9.9\r\n"),
        "/bomb" => whole("200 OK", "content-encoding: gzip\r\n", "\u{1f}\u{8b}"),
        "/brotli" => whole("200 OK", "content-encoding: identity, br\r\n", CALENDAR),
        "/packed" => raw([ok.as_bytes(), b"\r\n\x1f\x8b\x08\x00\x00"].concat()),
        "/garbage" => {
            let garbage: Vec<u8> = (0..=255).rev().cycle().take(10_000).collect();
            raw([ok.as_bytes(), b"\r\n", &garbage].concat())
        }
        "/page" => whole("200 OK", "content-type: text/calendar\r\n", "<html>BEGIN:VCALENDAR"),
        "/empty" => whole("200 OK", "", ""),
        "/304" => raw("HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n"),
        "/204" => raw("HTTP/1.1 204 No Content\r\n\r\n"),
        "/206" => whole("206 Partial Content", "content-range: bytes 0-9/99\r\n", CALENDAR),
        "/401" => whole("401 So", "www-authenticate: Basic realm=\"x\"\r\n", ""),
        "/403" => whole("403 So", "", ""),
        "/404" => whole("404 So", "", CALENDAR),
        "/410" => whole("410 So", "", CALENDAR),
        "/429" => whole("429 So", "retry-after: 120\r\n", ""),
        "/500" => whole("500 So", "", CALENDAR),
        "/loop" => to("302 Found", "/loop"),
        "/to-nowhere" => raw("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n"),
        "/to-login" => to("302 Found", "http://jane:secret@127.0.0.2/"),
        "/to-file" => to("302 Found", "file:///etc/passwd"),
        "/to-metadata" => to("302 Found", "http://169.254.169.254/latest/meta-data/"),
        "/to-metadata-by-tls" => to("302 Found", "https://169.254.169.254/latest/meta-data/"),
        "/to-v6" => to("301 Moved", "http://[::1]:80/"),
        "/to-mapped" => to("307 So", "http://[::ffff:127.0.0.1]/"),
        "/to-hidden" => to("308 So", "http://0x7f.1/"),
        "/to-open-http" => to("302 Found", "http://1.1.1.1/calendar.ics"),
        other => panic!("nobody asks for {other}"),
    }
}

/// Each ends, with the reason that it has, and before the client's time is up, but for those whose
/// time it is that is up.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_kind_of_hostility_has_its_end() {
    let path = |line: &str| line.split(' ').nth(1).unwrap_or_default().to_owned();
    let server = Answers::start("127.0.0.2", Box::new(move |line| hostile(&path(line)))).await;
    let (timeout, pause) = (Duration::from_secs(4), Duration::from_secs(2));
    let impatient = client_for(&["127.0.0.2/32"], timeout, pause);
    let patient = client_for(&["127.0.0.2/32"], PATIENCE, PATIENCE);
    let limited = FetchError::Status { status: 429, retry_after: Some(Duration::from_secs(120)) };
    let mut fetches = JoinSet::new();
    for (path, expected) in [
        ("/endless", FetchError::TooLarge),
        ("/endless-chunks", FetchError::TooLarge),
        ("/long", FetchError::TooLarge),
        ("/longest", BROKE_OFF),
        ("/drip", FetchError::TimedOut),
        ("/drip-headers", FetchError::TimedOut),
        ("/endless-headers", BROKE_OFF),
        ("/huge-header", BROKE_OFF),
        ("/many-headers", BROKE_OFF),
        ("/not-yet", FetchError::TimedOut),
        ("/silence", FetchError::TimedOut),
        ("/stalled", FetchError::TimedOut),
        ("/hangs-up", BROKE_OFF),
        ("/too-short", BROKE_OFF),
        ("/half-a-chunk", BROKE_OFF),
        ("/two-lengths", BROKE_OFF),
        ("/no-http", BROKE_OFF),
        ("/bomb", FetchError::Unreadable),
        ("/brotli", FetchError::Unreadable),
        ("/packed", FetchError::NotACalendar),
        ("/garbage", FetchError::NotACalendar),
        ("/page", FetchError::NotACalendar),
        ("/empty", FetchError::NotACalendar),
        ("/304", status(304)),
        ("/204", status(204)),
        ("/206", status(206)),
        ("/401", FetchError::Unauthorized),
        ("/403", status(403)),
        ("/404", FetchError::NotFound),
        ("/410", FetchError::NotFound),
        ("/429", limited),
        ("/500", status(500)),
        ("/loop", FetchError::TooManyRedirects),
        ("/to-nowhere", status(302)),
        ("/to-login", FetchError::Unreadable),
        ("/to-file", FetchError::Unreadable),
        ("/to-metadata", NOT_PUBLIC),
        ("/to-metadata-by-tls", NOT_PUBLIC),
        ("/to-v6", NOT_PUBLIC),
        ("/to-mapped", NOT_PUBLIC),
        ("/to-hidden", NOT_PUBLIC),
        ("/to-open-http", FetchError::InsecureRedirect),
    ] {
        let is_about_time = expected == FetchError::TimedOut;
        let client = if is_about_time { &impatient } else { &patient }.clone();
        let location = location(&server.url(path));
        fetches.spawn(async move {
            let outcome = client.fetch(ICS, &location, None, window()).await;
            (path, expected, outcome)
        });
    }
    for (path, expected, outcome) in fetches.join_all().await {
        assert_eq!(outcome, Err(expected), "{path}");
        let told = format!("{expected} {}", expected.code());
        assert!(!told.contains("127.0.0") && !told.contains("http:") && told.len() < 200, "{told}");
    }
    let loops = server.take().iter().filter(|head| head.starts_with("get /loop ")).count();
    assert_eq!(loops, 6, "the first and five redirects");
}

/// Whatever it is called, and however long it says that it is.
#[tokio::test]
async fn what_is_a_calendar_is_read_whatever_is_said_of_it() {
    let server = Answers::start(
        "127.0.0.1",
        Box::new(|line| {
            let headers = if line.contains("/cut") {
                "content-length: 20\r\n"
            } else {
                "content-type: image/png\r\n"
            };
            raw(format!("HTTP/1.1 200 OK\r\n{headers}\r\n{CALENDAR}"))
        }),
    )
    .await;
    let read = async |path: &str| {
        let location = location(&server.url(path));
        texts(patient_client().fetch(ICS, &location, None, window()).await.expect("a calendar")).0
    };
    assert_eq!(read("/image").await, [CALENDAR]);
    // What is said to be shorter is cut there: whoever reads it sees that it has no end.
    assert_eq!(read("/cut").await, [&CALENDAR[..20]]);
    let heads = server.take();
    assert!(
        heads.iter().all(|head| head.contains("\r\naccept-encoding: identity\r\n")),
        "{heads:?}"
    );
}

async fn fetch(client: &Client, url: &str) -> Result<(), FetchError> {
    let location = with_login(url, "jane", "secret");
    client.fetch(ICS, &location, None, window()).await.map(|_| ())
}

/// A redirect to this machine's other addresses, by number and by name, gets nobody connected to.
#[tokio::test]
async fn redirects_lead_where_one_may_go_and_credentials_stay_at_home() {
    let inner = Answers::start("127.0.0.1", Box::new(|_| whole("200 OK", "", CALENDAR))).await;
    let other = Answers::start("127.0.0.2", Box::new(|_| whole("200 OK", "", CALENDAR))).await;
    let (there, port) = (other.url("/there"), inner.address.port());
    let (number, name) = (inner.url("/"), format!("http://localhost:{port}/"));
    let home = Answers::start(
        "127.0.0.2",
        Box::new(move |line| match line.split(' ').nth(1).unwrap_or_default() {
            "/number" => to("302 Found", &number),
            "/name" => to("302 Found", &name),
            "/there" => to("302 Found", &there),
            "/here" => to("303 See Other", "calendar.ics?key=1"),
            _ => whole("200 OK", "", CALENDAR),
        }),
    )
    .await;
    let client = client_for(&["127.0.0.2/32"], PATIENCE, PATIENCE);
    for path in ["/number", "/name"] {
        assert_eq!(fetch(&client, &home.url(path)).await, Err(NOT_PUBLIC), "{path}");
    }
    assert_eq!(inner.take(), [""; 0], "nobody came");

    let is_known = |head: &String| head.contains("\r\nauthorization: basic ");
    assert_eq!(home.take().iter().filter(|head| is_known(head)).count(), 2);
    assert_eq!(fetch(&client, &home.url("/here")).await, Ok(()));
    let heads = home.take();
    assert!(heads.iter().all(is_known) && heads[1].starts_with("get /calendar.ics?key=1 "));
    assert_eq!(fetch(&client, &home.url("/there")).await, Ok(()));
    let heads = other.take();
    assert!(heads.len() == 1 && !heads.iter().any(is_known), "{heads:?}");
}
