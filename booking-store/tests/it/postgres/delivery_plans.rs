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
            '{\"type\": \"AppointmentBooked\",
              \"data\": {\"clientId\": \"c%s\", \"therapistId\": \"t%s\"}}',
            n % 700, n % 30
        )::json,
        CASE WHEN n <= 20000 THEN n END
    FROM generate_series(1, 30000) AS n;
    INSERT INTO subscriber SELECT 's' || n, '[]', TRUE, 'null', now() FROM generate_series(1, 3) n;
    INSERT INTO delivery (subscriber_id, position, meeting_id, state, due_at)
    SELECT subscriber.id, position, meeting_id,
        CASE position % 4 WHEN 0 THEN 'pending' ELSE 'delivered' END, occurred_at
    FROM outbox CROSS JOIN subscriber WHERE position IS NOT NULL";

/// As the store's connections are.
const SETTINGS: &str = "SET enable_seqscan = off; SET enable_hashjoin = off;
    SET enable_mergejoin = off; SET jit = off";

/// What a statement goes by.
struct Expected {
    statement: &'static str,
    parameters: &'static str,
    indexes: &'static [&'static str],
}

/// Those whose plans are made once.
const ONCE: [Expected; 1] = [Expected {
    statement: EVENTS_OF,
    parameters: "7, 100, 'c7'",
    indexes: &["outbox_by_client", "outbox_by_therapist"],
}];

/// Those whose plans are made each time.
const EACH_TIME: [Expected; 7] = [
    Expected {
        statement: CLAIM,
        parameters: "'s1', now(), now(), 32",
        indexes: &["delivery_due", "delivery_of_meeting", "outbox_position_key"],
    },
    Expected {
        statement: SETTLE,
        parameters: "'s1', '{4}', '{2025-01-01}', '{pending}', '{2025-01-01}', '{1}',
            '{2025-01-01}', '{500}', '{no}'",
        indexes: &["delivery_of_meeting"],
    },
    Expected {
        statement: PUBLISH,
        parameters: "256, 20000, now()",
        indexes: &["outbox_unpublished", "outbox_pkey", "log_end_pkey"],
    },
    Expected {
        statement: FORGET,
        parameters: "'2024-01-02', 256",
        indexes: &["outbox_by_age", "delivery_of_event"],
    },
    Expected {
        statement: REPLAY,
        parameters: "'s1', 100, 20000, 100, now()",
        indexes: &["subscriber_pkey", "outbox_position_key"],
    },
    Expected {
        statement: DELIVERIES,
        parameters: "'s1', 20000, 100",
        indexes: &["delivery_pkey", "outbox_position_key"],
    },
    Expected {
        statement: IN_STATE,
        parameters: "'s1', 20000, 100, 'dead'",
        indexes: &["delivery_by_state", "outbox_position_key"],
    },
];

#[tokio::test]
async fn events_and_deliveries_go_by_their_indexes() {
    let database = Database::new();
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let connection = &mut connection;
    run(connection, SETTINGS).await;
    // While there is nothing, after much came that Postgres has not looked at yet, and since.
    run(connection, "SET plan_cache_mode = force_generic_plan").await;
    assert_plans(connection, &ONCE).await;
    run(connection, FILL).await;
    for then in ["SELECT", "ANALYZE"] {
        run(connection, then).await;
        run(connection, "SET plan_cache_mode = force_generic_plan").await;
        assert_plans(connection, &ONCE).await;
        run(connection, "SET plan_cache_mode = force_custom_plan").await;
        assert_plans(connection, &EACH_TIME).await;
    }
}

async fn run(connection: &mut PgConnection, statements: &'static str) {
    sqlx::raw_sql(statements).execute(connection).await.unwrap();
}

async fn assert_plans(connection: &mut PgConnection, all: &[Expected]) {
    for Expected { statement, parameters, indexes } in all {
        let prepare = format!("DEALLOCATE ALL; PREPARE statement AS {statement}");
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
        let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE statement ({parameters})"));
        let steps = sqlx::query_scalar::<_, String>(explain).persistent(false);
        let plan = steps.fetch_all(&mut *connection).await.unwrap().join("\n");
        for index in *indexes {
            assert!(plan.contains(index), "{index}: {plan}");
        }
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }
}
