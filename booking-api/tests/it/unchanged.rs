//! The same PUT once more is no change: the same version, and no entry of the audit log.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::server::{MONDAY_14, Server, on_every_store};

/// What is put where, by whom, and where to look at it.
struct Put {
    operation: &'static str,
    caller: Caller,
    path: String,
    body: Value,
    seen_at: String,
}

async fn puts(server: &Server) -> Vec<Put> {
    let (therapist, admin) = (server.therapist(), server.admin());
    let slot = server.open_mondays().await.id();
    let meeting = server.booked(MONDAY_14, 60).await.id();
    let day_off = json!({"firstDate": "2030-01-01", "lastDate": "2030-01-02", "notes": "Crete"});
    let made = therapist.post("/booking/overrides", &day_off).await.expect(201).id();
    let url =
        json!({"kind": "ics", "url": "http://127.0.0.1:9/a.ics", "username": "j", "password": "p"});
    let link = therapist.post("/booking/calendars", &url).await.expect(201).id();
    let hook = json!({"url": "http://127.0.0.1:9/"});
    let hook = admin.post("/booking/webhooks", &hook).await.expect(201).id();
    let put = |operation, caller: &Caller, path: String, seen_at: &str, body| {
        let seen_at = if seen_at.is_empty() { path.clone() } else { seen_at.to_owned() };
        Put { operation, caller: caller.clone(), path, body, seen_at }
    };
    vec![
        put(
            "updateMeeting",
            &therapist,
            format!("/booking/meetings/{meeting}"),
            "",
            json!({
                "title": "Another", "description": "About", "startTime": "2024-01-15T15:00:00Z",
                "duration": 30, "sessionNotes": "Calm.", "status": "CONFIRMED", "meetingType": "audio",
            }),
        ),
        put(
            "updateAvailability",
            &therapist,
            format!("/booking/availability/{slot}"),
            "/booking/availability",
            json!({"startTime": "09:30", "isAvailable": true, "notes": "By the door"}),
        ),
        put(
            "updateOverride",
            &therapist,
            format!("/booking/overrides/{made}"),
            "/booking/overrides",
            json!({"firstDate": "2030-01-03", "notes": "Crete"}),
        ),
        put(
            "putSettings",
            &therapist,
            "/booking/settings".to_owned(),
            "",
            json!({"bufferBefore": 10, "timeZone": "Europe/Berlin"}),
        ),
        put(
            "updateLinkedCalendar",
            &therapist,
            format!("/booking/calendars/{link}"),
            "",
            json!({
                "url": "http://127.0.0.1:9/b.ics", "username": "j", "password": "p", "label": "Home",
                "timeZone": "Asia/Tokyo",
            }),
        ),
        put(
            "putUser",
            &admin,
            "/booking/directory/users/client_555".to_owned(),
            "",
            json!({"role": "client", "firstName": "A", "lastName": "B", "email": "a@example.com"}),
        ),
        put(
            "putRelationship",
            &admin,
            "/booking/directory/relationships/client_123/therapist_457".to_owned(),
            "/booking/directory/users/client_123",
            json!({}),
        ),
        put(
            "updateWebhook",
            &admin,
            format!("/booking/webhooks/{hook}"),
            "",
            json!({"url": "http://127.0.0.1:9/other", "isActive": false, "description": "Ours"}),
        ),
    ]
}

/// The last change, but for what the server has noted by the machine's clock.
async fn recorded(server: &Server) -> Value {
    server.admin().get("/booking/audit?limit=1&to=2025-01-01T00:00:00Z").await.expect(200).body
}

/// Of what a server says, which may be read in the background meanwhile.
fn settled(mut answer: Answer) -> (Value, String) {
    for changing in ["state", "checkedAt", "error"] {
        if let Some(link) = answer.body.as_object_mut() {
            link.remove(changing);
        }
    }
    let etag = answer.header("etag").to_owned();
    (answer.body, etag)
}

#[tokio::test]
async fn the_same_put_again_changes_nothing() {
    on_every_store(async |server| {
        let puts = puts(server).await;
        let known: BTreeSet<&str> = puts.iter().map(|put| put.operation).collect();
        let document = server.anonymous().get("/openapi.json").await.expect(200).body;
        let paths = document["paths"].as_object().expect("paths").values();
        let served = paths.filter_map(|methods| methods["put"]["operationId"].as_str());
        assert_eq!(served.collect::<BTreeSet<_>>(), known, "say above what else is to be put");
        for (hour, Put { operation, caller, path, body, seen_at }) in (13..).zip(puts) {
            server.set_clock(&format!("2024-01-01T{hour}:00:00Z")).await;
            let before = recorded(server).await;
            let once = caller.put(&path, &body).await;
            assert!(once.status < 300, "{operation}: {}", once.text);
            let after = recorded(server).await;
            assert_ne!(after, before, "{operation} is a change");
            let seen = settled(caller.get(&seen_at).await.expect(200));
            // What was changed a moment later would show.
            server.set_clock(&format!("2024-01-01T{hour}:30:00Z")).await;
            let again = caller.put(&path, &body).await.expect(once.status);
            assert_eq!(settled(again), settled(once), "{operation}");
            assert_eq!(recorded(server).await, after, "{operation}");
            let now = settled(caller.get(&seen_at).await.expect(200));
            assert_eq!(now, seen, "{operation}");
        }
    })
    .await;
}
