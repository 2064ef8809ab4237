//! A store that cannot be used for a while: told in bounded time, and nothing is half done.

use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::server::{DataDir, MONDAY_14, Server, Store, session};

/// Longer than the store waits for the file's lock.
const PATIENCE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_locked_file_is_unavailable_and_then_serves_again() {
    let data = DataDir::new();
    let server = Server::start_in(&data, Store::Sqlite).await;
    server.open_mondays().await;

    let file = SqliteConnectOptions::new().filename(data.path().join("booking.db"));
    let mut other = file.connect().await.expect("the file opens");
    let lock = other.begin_with("BEGIN IMMEDIATE").await.expect("the lock is free");

    let begun = Instant::now();
    let once = server.client().with("idempotency-key", "once");
    let answer = once.book(&session(MONDAY_14, 60)).await.refused(503, "unavailable");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(answer.header("retry-after"), "1");
    assert!(answer.str("requestId") == answer.header("x-request-id"), "{}", answer.text);
    assert!(!answer.text.contains("lock") && !answer.text.contains("database"), "{}", answer.text);
    assert_eq!(server.client().get("/booking/meetings").await.expect(200).text, "[]");

    lock.rollback().await.expect("the lock is ours");
    once.book(&session(MONDAY_14, 60)).await.expect(201);
    assert_eq!(server.client().get("/booking/meetings").await.items().len(), 1);
}
