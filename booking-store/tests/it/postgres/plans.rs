//! How Postgres goes about all statements where there is nothing yet: the plans that it makes then
//! are still good when there is more. What they cost in a large database is in `million.rs`.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::server::Database;

/// All statements of the store, as they were checked when it was compiled.
pub(super) fn statements() -> Vec<(String, usize)> {
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
