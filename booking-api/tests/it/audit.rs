//! `GET /booking/audit`: who changed what, as an admin reads it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::server::{DataDir, MONDAY_14, Server, on_every_store};

const AUDIT: &str = "/booking/audit";

async fn entries(admin: &Caller, query: &str) -> Vec<Value> {
    admin.get(&format!("{AUDIT}?limit=1000{query}")).await.expect(200).items().to_vec()
}

/// Without what is other each time.
fn told(entry: &Value) -> Value {
    let mut entry = entry.clone();
    let fields = entry.as_object_mut().expect("an object");
    for field in ["id", "at"] {
        assert!(fields.remove(field).is_some_and(|value| value.is_string()));
    }
    entry
}

#[tokio::test]
async fn an_admin_reads_who_changed_what() {
    on_every_store(async |server| {
        let (admin, client) = (server.admin(), server.client());
        server.open_mondays().await;
        let id = server.booked(MONDAY_14, 60).await.id();
        let secret = "Nobody else's business";
        let moved = json!({
            "startTime": "2024-01-15T15:00:00Z", "description": secret, "reason": secret,
        });
        client.update(&id, &moved).await.expect(200);
        let noted = json!({"status": "CONFIRMED", "sessionNotes": secret});
        server.therapist().update(&id, &noted).await.expect(200);
        client.cancel(&id).await.expect(200);
        client.cancel(&id).await.refused(400, "meeting_closed");

        let found = entries(&admin, &format!("&subject={id}")).await;
        let people = json!(["client_123", "therapist_456"]);
        let subject = json!({"kind": "meeting", "id": id});
        let by_client = json!({"id": "client_123", "role": "client"});
        let by_therapist = json!({"id": "therapist_456", "role": "therapist"});
        let entry = |actor: &Value, action: &str, changes: Value, withheld: Value| {
            json!({
                "actor": actor, "action": action, "subject": subject, "people": people,
                "changes": changes, "withheld": withheld,
            })
        };
        let change =
            |field, before, after| json!({"field": field, "before": before, "after": after});
        let version = |n: u32| change("version", json!(n.to_string()), json!((n + 1).to_string()));
        let expected = [
            entry(
                &by_client,
                "meeting.cancelled",
                json!([version(3), change("status", json!("CONFIRMED"), json!("CANCELLED"))]),
                json!([]),
            ),
            entry(
                &by_therapist,
                "meeting.status_changed",
                json!([version(2), change("status", json!("SCHEDULED"), json!("CONFIRMED"))]),
                json!(["sessionNotes"]),
            ),
            entry(
                &by_client,
                "meeting.rescheduled",
                json!([
                    version(1),
                    change("startTime", json!(MONDAY_14), json!("2024-01-15T15:00:00.000Z")),
                ]),
                json!(["description", "reason"]),
            ),
            entry(
                &by_client,
                "meeting.created",
                json!([
                    change("version", json!(null), json!("1")),
                    change("clientId", json!(null), json!("client_123")),
                    change("therapistId", json!(null), json!("therapist_456")),
                    change("startTime", json!(null), json!(MONDAY_14)),
                    change("duration", json!(null), json!("60")),
                    change("status", json!(null), json!("SCHEDULED")),
                    change("meetingType", json!(null), json!("video")),
                ]),
                json!(["title"]),
            ),
        ];
        assert_eq!(found.iter().map(told).collect::<Vec<_>>(), expected);
        let whole = admin.get(&format!("{AUDIT}?limit=1000")).await.expect(200);
        assert!(!whole.text.contains(secret));
        let first = &found[3];
        assert!(first["id"].as_str().is_some_and(|id| id.starts_with("audit_")), "{first}");
        assert!(first["at"].as_str().is_some_and(|at| at.starts_with("2024-01-01T12:00:")));
    })
    .await;
}

/// What the program does by itself has a name too, and so have admins.
#[tokio::test]
async fn administration_is_on_record() {
    on_every_store(async |server| {
        let admin = server.admin();
        let demo = entries(&admin, "&actor=system:demo").await;
        assert_eq!(demo.len(), 7, "five users and two relationships: {demo:#?}");
        assert!(demo.iter().all(|entry| entry["actor"]["role"] == "system"));
        server.add_user("client", "client_900", Some("Asia/Tokyo")).await;
        server.relate("client_900", "therapist_456").await;
        let path = "/booking/directory/relationships/client_900/therapist_456";
        admin.delete(path).await.expect(204);
        admin.delete(path).await.expect(204);
        let hook = json!({"url": "http://127.0.0.1:9/hidden", "description": "hidden"});
        let hook = admin.post("/booking/webhooks", &hook).await.expect(201).id();
        let one = format!("/booking/webhooks/{hook}");
        admin.put(&one, &json!({"isActive": false})).await.expect(200);
        admin.put(&one, &json!({"isActive": false})).await.expect(200);
        admin.post(&format!("{one}/rotate-secret"), &json!({})).await.expect(200);
        admin.post(&format!("{one}/replay"), &json!({})).await.expect(200);
        admin.delete(&one).await.expect(204);
        let found = entries(&admin, "&actor=admin_1").await;
        assert!(!json!(found).to_string().contains("hidden"));
        let actions: Vec<_> = found.iter().rev().map(|entry| &entry["action"]).collect();
        let expected = [
            "user.created",
            "relationship.added",
            "relationship.removed",
            "webhook.created",
            "webhook.updated",
            "webhook.updated",
            "webhook.deleted",
        ];
        assert_eq!(actions, expected);
        let of_hook = entries(&admin, &format!("&subject={hook}")).await;
        assert_eq!(of_hook.len(), 4);
        assert_eq!(of_hook[1]["withheld"], json!(["secrets"]));
        let of_both = entries(&admin, "&subject=client_900/therapist_456").await;
        assert_eq!(of_both.len(), 2);
        assert_eq!(entries(&admin, "&person=client_900").await.len(), 3);
    })
    .await;
}

/// All pages together are the whole, and there is a next one exactly when there is more.
#[tokio::test]
async fn pages_lead_to_the_next() {
    on_every_store(async |server| {
        let admin = server.admin();
        server.open_mondays().await;
        let whole = entries(&admin, "&person=therapist_456").await;
        let mut found = vec![];
        let mut next = format!("{AUDIT}?person=therapist_456&limit=1");
        while !next.is_empty() {
            let page: Answer = admin.get(&next).await.expect(200);
            assert_eq!(page.items().len(), 1);
            found.extend(page.items().to_vec());
            let link = page.header("link").strip_prefix("</api").unwrap_or_default();
            next = link.strip_suffix(">; rel=\"next\"").unwrap_or_default().to_owned();
        }
        assert_eq!(found, whole);
        assert!(whole.len() >= 4, "a user, two relationships, a slot: {whole:#?}");
        // The earliest are the demo's; what is asked for as an instant may be any instant.
        assert!(entries(&admin, "&to=2024-01-01T12:00:00%2B00:00").await.is_empty());
        let all = entries(&admin, "").await;
        let later = all.iter().filter(|entry| entry["at"] != "2024-01-01T12:00:00.000Z").cloned();
        let later: Vec<Value> = later.collect();
        assert_eq!(entries(&admin, "&from=2024-01-01T12:00:00.0000001Z").await, later);
        // The relay goes by the machine's clock.
        let later = entries(&admin, "&from=2024-01-02T00:00:00Z").await;
        assert_eq!(not_the_relays(&later), Vec::<&Value>::new());
        assert_eq!(admin.get(AUDIT).await.expect(200).items(), all);
    })
    .await;
}

/// Without what was noted as the server started: for whom it delivers events.
fn not_the_relays(entries: &[Value]) -> Vec<&Value> {
    entries.iter().filter(|entry| entry["actor"]["id"] != "system:relay").collect()
}

#[tokio::test]
async fn bad_queries_name_their_field() {
    let server = Server::memory().await;
    let admin = server.admin();
    for (query, field) in [
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("limit=x", "/limit"),
        ("cursor=x", "/cursor"),
        ("cursor=AAAAAAAAAAA", "/cursor"),
        ("from=yesterday", "/from"),
        ("to=2024-01-01", "/to"),
        ("actor=two%20words", "/actor"),
        ("person=", "/person"),
        ("subject=%00", "/subject"),
    ] {
        let answer = admin.get(&format!("{AUDIT}?{query}")).await;
        let answer = answer.refused(400, "invalid_request");
        assert_eq!(answer.pointers(), [field], "{query}");
    }
    // As far as a cursor leads.
    for bytes in ["f____________________________________w", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let answer = admin.get(&format!("{AUDIT}?cursor={bytes}")).await;
        assert!([200, 400].contains(&answer.status), "{}", answer.text);
    }
}

/// By the machine's clock, by which the entries of this server are years old.
#[tokio::test]
async fn old_entries_go_if_that_is_wanted() {
    let data = DataDir::new();
    let url = format!("sqlite:{}", data.path().join("audit.db").display());
    let arguments = ["--database-url", &url, "--keep-audit", "30d"];
    let server = Server::start_with(&data, &arguments).await;
    let begun = Instant::now();
    while !not_the_relays(&entries(&server.admin(), "").await).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(300), "they stay");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.admin().get("/booking/directory/users/client_123").await.expect(200);
}
