use booking_core::testing::fixtures::{client, hour, therapist};
use booking_core::{SessionDuration, Store, StoreError};
use booking_store::SqliteStore;

use super::{connect, new_file, open, world};

#[tokio::test]
async fn reopening_restores_everything() {
    let (_folder, path) = new_file();
    let store = open(&path).await;
    let before = world(store.clone()).await;
    before.open(&therapist()).await;
    for n in 0..20 {
        before.book(&client(), &therapist(), hour(n), SessionDuration::Hour).await.unwrap();
    }
    let everything = before.everything().await;
    assert_eq!(everything.events.len(), 20);
    store.close().await;
    // Closed in good order, all is in the one file.
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);

    let after = world(open(&path).await).await;
    assert_eq!(after.everything().await, everything);
    let next = after.book_hour(hour(30)).await.unwrap().value.meeting;
    let events = after.events().await;
    assert_eq!(events.last().unwrap().event.payload.meeting(), next.id);
    assert!(events[20].sequence > events[19].sequence);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_file_may_be_opened_by_several_at_once() {
    for _ in 0..8 {
        let (_folder, path) = new_file();
        let opened = (0..4).map(|_| {
            let path = path.clone();
            async move { SqliteStore::open(path.to_str().unwrap()).await }
        });
        for store in booking_core::testing::race(opened).await {
            let store = store.unwrap();
            store.migrate().await.unwrap();
            store.ping().await.unwrap();
        }
        let mut connection = connect(&path).await;
        let migrated = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM _sqlx_migrations");
        let migrated = migrated.fetch_one(&mut connection).await.unwrap();
        let all = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite"));
        assert_eq!(migrated, i64::try_from(all.unwrap().count()).unwrap());
    }
}

#[tokio::test]
async fn urls_and_paths() {
    let (_folder, path) = new_file();
    let path = path.to_str().unwrap();
    for url in [format!("sqlite:{path}"), format!("sqlite://{path}"), path.to_owned()] {
        SqliteStore::open(&url).await.unwrap().close().await;
    }
    for url in ["", "sqlite:", "sqlite::memory:", ":memory:", "sqlite:a.db?mode=rwc"] {
        let refused = SqliteStore::open(url).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{url}: {refused:?}");
    }
}

#[tokio::test]
async fn files_that_are_not_ours() {
    let (folder, _) = new_file();
    let nowhere = folder.path().join("no/such/folder/booking.db");
    let nowhere = SqliteStore::open(nowhere.to_str().unwrap()).await;
    assert!(matches!(nowhere, Err(StoreError::Unavailable(_))), "{nowhere:?}");

    let letter = folder.path().join("letter.txt");
    std::fs::write(&letter, "Dear all, ".repeat(1_000)).unwrap();
    let letter = SqliteStore::open(letter.to_str().unwrap()).await;
    assert!(matches!(letter, Err(StoreError::Corrupt(_))), "{letter:?}");
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let (_folder, path) = new_file();
    let store = open(&path).await;
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
}

/// Turning a file to WAL takes a lock that SQLite does not wait for by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_that_somebody_is_about_to_make_is_waited_for() {
    let (_folder, path) = new_file();
    std::fs::File::create(&path).unwrap();
    let mut somebody = connect(&path).await;
    sqlx::raw_sql("BEGIN IMMEDIATE; CREATE TABLE x (y)").execute(&mut somebody).await.unwrap();
    let opening = tokio::spawn(async move { SqliteStore::open(path.to_str().unwrap()).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!opening.is_finished());
    sqlx::raw_sql("ROLLBACK").execute(&mut somebody).await.unwrap();
    opening.await.unwrap().unwrap().ping().await.unwrap();
}

/// Notes on sessions are in it.
#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = new_file();
    let store = open(&path).await;
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        files += 1;
    }
    assert!(files >= 2, "the log is there too");
    store.close().await;
}
