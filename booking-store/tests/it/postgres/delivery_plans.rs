//! How Postgres goes about the statements around events, among many: by the indexes that are there
//! for them.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::server::Database;

const CLAIM: &str = include_str!("../../../queries/claim.sql");
const SETTLE: &str = include_str!("../../../queries/settle.sql");
const PUBLISH: &str = include_str!("../../../queries/publish.sql");
const EVENTS_OF: &str = include_str!("../../../queries/events_of.sql");
const FORGET: &str = include_str!("../../../queries/forget.sql");
const REPLAY: &str = include_str!("../../../queries/replay.sql");
const DELIVERIES: &str = include_str!("../../../queries/deliveries.sql");
const IN_STATE: &str = include_str!("../../../queries/deliveries_in_state.sql");

/// 20 000 events of 30 000, with deliveries to three subscribers, of which a part is pending.
const FILL: &str = "
    INSERT INTO outbox (event_id, meeting_id, occurred_at, payload, position)
    SELECT gen_random_uuid(), md5((n % 7000)::text)::uuid,
        timestamptz '2024-01-01' + n * interval '1 minute',
        format(
            '{\"type\": \"AppointmentBooked\", \"data\": {\"clientId\": \"c%s\", \"therapistId\": \"t%s\"}}',
            n % 700, n % 30
        )::json,
        CASE WHEN n <= 20000 THEN n END
    FROM generate_series(1, 30000) AS n;
    INSERT INTO subscriber SELECT 's' || n, '[]', TRUE, 'null', now() FROM generate_series(1, 3) n;
    INSERT INTO delivery (subscriber_id, position, meeting_id, state, due_at)
    SELECT subscriber.id, position, meeting_id,
        CASE position % 4 WHEN 0 THEN 'pending' ELSE 'delivered' END, occurred_at
    FROM outbox CROSS JOIN subscriber WHERE position IS NOT NULL;
    ANALYZE";

/// As the store's connections are.
const SETTINGS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

#[tokio::test]
async fn events_and_deliveries_go_by_their_indexes() {
    let database = Database::new();
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    for statements in [FILL, SETTINGS] {
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    }
    for (statement, parameters, indexes) in [
        (CLAIM, 4, &["delivery_due", "delivery_of_meeting", "outbox_position_key"][..]),
        (SETTLE, 8, &["delivery_pkey", "delivery_of_meeting"]),
        (PUBLISH, 3, &["outbox_unpublished", "outbox_pkey", "log_end_pkey"]),
        (EVENTS_OF, 3, &["outbox_by_client", "outbox_by_therapist"]),
        (FORGET, 2, &["outbox_by_age", "delivery_of_event"]),
        (REPLAY, 5, &["subscriber_pkey", "outbox_position_key"]),
        (DELIVERIES, 3, &["delivery_pkey", "outbox_position_key"]),
        (IN_STATE, 4, &["delivery_by_state", "outbox_position_key"]),
    ] {
        let plan = plan(&mut connection, statement, parameters).await;
        for index in indexes {
            assert!(plan.contains(index), "{index}: {plan}");
        }
        assert!(!plan.contains("Seq Scan"), "{plan}");
        // The few that are claimed are put in order in the end; nothing else is.
        let sorts = plan.matches("Sort Key").count() - plan.matches("Merge Append").count();
        assert!(sorts == usize::from(statement == CLAIM), "{plan}");
    }
}

async fn plan(connection: &mut PgConnection, statement: &str, parameters: usize) -> String {
    let prepare = format!("DEALLOCATE ALL; PREPARE statement AS {statement}");
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
    let nulls = vec!["NULL"; parameters].join(", ");
    let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE statement ({nulls})"));
    let steps = sqlx::query_scalar::<_, String>(explain).persistent(false);
    steps.fetch_all(connection).await.unwrap().join("\n")
}
