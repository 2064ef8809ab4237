//! The part of the script about holds. Each takes a minute and more, so that holds expire on the way.

use serde_json::json;

use super::Script;
use crate::server::session;

const HOLDS: &str = "/booking/holds";

impl Script<'_> {
    /// Leaves nothing behind but a cancelled meeting.
    pub(super) async fn holds(&mut self) {
        let (jane, john, mary) =
            (self.server.therapist(), self.server.client(), self.server.other_client());
        let slots = "/booking/slots?therapistId=therapist_456&date=2024-01-22";
        for who in [&john, &jane, &self.server.admin(), &self.server.anonymous()] {
            self.get(who, HOLDS).await;
        }
        for wrong in [
            json!({}),
            json!({"therapistId": "therapist_456", "startTime": "2024-01-22T09:10:00Z", "duration": 30}),
            json!({"therapistId": "therapist_456", "startTime": "x", "duration": 31, "minutes": 11}),
            json!({"therapistId": "therapist_999", "startTime": "2024-01-22T09:00:00Z", "duration": 30}),
        ] {
            self.post(&john, HOLDS, wrong).await;
        }
        let mut wanted = session("2024-01-22T10:00:00Z", 60);
        wanted["minutes"] = json!(6);
        let kept = self.post(&john, HOLDS, wanted.clone()).await;
        self.get(&mary, slots).await;
        self.get(&john, slots).await;
        self.post(&mary, HOLDS, wanted.clone()).await;
        self.post(&mary, "/booking/meetings", session("2024-01-22T10:30:00Z", 30)).await;
        self.get(&john, HOLDS).await;
        // It has expired by now.
        self.get(&mary, slots).await;
        self.get(&john, HOLDS).await;
        let path = format!("{HOLDS}/{}", kept.id());
        self.ask(&john, "DELETE", &path, None).await;

        let first = self.post(&john, HOLDS, session("2024-01-22T10:00:00Z", 30)).await;
        let second = self.post(&john, HOLDS, session("2024-01-22T11:00:00Z", 30)).await;
        for (who, id) in [(&john, first.id()), (&mary, second.id()), (&john, "x".to_owned())] {
            self.ask(who, "DELETE", &format!("{HOLDS}/{id}"), None).await;
        }
        let booked =
            self.post(&john, "/booking/meetings", session("2024-01-22T11:00:00Z", 30)).await;
        self.get(&john, HOLDS).await;
        let cancel = format!("/booking/meetings/{}/cancel", booked.id());
        self.ask(&john, "DELETE", &cancel, None).await;
        let third = self.post(&john, HOLDS, session("2024-01-22T11:00:00Z", 30)).await;
        self.ask(&john, "DELETE", &format!("{HOLDS}/{}", third.id()), None).await;
        self.get(&mary, slots).await;
    }
}
