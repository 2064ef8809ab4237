//! What is there at the end: in the tables, and as the API tells it.

use std::collections::BTreeMap;

use booking_core::{Answer, AvailabilityId, EventPayload, MeetingId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ask;
use super::database::Database;
use super::history::{Meeting, Minute, Person, Place, Slot, Tag, Window};
use super::world::World;

/// Everything that the database holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) meetings: BTreeMap<String, Meeting>,
    /// In the order in which they were written.
    pub(crate) events: Vec<Event>,
    pub(crate) busy: Vec<Busy>,
    pub(crate) records: Vec<Record>,
    pub(crate) slots: BTreeMap<String, Slot>,
}

/// An event of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) meeting: String,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Booked { client: String, place: Place, title: String },
    Rescheduled { from: Minute, to: Minute, reason: String },
    Cancelled { start: Minute, by: String, reason: String },
    Completed { minutes: i64, notes: String },
}

/// A row of the second wall.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Busy {
    pub(crate) meeting: String,
    pub(crate) person: String,
    pub(crate) from: Minute,
    pub(crate) to: Minute,
}

/// The memory of a booking with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) user: String,
    pub(crate) key: String,
    pub(crate) answer: Meeting,
}

impl What {
    /// Who asked for it; not for what [`What::Cancelled`] without a reason.
    pub(crate) fn tag(&self) -> Option<Tag> {
        match self {
            Self::Booked { title: text, .. }
            | Self::Rescheduled { reason: text, .. }
            | Self::Cancelled { reason: text, .. }
            | Self::Completed { notes: text, .. } => Tag::parse(text),
        }
    }
}

/// All tables, as they are while nobody writes.
pub(crate) async fn read_tables(database: &Database) -> Found {
    let connection = &mut database.connection().await;
    Found {
        meetings: meetings(connection).await,
        events: events(connection).await,
        busy: busy(connection).await,
        records: records(connection).await,
        slots: slots(connection).await,
    }
}

async fn meetings(connection: &mut PgConnection) -> BTreeMap<String, Meeting> {
    type Row = (String, i64, String, String, i64, i64, String, String);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id::text, version, client_id, therapist_id,
            (extract(epoch FROM start_at) / 60)::bigint, duration_minutes, status, title
         FROM meeting",
    )
    .fetch_all(connection)
    .await
    .expect("a table of meetings");
    let meeting = |(id, version, client, therapist, start, minutes, status, title): Row| Meeting {
        id: meeting_id(&id),
        version: version.try_into().expect("at least 1"),
        client,
        place: Place { therapist, start, minutes },
        status,
        title,
    };
    rows.into_iter().map(meeting).map(|meeting| (meeting.id.clone(), meeting)).collect()
}

async fn events(connection: &mut PgConnection) -> Vec<Event> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT event_id::text, meeting_id::text, payload::text FROM outbox ORDER BY sequence",
    )
    .fetch_all(connection)
    .await
    .expect("an outbox");
    let event = |(id, meeting, payload): (String, String, String)| {
        let payload: EventPayload = serde_json::from_str(&payload).expect("an event");
        let meeting = meeting_id(&meeting);
        assert_eq!(payload.meeting().to_string(), meeting, "an event is of its meeting");
        Event { id, meeting, what: what(payload) }
    };
    rows.into_iter().map(event).collect()
}

fn what(payload: EventPayload) -> What {
    let minute = |instant: chrono::DateTime<chrono::Utc>| instant.timestamp() / 60;
    match payload {
        EventPayload::AppointmentBooked(event) => What::Booked {
            client: event.client_id.to_string(),
            place: Place {
                therapist: event.therapist_id.to_string(),
                start: minute(event.start_time),
                minutes: event.duration.minutes().into(),
            },
            title: event.title.as_str().to_owned(),
        },
        EventPayload::AppointmentRescheduled(event) => What::Rescheduled {
            from: minute(event.original_start_time),
            to: minute(event.new_start_time),
            reason: event.reschedule_reason,
        },
        EventPayload::AppointmentCancelled(event) => What::Cancelled {
            start: minute(event.original_start_time),
            by: event.cancelled_by.to_string(),
            reason: event.cancellation_reason,
        },
        EventPayload::AppointmentCompleted(event) => {
            What::Completed { minutes: event.duration.minutes().into(), notes: event.session_notes }
        }
    }
}

async fn busy(connection: &mut PgConnection) -> Vec<Busy> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT meeting_id::text, person_id,
            (extract(epoch FROM lower(during)) / 60)::bigint,
            (extract(epoch FROM upper(during)) / 60)::bigint
         FROM busy",
    )
    .fetch_all(connection)
    .await
    .expect("a table of busy times");
    let busy = |(id, person, from, to): (String, String, i64, i64)| {
        let meeting = meeting_id(&id);
        Busy { meeting, person, from, to }
    };
    rows.into_iter().map(busy).collect()
}

async fn records(connection: &mut PgConnection) -> Vec<Record> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT user_id, key, answer::text FROM idempotency_record")
            .fetch_all(connection)
            .await
            .expect("a table of records");
    let record = |(user, key, answer): (String, String, String)| {
        let answer = serde_json::from_str(&answer).expect("an answer");
        let Answer::Meeting(meeting) = answer else { panic!("only bookings have keys") };
        let answer = Meeting {
            id: meeting.id.to_string(),
            version: meeting.version,
            client: meeting.client.to_string(),
            place: Place {
                therapist: meeting.therapist.to_string(),
                start: meeting.start.timestamp() / 60,
                minutes: meeting.duration.minutes().into(),
            },
            status: meeting.status.to_string(),
            title: meeting.title.as_str().to_owned(),
        };
        Record { user, key, answer }
    };
    rows.into_iter().map(record).collect()
}

async fn slots(connection: &mut PgConnection) -> BTreeMap<String, Slot> {
    type Row = (String, String, i64, i64, i64, bool, String);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id::text, therapist_id, weekday, start_minute, end_minute, is_available, notes
         FROM availability",
    )
    .fetch_all(connection)
    .await
    .expect("a table of availability");
    let slot = |(id, therapist, weekday, from, to, is_on, notes): Row| Slot {
        id: AvailabilityId::from_uuid(uuid(&id)).to_string(),
        therapist,
        window: Window { weekday, from, to, is_on },
        notes,
    };
    rows.into_iter().map(slot).map(|slot| (slot.id.clone(), slot)).collect()
}

fn uuid(text: &str) -> Uuid {
    text.parse().expect("a UUID")
}

fn meeting_id(uuid_text: &str) -> String {
    MeetingId::from_uuid(uuid(uuid_text)).to_string()
}

/// What everybody is told, page by page, is what the tables hold: no more, and no less.
pub(crate) async fn check_as_told(world: &World, found: &Found) {
    let mut told = BTreeMap::new();
    let mut told_slots = BTreeMap::new();
    let roles = [(&world.people.clients, "client"), (&world.people.therapists, "therapist")];
    for (n, (ids, role)) in roles.into_iter().enumerate() {
        for id in ids {
            let caller = world.caller(n, &Person { role, id: id.clone() });
            let mut page = Some("/booking/meetings?limit=500".to_owned());
            while let Some(path) = page {
                let answer = caller.get(&path).await.expect(200);
                for item in answer.items() {
                    let id = ask::meeting(item, 0).id;
                    let version = found.meetings.get(&id).map_or(0, |meeting| meeting.version);
                    told.insert(id, ask::meeting(item, version));
                }
                let next = answer.header("link").split_once('<');
                let next = next.and_then(|(_, rest)| rest.split_once('>'));
                page = next.map(|(path, _)| path.trim_start_matches("/api").to_owned());
            }
            if role == "therapist" {
                let answer = caller.get("/booking/availability").await.expect(200);
                let slots = answer.items().iter().map(ask::slot);
                told_slots.extend(slots.map(|slot| (slot.id.clone(), slot)));
            }
        }
    }
    assert!(told == found.meetings, "the API tells other meetings than there are");
    assert!(told_slots == found.slots, "the API tells other availability than there is");
}
