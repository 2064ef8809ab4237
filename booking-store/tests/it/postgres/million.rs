//! A million meetings: what a statement looks at does not grow with what there is.

use std::time::{Duration, Instant};

use booking_core::testing::World;
use booking_core::testing::fixtures::{
    as_client, as_therapist, by, client, hour, key, minute, now, start, therapist,
};
use booking_core::{
    Added, Attempt, AuditQuery, BookRequest, BookingError, Claim, Claimed, Deliveries,
    ExpectedVersion, HoldRequest, MeetingFilter, Outcome, PageLimit, Refusal, SessionDuration,
    Settled, Subscriber, SubscriberId,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::plans::statements;
use super::server::{Database, sql};
use super::{open, world};

/// What one statement may look at, of tables and indexes together: blocks of 8 KiB, of the 100 000
/// that there are.
const MAX_BLOCKS: u64 = 120;
/// What one step of a plan may pass on; the longest page has 51 meetings.
const MAX_ROWS: u64 = 200;
/// What a whole call may look at, of the blocks of tables and indexes: several statements, their
/// triggers and constraints.
const MAX_BLOCKS_OF_CALL: i64 = 300;

const CALENDARS: &str = "record of $1 under the key";
const DIARIES: &str = "What lists of slots are made of";

/// Hot statements by a phrase that is in no other, and what they are asked.
const HOT: [(&str, &str); 25] = [
    ("SELECT person_id FROM calendar", "ARRAY['client_123', 'therapist_456']"),
    (
        CALENDARS,
        "'client_123', 'key-90123', '01890000-0000-7000-8000-0000000e7ef0', NULL, 'therapist_456',
         ARRAY['client_123', 'therapist_456'], ARRAY['2024-01-15T10:30Z'::timestamptz],
         ARRAY['2024-01-15T11:30Z'::timestamptz], ARRAY['2024-01-15T08:30Z'::timestamptz],
         'client_123', 'therapist_456', '2024-01-15T10:30Z',
         ARRAY['client_123', 'therapist_456'], 'client_123', 'therapist_456',
         ARRAY['therapist_456'], NULL, NULL, '2023-12-26', '2024-01-19', NULL, NULL, NULL",
    ),
    // A series, of ten meetings.
    (
        CALENDARS,
        "NULL, NULL, NULL, NULL, NULL, ARRAY['client_123', 'therapist_123'], '{}', '{}', '{}',
         NULL, NULL, NULL, '{}', NULL, NULL, ARRAY['therapist_123'], NULL, NULL, NULL, NULL, NULL,
         '01890001-0000-7000-8000-00000000007b', NULL",
    ),
    // Around some sessions of one.
    (
        CALENDARS,
        "NULL, NULL, NULL, NULL, 'therapist_456', ARRAY['client_123', 'therapist_456'],
         ARRAY['2023-01-09T10:30Z'::timestamptz, '2023-06-12T10:30Z', '2024-01-15T10:30Z'],
         ARRAY['2023-01-09T11:30Z'::timestamptz, '2023-06-12T11:30Z', '2024-01-15T11:30Z'],
         ARRAY['2023-01-09T08:30Z'::timestamptz, '2023-06-12T08:30Z', '2024-01-15T08:30Z'],
         'client_123', 'therapist_456', '2023-01-09T10:30Z', '{}', NULL, NULL,
         ARRAY['therapist_456'], NULL, NULL, '2022-12-20', '2024-01-19', NULL, NULL, NULL",
    ),
    // The two have met, but only after that.
    (
        CALENDARS,
        "NULL, NULL, NULL, NULL, 'therapist_123', ARRAY['client_123', 'therapist_123'],
         ARRAY['2023-01-01'::timestamptz], ARRAY['2023-01-02'::timestamptz],
         ARRAY['2022-12-31'::timestamptz], 'client_123', 'therapist_123', '2023-01-01',
         '{}', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    ),
    // A thousand meetings were cancelled at this very time.
    (
        CALENDARS,
        "NULL, NULL, NULL, NULL, 'therapist_457', ARRAY['client_124', 'therapist_457'],
         ARRAY['2024-01-15T10:30Z'::timestamptz], ARRAY['2024-01-15T11:30Z'::timestamptz],
         ARRAY['2024-01-15T08:30Z'::timestamptz], 'client_124', 'therapist_457',
         '2024-01-15T10:30Z', '{}', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    ),
    // All that counts for the limit of a day that is half over, of somebody who works every hour.
    (
        CALENDARS,
        "NULL, NULL, NULL, NULL, 'therapist_457', ARRAY['client_124', 'therapist_457'],
         ARRAY['2024-01-11T08:00Z'::timestamptz], ARRAY['2024-01-13T16:00Z'::timestamptz],
         ARRAY['2024-01-11T06:00Z'::timestamptz], 'client_124',
         'therapist_457', '2024-01-12T10:30Z', '{}', NULL, NULL, ARRAY['therapist_457'],
         '2024-01-11T08:00Z', '2024-01-13T16:00Z', '2023-12-20', '2024-01-17',
         gen_random_uuid(), NULL, NULL",
    ),
    // What somebody holds.
    (
        CALENDARS,
        "NULL, NULL, NULL, NULL, NULL, ARRAY['client_123', 'therapist_456'], '{}', '{}', '{}',
         NULL, NULL, NULL, '{}', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, 'client_123'",
    ),
    // A list of slots, for a client and for nobody.
    (
        DIARIES,
        "ARRAY['client_123', 'therapist_456'], ARRAY['therapist_456'], '2024-01-14T06:00Z',
         '2024-01-16T18:00Z', NULL, NULL, '2023-12-25', '2024-01-20'",
    ),
    (
        DIARIES,
        "ARRAY['therapist_457'], ARRAY['therapist_457'], '2024-01-09T08:00Z', '2024-01-11T16:00Z',
         '2024-01-09T08:00Z', '2024-01-11T16:00Z', '2023-12-25', '2024-01-20'",
    ),
    ("revision FROM calendar WHERE person_id = ANY($1)", "ARRAY['client_123', 'therapist_456']"),
    ("updated_meetings", BOOKS),
    (
        "AS either",
        "'therapist_456', '2024-01-10', '00000000-0000-0000-0000-000000000000', 'infinity',
         ARRAY['SCHEDULED', 'CONFIRMED', 'COMPLETED', 'CANCELLED', 'NO_SHOW'], 51, 2097152, TRUE",
    ),
    (
        "AS either",
        "'client_123', '-infinity', '00000000-0000-0000-0000-000000000000', 'infinity',
         ARRAY['SCHEDULED', 'CONFIRMED', 'COMPLETED', 'CANCELLED', 'NO_SHOW'], 51, 2097152, TRUE",
    ),
    ("email, zone FROM directory_user", "ARRAY['client_123', 'therapist_456']"),
    ("ORDER BY id FOR SHARE", "ARRAY['client_123', 'therapist_456']"),
    ("FROM outbox WHERE position >", "999900, 100"),
    ("position IS NULL)", ""),
    ("WHERE (at, id) <", "'-infinity', 'infinity', '00000000-0000-0000-0000-000000000000', 51"),
    // From the midst, of who did much, of who did little, and of who did nothing since.
    (
        "(author_id, at, id)",
        "'-infinity', '2023-06-01', '00000000-0000-0000-0000-000000000000', 51, 'admin_1'",
    ),
    (
        "(author_id, at, id)",
        "'2023-06-01', '2023-12-01', '00000000-0000-0000-0000-000000000000', 51, 'client_124'",
    ),
    (
        "(author_id, at, id)",
        "'2023-06-01', 'infinity', '00000000-0000-0000-0000-000000000000', 51, 'admin_1'",
    ),
    (
        "(subject_id, at, id)",
        "'-infinity', 'infinity', '00000000-0000-0000-0000-000000000000', 51, 'meeting_456789',
         'client_6789', NULL",
    ),
    // In all three places.
    (
        "(person_1, at, id)",
        "'-infinity', '2023-12-01', '00000000-0000-0000-0000-000000000000', 51, 'therapist_456',
         NULL",
    ),
    ("DELETE FROM audit_entry", "'2023-06-01', 20"),
];

/// A new meeting, a change of an old one, an event, and a record under a key.
const BOOKS: &str = "
    ARRAY[TRUE, FALSE],
    ARRAY[gen_random_uuid(), '01890000-0000-7000-8000-0000000e7ef0'], ARRAY[1, 2],
    ARRAY['client_123', 'client_124'], ARRAY['therapist_456', 'therapist_457'],
    ARRAY['2024-02-01'::timestamptz, '2024-02-02'], ARRAY[30, 30], ARRAY['SCHEDULED', 'CONFIRMED'],
    ARRAY['video', 'video'], ARRAY['', ''], ARRAY[NULL, NULL], ARRAY[NULL, NULL],
    ARRAY[NULL, NULL], ARRAY[now(), now()], ARRAY[now(), now()],
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    ARRAY[gen_random_uuid()], ARRAY[gen_random_uuid()], ARRAY[now()], ARRAY['{}'],
    'client_123', 'a-key', decode(repeat('00', 32), 'hex'), '{}', '2024-01-01', '2024-01-02',
    ARRAY[now(), now()], ARRAY[gen_random_uuid(), gen_random_uuid()],
    ARRAY['client_123', 'client_124'], ARRAY['client', 'client'],
    ARRAY['meeting.created', 'meeting.updated'], ARRAY['meeting', 'meeting'],
    ARRAY['meeting_1', 'meeting_2'], ARRAY['client_123', 'client_124'],
    ARRAY['therapist_456', 'therapist_457'], ARRAY[NULL, 'therapist_458'], ARRAY['{}', '{}'],
    '{}', '{}', ARRAY[0, 0], ARRAY[0, 0]";

#[tokio::test]
async fn a_million_meetings_are_as_quick_as_a_few() {
    let database = Database::new();
    sql(&database.url, include_str!("million.sql"));
    check_plans(&database).await;
    check_calls(&database).await;
}

/// By the server's own choice, with none of the settings that the store has: the statements are
/// such that there is no better way than by their indexes.
async fn check_plans(database: &Database) {
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let statements = statements();
    for (phrase, asked) in HOT {
        let mut found = statements.iter().filter(|(statement, _)| statement.contains(phrase));
        let (statement, _) = found.next().expect("it is one of the store's");
        assert!(found.next().is_none(), "several statements have {phrase}");
        for plans in ["force_generic_plan", "force_custom_plan"] {
            let ran = explain(&mut connection, plans, statement, asked).await;
            let told = format!("{plans} of {statement}\n{ran:#}");
            let blocks = number(&ran, "Shared Hit Blocks") + number(&ran, "Shared Read Blocks");
            assert!(blocks <= MAX_BLOCKS, "{blocks} blocks: {told}");
            check_step(&ran, &told);
        }
    }
}

/// What the server did, with how much it looked at. Nothing of it stays.
async fn explain(
    connection: &mut PgConnection,
    plans: &str,
    statement: &str,
    asked: &str,
) -> Value {
    let prepare = format!(
        "PREPARE hot AS {statement}; BEGIN; SET LOCAL plan_cache_mode = {plans};
         SET LOCAL booking.forgets_audit = 'on'"
    );
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
    let explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE hot";
    let asked = if asked.is_empty() { String::new() } else { format!("({asked})") };
    let explain = AssertSqlSafe(format!("{explain} {asked}"));
    let ran = sqlx::query_scalar(explain).persistent(false).fetch_one(&mut *connection);
    let ran: Value = ran.await.unwrap_or_else(|error| panic!("{error}: {statement}"));
    sqlx::raw_sql("ROLLBACK; DEALLOCATE hot").execute(connection).await.unwrap();
    ran[0]["Plan"].clone()
}

/// The same for all that is below it.
fn check_step(step: &Value, told: &str) {
    assert_ne!(step["Node Type"], "Seq Scan", "{told}");
    let rows = number(step, "Actual Rows") * number(step, "Actual Loops");
    assert!(rows <= MAX_ROWS, "{rows} rows: {told}");
    for step in step["Plans"].as_array().into_iter().flatten() {
        check_step(step, told);
    }
}

fn number(step: &Value, what: &str) -> u64 {
    // Rows are an average, with decimals since Postgres 18.
    step[what].as_f64().unwrap_or_default().ceil() as u64
}

/// The service over the store, as it runs: with its transactions, triggers and constraints.
async fn check_calls(database: &Database) {
    let (john, jane) = (as_client(&client()), as_therapist(&therapist()));
    let any = ExpectedVersion::Any;
    let store = open(database).await;
    assert_eq!(store.add_subscriber(&everything_for(crm()), by()).await.unwrap(), Added::Done);
    store.close().await;
    let filled = Looked::at(database).await;
    check_call(database, "booking", async |world, n| {
        let request = BookRequest::new(therapist(), start(between(n)), SessionDuration::HalfHour);
        let key = Some(key(&format!("million-{n}")));
        assert!(!world.booking.book(&john, &request, key.clone()).await.unwrap().replayed);
    })
    .await;
    check_call(database, "a repeat", async |world, n| {
        let request = BookRequest::new(therapist(), start(between(n)), SessionDuration::HalfHour);
        let key = Some(key(&format!("million-{n}")));
        assert!(world.booking.book(&john, &request, key).await.unwrap().replayed);
    })
    .await;
    check_call(database, "a conflict", async |world, n| {
        let refused = world.book(&client(), &therapist(), between(n), SessionDuration::Hour).await;
        let conflict = matches!(refused, Err(BookingError::Refused(Refusal::SlotConflict)));
        assert!(conflict, "{refused:?}");
    })
    .await;
    let booked = world(open(database).await).await.meetings_of(&client()).await;
    let booked: Vec<_> = booked.iter().filter(|meeting| meeting.therapist == therapist()).collect();
    assert_eq!(booked.len(), usize::try_from(ROUNDS).unwrap());
    check_call(database, "moving", async |world, n| {
        world.move_to(booked[usize::try_from(n).unwrap()], hour(100 + n)).await.unwrap();
    })
    .await;
    check_call(database, "cancelling", async |world, n| {
        let id = booked[usize::try_from(n).unwrap()].id;
        world.booking.cancel(&john, id, None, &any).await.unwrap();
    })
    .await;
    check_holding(database).await;
    check_call(database, "slots", async |world, n| {
        let date = between(n).date_naive();
        assert!(!world.booking.slots(&john, &therapist(), date).await.unwrap().is_empty());
    })
    .await;
    check_call(database, "a page", async |world, n| {
        let from = Some(hour(-40 * n));
        let limit = PageLimit::new(50).expect("a page");
        let filter = MeetingFilter { from, limit, ..MeetingFilter::default() };
        assert_eq!(world.booking.meetings(&jane, &filter).await.unwrap().items.len(), 50);
    })
    .await;
    check_call(database, "a page of the audit log", async |world, n| {
        let to = Some(now() - TimeDelta::days(n));
        let query = AuditQuery { person: Some(therapist()), to, ..AuditQuery::latest(50) };
        assert_eq!(world.audit().entries(&query).await.unwrap().len(), 50);
    })
    .await;
    check_call(database, "delivery", async |world, n| {
        assert_eq!(world.publish_some(2).await, 2, "round {n}");
        let claim = Claim { now: now(), lease: Duration::from_secs(60), limit: 2 };
        let claimed = world.outbox().claim(&crm(), &claim).await.unwrap();
        assert_eq!(claimed.len(), 2, "round {n}");
        let settled: Vec<Settled> = claimed.iter().map(delivered).collect();
        world.outbox().settle(&crm(), &settled).await.unwrap();
    })
    .await;
    let read_through = Looked::at(database).await.scans - filled.scans;
    assert_eq!(read_through, 0, "no table is read through");
}

async fn check_holding(database: &Database) {
    check_call(database, "holding", async |world, n| {
        let request = HoldRequest {
            therapist: therapist(),
            client: None,
            start: start(between(n)),
            duration: SessionDuration::HalfHour,
            minutes: HoldRequest::DEFAULT_MINUTES,
        };
        world.booking.hold(&as_client(&client()), &request).await.unwrap();
    })
    .await;
}

fn crm() -> SubscriberId {
    SubscriberId::new("crm").unwrap()
}

fn everything_for(id: SubscriberId) -> Subscriber {
    let (event_types, settings) = ([].into(), Value::Null);
    Subscriber { id, event_types, is_active: true, settings, created_at: now() }
}

fn delivered(claimed: &Claimed) -> Settled {
    let (sequence, until) = (claimed.event.sequence, claimed.until);
    let attempt = Attempt { at: now(), status: None, error: None };
    Settled { sequence, until, attempt, outcome: Outcome::Delivered }
}

const ROUNDS: i64 = 40;

/// Between two meetings that are there.
fn between(n: i64) -> DateTime<Utc> {
    minute(60 * n - 30)
}

async fn check_call(database: &Database, name: &str, call: impl AsyncFn(&World, i64)) {
    let before = Looked::at(database).await;
    let store = open(database).await;
    let world = world(store.clone()).await;
    for n in 0..ROUNDS {
        call(&world, n).await;
    }
    store.close().await;
    let blocks = (Looked::at(database).await.blocks - before.blocks) / ROUNDS;
    assert!((1..=MAX_BLOCKS_OF_CALL).contains(&blocks), "{name}: {blocks} blocks each");
}

/// What a database has counted of itself.
struct Looked {
    /// How often a table was read from one end to the other.
    scans: i64,
    /// How often a block of a table or index was looked at.
    blocks: i64,
}

impl Looked {
    async fn at(database: &Database) -> Self {
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        // Connections tell what they did when they end.
        let others = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend'
                AND pid <> pg_backend_pid()";
        let begun = Instant::now();
        while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut connection).await.unwrap() > 0 {
            assert!(begun.elapsed() < Duration::from_mins(5), "somebody else is connected");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let counted = "SELECT
                sum(seq_scan)::bigint,
                sum(heap_blks_hit + heap_blks_read
                    + coalesce(idx_blks_hit, 0) + coalesce(idx_blks_read, 0)
                    + coalesce(toast_blks_hit, 0) + coalesce(toast_blks_read, 0))::bigint
            FROM pg_stat_user_tables JOIN pg_statio_user_tables USING (relid, relname)
            WHERE relname <> '_sqlx_migrations'";
        let (scans, blocks) = sqlx::query_as(counted).fetch_one(&mut connection).await.unwrap();
        Self { scans, blocks }
    }
}
