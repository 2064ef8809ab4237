//! The script: everything that can be asked, and every way to be refused.

use serde_json::{Value, json};

use super::Script;
use crate::caller::{Answer, Caller};
use crate::server::{MONDAY_14, session};

const MEETINGS: &str = "/booking/meetings";
const SERIES: &str = "/booking/series";
const AVAILABILITY: &str = "/booking/availability";
const NOBODY: &str = "meeting_01hk2eaafaed38w90cefa02m3n";

fn path(of: &Answer) -> String {
    format!("{MEETINGS}/{}", of.id())
}

fn window(day: u32, start: &str, end: &str) -> Value {
    json!({"dayOfWeek": day, "startTime": start, "endTime": end})
}

impl Script<'_> {
    pub(super) async fn play(&mut self) {
        self.directory().await;
        self.availability().await;
        self.terms().await;
        self.slots().await;
        let meetings = self.bookings().await;
        self.series().await;
        self.listing().await;
        self.updates(&meetings).await;
        self.cancelling(&meetings).await;
        self.today = "2024-01-16";
        self.closing(&meetings).await;
        self.shapes(&meetings).await;
        self.feeds().await;
        self.holds().await;
    }

    /// Without those that are there: their keys are other ones each time.
    async fn feeds(&mut self) {
        const FEEDS: &str = "/booking/calendar/feeds";
        let (client, admin) = (self.server.client(), self.server.admin());
        for body in [json!({"shows": "availability"}), json!({"shows": 1, "name": "\u{7}"})] {
            self.post(&client, FEEDS, body).await;
        }
        self.get(&client, FEEDS).await;
        self.get(&admin, FEEDS).await;
        let unknown = format!("{FEEDS}/feed_01hk2eaafaed38w90cefa02m3n");
        self.ask(&client, "DELETE", &unknown, None).await;
        self.get(&self.server.anonymous(), "/booking/calendar/feed.ics").await;
    }

    async fn series(&mut self) {
        let (client, jane) = (self.server.client(), self.server.therapist());
        let mut body = session("2024-02-12T10:00:00Z", 60);
        body["rule"] = json!("FREQ=WEEKLY;COUNT=4");
        body["exDates"] = json!(["2024-02-26"]);
        self.post(&client, "/booking/series/preview", body.clone()).await;
        let once = client.with("idempotency-key", "\"series\"");
        let booked = self.post(&once, SERIES, body.clone()).await.expect(201);
        self.post(&once, SERIES, body.clone()).await.expect(201);
        self.post(&client, SERIES, body.clone()).await.refused(400, "series_refused");
        body["rule"] = json!("FREQ=WEEKLY;UNTIL=20240311");
        body["mode"] = json!("free");
        self.post(&client, "/booking/series/preview", body.clone()).await;
        let rest = self.post(&client, SERIES, body.clone()).await.expect(201);
        for wrong in ["FREQ=DAILY", "FREQ=HOURLY;COUNT=1", "FREQ=WEEKLY;COUNT=2;BYDAY=FR", "?"] {
            body["rule"] = json!(wrong);
            self.post(&client, SERIES, body.clone()).await.expect(400);
        }
        for (series, from) in [(&booked, 1), (&rest, 0)] {
            let series = &series.body["series"];
            let path = format!("{SERIES}/{}", series["id"].as_str().expect("an id"));
            self.get(&jane, &path).await.expect(200);
            let from = json!({"from": series["meetings"][from]["id"], "reason": "Zoë's holidays"});
            for (who, body) in [(&jane, from), (&client, json!({})), (&client, json!({}))] {
                self.post(who, &format!("{path}/cancel"), body).await.expect(200);
            }
        }
        self.get(&jane, &format!("{SERIES}/series_01hk2eaafaed38w90cefa02m3n")).await.expect(404);
        self.get(&client, &format!("{MEETINGS}?from=2024-02-01T00:00:00Z")).await;
    }

    async fn directory(&mut self) {
        let (admin, client) = (self.server.admin(), self.server.client());
        let path = "/booking/directory/users/therapist_900";
        self.get(&admin, path).await;
        let mut user = json!({
            "role": "therapist", "firstName": "Zoë", "lastName": "O'Hara", "email": "z@example.com"
        });
        self.put(&admin, path, user.clone()).await;
        user["timeZone"] = json!("America/New_York");
        self.put(&admin, path, user.clone()).await;
        self.get(&admin, path).await;
        self.put(&client, path, user.clone()).await;
        for (field, wrong) in [
            ("timeZone", json!("Mars/Base")),
            ("email", json!("nowhere")),
            ("firstName", json!("x".repeat(500))),
            ("role", json!("robot")),
            ("lastName", json!(null)),
        ] {
            let mut wrong_user = user.clone();
            wrong_user[field] = wrong;
            self.put(&admin, path, wrong_user).await;
        }
        for (client, therapist) in [
            ("client_123", "therapist_900"),
            ("client_123", "therapist_900"),
            ("client_123", "nobody"),
            ("nobody", "therapist_900"),
            ("client_123", "client_124"),
            ("client_123", "client_123"),
        ] {
            let path = format!("/booking/directory/relationships/{client}/{therapist}");
            self.put(&admin, &path, json!({})).await;
        }
        let path = "/booking/directory/relationships/client_124/therapist_900";
        for method in ["PUT", "DELETE", "DELETE"] {
            self.ask(&admin, method, path, None).await;
        }
    }

    async fn availability(&mut self) {
        let (jane, amir) = (self.server.therapist(), self.server.other_therapist());
        self.get(&jane, AVAILABILITY).await;
        let mut monday = window(1, "09:00", "12:00");
        monday["notes"] = json!("Mornings, \"mostly\"\n— ✓");
        let once = jane.with("idempotency-key", "\"first\"");
        let first = self.post(&once, AVAILABILITY, monday.clone()).await;
        self.post(&once, AVAILABILITY, monday).await;
        self.post(&once, AVAILABILITY, window(2, "09:00", "12:00")).await;
        let odd = jane.with("idempotency-key", "x".repeat(300));
        self.post(&odd, AVAILABILITY, window(2, "09:00", "12:00")).await;
        let second = self.post(&jane, AVAILABILITY, window(1, "12:00", "17:00")).await;
        self.post(&jane, AVAILABILITY, window(3, "22:30", "24:00")).await;
        self.post(&jane, AVAILABILITY, window(0, "00:00", "00:30")).await;
        for (day, start, end) in [
            (1, "11:59", "12:01"),
            (1, "12:00", "12:00"),
            (1, "9:00", "25:00"),
            (7, "09:00", "10:00"),
        ] {
            self.post(&jane, AVAILABILITY, window(day, start, end)).await;
        }
        self.post(&self.server.client(), AVAILABILITY, window(1, "09:00", "10:00")).await;
        let path = format!("{AVAILABILITY}/{}", first.id());
        for change in [
            json!({}),
            json!({"notes": null}),
            json!({"endTime": "12:30"}),
            json!({"startTime": "13:00"}),
            json!({"dayOfWeek": 4, "isAvailable": false}),
            json!({"dayOfWeek": 1, "isAvailable": true}),
            json!({"dayOfWeek": "Monday", "isAvailable": "yes"}),
        ] {
            self.put(&jane, &path, change).await;
        }
        self.put(&amir, &path, json!({"notes": "Mine"})).await;
        self.ask(&amir, "DELETE", &path, None).await;
        self.get(&jane, AVAILABILITY).await;
        let path = format!("{AVAILABILITY}/{}", second.id());
        for method in ["DELETE", "DELETE", "PUT"] {
            self.ask(&jane, method, &path, Some(json!({}))).await;
        }
        self.post(&jane, AVAILABILITY, window(1, "12:00", "17:00")).await;
        for minute in 0..49 {
            let (start, end) = (format!("10:{minute:02}"), format!("10:{:02}", minute + 1));
            self.post(&amir, AVAILABILITY, window(6, &start, &end)).await;
        }
        let of_new_york = self.server.caller("therapist", "therapist_900");
        self.post(&of_new_york, AVAILABILITY, window(0, "01:00", "04:00")).await;
    }

    async fn slots(&mut self) {
        for who in [self.server.client(), self.server.therapist(), self.server.admin()] {
            for query in [
                "therapistId=therapist_456&date=2024-01-15",
                "therapistId=therapist_456&date=2024-01-10",
                "therapistId=therapist_456&date=2023-01-02",
                "therapistId=therapist_900&date=2024-03-10",
                "therapistId=client_123&date=2024-01-15",
                "therapistId=nobody&date=2024-01-15",
                "therapistId=therapist_456&date=2024-02-30",
                "date=2024-01-15",
                "",
            ] {
                self.get(&who, &format!("/booking/slots?{query}")).await;
            }
        }
        self.get(&self.server.anonymous(), "/booking/slots").await;
        for query in [
            "therapistIds=therapist_900,therapist_456,nobody&from=2024-01-08&to=2024-01-21",
            "therapistIds=therapist_456&from=2024-01-08&to=2024-03-08&duration=120&limit=20",
            "therapistIds=therapist_456&from=2024-01-08&to=2024-03-09",
        ] {
            for zone in ["UTC", "Pacific/Auckland", "Mars/Base"] {
                let path = format!("/booking/slots/search?{query}&timeZone={zone}");
                self.get(&self.server.client(), &path).await;
            }
        }
    }

    /// Four meetings; the last is with the therapist in New York.
    async fn bookings(&mut self) -> [Answer; 4] {
        let (john, maria) = (self.server.client(), self.server.other_client());
        let (jane, admin) = (self.server.therapist(), self.server.admin());
        let once = john.with("idempotency-key", "a-booking");
        let mut body = session(MONDAY_14, 60);
        body["title"] = json!("Weekly \"Therapy\" — ✓");
        body["description"] = json!("One\n\ttwo");
        let first = self.post(&once, MEETINGS, body.clone()).await;
        self.post(&once, MEETINGS, body.clone()).await;
        self.post(&once, MEETINGS, session(MONDAY_14, 30)).await;
        for start in ["2024-01-15T13:30:00Z", "2024-01-15T14:30:00Z", "2024-01-15T15:00:00+01:00"] {
            self.post(&maria, MEETINGS, session(start, 60)).await;
        }
        for start in [
            "2024-01-15T17:00:00Z",
            "2024-01-15T16:30:00Z",
            "2024-01-15T10:15:00Z",
            "2024-01-01T09:00:00Z",
            "2024-01-15T10:00:01Z",
            "yesterday",
        ] {
            self.post(&john, MEETINGS, session(start, 60)).await;
        }
        for (field, value) in [
            ("therapistId", json!("therapist_457")),
            ("therapistId", json!("nobody")),
            ("therapistId", json!("client_124")),
            ("therapistId", json!("two words")),
            ("status", json!("CONFIRMED")),
            ("status", json!("LOST")),
            ("meetingType", json!("letter")),
            ("title", json!("x".repeat(201))),
            ("description", json!("a\u{0}b")),
            ("duration", json!(45)),
            ("clientId", json!("client_124")),
        ] {
            body[field] = value;
            self.post(&john, MEETINGS, body.clone()).await;
            body = session("2024-01-15T10:00:00Z", 30);
        }
        self.post(&admin, MEETINGS, body.clone()).await;
        self.post(&jane, MEETINGS, body.clone()).await;
        body["clientId"] = json!("client_124");
        body["status"] = json!("CONFIRMED");
        body["meetingType"] = json!("in_person");
        let second = self.post(&jane, MEETINGS, body).await;
        let third = self.post(&john, MEETINGS, session("2024-01-15T09:00:00Z", 30)).await;
        let mut body = session("2024-03-10T06:00:00Z", 120);
        body["therapistId"] = json!("therapist_900");
        let fourth = self.post(&john, MEETINGS, body).await;
        [first, second, third, fourth]
    }

    async fn listing(&mut self) {
        let (john, jane) = (self.server.client(), self.server.therapist());
        for who in [&john, &jane, &self.server.other_therapist(), &self.server.admin()] {
            self.get(who, MEETINGS).await;
        }
        for query in [
            "status=SCHEDULED",
            "status=CONFIRMED,CANCELLED",
            "status=LOST",
            "from=2024-01-15T09:00:00.001Z&to=2024-01-15T14:00:00Z",
            "from=2024-01-15T14:00:00Z",
            "from=soon&to=later",
            "limit=0",
            "limit=1001",
            "cursor=nowhere",
        ] {
            self.get(&jane, &format!("{MEETINGS}?{query}")).await;
        }
        let mut page = format!("{MEETINGS}?limit=1&status=SCHEDULED,CONFIRMED");
        for _ in 0..3 {
            let answer = self.get(&jane, &page).await;
            let link = answer.header("link").strip_prefix("</api").unwrap_or(">");
            page = link.split('>').next().unwrap_or_default().to_owned();
        }
        assert_eq!(page, "", "three pages of one");
    }

    async fn updates(&mut self, meetings: &[Answer; 4]) {
        let [first, second, third, _] = meetings.each_ref().map(path);
        let (john, jane) = (self.server.client(), self.server.therapist());
        let maria = self.server.other_client();
        for who in [&john, &jane, &maria, &self.server.admin(), &self.server.anonymous()] {
            self.get(who, &first).await;
            self.put(who, &first, json!({"title": "Later"})).await;
        }
        for (who, path, change) in [
            (&john, &first, json!({"description": null, "meetingType": "chat"})),
            (&john, &first, json!({"title": null, "duration": "long", "status": 1})),
            (&john, &first, json!({"startTime": "2024-01-15T15:00:00Z", "reason": "Traffic"})),
            (&john, &first, json!({"startTime": "2024-01-15T10:00:00Z"})),
            (&john, &first, json!({"startTime": "2024-01-15T18:00:00Z"})),
            (&john, &first, json!({"startTime": "2023-01-15T10:00:00Z"})),
            (&john, &first, json!({"duration": 90})),
            (&john, &first, json!({"therapistId": "therapist_457"})),
            (&john, &first, json!({"sessionNotes": "Mine"})),
            (&john, &first, json!({"meetingUrl": "https://example.com"})),
            (&jane, &first, json!({"sessionNotes": "Hers", "meetingUrl": "https://example.com/a"})),
            (&jane, &first, json!({"meetingUrl": "javascript:alert(1)"})),
            (&jane, &first, json!({"status": "COMPLETED"})),
            (&jane, &first, json!({"therapistId": "therapist_457"})),
            (&john, &first, json!({"status": "CONFIRMED"})),
            (&john, &first, json!({"status": "CONFIRMED"})),
            (&john, &first, json!({"status": "SCHEDULED"})),
            (&john, &first, json!({"startTime": "2024-01-15T14:00:00Z", "status": "CANCELLED"})),
            (&maria, &second, json!({"duration": 60})),
            (&john, &third, json!({"duration": 120})),
        ] {
            self.put(who, path, change).await;
        }
        for tag in ["\"1\"", "\"1\", \"7\"", "*", "W/\"7\"", "7", ""] {
            let careful = jane.with("if-match", tag);
            self.put(&careful, &first, json!({"description": tag})).await;
        }
        self.get(&john, &first).await;
        self.get(&jane, &first).await;
    }

    async fn cancelling(&mut self, meetings: &[Answer; 4]) {
        let [first, _, third, fourth] = meetings.each_ref().map(path);
        let (john, maria) = (self.server.client(), self.server.other_client());
        let stale = john.with("if-match", "\"1\"");
        for (who, method, path, body) in [
            (&maria, "DELETE", &third, None),
            (&stale, "DELETE", &first, None),
            (&john, "DELETE", &third, None),
            (&john, "DELETE", &third, None),
            (&john, "POST", &fourth, Some(json!({"reason": "x".repeat(1_001)}))),
            (&john, "POST", &fourth, Some(json!({"reason": "Ill"}))),
            (&john, "POST", &fourth, None),
            (&john, "DELETE", &format!("{MEETINGS}/{NOBODY}"), None),
        ] {
            self.ask(who, method, &format!("{path}/cancel"), body).await;
        }
        self.put(&john, &third, json!({"title": "Too late"})).await;
        // What was cancelled makes room, twice at one start.
        let again = self.post(&john, MEETINGS, session("2024-01-15T09:00:00Z", 30)).await;
        self.ask(&john, "DELETE", &format!("{}/cancel", path(&again)), None).await;
        self.post(&john, MEETINGS, session("2024-01-15T09:00:00Z", 30)).await;
        self.get(&john, MEETINGS).await;
        let day = "/booking/slots?therapistId=therapist_456&date=2024-01-15";
        self.get(&john, day).await;
        self.get(&maria, day).await;
    }

    /// The day after.
    async fn closing(&mut self, meetings: &[Answer; 4]) {
        let [first, second, ..] = meetings.each_ref().map(path);
        let (john, jane) = (self.server.client(), self.server.therapist());
        for (who, path, change) in [
            (&john, &first, json!({"status": "COMPLETED"})),
            (&jane, &first, json!({"status": "COMPLETED", "sessionNotes": "Went well"})),
            (&jane, &first, json!({"status": "COMPLETED"})),
            (&jane, &first, json!({"status": "NO_SHOW"})),
            (&jane, &first, json!({"sessionNotes": null})),
            (&john, &first, json!({"title": "Too late"})),
            (&jane, &second, json!({"status": "NO_SHOW"})),
            (&jane, &second, json!({"startTime": "2024-01-22T10:00:00Z"})),
        ] {
            self.put(who, path, change).await;
        }
        self.get(&jane, MEETINGS).await;
    }

    /// Requests that are none.
    async fn shapes(&mut self, meetings: &[Answer; 4]) {
        let (john, anonymous) = (self.server.client(), self.server.anonymous());
        let forged = anonymous.with_token("a.b.c");
        let (first, nobody) = (path(&meetings[0]), format!("{MEETINGS}/{NOBODY}"));
        let paths =
            [MEETINGS, &first, &nobody, "/booking/meetings/7", "/booking/nothing", "/nothing"];
        for path in paths {
            for who in [&john, &anonymous, &forged] {
                self.get(who, path).await;
            }
            for method in ["HEAD", "OPTIONS", "PATCH", "DELETE"] {
                self.ask(&john, method, path, None).await;
            }
        }
        let text = john.with("content-type", "text/plain");
        let large = format!("{{\"title\": \"{}\"}}", "x".repeat(70_000));
        let bodies: [(&Caller, &[u8]); 7] = [
            (&john, b""),
            (&john, b"{"),
            (&john, b"[]"),
            (&john, b"{\"duration\": 60, \"duration\": 30}"),
            (&john, b"\xff"),
            (&text, b"{}"),
            (&john, large.as_bytes()),
        ];
        for (who, body) in bodies {
            for (method, path) in [("POST", MEETINGS), ("PUT", &first)] {
                self.ask_raw(who, method, path, Some(body.to_vec())).await;
            }
        }
    }
}
