//! Sends a request, and tells what came of it.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::history::{
    Asked, Attempt, Meeting, Outcome, Patch, Place, Request, Seen, Slot, Tag, Window, from_text,
    to_text,
};
use crate::caller::{Answer, Caller};

/// No request may take longer, whatever happens: the 10 seconds of one call to the store, and as much
/// again for those before it and for a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(30);

/// Refusals that a race or the rules explain. Whatever else is answered is a bug, of the API or of
/// the one who asks: an acknowledged meeting that is `meeting_not_found` has been lost.
const FAIR: [&str; 9] = [
    "availability_limit",
    "availability_not_found",
    "availability_overlap",
    "forbidden",
    "idempotency_in_flight",
    "meeting_closed",
    "outside_availability",
    "slot_conflict",
    "version_mismatch",
];

/// Asks as whoever `caller` is. Whatever no server may do, even one that is being killed, is a panic.
pub(crate) async fn ask(caller: &Caller, request: &Request, since: Instant) -> Attempt {
    let (method, path, body) = on_the_wire(request);
    let caller = match &request.asked {
        Asked::Book { key: Some(key), .. } => caller.with("idempotency-key", key),
        Asked::Update { expected: Some(version), .. }
        | Asked::Cancel { expected: Some(version), .. } => {
            caller.with("if-match", format!("\"{version}\""))
        }
        _ => caller.clone(),
    };
    let body = body.map(|body| body.to_string().into_bytes());
    let begun = since.elapsed();
    let answer = caller.try_send(method, &path, body).await;
    let ended = since.elapsed();
    assert!(ended - begun < BOUND, "{request:?} hangs: {:?}, {answer:?}", ended - begun);
    let outcome = match answer {
        Ok(answer) => outcome(request, &answer),
        Err(error) if error.is_connect() => Outcome::Unreached,
        Err(_) => Outcome::Unknown,
    };
    Attempt { request: request.clone(), begun, ended, outcome }
}

fn outcome(request: &Request, answer: &Answer) -> Outcome {
    match answer.outcome() {
        (200 | 201, _) => Outcome::Acked(seen(&request.asked, answer)),
        (503, "unavailable") if !answer.header("retry-after").is_empty() => Outcome::Unknown,
        (400..500, code) if FAIR.contains(&code) => Outcome::Refused(code.to_owned()),
        _ => panic!("{request:?} was answered with {}", answer.text),
    }
}

fn on_the_wire(request: &Request) -> (Method, String, Option<Value>) {
    let tag = request.tag;
    let of_meeting = |id: &str| format!("/booking/meetings/{id}");
    let of_slot = |id: &str| format!("/booking/availability/{id}");
    match &request.asked {
        Asked::Book { client, place, status, .. } => {
            let mut body = json!({
                "title": tag.to_string(), "startTime": to_text(place.start),
                "duration": place.minutes, "therapistId": place.therapist,
            });
            if request.by.role == "therapist" {
                body["clientId"] = json!(client);
                body["status"] = json!(status);
            }
            (Method::POST, "/booking/meetings".to_owned(), Some(body))
        }
        Asked::Update { meeting, patch, .. } => {
            (Method::PUT, of_meeting(meeting), Some(patch_body(tag, patch)))
        }
        Asked::Cancel { meeting, says_why, .. } => {
            let path = of_meeting(meeting) + "/cancel";
            match says_why {
                true => (Method::POST, path, Some(json!({"reason": tag.to_string()}))),
                false => (Method::DELETE, path, None),
            }
        }
        Asked::Open(window) => {
            let body = window_body(tag, window);
            (Method::POST, "/booking/availability".to_owned(), Some(body))
        }
        Asked::Change { slot, window } => {
            let mut body = window_body(tag, window);
            body["isAvailable"] = json!(window.is_on);
            (Method::PUT, of_slot(slot), Some(body))
        }
        Asked::Close { slot } => (Method::DELETE, of_slot(slot), None),
        Asked::Read { meeting } => (Method::GET, of_meeting(meeting), None),
        Asked::List => {
            let live = "/booking/meetings?status=SCHEDULED,CONFIRMED";
            (Method::GET, live.to_owned(), None)
        }
        Asked::Slots { therapist, day } => {
            let date = &to_text(*day)[..10];
            let path = format!("/booking/slots?therapistId={therapist}&date={date}");
            (Method::GET, path, None)
        }
    }
}

fn patch_body(tag: Tag, patch: &Patch) -> Value {
    let tag = tag.to_string();
    let mut body = json!({"title": tag, "reason": tag});
    if let Some(start) = patch.start {
        body["startTime"] = json!(to_text(start));
    }
    if let Some(minutes) = patch.minutes {
        body["duration"] = json!(minutes);
    }
    if let Some(therapist) = &patch.therapist {
        body["therapistId"] = json!(therapist);
    }
    if let Some(status) = patch.status {
        body["status"] = json!(status);
    }
    if matches!(patch.status, Some("COMPLETED" | "NO_SHOW")) {
        body["sessionNotes"] = json!(tag);
    }
    body
}

fn window_body(tag: Tag, window: &Window) -> Value {
    let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
    json!({
        "dayOfWeek": window.weekday, "startTime": clock(window.from), "endTime": clock(window.to),
        "notes": tag.to_string(),
    })
}

fn seen(asked: &Asked, answer: &Answer) -> Seen {
    match asked {
        Asked::Book { .. } | Asked::Update { .. } | Asked::Cancel { .. } | Asked::Read { .. } => {
            let etag = answer.header("etag").trim_matches('"');
            let version = etag.parse().expect("a meeting comes with its version");
            Seen::Meeting(meeting(&answer.body, version))
        }
        Asked::Open(_) | Asked::Change { .. } => Seen::Slot(slot(&answer.body)),
        Asked::List => {
            let live: Vec<Meeting> = answer.items().iter().map(|item| meeting(item, 0)).collect();
            let overlap = live.windows(2).find(|two| two[0].place.end() > two[1].place.start);
            assert!(overlap.is_none(), "{overlap:?} are listed, at one time");
            Seen::Nothing
        }
        Asked::Close { .. } | Asked::Slots { .. } => Seen::Nothing,
    }
}

/// A meeting as the API writes it.
pub(crate) fn meeting(body: &Value, version: u64) -> Meeting {
    Meeting {
        id: text(body, "id"),
        version,
        client: text(body, "clientId"),
        place: Place {
            therapist: text(body, "therapistId"),
            start: from_text(&text(body, "startTime")),
            minutes: body["duration"].as_i64().expect("a duration"),
        },
        status: text(body, "status"),
        title: text(body, "title"),
    }
}

/// A window as the API writes it.
pub(crate) fn slot(body: &Value) -> Slot {
    let minute = |field: &str| {
        let clock = text(body, field);
        let (hours, minutes) = clock.split_once(':').expect("HH:MM");
        let number = |digits: &str| digits.parse::<i64>().expect("a number");
        number(hours) * 60 + number(minutes)
    };
    Slot {
        id: text(body, "id"),
        therapist: text(body, "therapistId"),
        window: Window {
            weekday: body["dayOfWeek"].as_i64().expect("a day"),
            from: minute("startTime"),
            to: minute("endTime"),
            is_on: body["isAvailable"].as_bool().expect("on or off"),
        },
        notes: text(body, "notes"),
    }
}

fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("no text {field} in {body}")).to_owned()
}
