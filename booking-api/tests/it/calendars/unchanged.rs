//! What changes to a link are to the server of its calendar.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use super::answers::{Answers, Step, whole};
use super::over_http::until;
use crate::server::{Server, open};

/// One hour on a Monday.
const AN_HOUR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:2\r\n\
    DTSTART:20240115T140000Z\r\nDTEND:20240115T150000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// While a slow server is being read: it is not asked once more, and its answer counts.
#[tokio::test]
async fn whoever_renames_a_link_does_not_have_it_read() {
    let server = Server::memory().await;
    open(&server.therapist(), 1, "14:00", "15:00").await;
    let told = Arc::new(Notify::new());
    let waits = told.clone();
    let script =
        move |_: &str| [vec![Step::Until(waits.clone())], whole("200 OK", "", AN_HOUR)].concat();
    let calendars = Answers::start("127.0.0.1", Box::new(script)).await;
    let owner = server.therapist();
    let mut link = json!({
        "kind": "ics", "url": calendars.url("/jane.ics"), "username": "jane", "password": "secret",
    });
    let id = owner.post("/booking/calendars", &link).await.expect(201).id();
    let path = format!("/booking/calendars/{id}");
    let is_asked = async {
        while calendars.take().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(super::PATIENCE, is_asked).await.expect("it is read");

    link.as_object_mut().expect("an object").remove("kind");
    for n in 0..20 {
        link["label"] = json!(["Work", "Home"][n % 2]);
        let changed = owner.put(&path, &link).await.expect(200);
        assert_eq!(changed.str("label"), ["Work", "Home"][n % 2]);
    }
    told.notify_one();
    let read = until(&owner, &id, |answer| answer.str("state") != "pending").await;
    assert_eq!((read.str("state"), read.str("label")), ("ok", "Home"));
    let slots = "/booking/slots?therapistId=therapist_456&date=2024-01-15";
    assert_eq!(server.client().get(slots).await.expect(200).items().len(), 0);
    assert_eq!(calendars.take(), [] as [String; 0], "once is enough");
    let audit = server.admin().get("/booking/audit?limit=50").await.expect(200);
    let changes = audit.text.matches("\"calendar.changed\"").count();
    assert_eq!(changes, 20);
}
