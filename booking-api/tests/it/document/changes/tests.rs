//! Each kind of change is found, and judged.

use serde_json::{Value, json};

use super::{Effect, changes};
use crate::document::schemas::GOLDEN;

const CREATE: &str = "/paths/~1booking~1meetings/post";
const LIST: &str = "/paths/~1booking~1meetings/get";

/// The golden copy with another value at this place; null removes it.
fn with(place: &str, value: Value) -> Value {
    let mut document = GOLDEN.clone();
    let (parent, name) = place.rsplit_once('/').expect("a pointer");
    let name = name.replace("~1", "/");
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
        Value::Array(items) if value.is_null() => {
            items.remove(name.parse().expect("a number"));
        }
        Value::Array(items) if name == "-" => items.push(value),
        Value::Array(items) => items[name.parse::<usize>().expect("a number")] = value,
        Value::Object(object) if value.is_null() => {
            object.remove(&name).unwrap_or_else(|| panic!("no {place}"));
        }
        Value::Object(object) => {
            object.insert(name, value);
        }
        other => panic!("{place}: {other}"),
    }
    document
}

/// What this change means to clients, and what it means the other way round.
fn check(place: &str, value: Value, forth: Effect, back: Effect) {
    let (old, new) = (&*GOLDEN, &with(place, value));
    for (old, new, effect) in [(old, new, forth), (new, old, back)] {
        let found = changes(old, new);
        assert!(!found.is_empty(), "{place} is not noticed");
        let worst = found.iter().any(|change| change.effect == Effect::Breaks);
        let worst = if worst { Effect::Breaks } else { Effect::Compatible };
        assert_eq!(worst, effect, "{place}: {}", found[0]);
    }
}

#[test]
fn each_change_is_judged() {
    use Effect::{Breaks, Compatible};
    let schema = |path: &str| format!("/components/schemas/{path}");
    let text = || json!({"type": "string"});
    // Operations: one less, another name, another group, open to all.
    check(CREATE, Value::Null, Breaks, Compatible);
    check(&format!("{CREATE}/operationId"), json!("book"), Breaks, Breaks);
    check(&format!("{CREATE}/tags/0"), json!("Booking"), Breaks, Breaks);
    check(&format!("{CREATE}/security"), json!([]), Breaks, Breaks);
    // Parameters: one less, one that must be there, another type.
    check(&format!("{LIST}/parameters/0"), Value::Null, Breaks, Compatible);
    check(&format!("{LIST}/parameters/0/required"), json!(true), Breaks, Compatible);
    let parameter = json!({"name": "who", "in": "query", "required": true, "schema": text()});
    check(&format!("{LIST}/parameters/-"), parameter, Breaks, Breaks);
    check(&format!("{LIST}/parameters/3/schema/maximum"), json!(100), Breaks, Compatible);
    // Bodies of requests.
    check(&format!("{CREATE}/requestBody/required"), json!(false), Compatible, Breaks);
    check(&schema("MeetingCreateDto/properties/room"), text(), Compatible, Breaks);
    check(&schema("MeetingCreateDto/required/-"), json!("title"), Breaks, Compatible);
    check(&schema("MeetingCreateDto/properties/title/maxLength"), json!(100), Breaks, Compatible);
    check(
        &schema("MeetingCreateDto/properties/description/nullable"),
        Value::Null,
        Breaks,
        Compatible,
    );
    // Answers.
    check(&format!("{CREATE}/responses/201"), Value::Null, Breaks, Breaks);
    check(&format!("{CREATE}/responses/409"), Value::Null, Compatible, Compatible);
    check(&format!("{CREATE}/responses/201/headers/ETag"), Value::Null, Breaks, Compatible);
    let code =
        format!("{CREATE}/responses/400/content/application~1problem+json/examples/slot_conflict");
    check(&code, Value::Null, Compatible, Compatible);
    check(&schema("Meeting/properties/room"), text(), Compatible, Breaks);
    check(&schema("Meeting/required/0"), Value::Null, Breaks, Compatible);
    check(&schema("Meeting/properties/title/nullable"), json!(true), Breaks, Compatible);
    check(&schema("Meeting/properties/startTime/format"), Value::Null, Breaks, Breaks);
    check(&schema("Meeting/properties/title/maxLength"), json!(300), Breaks, Compatible);
    // A value that is both asked and answered; one that is only answered.
    check(&schema("SessionDuration/enum/-"), json!(45), Breaks, Breaks);
    check(&schema("Role/enum/2"), Value::Null, Breaks, Breaks);
    // What webhooks are sent.
    check(&schema("AppointmentBookedEvent/required/0"), Value::Null, Breaks, Compatible);
    check("/servers/0/url", json!("/v2"), Breaks, Breaks);
}

#[test]
fn words_and_examples_make_no_difference() {
    for place in [
        "/info/description",
        "/components/schemas/Meeting/description",
        "/components/schemas/Meeting/example",
        "/paths/~1booking~1meetings/post/summary",
    ] {
        assert_eq!(changes(&GOLDEN, &with(place, json!("other words"))), []);
    }
}

#[test]
fn changes_are_told_where_and_what() {
    let new = with("/components/schemas/MeetingCreateDto/required/-", json!("title"));
    let told: Vec<String> = changes(&GOLDEN, &new).iter().map(ToString::to_string).collect();
    let line = "BREAKS CLIENTS: POST /booking/meetings, body of the request, field title: is \
                required now";
    assert_eq!(told, [line]);
}
