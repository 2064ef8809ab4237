//! `GET /booking/slots/search`: several therapists, by the dates of whoever looks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::server::{Server, on_every_store, open, session};

const SEARCH: &str = "/booking/slots/search";

/// By date and therapist: when, without seconds.
type Seen = BTreeMap<String, BTreeMap<String, Vec<String>>>;

fn texts(list: &Value) -> &[Value] {
    list.as_array().expect("a list")
}

fn text(of: &Value, field: &str) -> String {
    of[field].as_str().unwrap_or_else(|| panic!("{field} of {of}")).to_owned()
}

fn start(slot: &Value) -> String {
    text(slot, "startTime").strip_suffix(":00.000Z").expect("a whole minute").to_owned()
}

fn add(page: &Answer, seen: &mut Seen) -> usize {
    let mut count = 0;
    for day in texts(&page.body["days"]) {
        let of_day = seen.entry(text(day, "date")).or_default();
        for of in texts(&day["therapists"]) {
            let slots: Vec<String> = texts(&of["slots"]).iter().map(start).collect();
            count += slots.len();
            let before = of_day.insert(text(of, "therapistId"), slots);
            assert!(before.is_none(), "a date is on one page");
        }
    }
    count
}

/// The address in a `Link` header, as the caller takes it.
fn next(page: &Answer) -> Option<String> {
    let link = page.header("link").strip_prefix("</api")?;
    Some(link.strip_suffix(">; rel=\"next\"").expect("a link to the next page").to_owned())
}

/// All pages; what they say of everybody, and how many there are.
async fn follow(caller: &Caller, path: &str, limit: usize) -> (Seen, Value, usize) {
    let (mut seen, mut at, mut pages) = (Seen::new(), Some(path.to_owned()), 0);
    let mut therapists = Value::Null;
    while let Some(path) = at {
        let page = caller.get(&path).await.expect(200);
        assert_eq!(page.header("cache-control"), "no-store");
        let count = add(&page, &mut seen);
        assert!(count <= limit || texts(&page.body["days"]).len() == 1, "{count} on a page");
        if pages > 0 {
            assert_eq!(page.body["therapists"], therapists, "the same on every page");
        }
        therapists = page.body["therapists"].clone();
        (at, pages) = (next(&page), pages + 1);
        assert!(pages < 100, "the pages do not end");
    }
    (seen, therapists, pages)
}

/// One in Auckland who receives on Monday mornings, and one in Los Angeles who does on Monday evenings.
async fn two(server: &Server) -> Caller {
    for (id, zone, from, to) in [
        ("auckland", "Pacific/Auckland", "09:00", "11:00"),
        ("angeles", "America/Los_Angeles", "18:00", "20:00"),
    ] {
        server.add_user("therapist", id, Some(zone)).await;
        server.relate("client_123", id).await;
        open(&server.caller("therapist", id), 1, from, to).await;
    }
    server.client()
}

#[tokio::test]
async fn aucklands_monday_is_sunday_in_los_angeles() {
    on_every_store(async |server| {
        let client = two(server).await;
        let path = |zone: &str, dates: &str| {
            format!("{SEARCH}?therapistIds=auckland,angeles&timeZone={zone}&{dates}")
        };
        let dates = async |zone: &str, dates: &str| -> Vec<(String, Vec<String>)> {
            let (seen, ..) = follow(&client, &path(zone, dates), 500).await;
            seen.into_iter().map(|(date, of)| (date, of.into_keys().collect())).collect()
        };
        let day = |date: &str, of: &[&str]| {
            (date.to_owned(), of.iter().map(|of| (*of).to_owned()).collect::<Vec<_>>())
        };
        let week = "from=2024-01-14&to=2024-01-17";
        assert_eq!(
            dates("America/Los_Angeles", week).await,
            [day("2024-01-14", &["auckland"]), day("2024-01-15", &["angeles"])]
        );
        assert_eq!(
            dates("Pacific/Auckland", week).await,
            [day("2024-01-15", &["auckland"]), day("2024-01-16", &["angeles"])]
        );
        assert_eq!(
            dates("Pacific/Auckland", "from=2024-01-15&to=2024-01-15").await,
            [day("2024-01-15", &["auckland"])]
        );
        assert_eq!(dates("UTC", "from=2024-01-15&to=2024-01-15").await, []);
        let answer = client.get(&path("UTC", "from=2024-01-15&to=2024-02-28")).await.expect(200);
        let firsts: Vec<_> = texts(&answer.body["therapists"]).iter().collect();
        assert_eq!(text(firsts[0], "therapistId"), "angeles");
        assert_eq!(start(&firsts[0]["firstFree"]), "2024-01-16T02:00");
        assert_eq!(start(&firsts[1]["firstFree"]), "2024-01-21T20:00");
        assert_eq!(answer.body["timeZone"], "UTC");
    })
    .await;
}

/// What is found is what is listed therapist by therapist and day by day; in whatever pages.
#[tokio::test]
async fn a_search_finds_what_is_listed() {
    on_every_store(async |server| {
        let client = two(server).await;
        server.open_mondays().await;
        client.book(&session("2024-01-15T14:00:00Z", 60)).await.expect(201);
        let mut abroad = session("2024-01-16T02:30:00Z", 30);
        abroad["therapistId"] = json!("angeles");
        client.book(&abroad).await.expect(201);
        let (everybody, days) = ("angeles,auckland,therapist_456", "from=2024-01-07&to=2024-03-08");
        for (caller, duration) in [(&client, 30), (&client, 60), (&server.other_client(), 120)] {
            let mut expected = Seen::new();
            for therapist in everybody.split(',') {
                for monday in ["08", "15", "22", "29"].map(|day| format!("2024-01-{day}")) {
                    let path = format!("/booking/slots?therapistId={therapist}&date={monday}");
                    for slot in caller.get(&path).await.expect(200).items() {
                        let durations = texts(&slot["availableDurations"]);
                        if durations.iter().any(|fits| fits["duration"] == duration) {
                            let of_day = expected.entry(start(slot)[..10].to_owned()).or_default();
                            of_day.entry(therapist.to_owned()).or_default().push(start(slot));
                        }
                    }
                }
            }
            let path = format!(
                "{SEARCH}?therapistIds={everybody}&{days}&timeZone=UTC&duration={duration}"
            );
            for limit in [1, 7, 40, 1_000] {
                let path = format!("{path}&limit={limit}");
                let (mut seen, _, pages) = follow(caller, &path, limit).await;
                seen.retain(|date, _| date.as_str() < "2024-02-01");
                assert_eq!(seen, expected, "{path}");
                assert_eq!(pages > 1, limit < 1_000);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_is_no_therapist_is_named() {
    on_every_store(async |server| {
        let client = two(server).await;
        let dates = "from=2024-01-15&to=2024-01-15&timeZone=Pacific/Auckland";
        let path = format!("{SEARCH}?therapistIds=nobody,auckland,client_124&{dates}");
        let found = client.get(&path).await.expect(200);
        assert_eq!(found.body["unknownTherapistIds"], json!(["client_124", "nobody"]));
        assert_eq!(texts(&found.body["therapists"]).len(), 1);
        assert_eq!(texts(&found.body["days"]).len(), 1);
        let path = format!("{SEARCH}?therapistIds=nobody&{dates}");
        client.get(&path).await.expect(200).check_text(
            "{\"timeZone\":\"Pacific/Auckland\",\"therapists\":[],\
             \"unknownTherapistIds\":[\"nobody\"],\"days\":[]}",
        );
    })
    .await;
}

#[tokio::test]
async fn a_search_has_limits() {
    let server = Server::memory().await;
    let client = server.client();
    let ids = |count: usize| {
        let ids: Vec<String> = (0..count).map(|n| format!("therapist_{n}")).collect();
        ids.join(",")
    };
    let good = [
        ("therapistIds", "therapist_456".to_owned()),
        ("from", "2024-01-15".to_owned()),
        ("to", "2024-01-16".to_owned()),
        ("timeZone", "Europe/Berlin".to_owned()),
    ];
    let path = |name: &str, value: Option<&str>| {
        let mut query: Vec<(&str, &str)> = good
            .iter()
            .filter(|(known, _)| *known != name)
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        query.extend(value.map(|value| (name, value)));
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{SEARCH}?{}", query.join("&"))
    };
    for (name, value) in [
        ("to", "2024-03-16"),
        ("to", "2024-01-15"),
        ("therapistIds", ids(50).as_str()),
        ("duration", "120"),
        ("limit", "1000"),
        ("timeZone", "Pacific/Apia"),
    ] {
        client.get(&path(name, Some(value))).await.expect(200);
    }
    for (name, value) in [
        ("to", Some("2024-03-17")),
        ("to", Some("2024-01-14")),
        ("to", Some("tomorrow")),
        ("to", None),
        ("from", Some("2024-1-15")),
        ("from", None),
        ("therapistIds", Some(ids(51).as_str())),
        ("therapistIds", Some("a,b,a")),
        ("therapistIds", Some("a,,b")),
        ("therapistIds", Some("")),
        ("therapistIds", None),
        ("timeZone", Some("Mars/Base")),
        ("timeZone", Some("+13:00")),
        ("timeZone", None),
        ("duration", Some("45")),
        ("limit", Some("0")),
        ("limit", Some("1001")),
        ("cursor", Some("x")),
        // 2024-01-14 and 2024-01-17, on either side.
        ("cursor", Some("MjAyNC0wMS0xNA")),
        ("cursor", Some("MjAyNC0wMS0xNw")),
    ] {
        let refused = client.get(&path(name, value)).await.refused(400, "invalid_request");
        assert_eq!(refused.pointers(), [format!("/{name}")], "{name}={value:?}");
    }
    server.anonymous().get(&path("limit", None)).await.refused(401, "unauthenticated");
}
