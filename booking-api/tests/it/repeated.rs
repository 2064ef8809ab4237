//! A parameter of a query is there once: of several, none is taken for all of them.

use reqwest::Method;
use serde_json::Value;

use crate::caller::Answer;
use crate::document;
use crate::server::{Server, on_every_store};

/// Two good values of every parameter.
const VALUES: &[(&str, [&str; 2])] = &[
    ("actor", ["admin_1", "admin_2"]),
    ("date", ["2024-01-15", "2024-01-16"]),
    ("duration", ["30", "60"]),
    ("from", ["2024-01-15", "2024-01-16"]),
    ("lastEventId", ["1", "2"]),
    ("limit", ["1", "2"]),
    ("person", ["client_123", "client_124"]),
    ("state", ["pending", "dead"]),
    ("status", ["SCHEDULED", "CONFIRMED"]),
    ("subject", ["meeting_1", "meeting_2"]),
    ("therapistId", ["therapist_456", "therapist_457"]),
    ("therapistIds", ["therapist_456", "therapist_457"]),
    ("timeZone", ["UTC", "Europe/Berlin"]),
    ("to", ["2024-01-17", "2024-01-18"]),
];

/// Those that take several values, with commas.
const LISTS: [&str; 2] = ["status", "therapistIds"];

/// Those of cursors, by what is in them: an instant and an id, a date, a number.
const CURSORS: &[(&str, [&str; 2])] = &[
    ("listMeetings", ["AAABjQAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAABjQAAAAEAAAAAAAAAAAAAAAAAAAAA"]),
    ("listAuditEntries", ["AAABjQAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAABjQAAAAEAAAAAAAAAAAAAAAAAAAAA"]),
    ("searchSlots", ["MjAyNC0wMS0xNQ", "MjAyNC0wMS0xNg"]),
    ("listWebhookDeliveries", ["AAAAAAAAAAE", "AAAAAAAAAAI"]),
];

/// As instants, where they are.
fn values(operation: &Value, parameter: &Value) -> [String; 2] {
    let name = parameter["name"].as_str().expect("a name");
    if name == "cursor" {
        let of = CURSORS.iter().find(|(id, _)| operation["operationId"] == *id);
        return of.expect("say in CURSORS what its cursors are").1.map(str::to_owned);
    }
    let (_, values) = VALUES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| {
        panic!("say in VALUES what {name} may be");
    });
    let is_instant = parameter["schema"]["format"] == "date-time";
    values.map(|value| if is_instant { format!("{value}T00:00:00Z") } else { value.to_owned() })
}

fn caller(server: &Server, path: &str) -> crate::caller::Caller {
    match path {
        "/booking/audit" => server.admin(),
        path if path.starts_with("/booking/webhooks") => server.admin(),
        "/booking/overrides" => server.therapist(),
        _ => server.client(),
    }
}

/// Status and pointers; streams have no end.
async fn ask(server: &Server, path: &str, query: &[String]) -> Option<Answer> {
    let full = format!("{path}?{}", query.join("&"));
    let answer = caller(server, path).request(Method::GET, &full).send().await.expect("an answer");
    if answer.status().is_success() {
        return None;
    }
    let answer = Answer::read(answer).await.expect("a problem");
    document::check(&Method::GET, &full, &answer);
    Some(answer)
}

#[tokio::test]
async fn a_parameter_that_is_there_twice_is_named() {
    let server = Server::memory().await;
    let webhook = serde_json::json!({"url": "http://127.0.0.1:9/"});
    let webhook = server.admin().post("/booking/webhooks", &webhook).await.expect(201).id();
    let document = server.anonymous().get("/openapi.json").await.expect(200).body;
    let mut asked = 0;
    for (template, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let all = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
            let all: Vec<&Value> = all.iter().filter(|one| one["in"] == "query").collect();
            if all.is_empty() {
                continue;
            }
            assert_eq!(method, "get", "{template}");
            let path = template.replace("{id}", &webhook);
            let required = all.iter().filter(|one| one["required"] == true);
            let one_each = |parameter: &&Value| {
                format!(
                    "{}={}",
                    parameter["name"].as_str().expect("a name"),
                    values(operation, parameter)[0]
                )
            };
            let required: Vec<String> = required.map(one_each).collect();
            for parameter in &all {
                let name = parameter["name"].as_str().expect("a name");
                let [one, other] =
                    values(operation, parameter).map(|value| format!("{name}={value}"));
                let mut query = required.clone();
                query.retain(|other| *other != one);
                query.push(one.clone());
                let once = ask(&server, &path, &query).await;
                assert!(once.is_none_or(|once| once.status != 400), "{template}, {name} once");
                for again in [other, one] {
                    let query = [&query[..], &[again]].concat();
                    let twice = ask(&server, &path, &query).await;
                    let twice = twice.unwrap_or_else(|| panic!("{template}, {name} twice"));
                    let twice = twice.refused(400, "invalid_request");
                    assert_eq!(twice.pointers(), [format!("/{name}")], "{template}");
                    assert_eq!(
                        twice.text.contains("comma"),
                        LISTS.contains(&name),
                        "{}",
                        twice.text
                    );
                    asked += 1;
                }
            }
        }
    }
    assert!(asked >= 2 * VALUES.len(), "{asked}");
}

/// What whoever repeats it wanted.
#[tokio::test]
async fn a_list_has_commas() {
    on_every_store(async |server| {
        server.open_mondays().await;
        server.booked("2024-01-15T14:00:00.000Z", 30).await;
        let listed = server.client().get("/booking/meetings?status=CONFIRMED,SCHEDULED").await;
        assert_eq!(listed.expect(200).items().len(), 1);
        let twice = "/booking/meetings?status=CONFIRMED&status=SCHEDULED";
        server.client().get(twice).await.refused(400, "invalid_request");
    })
    .await;
}
