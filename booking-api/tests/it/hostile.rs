//! Requests that no well-meaning client sends: each is turned down politely, and nothing breaks.

use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::server::{MONDAY_14, Server, on_every_store, open_always, session};

const BOOK: &str = "/booking/meetings";

/// After all of it: nothing has panicked, and the server still does its work.
async fn check_unharmed(server: &Server) {
    let log = server.log();
    assert!(!log.contains("panic"), "{log}");
    assert!(!log.contains(r#""level":"ERROR""#), "{log}");
    server.client().get("/booking/meetings").await.expect(200);
}

async fn post_bytes(caller: &Caller, body: &[u8]) -> crate::caller::Answer {
    caller.send(Method::POST, BOOK, Some(body.to_vec())).await
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_invalid() {
    let server = Server::memory().await;
    let client = server.client();
    let good = session(MONDAY_14, 60).to_string();
    let nested = |open: &str, close: &str| {
        format!(r#"{{"title":{}1{}}}"#, open.repeat(10_000), close.repeat(10_000)).into_bytes()
    };
    let bodies: [(&str, Vec<u8>); 17] = [
        ("nothing", vec![]),
        ("white space", b" \n ".to_vec()),
        ("a word", b"hello".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1e999".to_vec()),
        ("an array", format!("[{good}]").into_bytes()),
        ("a string", json!(good).to_string().into_bytes()),
        ("half an object", good.as_bytes()[..40].to_vec()),
        ("an object and more", format!("{good}{good}").into_bytes()),
        ("a trailing comma", good.replace('}', ",}").into_bytes()),
        ("single quotes", good.replace('"', "'").into_bytes()),
        ("a byte order mark", format!("\u{feff}{good}").into_bytes()),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("no UTF-8", good.replace("video", "x").into_bytes().into_iter().chain([0xff]).collect()),
        ("deep arrays", nested("[", "]")),
        ("deep objects", nested("{\"a\":", "}")),
        ("a raw NUL", good.replace("therapist_456", "therapist\u{0}456").into_bytes()),
    ];
    for (what, body) in bodies {
        let answer = post_bytes(&client, &body).await;
        assert_eq!(answer.outcome(), (400, "invalid_request"), "{what}: {}", answer.text);
    }
    check_unharmed(&server).await;
}

#[tokio::test]
async fn texts_that_no_store_can_hold_are_invalid() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let with_title = |title: &[u8]| {
            let body = session(MONDAY_14, 60).to_string().replace('}', r#","title":""#);
            [body.as_bytes(), title, b"\"}"].concat()
        };
        for title in [
            &br"a\u0000b"[..],
            br"\ud800",
            br"\ud83d",
            br"\udc00\ud800",
            br"\uZZZZ",
            br"\x00",
            b"\xff\xfe",
            b"\xc0\x80",
            b"\xed\xa0\x80",
            b"a\x00b",
        ] {
            let answer = post_bytes(&server.client(), &with_title(title)).await;
            let title = String::from_utf8_lossy(title);
            assert_eq!(answer.outcome(), (400, "invalid_request"), "{title}: {}", answer.text);
        }
        let answer = post_bytes(&server.client(), &with_title(br"\ud83d\ude00")).await;
        assert_eq!(answer.expect(201).body["title"], "😀");
        check_unharmed(server).await;
    })
    .await;
}

#[tokio::test]
async fn bodies_must_say_that_they_are_json() {
    let server = Server::memory().await;
    server.open_mondays().await;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application",
        "json",
        "",
        "text/html;application/json",
    ] {
        let caller = server.client().with("content-type", content_type);
        let answer = caller.book(&session(MONDAY_14, 60)).await;
        assert_eq!(answer.outcome(), (415, "unsupported_media_type"), "{content_type}");
    }
    for (content_type, start) in [
        ("application/json", "2024-01-15T09:00:00Z"),
        ("application/json; charset=utf-8", "2024-01-15T10:00:00Z"),
        ("application/json;charset=UTF-8", "2024-01-15T11:00:00Z"),
        ("Application/JSON", "2024-01-15T12:00:00Z"),
    ] {
        let caller = server.client().with("content-type", content_type);
        caller.book(&session(start, 60)).await.expect(201);
    }
    check_unharmed(&server).await;
}

#[tokio::test]
async fn unknown_addresses_are_not_found() {
    let server = Server::memory().await;
    for path in [
        "/api",
        "/api/",
        "/booking",
        "/booking/",
        "/booking/meetings/",
        "/booking/meetings/x/y",
        "//api/booking/meetings",
        "/api/booking//meetings",
        "/API/booking/meetings",
        "/booking/Meetings",
        "/meetings",
        "/docs/index.html",
        "/openapi",
        "/problems",
        "/problems/",
        "/problems/unheard_of",
        "/.env",
        "/booking/meetings/..%2f..%2fetc%2fpasswd/cancel/x",
        "/booking/../../etc/passwd",
    ] {
        let answer = server.client().get(path).await;
        assert_eq!(answer.outcome(), (404, "not_found"), "{path}: {}", answer.text);
    }
    check_unharmed(&server).await;
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let server = Server::memory().await;
    let meeting = "/booking/meetings/meeting_01h455vb4pex5vsknk084sn02q";
    let cancel = format!("{meeting}/cancel");
    let slot = "/booking/availability/avail_01h455vb4pex5vsknk084sn02q";
    let related = "/booking/directory/relationships/client_123/therapist_456";
    for (path, wrong, right) in [
        ("/booking/meetings", "PUT DELETE PATCH OPTIONS TRACE BREW", "GET POST"),
        (meeting, "POST DELETE PATCH OPTIONS", "GET PUT"),
        (&cancel, "GET PUT PATCH OPTIONS", "DELETE POST"),
        ("/booking/availability", "PUT DELETE PATCH", "GET POST"),
        (slot, "GET POST PATCH", "DELETE PUT"),
        ("/booking/slots", "POST PUT DELETE PATCH", "GET"),
        ("/booking/directory/users/client_123", "POST DELETE", "GET PUT"),
        (related, "GET POST", "DELETE PUT"),
        ("/docs", "POST PUT DELETE", "GET"),
        ("/openapi.json", "POST", "GET"),
        ("/openapi.yaml", "POST", "GET"),
        ("/problems/slot_conflict", "POST", "GET"),
        ("/healthz", "POST", "GET"),
        ("/readyz", "POST", "GET"),
    ] {
        for method in wrong.split(' ') {
            let answer = server.admin().send(method.parse().unwrap(), path, None).await;
            assert_eq!(answer.outcome(), (405, "method_not_allowed"), "{method} {path}");
            let mut allowed: Vec<&str> = answer.header("allow").split(", ").collect();
            // Whether HEAD is named beside GET is not for this test to say.
            allowed.retain(|method| *method != "HEAD");
            allowed.sort_unstable();
            assert_eq!(allowed.join(" "), right, "{method} {path}");
        }
    }
    check_unharmed(&server).await;
}

#[tokio::test]
async fn the_dev_clock_has_no_other_methods() {
    let server = Server::memory().await;
    for method in ["POST", "DELETE", "PATCH"] {
        let answer = server.anonymous().send(method.parse().unwrap(), "/dev/clock", None).await;
        assert_eq!(answer.outcome(), (405, "method_not_allowed"), "{method}");
        assert_eq!(answer.header("allow"), "GET, PUT", "{method}");
    }
}

#[tokio::test]
async fn an_empty_id_names_no_address() {
    let server = Server::memory().await;
    for (method, path) in [
        ("GET", "/booking/meetings//cancel"),
        ("DELETE", "/booking/meetings//cancel"),
        ("GET", "/booking/directory/relationships//therapist_456"),
    ] {
        let answer = server.admin().send(method.parse().unwrap(), path, None).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::memory().await;
    let unknown = "/booking/meetings/meeting_01h455vb4pex5vsknk084sn02q";
    for path in ["/docs", "/openapi.json", "/healthz", "/booking/meetings", unknown, "/nowhere"] {
        let got = server.client().get(path).await;
        let head = server.client().send(Method::HEAD, path, None).await;
        assert_eq!((head.status, head.text.as_str()), (got.status, ""), "{path}");
        assert_eq!(head.header("content-type"), got.header("content-type"), "{path}");
    }
    check_unharmed(&server).await;
}

#[tokio::test]
async fn escapes_that_mean_nothing_name_nothing() {
    let server = Server::memory().await;
    for id in
        ["%zz", "%", "%2", "%ff", "%00", "%c0%80", "%ed%a0%80", "%0d%0aset-cookie:x", "%2e%2e"]
    {
        let path = format!("/booking/meetings/x{id}");
        assert_eq!(server.client().get(&path).await.status, 404, "{path}");
        let path = format!("/booking/slots?therapistId={id}&date=2024-01-15");
        let status = server.client().get(&path).await.status;
        assert!(status == 400 || status == 404, "{path}: {status}");
        let path = format!("/booking/slots?therapistId=therapist_456&date={id}");
        server.client().get(&path).await.refused(400, "invalid_request");
        let path = format!("/booking/meetings?cursor={id}");
        server.client().get(&path).await.refused(400, "invalid_request");
        let path = format!("/booking/directory/users/x{id}");
        assert_eq!(server.admin().get(&path).await.status, 404, "{path}");
    }
    check_unharmed(&server).await;
}

/// The first and last instants that RFC 3339 can write, and therapists who never rest.
#[tokio::test]
async fn the_ends_of_time_break_nothing() {
    on_every_store(async |server| {
        for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Niue", "America/New_York"] {
            server.add_user("therapist", "therapist_456", Some(zone)).await;
            if zone == "UTC" {
                open_always(&server.therapist()).await;
            }
            for date in ["0000-01-01", "0000-01-02", "0001-01-01", "1582-10-10", "1970-01-01"] {
                let path = format!("/booking/slots?therapistId=therapist_456&date={date}");
                server.client().get(&path).await.expect(200).check_text("[]");
            }
            for date in ["9999-12-30", "9999-12-31"] {
                let path = format!("/booking/slots?therapistId=therapist_456&date={date}");
                let answer = server.client().get(&path).await;
                assert!(answer.status == 200, "{zone} {date}: {}", answer.text);
            }
            for start in [
                "0000-01-01T00:00:00Z",
                "0000-01-01T00:00:00+23:59",
                "9999-12-31T23:30:00-05:00",
                "9999-12-31T23:59:00-23:59",
                "10000-01-01T00:00:00Z",
                "+10000-01-01T00:00:00Z",
                "-0001-01-01T00:00:00Z",
            ] {
                let answer = server.client().book(&session(start, 120)).await;
                assert_eq!(answer.status, 400, "{zone} {start}: {}", answer.text);
            }
            let last = server.client().book(&session("9999-12-31T23:30:00Z", 120)).await;
            assert!(matches!(last.status, 201 | 400), "{zone}: {}", last.text);
            if last.status == 201 {
                server.client().get("/booking/meetings").await.expect(200);
                server.client().cancel(&last.id()).await.expect(200);
            }
        }
        let mut series = session("2024-01-15T14:00:00Z", 30);
        series["rule"] = json!("FREQ=DAILY;COUNT=3");
        series["exDates"] = json!(["0000-01-01", "0000-06-01", "0001-01-01", "9999-12-31"]);
        let booked = server.client().post("/booking/series", &series).await.expect(201).body;
        let path = format!("/booking/series/{}", booked["series"]["id"].as_str().expect("an id"));
        let read = server.client().get(&path).await.expect(200).body;
        assert_eq!(read["exDates"], series["exDates"]);
        assert_eq!(read, booked["series"]);
        server.client().post(&format!("{path}/cancel"), &json!({})).await.expect(200);
        for query in [
            "from=0000-01-01T00:00:00%2B23:59",
            "to=9999-12-31T23:59:59-23:59",
            "from=9999-12-31T23:59:59-23:59&to=0000-01-01T00:00:00%2B23:59",
        ] {
            server.client().get(&format!("/booking/meetings?{query}")).await.expect(200);
        }
        check_unharmed(server).await;
    })
    .await;
}

#[tokio::test]
async fn a_clock_at_the_ends_of_time_breaks_nothing() {
    on_every_store(async |server| {
        open_always(&server.therapist()).await;
        for (n, now) in ["0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9998-12-31T12:00:00Z"]
            .into_iter()
            .enumerate()
        {
            server.set_clock(now).await;
            let shown = server.anonymous().get("/dev/clock").await.expect(200);
            assert_eq!(shown.str("now")[..16], now[..16]);
            let start = ["2024-01-15T14:00:00Z", "2024-01-15T16:00:00Z", "9999-12-31T14:00:00Z"][n];
            let made = server.booked(start, 60).await;
            let path = format!("/booking/meetings/{}", made.id());
            server.client().get(&path).await.expect(200).check_same(&made);
            server.client().cancel(&made.id()).await.expect(200);
        }
        for no_instant in [json!(""), json!("now"), json!(0), json!(null), json!("10000-01-01")] {
            let answer = server.anonymous().put("/dev/clock", &json!({"now": no_instant})).await;
            assert_eq!(answer.refused(400, "invalid_request").pointers(), ["/now"]);
        }
        check_unharmed(server).await;
    })
    .await;
}

/// The clock runs on from where it is set, and RFC 3339 ends with the year 9999.
#[tokio::test]
async fn a_clock_that_runs_out_of_years_breaks_nothing() {
    on_every_store(async |server| {
        server.open_mondays().await;
        let id = server.booked(MONDAY_14, 60).await.id();
        let last = json!({"now": "9999-12-31T23:59:59.999Z"});
        let answer = server.anonymous().put("/dev/clock", &last).await;
        assert!(matches!(answer.status, 200 | 400), "{}", answer.text);
        let answer = server.client().cancel(&id).await;
        assert!(answer.status < 500, "{}", answer.text);
        let shown = server.anonymous().get("/dev/clock").await.expect(200);
        assert_eq!(shown.str("now").len(), 24, "{}", shown.text);
        check_unharmed(server).await;
    })
    .await;
}

#[tokio::test]
async fn headers_beyond_ascii_are_invalid_and_not_ignored() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let id = server.booked(MONDAY_14, 60).await.id();
    let key = server.client().with("idempotency-key", "käse");
    let answer = key.book(&session("2024-01-15T09:00:00Z", 60)).await;
    assert_eq!(answer.refused(400, "invalid_request").pointers(), ["/Idempotency-Key"]);
    let tag = server.client().with("if-match", "\"ä\"");
    let answer = tag.cancel(&id).await.refused(400, "invalid_request");
    assert_eq!(answer.pointers(), ["/If-Match"]);
    let token = server.anonymous().with("authorization", "Bearer tökén");
    token.get("/booking/meetings").await.refused(401, "unauthenticated");
    let content_type = server.client().with("content-type", "application/jsön");
    let answer = content_type.book(&session("2024-01-15T09:00:00Z", 60)).await;
    answer.refused(415, "unsupported_media_type");
    let listed = server.client().get("/booking/meetings").await;
    assert_eq!(listed.column("status"), ["SCHEDULED"], "nothing has been booked or cancelled");
    check_unharmed(&server).await;
}

#[tokio::test]
async fn the_same_field_twice_is_one_of_the_two() {
    let server = Server::memory().await;
    server.open_mondays().await;
    let twice = br#"{"duration":30,"duration":60,"startTime":"2024-01-15T14:00:00Z",
        "therapistId":"therapist_456"}"#;
    let made = post_bytes(&server.client(), twice).await.expect(201);
    assert!(
        matches!(made.body["duration"], Value::Number(ref n) if *n == 30.into() || *n == 60.into())
    );
    check_unharmed(&server).await;
}
