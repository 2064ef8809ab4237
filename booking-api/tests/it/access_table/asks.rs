//! What every operation is asked for.

use serde_json::{Value, json};

use super::Who;
use super::practice::Practice;

/// What a request is about: what stands for the parameters of its path, its query and its body.
#[derive(Debug, Default)]
pub(super) struct Ask {
    pub(super) path: Vec<(&'static str, String)>,
    pub(super) query: String,
    pub(super) body: Option<Value>,
}

/// In how many relations to what it is about everybody asks for each operation.
pub(super) const RELATIONS: &[(&str, &[&str])] = &[
    (
        "createMeeting",
        &["related", "unrelated", "for somebody else", "with somebody else", "unknown therapist"],
    ),
    ("listMeetings", &["own"]),
    (
        "createHold",
        &["related", "unrelated", "for somebody else", "with somebody else", "unknown therapist"],
    ),
    ("listHolds", &["own"]),
    ("deleteHold", &["own", "other's", "unknown"]),
    ("getMeeting", &["own", "other's", "unknown"]),
    (
        "updateMeeting",
        &[
            "own",
            "own, the therapist's notes",
            "own, another therapist",
            "own, to an unrelated therapist",
            "other's",
            "unknown",
        ],
    ),
    ("cancelMeeting", &["own", "other's", "unknown"]),
    ("cancelMeetingWithReason", &["own", "other's", "unknown"]),
    (
        "previewSeries",
        &["related", "unrelated", "for somebody else", "with somebody else", "unknown therapist"],
    ),
    (
        "createSeries",
        &["related", "unrelated", "for somebody else", "with somebody else", "unknown therapist"],
    ),
    ("getSeries", &["own", "other's", "unknown"]),
    ("cancelSeries", &["own", "other's", "unknown"]),
    ("createAvailability", &["own"]),
    ("listAvailability", &["own"]),
    ("updateAvailability", &["own", "other's", "unknown"]),
    ("deleteAvailability", &["own", "other's", "unknown"]),
    ("createOverride", &["own"]),
    ("listOverrides", &["own"]),
    ("updateOverride", &["own", "other's", "unknown"]),
    ("deleteOverride", &["own", "other's", "unknown"]),
    ("getSettings", &["own"]),
    ("putSettings", &["own"]),
    ("listSlots", &["related", "unrelated", "unknown therapist"]),
    ("searchSlots", &["related", "unrelated", "unknown therapist"]),
    ("streamSlots", &["related", "unrelated", "unknown therapist"]),
    ("streamEvents", &["own"]),
    ("createCalendarFeed", &["times", "availability"]),
    ("listCalendarFeeds", &["own"]),
    ("deleteCalendarFeed", &["own", "other's", "unknown"]),
    ("readCalendarFeed", &["known", "wrong secret", "unknown"]),
    ("linkCalendar", &["own"]),
    ("listLinkedCalendars", &["own"]),
    ("getLinkedCalendar", &["own", "other's", "unknown"]),
    ("updateLinkedCalendar", &["own", "other's", "unknown"]),
    ("unlinkCalendar", &["own", "other's", "unknown"]),
    ("refreshLinkedCalendar", &["own", "other's", "unknown"]),
    ("putUser", &["oneself", "somebody else", "new"]),
    ("getUser", &["oneself", "somebody else", "unknown"]),
    ("putRelationship", &["own", "other's", "unknown"]),
    ("deleteRelationship", &["own", "other's", "unknown"]),
    ("listAuditEntries", &["all", "oneself", "somebody else"]),
    ("createWebhook", &["new"]),
    ("listWebhooks", &["all"]),
    ("getWebhook", &["known", "unknown"]),
    ("updateWebhook", &["known", "unknown"]),
    ("deleteWebhook", &["known", "unknown"]),
    ("rotateWebhookSecret", &["known", "unknown"]),
    ("testWebhook", &["known", "unknown"]),
    ("listWebhookDeliveries", &["known", "unknown"]),
    ("replayWebhookDeliveries", &["known", "unknown"]),
];

impl Practice {
    /// What `who` asks for, all of it fresh: no cell gets in the way of another.
    pub(super) async fn ask(&self, operation: &str, relation: &str, who: Who) -> Ask {
        self.relate().await;
        match operation {
            "deleteHold" => self.of_hold(relation, who).await,
            "createMeeting" | "createHold" => ask().body(self.booking(relation, who)),
            "updateMeeting" => self.of_meeting(relation).await.body(changes(relation)),
            "getMeeting" | "cancelMeeting" => self.of_meeting(relation).await,
            "cancelMeetingWithReason" => {
                self.of_meeting(relation).await.body(json!({"reason": "Ill"}))
            }
            "previewSeries" | "createSeries" => {
                let mut body = self.booking(relation, who);
                body["rule"] = json!("FREQ=DAILY;COUNT=1");
                ask().body(body)
            }
            "getSeries" | "cancelSeries" => self.of_series(relation).await,
            "createAvailability" => ask().body(self.window()),
            "updateAvailability" => {
                self.of_slot(relation).await.body(json!({"isAvailable": false}))
            }
            "deleteAvailability" => self.of_slot(relation).await,
            "createOverride" => ask().body(self.day_off()),
            "updateOverride" => self.of_override(relation).await.body(self.day_off()),
            "deleteOverride" => self.of_override(relation).await,
            "putSettings" => ask().body(json!({"rescheduleDeadline": 1})),
            "listSlots" | "streamSlots" => {
                let therapist = therapist(relation);
                ask().query(format!("?therapistId={therapist}&date=2024-01-15"))
            }
            "searchSlots" => {
                let (therapist, days) = (therapist(relation), "from=2024-01-15&to=2024-01-21");
                ask().query(format!("?therapistIds={therapist}&{days}&timeZone=UTC"))
            }
            "putUser" => ask().path("id", somebody(relation, who)).body(user(who)),
            "getUser" => ask().path("id", somebody(relation, who)),
            "putRelationship" | "deleteRelationship" => {
                let (client, therapist) = match relation {
                    "own" => ("client_123", "therapist_456"),
                    "other's" => ("client_124", "therapist_457"),
                    _ => ("client_999", "therapist_999"),
                };
                ask().path("clientId", client).path("therapistId", therapist)
            }
            "listAuditEntries" if relation != "all" => {
                ask().query(format!("?person={}", somebody(relation, who)))
            }
            "createCalendarFeed" => {
                self.no_feeds().await;
                ask().body(json!({"shows": relation}))
            }
            "deleteCalendarFeed" => self.of_feed(relation, who).await,
            "readCalendarFeed" => self.of_calendar(relation).await,
            "linkCalendar" => {
                self.no_links().await;
                ask().body(linked())
            }
            "updateLinkedCalendar" => self.of_link(relation).await.body(json!({"label": "Work"})),
            "getLinkedCalendar" | "unlinkCalendar" | "refreshLinkedCalendar" => {
                self.of_link(relation).await
            }
            "createWebhook" => ask().body(json!({"url": "http://127.0.0.1:9/"})),
            "updateWebhook" => self.of_webhook(relation).await.body(json!({"isActive": false})),
            "replayWebhookDeliveries" => self.of_webhook(relation).await.body(json!({})),
            "getWebhook"
            | "deleteWebhook"
            | "rotateWebhookSecret"
            | "testWebhook"
            | "listWebhookDeliveries" => self.of_webhook(relation).await,
            _ => ask(),
        }
    }

    fn booking(&self, relation: &str, who: Who) -> Value {
        let with = |client: &str, therapist: &str| {
            let start = self.fresh_start();
            let mut body = json!({"startTime": start, "duration": 30, "therapistId": therapist});
            if who == Who::Therapist || client != "client_123" {
                body["clientId"] = json!(client);
            }
            body
        };
        match (relation, who) {
            ("related", _) => with("client_123", "therapist_456"),
            // Of each, the one whom the caller is not related to.
            ("unrelated", Who::Therapist) => with("client_125", "therapist_456"),
            ("unrelated", _) => with("client_123", "therapist_457"),
            ("for somebody else", _) => with("client_124", "therapist_456"),
            ("with somebody else", _) => with("client_124", "therapist_457"),
            _ => with("client_123", "therapist_999"),
        }
    }

    async fn of_meeting(&self, relation: &str) -> Ask {
        let id = match relation.split(',').next() {
            Some("own") => self.meeting("client_123", "therapist_456").await,
            Some("other's") => self.meeting("client_124", "therapist_457").await,
            _ => "meeting_01h455vb4pex5vsknk084sn02q".to_owned(),
        };
        ask().path("id", id)
    }

    async fn of_hold(&self, relation: &str, who: Who) -> Ask {
        let id = match (relation, who) {
            ("own", Who::Therapist) => self.hold("therapist", "therapist_456").await,
            ("own", _) => self.hold("client", "client_123").await,
            ("other's", _) => self.hold("client", "client_124").await,
            _ => "hold_01h455vb4pex5vsknk084sn02q".to_owned(),
        };
        ask().path("id", id)
    }

    async fn of_series(&self, relation: &str) -> Ask {
        let id = match relation {
            "own" => self.series("client_123", "therapist_456").await,
            "other's" => self.series("client_124", "therapist_457").await,
            _ => "series_01h455vb4pex5vsknk084sn02q".to_owned(),
        };
        ask().path("id", id)
    }

    async fn of_slot(&self, relation: &str) -> Ask {
        let id = match relation {
            "own" => self.slot("therapist_456").await,
            "other's" => self.slot("therapist_457").await,
            _ => "avail_01h455vb4pex5vsknk084sn02q".to_owned(),
        };
        ask().path("id", id)
    }

    async fn of_feed(&self, relation: &str, who: Who) -> Ask {
        let id = match (relation, who) {
            ("own", Who::Therapist) => self.feed("therapist", "therapist_456").await.id(),
            ("own", _) => self.feed("client", "client_123").await.id(),
            ("other's", _) => self.feed("client", "client_124").await.id(),
            _ => "feed_01h455vb4pex5vsknk084sn02q".to_owned(),
        };
        ask().path("id", id)
    }

    async fn of_link(&self, relation: &str) -> Ask {
        let id = match relation {
            "own" => self.link("therapist_456").await,
            "other's" => self.link("therapist_457").await,
            _ => "calendar_01h455vb4pex5vsknk084sn02q".to_owned(),
        };
        ask().path("id", id)
    }

    async fn of_override(&self, relation: &str) -> Ask {
        let id = match relation {
            "own" => self.override_of("therapist_456").await,
            "other's" => self.override_of("therapist_457").await,
            _ => "override_01h455vb4pex5vsknk084sn02q".to_owned(),
        };
        ask().path("id", id)
    }

    async fn of_calendar(&self, relation: &str) -> Ask {
        let path = self.feed("client", "client_123").await.str("path").to_owned();
        let file = path.rsplit_once('/').map_or("", |(_, file)| file);
        let file = match relation {
            "known" => file.to_owned(),
            "wrong secret" => format!("{}-{}.ics", &file[..31], "0".repeat(48)),
            _ => file.replace(&file[..31], "feed_01h455vb4pex5vsknk084sn02q"),
        };
        ask().path("file", file)
    }

    async fn of_webhook(&self, relation: &str) -> Ask {
        let id = match relation {
            "known" => self.webhook().await,
            _ => "webhook_01h455vb4pex5vsknk084sn02q".to_owned(),
        };
        ask().path("id", id)
    }
}

/// Nobody answers there.
pub(super) fn linked() -> Value {
    json!({"kind": "ics", "url": "http://127.0.0.1:9/a.ics"})
}

fn ask() -> Ask {
    Ask::default()
}

impl Ask {
    fn path(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.path.push((name, value.into()));
        self
    }

    fn query(self, query: String) -> Self {
        Self { query, ..self }
    }

    fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

/// What is to change about a meeting.
fn changes(relation: &str) -> Value {
    match relation {
        "own, the therapist's notes" => json!({"sessionNotes": "Calm."}),
        "own, another therapist" => json!({"therapistId": "therapist_458"}),
        "own, to an unrelated therapist" => json!({"therapistId": "therapist_457"}),
        _ => json!({"title": "Another"}),
    }
}

fn therapist(relation: &str) -> &'static str {
    match relation {
        "related" => "therapist_456",
        "unrelated" => "therapist_457",
        _ => "therapist_999",
    }
}

fn somebody(relation: &str, who: Who) -> &'static str {
    match (relation, who) {
        ("oneself", Who::Therapist) => "therapist_456",
        ("oneself", Who::Admin) => "admin_1",
        ("oneself", _) => "client_123",
        ("somebody else", _) => "client_124",
        ("new", _) => "client_998",
        _ => "client_999",
    }
}

/// As somebody would be who wanted to be more.
fn user(who: Who) -> Value {
    let role = if who == Who::Admin { "client" } else { "admin" };
    json!({"role": role, "firstName": "A", "lastName": "B", "email": "a@example.com"})
}
