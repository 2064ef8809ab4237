//! How Postgres goes about the statements: each finds what it needs by an index, so that none gets
//! slower as the tables grow.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::server::Database;

/// All statements of the store, as they were checked when it was compiled.
fn statements() -> Vec<(String, usize)> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx")).unwrap();
    let read = |path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let files = folder.map(|file| -> Value { read(file.unwrap().path()) });
    let statement = |file: Value| {
        let parameters = file["describe"]["parameters"]["Left"].as_array().unwrap().len();
        (file["query"].as_str().unwrap().to_owned(), parameters)
    };
    files.map(statement).collect()
}

async fn plan(connection: &mut PgConnection, statement: &str, parameters: usize) -> Vec<String> {
    let nulls = vec!["NULL"; parameters].join(", ");
    let nulls = if parameters == 0 { nulls } else { format!("({nulls})") };
    let prepare = format!("DEALLOCATE ALL; PREPARE statement AS {statement}");
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
    let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE statement {nulls}"));
    sqlx::query_scalar(explain).persistent(false).fetch_all(connection).await.unwrap()
}

#[tokio::test]
async fn no_statement_scans_a_table() {
    let database = Database::new();
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    // The tables are empty: left alone, Postgres would rightly read all of them. The store has the
    // same settings, and plans that are made while its tables are small.
    let settings = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
        SET enable_hashjoin = off; SET enable_mergejoin = off";
    sqlx::raw_sql(settings).execute(&mut connection).await.unwrap();
    let statements = statements();
    assert!(statements.len() > 10, "{}", statements.len());
    for (statement, parameters) in statements {
        let plan = plan(&mut connection, &statement, parameters).await;
        assert!(!plan.iter().any(|step| step.contains("Seq Scan")), "{statement}\n{plan:#?}");
    }
}

/// A page costs what is on it, however many meetings there are; conflict checks look at live
/// meetings within their span only.
#[tokio::test]
async fn hot_statements_go_by_their_indexes() {
    let database = Database::new();
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let fill = "INSERT INTO meeting
        SELECT gen_random_uuid(), 1, 'client_' || n % 700, 'therapist_' || n % 30,
            timestamptz '2024-01-01' + n * interval '1 hour', 60,
            CASE n % 5 WHEN 0 THEN 'SCHEDULED' ELSE 'CANCELLED' END, 'video', '', NULL, NULL, NULL,
            now(), now()
        FROM generate_series(1, 20000) AS n;
        ANALYZE; SET plan_cache_mode = force_generic_plan";
    sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
    let mut checked = 0;
    for (statement, parameters) in statements() {
        let plan = plan(&mut connection, &statement, parameters).await.join("\n");
        let uses = |index: &str| assert!(plan.contains(index), "{index}: {plan}");
        if statement.contains("has_earlier") {
            checked += 1;
            uses("using meeting_of_two");
            uses("meeting_live_by_client");
            uses("meeting_live_by_therapist");
            uses("using meeting_pkey");
            assert!(!plan.contains("Seq Scan on meeting"), "{plan}");
        } else if statement.contains("AS either") {
            checked += 1;
            uses("using meeting_by_client");
            uses("using meeting_by_therapist");
        } else if statement.contains("updated_meetings") {
            checked += 1;
            uses("using meeting_pkey");
        }
    }
    assert_eq!(checked, 3);
}
