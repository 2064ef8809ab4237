//! A server with everybody in it, and a fresh thing of each kind whenever one is wanted.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};

use super::asks::linked;
use crate::caller::{Answer, Caller};
use crate::server::{Server, open};

pub(super) struct Practice {
    pub(super) server: Server,
    meetings: AtomicI64,
    windows: AtomicI64,
}

/// From Sunday to Friday; Saturday is for slots that come and go.
const OPEN: std::ops::Range<u32> = 0..6;
const SATURDAY: u32 = 6;

impl Practice {
    pub(super) async fn open() -> Self {
        let server = Server::memory().await;
        server.add_user("client", "client_125", None).await;
        server.add_user("therapist", "therapist_458", None).await;
        for therapist in ["therapist_456", "therapist_457", "therapist_458"] {
            for day in OPEN {
                let therapist = server.caller("therapist", therapist);
                open(&therapist, day, "00:00", "24:00").await;
            }
        }
        Self { server, meetings: AtomicI64::new(0), windows: AtomicI64::new(0) }
    }

    /// Whatever an admin has done to it.
    pub(super) async fn relate(&self) {
        self.server.relate("client_123", "therapist_456").await;
        self.server.relate("client_123", "therapist_458").await;
        self.server.relate("client_124", "therapist_457").await;
    }

    /// When nobody has a meeting yet.
    pub(super) fn fresh_start(&self) -> String {
        let n = self.meetings.fetch_add(1, Ordering::Relaxed);
        let sunday: DateTime<Utc> = "2024-01-14T00:00:00Z".parse().expect("an instant");
        let day = n / 24 / 6 * 7 + n / 24 % 6;
        (sunday + TimeDelta::days(day) + TimeDelta::hours(n % 24)).to_rfc3339()
    }

    /// When nobody is available yet.
    pub(super) fn window(&self) -> Value {
        let n = self.windows.fetch_add(1, Ordering::Relaxed);
        let time = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let (start, end) = (time(n * 30), time(n * 30 + 30));
        json!({"dayOfWeek": SATURDAY, "startTime": start, "endTime": end})
    }

    pub(super) async fn meeting(&self, client: &str, therapist: &str) -> String {
        let body =
            json!({"startTime": self.fresh_start(), "duration": 30, "therapistId": therapist});
        self.server.caller("client", client).book(&body).await.expect(201).id()
    }

    pub(super) async fn hold(&self, role: &str, holder: &str) -> String {
        let (client, therapist) = match holder {
            "client_124" => ("client_124", "therapist_457"),
            _ => ("client_123", "therapist_456"),
        };
        let body = json!({
            "startTime": self.fresh_start(), "duration": 30, "therapistId": therapist,
            "clientId": client,
        });
        let holder = self.server.caller(role, holder);
        holder.post("/booking/holds", &body).await.expect(201).id()
    }

    pub(super) async fn series(&self, client: &str, therapist: &str) -> String {
        let body = json!({
            "startTime": self.fresh_start(), "duration": 30, "therapistId": therapist,
            "rule": "FREQ=DAILY;COUNT=1",
        });
        let client = self.server.caller("client", client);
        let booked = client.post("/booking/series", &body).await.expect(201);
        booked.body["series"]["id"].as_str().expect("an id").to_owned()
    }

    pub(super) async fn slot(&self, therapist: &str) -> String {
        let therapist = self.server.caller("therapist", therapist);
        therapist.post("/booking/availability", &self.window()).await.expect(201).id()
    }

    /// A date that nobody has taken off yet, long after all meetings.
    pub(super) fn day_off(&self) -> Value {
        let n = self.windows.fetch_add(1, Ordering::Relaxed);
        let first: NaiveDate = "2030-01-01".parse().expect("a date");
        json!({"firstDate": first + TimeDelta::days(n)})
    }

    pub(super) async fn override_of(&self, therapist: &str) -> String {
        let therapist = self.server.caller("therapist", therapist);
        therapist.post("/booking/overrides", &self.day_off()).await.expect(201).id()
    }

    pub(super) async fn webhook(&self) -> String {
        let admin = self.server.admin();
        // There is room for 64.
        for old in admin.get("/booking/webhooks").await.expect(200).column("id") {
            admin.delete(&format!("/booking/webhooks/{old}")).await.expect(204);
        }
        let body = json!({"url": "http://127.0.0.1:9/"});
        admin.post("/booking/webhooks", &body).await.expect(201).id()
    }

    /// Room for feeds: there is room for 10.
    pub(super) async fn no_feeds(&self) {
        for (role, id) in
            [("client", "client_123"), ("client", "client_124"), ("therapist", "therapist_456")]
        {
            let owner = self.server.caller(role, id);
            for feed in owner.get("/booking/calendar/feeds").await.expect(200).column("id") {
                owner.delete(&format!("/booking/calendar/feeds/{feed}")).await.expect(204);
            }
        }
    }

    pub(super) async fn feed(&self, role: &str, owner: &str) -> Answer {
        self.no_feeds().await;
        let owner = self.server.caller(role, owner);
        owner.post("/booking/calendar/feeds", &json!({})).await.expect(201)
    }

    /// Room for linked calendars: there is room for 10.
    pub(super) async fn no_links(&self) {
        for id in ["therapist_456", "therapist_457"] {
            let owner = self.server.caller("therapist", id);
            for link in owner.get("/booking/calendars").await.expect(200).column("id") {
                owner.delete(&format!("/booking/calendars/{link}")).await.expect(204);
            }
        }
    }

    pub(super) async fn link(&self, therapist: &str) -> String {
        self.no_links().await;
        let owner = self.server.caller("therapist", therapist);
        owner.post("/booking/calendars", &linked()).await.expect(201).id()
    }

    /// All that anybody can see, and with it the last change on record.
    pub(super) async fn everything(&self) -> Vec<Value> {
        const OF_THERAPISTS: [&str; 6] = [
            "/booking/meetings",
            "/booking/holds",
            "/booking/availability",
            "/booking/settings",
            "/booking/overrides",
            "/booking/calendar/feeds",
        ];
        const OF_CLIENTS: [&str; 3] =
            ["/booking/meetings", "/booking/holds", "/booking/calendar/feeds"];
        const OF_ADMINS: [&str; 6] = [
            // What the server has noted by the machine's clock is later than any of it.
            "/booking/audit?limit=1&to=2025-01-01T00:00:00Z",
            "/booking/webhooks",
            "/booking/directory/users/client_123",
            "/booking/directory/users/client_124",
            "/booking/directory/users/therapist_456",
            "/booking/directory/users/client_998",
        ];
        let mut all = Vec::new();
        let mut look = async |caller: &Caller, path: &str| all.push(caller.get(path).await.body);
        for client in ["client_123", "client_124", "client_125"] {
            let client = self.server.caller("client", client);
            for path in OF_CLIENTS {
                look(&client, path).await;
            }
        }
        for therapist in ["therapist_456", "therapist_457", "therapist_458"] {
            let therapist = self.server.caller("therapist", therapist);
            for path in OF_THERAPISTS {
                look(&therapist, path).await;
            }
        }
        for path in OF_ADMINS {
            look(&self.server.admin(), path).await;
        }
        all
    }
}
