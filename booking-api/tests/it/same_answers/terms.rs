//! The part of the script about settings and overrides.

use serde_json::json;

use super::Script;
use crate::server::session;

const SETTINGS: &str = "/booking/settings";
const OVERRIDES: &str = "/booking/overrides";

impl Script<'_> {
    /// Leaves nothing behind but versions.
    pub(super) async fn terms(&mut self) {
        let (jane, amir) = (self.server.therapist(), self.server.other_therapist());
        let john = self.server.client();
        for who in [&jane, &john] {
            self.get(who, SETTINGS).await;
            self.get(who, OVERRIDES).await;
        }
        for settings in [
            json!({
                "timeZone": "Asia/Kathmandu", "slotInterval": 20, "durations": [120, 30],
                "bufferBefore": 5, "bufferAfter": 10, "minimumNotice": 60, "bookingHorizon": 400,
                "maxMeetingsPerDay": 1, "maxMeetingsPerWeek": 2, "cancellationDeadline": 1,
                "rescheduleDeadline": 2,
                "meetingUrlTemplate": "https://meet.example.com/{meetingId}",
            }),
            json!({"timeZone": "Mars/Base", "slotInterval": 4, "durations": [], "bufferAfter": null}),
            json!({"maxMeetingsPerDay": 1, "meetingUrlTemplate": "https://m.example/{meetingId}"}),
        ] {
            self.put(&jane, SETTINGS, settings).await;
        }
        self.put(&jane.with("if-match", "\"1\""), SETTINGS, json!({})).await;
        let slots = "/booking/slots?therapistId=therapist_456&date=2024-01-15";
        self.get(&john, slots).await;
        let booked =
            self.post(&john, "/booking/meetings", session("2024-01-15T09:30:00Z", 30)).await;
        self.get(&john, slots).await;
        self.post(&john, "/booking/meetings", session("2024-01-15T11:00:00Z", 30)).await;
        let cancel = format!("/booking/meetings/{}/cancel", booked.id());
        self.put(&jane, SETTINGS, json!({"cancellationDeadline": 40_000})).await;
        self.ask(&john, "DELETE", &cancel, None).await;
        self.put(&jane, SETTINGS, json!({})).await;
        self.ask(&john, "DELETE", &cancel, None).await;

        let off =
            json!({"firstDate": "2024-01-14", "lastDate": "2024-01-16", "notes": "\u{1f3d6}"});
        let once = jane.with("idempotency-key", "off");
        let first = self.post(&once, OVERRIDES, off.clone()).await;
        self.post(&once, OVERRIDES, off.clone()).await;
        self.post(&jane, OVERRIDES, json!({"firstDate": "2024-01-16"})).await;
        self.post(&jane, OVERRIDES, json!({"firstDate": "2024-01-16", "lastDate": "2023-01-16"}))
            .await;
        self.get(&john, slots).await;
        for query in ["", "?from=2024-01-16", "?from=2024-01-17", "?to=2024-01-13", "?to=x"] {
            self.get(&jane, &format!("{OVERRIDES}{query}")).await;
        }
        let path = format!("{OVERRIDES}/{}", first.id());
        let window = json!([{"startTime": "22:30", "endTime": "24:00"}]);
        let evening = json!({"firstDate": "2024-01-15", "windows": window});
        for who in [&jane, &amir, &john] {
            self.put(who, &path, evening.clone()).await;
        }
        self.get(&john, slots).await;
        for who in [&amir, &jane, &jane] {
            self.ask(who, "DELETE", &path, None).await;
        }
        self.put(&jane, &path, evening).await;
        self.get(&john, slots).await;
    }
}
