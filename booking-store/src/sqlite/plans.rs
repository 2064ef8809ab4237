//! How SQLite goes about the statements: each finds what it needs by an index, so that none gets
//! slower as the tables grow.

use sqlx::Row;

use super::{
    SqliteStore, audit, change, copies, diaries, directory, feeds, holds, links, read, series,
    terms, user_news,
};

pub(super) async fn new_store() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("booking.db");
    let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
    (folder, store)
}

pub(super) async fn plan(store: &SqliteStore, statement: &str) -> Vec<String> {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows = sqlx::query(explain).fetch_all(&store.writer.pool).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn no_statement_scans_a_table() {
    let (_folder, store) = new_store().await;
    let statements = [
        read::BUSY,
        diaries::DIARIES,
        read::HOURS,
        read::MEETING,
        read::SLOT,
        read::EARLIER,
        read::RECORD,
        series::SERIES,
        series::MEETINGS,
        read::MEETINGS,
        terms::SETTINGS,
        terms::COUNTED,
        terms::OVERRIDES,
        terms::OVERRIDE,
        terms::UPDATE_OVERRIDE,
        terms::DELETE_OVERRIDE,
        holds::OF_THERAPIST,
        holds::PLACED,
        holds::CLEAR,
        holds::DELETE,
        change::UPDATE_MEETING,
        change::UPDATE_AVAILABILITY,
        change::DELETE_AVAILABILITY,
        change::UPSERT_RECORD,
        change::CLEAR_EXPIRED,
        directory::USERS,
        directory::RELATED,
        directory::UNRELATE,
        feeds::OF_OWNER,
        feeds::ONE,
        feeds::REVOKE,
        feeds::REVOKE_ALL,
        links::LOOK,
        links::OF_THERAPIST,
        links::ONE,
        links::REPLACE,
        links::REMOVE,
        links::REMOVE_ALL,
        links::REFRESH,
        links::IS_ANY_DUE,
        links::CLAIM,
        copies::NOTE,
        copies::UNWRITTEN,
        copies::DELETE_TIMES,
        links::BUSY,
        audit::LATEST,
        audit::OF_AUTHOR,
        audit::OF_SUBJECT,
        audit::OF_PERSON,
        audit::FORGET,
        audit::BEGIN_TO_FORGET,
        audit::END_TO_FORGET,
        user_news::FORGET,
        user_news::LAST,
        user_news::REMOVE_RELATIONSHIPS,
        user_news::REMOVE_USER,
    ];
    for statement in statements {
        for step in plan(&store, statement).await {
            let is_small = step.starts_with("SCAN json_each") || step == "SCAN CONSTANT ROW";
            assert!(is_small || !step.starts_with("SCAN"), "{step} in {statement}");
            assert!(!step.contains("AUTOMATIC"), "{step} in {statement}");
        }
    }
}

#[tokio::test]
async fn conflict_checks_look_at_live_meetings_only() {
    let (_folder, store) = new_store().await;
    let bounds = "(client_id=? AND start_ms>? AND start_ms<?)";
    let client = format!("SEARCH meeting USING INDEX meeting_live_by_client {bounds}");
    for statement in [read::BUSY, diaries::DIARIES] {
        let plan = plan(&store, statement).await;
        assert!(plan.contains(&client), "{plan:#?}");
        let therapist = client.replace("client", "therapist");
        assert!(plan.contains(&therapist), "{plan:#?}");
    }
}

/// Neither the client's nor the therapist's other meetings are looked at.
#[tokio::test]
async fn whether_two_have_met_is_one_look() {
    let (_folder, store) = new_store().await;
    let plan = plan(&store, read::EARLIER).await;
    let bounds = "(client_id=? AND therapist_id=? AND start_ms<?)";
    let search = format!("SEARCH meeting USING INDEX meeting_of_two {bounds}");
    assert!(plan.contains(&search), "{plan:#?}");
}

/// A page costs what is on it and what its filter of statuses passes over.
#[tokio::test]
async fn lists_are_not_sorted() {
    let (_folder, store) = new_store().await;
    for statement in [read::MEETINGS, read::HOURS, change::CLEAR_EXPIRED] {
        let plan = plan(&store, statement).await;
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
    }
}

/// A page of the audit log is found at the end of an index, whatever it is of, and not sorted.
#[tokio::test]
async fn pages_of_the_audit_log_go_by_their_indexes() {
    let (_folder, store) = new_store().await;
    let within = "at_ms>? AND (at_ms,id)<(?,?))";
    let by = |index: &str, of: &str| format!("INDEX {index} ({of}=? AND {within}");
    for (statement, indexes) in [
        (audit::LATEST, vec![format!("({within}")]),
        (audit::OF_AUTHOR, vec![by("audit_entry_by_author", "author_id")]),
        (audit::OF_SUBJECT, vec![by("audit_entry_by_subject", "subject_id")]),
        (
            audit::OF_PERSON,
            [1, 2, 3]
                .map(|n| by(&format!("audit_entry_by_person_{n}"), &format!("person_{n}")))
                .into(),
        ),
        (audit::FORGET, vec!["(at_ms<?)".to_owned()]),
    ] {
        let plan = plan(&store, statement).await;
        for index in indexes {
            assert!(plan.iter().any(|step| step.contains(&index)), "{index}: {plan:#?}");
        }
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
    }
}

/// The walls are checks within each write: they have to be as quick as the store's own.
#[tokio::test]
async fn triggers_scan_no_table() {
    let (_folder, store) = new_store().await;
    let triggers = "SELECT sql FROM sqlite_schema
        WHERE type = 'trigger' AND name LIKE '%overlap' ORDER BY name";
    let triggers: Vec<String> =
        sqlx::query_scalar(triggers).fetch_all(&store.writer.pool).await.unwrap();
    assert_eq!(triggers.len(), 6);
    for trigger in triggers {
        let begin = trigger.find("WHERE EXISTS").unwrap();
        let checks = trigger[begin..].trim_end_matches("END").trim_end().trim_end_matches(';');
        let plan = plan(&store, &format!("SELECT 1 {}", with_parameters(checks))).await;
        let searches = plan.iter().filter(|step| step.starts_with("SEARCH")).count();
        let expected = if trigger.contains("meeting_") { 2 } else { 1 };
        assert_eq!(searches, expected, "{plan:#?}");
        assert!(plan.iter().all(|step| *step == "SCAN CONSTANT ROW" || !step.contains("SCAN")));
    }
}

/// `NEW.column` and `OLD.column` mean nothing outside of a trigger.
fn with_parameters(checks: &str) -> String {
    let checks = checks.replace("OLD.", "NEW.");
    let mut parts = checks.split("NEW.");
    let mut statement = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        statement.push('?');
        statement.push_str(part.trim_start_matches(|c: char| c.is_alphabetic() || c == '_'));
    }
    statement
}

#[tokio::test]
async fn the_writer_waits_for_the_disk_and_readers_do_not_write() {
    let (_folder, store) = new_store().await;
    let ask = async |pool, pragma: &'static str| {
        sqlx::query_scalar::<_, String>(pragma).fetch_one(pool).await.unwrap()
    };
    const FULL: &str = "2";
    let synchronous = "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous";
    let foreign_keys = "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys";
    assert_eq!(ask(&store.writer.pool, synchronous).await, FULL);
    assert_eq!(ask(&store.writer.pool, foreign_keys).await, "1");
    assert_eq!(ask(&store.writer.pool, "PRAGMA journal_mode").await, "wal");
    let refused = sqlx::query("DELETE FROM meeting").execute(&store.readers).await;
    assert!(refused.unwrap_err().to_string().contains("readonly"));
}
