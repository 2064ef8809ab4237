//! Files of other versions than this program's, and migrations that come to no end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use booking_core::StoreError;
use booking_core::testing::Harness;
use booking_store::SqliteStore;

use super::{connect, new_file, open};
use crate::old;

async fn harness(path: &Path) -> Harness {
    Harness::new(Arc::new(open(path).await), ())
}

#[tokio::test]
async fn what_is_written_today_is_read_back() {
    let (_folder, path) = new_file();
    old::write(harness(&path).await).await;
    old::check(harness(&path).await).await;
}

async fn run(path: &Path, statements: &'static str) {
    let mut connection = connect(path).await;
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
}

#[tokio::test]
async fn tables_of_version_1_are_brought_up_to_date() {
    let (_folder, path) = new_file();
    std::fs::File::create(&path).unwrap();
    run(&path, include_str!("../old/sqlite-0001.sql")).await;
    old::check(harness(&path).await).await;
}

#[tokio::test]
async fn tables_of_version_2_are_brought_up_to_date() {
    let (_folder, path) = new_file();
    std::fs::File::create(&path).unwrap();
    run(&path, include_str!("../old/sqlite-0002.sql")).await;
    old::check(harness(&path).await).await;
}

#[tokio::test]
async fn tables_of_a_later_version_are_left_alone() {
    let (_folder, path) = new_file();
    open(&path).await.close().await;
    run(&path, "INSERT INTO _sqlx_migrations VALUES (9999, 'later', '', TRUE, x'00', 0)").await;
    old::assert_later(SqliteStore::open(path.to_str().unwrap()).await.err());
}

/// Somebody has edited a migration that had run: what the tables are like is anybody's guess.
#[tokio::test]
async fn tables_of_another_version_are_left_alone() {
    let (_folder, path) = new_file();
    open(&path).await.close().await;
    run(&path, "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1").await;
    let opened = SqliteStore::open(path.to_str().unwrap()).await;
    assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
}

/// Something is in the way of the last table but one.
#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    let (_folder, path) = new_file();
    std::fs::File::create(&path).unwrap();
    run(&path, "CREATE TABLE directory_user (x)").await;
    for _ in 0..2 {
        let opened = SqliteStore::open(path.to_str().unwrap()).await;
        assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
        // It could not be made, were it there.
        run(&path, "CREATE TABLE meeting (x); DROP TABLE meeting").await;
    }
    run(&path, "DROP TABLE directory_user").await;
    old::check_empty(harness(&path).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_migration_that_nobody_waits_for_is_done_or_not() {
    for n in 0..48 {
        let (_folder, path) = new_file();
        let patience = Duration::from_micros(500 * n);
        let opening = SqliteStore::open(path.to_str().unwrap());
        let _given_up = tokio::time::timeout(patience, opening).await;
        old::check_empty(harness(&path).await).await;
    }
}
