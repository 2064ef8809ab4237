//! Databases of other versions than this program's, and migrations that come to no end.

use std::sync::Arc;
use std::time::Duration;

use booking_core::StoreError;
use booking_core::testing::Harness;
use booking_store::PostgresStore;
use sqlx::{Connection, PgConnection};

use super::open;
use super::server::{Database, sql};
use crate::old;

async fn harness(database: &Database) -> Harness {
    Harness::new(Arc::new(open(database).await), ())
}

#[tokio::test]
async fn what_is_written_today_is_read_back() {
    let database = Database::new();
    old::write(harness(&database).await).await;
    old::check(harness(&database).await).await;
}

#[tokio::test]
async fn tables_of_version_1_are_brought_up_to_date() {
    let database = Database::blank();
    sql(&database.url, include_str!("../old/postgres-0001.sql"));
    old::check(harness(&database).await).await;
}

#[tokio::test]
async fn tables_of_version_2_are_brought_up_to_date() {
    let database = Database::blank();
    sql(&database.url, include_str!("../old/postgres-0002.sql"));
    old::check(harness(&database).await).await;
}

#[tokio::test]
async fn tables_of_a_later_version_are_left_alone() {
    let database = Database::new();
    sql(&database.url, "INSERT INTO _sqlx_migrations VALUES (9999, 'later', now(), TRUE, '', 0)");
    old::assert_later(PostgresStore::open(&database.url).await.err());
}

/// Somebody has edited a migration that had run: what the tables are like is anybody's guess.
#[tokio::test]
async fn tables_of_another_version_are_left_alone() {
    let database = Database::new();
    sql(&database.url, "UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 1");
    let opened = PostgresStore::open(&database.url).await;
    assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
}

/// A dump, say, that reads all tables: who migrates waits for it, and nobody behind them for long.
#[tokio::test]
async fn a_migration_waits_without_keeping_others_waiting() {
    let database = Database::blank();
    sql(&database.url, include_str!("../old/postgres-0002.sql"));
    let mut dump = PgConnection::connect(&database.url).await.unwrap();
    let begin = sqlx::raw_sql("BEGIN; LOCK TABLE calendar IN ACCESS SHARE MODE");
    begin.execute(&mut dump).await.unwrap();
    let url = database.url.clone();
    let opening = tokio::spawn(async move { PostgresStore::open(&url).await });
    // Long enough for it to give up its place and to come back.
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    for _ in 0..5 {
        let lock = "SET lock_timeout = '4s'; BEGIN; SELECT FROM calendar FOR UPDATE; COMMIT";
        sqlx::raw_sql(lock).execute(&mut other).await.expect("a booking of the version before");
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    sqlx::raw_sql("COMMIT").execute(&mut dump).await.unwrap();
    opening.await.unwrap().expect("nothing is in the way any more");
}

/// Something is in the way of the last table but one.
#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    let database = Database::blank();
    sql(&database.url, "CREATE TABLE directory_user (x text)");
    for _ in 0..2 {
        let opened = PostgresStore::open(&database.url).await;
        assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
        let nothing = "DO $$ BEGIN ASSERT to_regclass('meeting') IS NULL; END $$";
        sql(&database.url, nothing);
    }
    sql(&database.url, "DROP TABLE directory_user");
    old::check_empty(harness(&database).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_migration_that_nobody_waits_for_is_done_or_not() {
    for n in 0..24 {
        let database = Database::blank();
        let patience = Duration::from_millis(4 * n);
        let _given_up = tokio::time::timeout(patience, PostgresStore::open(&database.url)).await;
        old::check_empty(harness(&database).await).await;
    }
}
