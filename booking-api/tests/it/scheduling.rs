//! How therapists want to be booked, over HTTP.

use serde_json::{Value, json};

use crate::caller::Caller;
use crate::server::{MONDAY_14, Server, on_every_store, open, session};

const SETTINGS: &str = "/booking/settings";

/// Those that hold for everybody, as they are answered.
fn unset() -> Value {
    json!({
        "timeZone": null, "slotInterval": 30, "durations": [30, 60, 90, 120], "bufferBefore": 0,
        "bufferAfter": 0, "minimumNotice": 0, "bookingHorizon": null, "maxMeetingsPerDay": null,
        "maxMeetingsPerWeek": null, "cancellationDeadline": 0, "rescheduleDeadline": 0,
        "meetingUrlTemplate": null, "updatedAt": null,
    })
}

async fn put(server: &Server, settings: Value) {
    server.therapist().put(SETTINGS, &settings).await.expect(200);
}

fn at(time: &str) -> String {
    format!("2024-01-15T{time}:00.000Z")
}

/// What is offered on the Monday: starts, each with its durations.
async fn offers(caller: &Caller) -> Vec<String> {
    let slots = caller.get("/booking/slots?therapistId=therapist_456&date=2024-01-15").await;
    let line = |slot: &Value| {
        let durations = slot["availableDurations"].as_array().expect("a list").iter();
        let durations = durations.map(|duration| duration["id"].as_str().expect("an id"));
        let start = slot["startTime"].as_str().expect("a time");
        format!("{} {}", &start[11..16], durations.collect::<Vec<_>>().join(" "))
    };
    slots.expect(200).items().iter().map(line).collect()
}

#[tokio::test]
async fn settings_are_replaced_as_a_whole() {
    on_every_store(async |server| {
        let jane = server.therapist();
        let first = jane.get(SETTINGS).await.expect(200);
        assert_eq!((first.header("etag"), &first.body), ("\"0\"", &unset()));

        let all = json!({
            "timeZone": "America/New_York", "slotInterval": 15, "durations": [90, 30],
            "bufferBefore": 5, "bufferAfter": 10, "minimumNotice": 60, "bookingHorizon": 30,
            "maxMeetingsPerDay": 4, "maxMeetingsPerWeek": 10, "cancellationDeadline": 1440,
            "rescheduleDeadline": 720,
            "meetingUrlTemplate": "https://meet.example.com/{meetingId}",
        });
        let put = jane.put(SETTINGS, &all).await.expect(200);
        assert_eq!(put.header("etag"), "\"1\"");
        let mut expected = all.clone();
        expected["durations"] = json!([30, 90]);
        expected["updatedAt"] = put.body["updatedAt"].clone();
        assert!(put.body["updatedAt"].is_string());
        assert_eq!(put.body, expected);
        let read = jane.get(SETTINGS).await.expect(200);
        assert_eq!((read.header("etag"), &read.body), ("\"1\"", &put.body));

        // Only what was seen is replaced; and what is left out is unset.
        let blind = jane.with("if-match", "\"0\"");
        blind.put(SETTINGS, &json!({})).await.refused(412, "version_mismatch");
        let seen = jane.with("if-match", "\"7\", \"1\"");
        let cleared = seen.put(SETTINGS, &json!({"timeZone": null})).await.expect(200);
        assert_eq!(cleared.header("etag"), "\"2\"");
        let mut expected = unset();
        expected["updatedAt"] = cleared.body["updatedAt"].clone();
        assert_eq!(cleared.body, expected);
        // What is so already is no change.
        assert_eq!(jane.put(SETTINGS, &json!({})).await.expect(200).header("etag"), "\"2\"");

        // Others' are theirs.
        assert_eq!(server.other_therapist().get(SETTINGS).await.expect(200).body, unset());
        let entries = server.admin().get("/booking/audit?subject=therapist_456").await.expect(200);
        assert_eq!(entries.column("action")[..2], ["settings.updated", "settings.updated"]);
        let first = &entries.items()[1];
        assert_eq!(first["withheld"], json!(["meetingUrlTemplate"]));
        let interval = json!({"field": "slotInterval", "before": "30", "after": "15"});
        assert!(first["changes"].as_array().expect("a list").contains(&interval), "{first}");
        assert!(!entries.text.contains("meet.example.com"));
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = Server::memory().await;
    let jane = server.therapist();
    for (field, wrong) in [
        ("timeZone", vec![json!("Mars/Base"), json!(1)]),
        ("slotInterval", vec![json!(4), json!(121), json!(30.5), json!("30"), json!(null)]),
        ("durations", vec![json!([]), json!([45]), json!([30, 30]), json!(30), json!(null)]),
        ("bufferBefore", vec![json!(-1), json!(121), json!(null)]),
        ("bufferAfter", vec![json!(-1), json!(121), json!(null)]),
        ("minimumNotice", vec![json!(-1), json!(525_601), json!(u64::MAX), json!(null)]),
        ("bookingHorizon", vec![json!(0), json!(3_651)]),
        ("maxMeetingsPerDay", vec![json!(0), json!(49)]),
        ("maxMeetingsPerWeek", vec![json!(0), json!(337)]),
        ("cancellationDeadline", vec![json!(-1), json!(525_601), json!(null)]),
        ("rescheduleDeadline", vec![json!(-1), json!(525_601), json!(null)]),
        (
            "meetingUrlTemplate",
            vec![json!("meet"), json!("https://a.example/{client}"), json!("\u{0}"), json!(1)],
        ),
    ] {
        for wrong in wrong {
            let told = jane.put(SETTINGS, &json!({field: wrong})).await;
            let told = told.refused(400, "invalid_request");
            assert_eq!(told.pointers(), [format!("/{field}")], "{wrong}");
        }
    }
    let two = jane.put(SETTINGS, &json!({"slotInterval": 1, "bufferAfter": 500})).await;
    assert_eq!(two.refused(400, "invalid_request").pointers(), ["/slotInterval", "/bufferAfter"]);
    assert_eq!(jane.get(SETTINGS).await.expect(200).body, unset());
}

#[tokio::test]
async fn each_rule_is_listed_and_booked_alike() {
    on_every_store(async |server| {
        let (jane, john) = (server.therapist(), server.client());
        open(&jane, 1, "14:00", "16:00").await;
        let refused = async |settings: Value, start: &str, duration, code| {
            put(server, settings).await;
            let told = john.book(&session(start, duration)).await;
            told.refused(400, code);
        };
        put(server, json!({"slotInterval": 45, "durations": [30, 90]})).await;
        assert_eq!(offers(&john).await, ["14:00 30 90", "14:45 30", "15:30 30"]);
        refused(json!({"durations": [30]}), MONDAY_14, 60, "duration_not_offered").await;
        refused(json!({"slotInterval": 45}), &at("14:30"), 30, "not_on_grid").await;
        // It is noon of January 1st.
        refused(json!({"minimumNotice": 14 * 1_440 + 121}), MONDAY_14, 30, "too_soon").await;
        assert_eq!(offers(&john).await, ["14:30 30 60 90", "15:00 30 60", "15:30 30"]);
        refused(json!({"bookingHorizon": 13}), MONDAY_14, 30, "beyond_horizon").await;
        assert!(offers(&john).await.is_empty());
        put(server, json!({"bookingHorizon": 14, "bufferAfter": 30})).await;
        assert_eq!(offers(&john).await.len(), 4);

        let booked = john.book(&session(&at("14:30"), 30)).await.expect(201);
        refused(json!({}), &at("15:00"), 30, "slot_conflict").await;
        assert_eq!(offers(&john).await, ["14:00 30", "15:30 30"]);
        refused(json!({"maxMeetingsPerDay": 1}), MONDAY_14, 30, "day_full").await;
        refused(json!({"maxMeetingsPerWeek": 1}), MONDAY_14, 30, "week_full").await;
        assert!(offers(&john).await.is_empty());

        let deadline = 15 * 1_440;
        put(server, json!({"cancellationDeadline": deadline})).await;
        john.cancel(&booked.id()).await.refused(400, "too_late_to_cancel");
        john.update(&booked.id(), &json!({"status": "CANCELLED"}))
            .await
            .refused(400, "too_late_to_cancel");
        put(server, json!({"rescheduleDeadline": deadline})).await;
        let later = json!({"startTime": at("15:30")});
        john.update(&booked.id(), &later).await.refused(400, "too_late_to_reschedule");
        jane.update(&booked.id(), &later).await.expect(200);
        john.cancel(&booked.id()).await.expect(200);
        assert_eq!(offers(&john).await.len(), 4);

        put(server, json!({"meetingUrlTemplate": "https://meet.example.com/{meetingId}"})).await;
        let booked = john.book(&session(MONDAY_14, 30)).await.expect(201);
        assert_eq!(booked.str("meetingUrl"), format!("https://meet.example.com/{}", booked.id()));
    })
    .await;
}

/// The settings' zone comes before the directory's.
#[tokio::test]
async fn the_zone_of_the_settings_counts() {
    on_every_store(async |server| {
        open(&server.therapist(), 1, "09:00", "10:00").await;
        assert_eq!(offers(&server.client()).await, ["09:00 30 60", "09:30 30"]);
        put(server, json!({"timeZone": "Asia/Kathmandu"})).await;
        assert_eq!(offers(&server.client()).await, ["03:15 30 60", "03:45 30"]);
        server.client().book(&session(&at("03:15"), 30)).await.expect(201);
        server.client().book(&session(&at("09:00"), 30)).await.refused(400, "outside_availability");
    })
    .await;
}

const OVERRIDES: &str = "/booking/overrides";

#[tokio::test]
async fn overrides_replace_the_weekly_windows_of_their_dates() {
    on_every_store(async |server| {
        let (jane, john) = (server.therapist(), server.client());
        open(&jane, 1, "14:00", "15:00").await;
        let day = json!({
            "firstDate": "2024-01-15",
            "windows": [
                {"startTime": "23:00", "endTime": "24:00"},
                {"startTime": "09:00", "endTime": "10:00"},
            ],
            "notes": "The dentist",
        });
        let once = jane.with("idempotency-key", "once");
        let added = once.post(OVERRIDES, &day).await.expect(201);
        assert!(added.id().starts_with("override_"));
        assert_eq!(added.str("lastDate"), "2024-01-15");
        assert_eq!(added.body["windows"][0]["startTime"], "09:00");
        let again = once.post(OVERRIDES, &day).await.expect(201);
        assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &added.body));
        jane.post(OVERRIDES, &day).await.refused(400, "override_overlap");
        assert_eq!(offers(&john).await, ["09:00 30 60", "09:30 30", "23:00 30 60", "23:30 30"]);
        john.book(&session(MONDAY_14, 30)).await.refused(400, "outside_availability");
        let booked = john.book(&session(&at("09:30"), 30)).await.expect(201);

        // The weeks around it are as they were.
        john.book(&session("2024-01-22T14:00:00Z", 60)).await.expect(201);
        john.book(&session("2024-01-08T14:00:00Z", 60)).await.expect(201);

        let path = format!("{OVERRIDES}/{}", added.id());
        let off = json!({"firstDate": "2024-01-14", "lastDate": "2024-01-20"});
        let replaced = jane.put(&path, &off).await.expect(200);
        assert_eq!(
            (&replaced.body["windows"], &replaced.body["notes"]),
            (&json!([]), &json!(null))
        );
        assert!(offers(&john).await.is_empty());
        assert_eq!(john.get("/booking/meetings").await.expect(200).items().len(), 3);
        let listed = async |query: &str| jane.get(&format!("{OVERRIDES}{query}")).await.expect(200);
        assert_eq!(listed("").await.items(), std::slice::from_ref(&replaced.body));
        assert_eq!(listed("?from=2024-01-20").await.items().len(), 1);
        assert_eq!(listed("?from=2024-01-21").await.items().len(), 0);
        assert_eq!(listed("?from=2024-01-01&to=2024-01-13").await.items().len(), 0);
        assert_eq!(listed("?to=2024-01-14").await.items().len(), 1);
        server.other_therapist().put(&path, &off).await.refused(403, "forbidden");
        server.other_therapist().delete(&path).await.refused(403, "forbidden");
        john.get(OVERRIDES).await.refused(401, "role_required");

        jane.delete(&path).await.expect(200).check_text("{\"success\": true}");
        jane.delete(&path).await.refused(404, "override_not_found");
        jane.put(&path, &off).await.refused(404, "override_not_found");
        john.cancel(&booked.id()).await.expect(200);
        assert_eq!(offers(&john).await, ["14:00 30 60", "14:30 30"]);

        let audit = format!("/booking/audit?subject={}", added.id());
        let entries = server.admin().get(&audit).await.expect(200);
        let actions = ["override.deleted", "override.updated", "override.created"];
        assert_eq!(entries.column("action"), actions);
        assert!(!entries.text.contains("dentist"));
        let windows =
            json!({"field": "windows", "before": "09:00-10:00,23:00-24:00", "after": null});
        assert!(entries.body[1]["changes"].as_array().expect("a list").contains(&windows));
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_an_override_is_named() {
    let server = Server::memory().await;
    let jane = server.therapist();
    let window = |from: &str, to: &str| json!({"startTime": from, "endTime": to});
    for (body, pointer) in [
        (json!({}), "/firstDate"),
        (json!({"firstDate": "2024-02-30"}), "/firstDate"),
        (json!({"firstDate": "2024-01-15T00:00:00Z"}), "/firstDate"),
        (json!({"firstDate": "2024-01-15", "lastDate": "2024-01-14"}), "/lastDate"),
        (json!({"firstDate": "2024-01-15", "lastDate": "2025-01-15"}), "/lastDate"),
        (json!({"firstDate": "2024-01-15", "lastDate": null}), "/lastDate"),
        (json!({"firstDate": "2024-01-15", "windows": {}}), "/windows"),
        (json!({"firstDate": "2024-01-15", "windows": ["09:00"]}), "/windows"),
        (json!({"firstDate": "2024-01-15", "windows": [{"startTime": "09:00"}]}), "/windows"),
        (json!({"firstDate": "2024-01-15", "windows": [window("9:00", "12:00")]}), "/windows"),
        (json!({"firstDate": "2024-01-15", "windows": [window("12:00", "12:00")]}), "/windows"),
        (json!({"firstDate": "2024-01-15", "windows": [window("23:00", "25:00")]}), "/windows"),
        (
            json!({"firstDate": "2024-01-15",
                "windows": [window("09:00", "12:00"), window("11:00", "13:00")]}),
            "/windows",
        ),
        (
            json!({"firstDate": "2024-01-15", "windows": vec![window("09:00", "12:00"); 49]}),
            "/windows",
        ),
        (json!({"firstDate": "2024-01-15", "notes": "\u{0}"}), "/notes"),
    ] {
        let told = jane.post(OVERRIDES, &body).await.refused(400, "invalid_request");
        assert_eq!(told.pointers(), [pointer], "{body}");
    }
    jane.get(&format!("{OVERRIDES}?from=monday")).await.refused(400, "invalid_request");
    jane.get(OVERRIDES).await.expect(200).check_text("[]");
}
