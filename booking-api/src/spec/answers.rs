//! What each operation answers with: which problems at which statuses, and which headers.
//!
//! Every answer that the tests get is checked against this.

use std::collections::BTreeMap;

use poem::http::StatusCode;
use serde_json::{Value, json};

use super::{Object, objects, operations, referred};
use crate::problem::{Code, PROBLEM_JSON};

/// What any operation may answer with: the one place to add to.
const ANY: &[Code] = &[
    Code::Unauthenticated,
    Code::UriTooLong,
    Code::RateLimited,
    Code::HeadersTooLarge,
    Code::Internal,
    Code::Unavailable,
];

/// What any operation with a body may answer with.
const BODY: [Code; 4] =
    [Code::InvalidRequest, Code::RequestTimeout, Code::PayloadTooLarge, Code::UnsupportedMediaType];

/// Why a time is not to be had.
const TIME: [Code; 9] = [
    Code::InThePast,
    Code::TooSoon,
    Code::BeyondHorizon,
    Code::DurationNotOffered,
    Code::OutsideAvailability,
    Code::NotOnGrid,
    Code::DayFull,
    Code::WeekFull,
    Code::SlotConflict,
];

/// Headers of answers that depend on nothing but the status; `None` for any.
const HEADERS: &[(&str, Option<u16>, &str, &str)] = &[
    (
        "x-request-id",
        None,
        "Names the request, also in the server's log. Taken from the request if it has one, else made.",
        "018d1c1e-5a3b-7c2d-9e4f-a1b2c3d4e5f6",
    ),
    (
        "RateLimit-Policy",
        None,
        "Where requests are limited: how many (`q`) within how many seconds (`w`), by user and by address.",
        r#""user";q=600;w=60"#,
    ),
    (
        "RateLimit",
        None,
        "Where requests are limited: how many are left (`r`), and in how many seconds all of them will be there again (`t`).",
        r#""user";r=599;t=1"#,
    ),
    ("WWW-Authenticate", Some(401), "How to sign in (RFC 6750).", "Bearer"),
    ("Retry-After", Some(429), "After how many seconds to try again.", "1"),
    ("Retry-After", Some(503), "After how many seconds to try again.", "1"),
];

/// Documents all answers of all operations.
pub(super) fn document(document: &mut Value) {
    let known = document["components"]["schemas"].clone();
    for operation in operations(document) {
        describe_success(operation, &known);
        let problems = problems_of(operation);
        let Some(Value::Object(responses)) = operation.get_mut("responses") else { continue };
        for (status, codes) in problems {
            responses.insert(status.to_string(), problem(status, &codes));
        }
        responses.sort_keys();
        for (status, response) in
            objects(operation.get_mut("responses").unwrap_or(&mut Value::Null))
        {
            add_headers(status, response);
        }
    }
    let used = document["paths"].to_string();
    let examples = Code::ALL.iter().map(|code| (code.as_str(), example(*code, code.status())));
    let elsewhere = example(Code::RoleRequired, StatusCode::UNAUTHORIZED);
    let examples = examples.chain([(NOT_A_THERAPIST, elsewhere)]);
    let examples = examples.filter(|(name, _)| used.contains(&format!("{EXAMPLES}{name}\"")));
    document["components"]["examples"] =
        Value::Object(examples.map(|(name, example)| (name.to_owned(), example)).collect());
    let header = |(name, _, description, example): &(&str, _, _, _)| {
        let header = json!({
            "description": description, "schema": {"type": "string"}, "example": example,
        });
        ((*name).to_owned(), header)
    };
    document["components"]["headers"] = Value::Object(HEADERS.iter().map(header).collect());
}

const EXAMPLES: &str = "#/components/examples/";

/// The example of `role_required` where its status is 401.
const NOT_A_THERAPIST: &str = "role_required_for_availability";

/// The codes of an operation by their statuses.
fn problems_of(operation: &Object) -> BTreeMap<u16, Vec<Code>> {
    let is_public = operation.get("security") == Some(&json!([]));
    let mut codes = ANY.to_vec();
    codes.retain(|code| !is_public || *code != Code::Unauthenticated);
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let has_body = operation.contains_key("requestBody");
    codes.extend(BODY.into_iter().filter(|_| has_body));
    for parameter in parameters {
        codes.extend(match parameter["name"].as_str() {
            Some("Idempotency-Key") => {
                &[Code::InvalidRequest, Code::IdempotencyInFlight, Code::IdempotencyMismatch][..]
            }
            Some("If-Match") => &[Code::InvalidRequest, Code::VersionMismatch],
            _ if parameter["in"] != "path" => &[Code::InvalidRequest],
            _ => &[],
        });
    }
    codes.extend(own(operation.get("operationId").and_then(Value::as_str).unwrap_or_default()));
    // Also where any role will do: not everybody who is signed in has one.
    codes.extend((!is_public).then_some(Code::RoleRequired));
    let is_availability = operation.get("tags") == Some(&json!(["Availability"]));
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        // The contract wants 401 here.
        let status = match code {
            Code::RoleRequired if is_availability => StatusCode::UNAUTHORIZED,
            code => code.status(),
        };
        let of_status = by_status.entry(status.as_u16()).or_default();
        if !of_status.contains(&code) {
            of_status.push(code);
        }
    }
    by_status
}

/// What only operations like this one answer with.
fn own(operation_id: &str) -> Vec<Code> {
    let meeting = [Code::Forbidden, Code::MeetingNotFound];
    let window = [Code::Forbidden, Code::AvailabilityNotFound];
    let people = [Code::NoRelationship, Code::Forbidden, Code::TherapistNotFound];
    let booking = [&TIME[..], &people, &[Code::InvalidTransition]].concat();
    let series = [&people[..], &[Code::InvalidTransition]].concat();
    match operation_id {
        "previewSeries" => series,
        "createSeries" => [&series[..], &[Code::SeriesRefused]].concat(),
        "getSeries" => vec![Code::Forbidden, Code::SeriesNotFound],
        "cancelSeries" => vec![Code::Forbidden, Code::SeriesNotFound, Code::TooLateToCancel],
        "createHold" => [&TIME[..], &people].concat(),
        "deleteHold" => vec![Code::HoldNotFound],
        "createMeeting" => booking,
        "getMeeting" => meeting.into(),
        "updateMeeting" => {
            let late = [Code::MeetingClosed, Code::TooLateToReschedule, Code::TooLateToCancel];
            [&meeting[..], &booking, &late].concat()
        }
        "cancelMeeting" | "cancelMeetingWithReason" => {
            [&meeting[..], &[Code::MeetingClosed, Code::TooLateToCancel]].concat()
        }
        "createAvailability" => {
            vec![Code::AvailabilityOverlap, Code::AvailabilityLimit]
        }
        "updateAvailability" => {
            [&window[..], &[Code::AvailabilityOverlap, Code::AvailabilityLimit]].concat()
        }
        "deleteAvailability" => window.into(),
        "createOverride" => {
            vec![Code::OverrideOverlap, Code::OverrideLimit]
        }
        "updateOverride" => {
            vec![Code::Forbidden, Code::OverrideNotFound, Code::OverrideOverlap]
        }
        "deleteOverride" => vec![Code::Forbidden, Code::OverrideNotFound],
        "listSlots" => vec![Code::TherapistNotFound],
        "streamSlots" => vec![Code::TherapistNotFound, Code::TooManyStreams],
        "streamEvents" => vec![Code::TooManyStreams],
        "getUser" | "deleteRelationship" => vec![Code::UserNotFound],
        "putRelationship" => vec![Code::UserNotFound, Code::InvalidRequest],
        "createCalendarFeed" => vec![Code::UserNotFound, Code::FeedLimit],
        "deleteCalendarFeed" | "readCalendarFeed" => vec![Code::FeedNotFound],
        "linkCalendar" => vec![Code::UserNotFound, Code::CalendarLimit, Code::CalendarsDisabled],
        "updateLinkedCalendar" => {
            vec![Code::CalendarNotFound, Code::CalendarsDisabled]
        }
        "getLinkedCalendar" | "unlinkCalendar" | "refreshLinkedCalendar" => {
            vec![Code::CalendarNotFound]
        }
        "createWebhook" => vec![Code::WebhookLimit],
        "getWebhook"
        | "updateWebhook"
        | "deleteWebhook"
        | "rotateWebhookSecret"
        | "testWebhook"
        | "listWebhookDeliveries"
        | "replayWebhookDeliveries" => {
            vec![Code::WebhookNotFound]
        }
        _ => vec![],
    }
}

/// The response with these problems.
fn problem(status: u16, codes: &[Code]) -> Value {
    let line = |code: &Code| format!("- `{}`: {}", code.as_str(), code.about());
    let description = match codes {
        [code] => code.about().to_owned(),
        several => several.iter().map(line).collect::<Vec<_>>().join("\n"),
    };
    let example = |code: &Code| {
        let name = match code {
            Code::RoleRequired if status == 401 => NOT_A_THERAPIST,
            code => code.as_str(),
        };
        let place = format!("{EXAMPLES}{name}");
        (code.as_str().to_owned(), json!({"$ref": place}))
    };
    let examples: Object = codes.iter().map(example).collect();
    json!({
        "description": description,
        "content": {PROBLEM_JSON: {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": examples,
        }},
    })
}

fn example(code: Code, status: StatusCode) -> Value {
    let mut value = json!({
        "type": format!("/problems/{}", code.as_str()),
        "title": code.title(),
        "status": status.as_u16(),
        "detail": code.about(),
        "code": code.as_str(),
    });
    if code == Code::InvalidRequest {
        value["detail"] = json!("/duration: must be 30, 60, 90 or 120");
        value["errors"] = json!([{"pointer": "/duration", "detail": "must be 30, 60, 90 or 120"}]);
    }
    if status.is_server_error() {
        value["requestId"] = json!(HEADERS[0].3);
    }
    json!({"summary": code.title(), "value": value})
}

/// poem-openapi has no words for the answer of a handler that returns plain JSON: its type has.
fn describe_success(operation: &mut Object, known: &Value) {
    for (_, response) in objects(operation.get_mut("responses").unwrap_or(&mut Value::Null)) {
        if response.get("description") != Some(&json!("")) {
            continue;
        }
        let schema = &response["content"]["application/json"]["schema"];
        let of =
            |schema: &Value| Some(known[referred(schema)?]["description"].as_str()?.to_owned());
        let each = || Some(format!("A list. Each is {}", lower_first(&of(&schema["items"])?)));
        let words = of(schema).or_else(each).unwrap_or_default();
        response.insert("description".to_owned(), Value::from(words));
    }
}

fn lower_first(text: &str) -> String {
    let (first, rest) = text.split_at(text.len().min(1));
    first.to_lowercase() + rest
}

fn add_headers(status: &str, response: &mut Object) {
    let wanted = HEADERS.iter().filter(|(_, of, ..)| of.is_none_or(|of| of.to_string() == status));
    let headers = response.entry("headers").or_insert_with(|| json!({}));
    for (name, ..) in wanted {
        headers[*name] = json!({"$ref": format!("#/components/headers/{name}")});
    }
}
