//! Several stores on one database, as in several processes.

use booking_core::Store;
use booking_core::testing::fixtures::id;
use booking_core::testing::race;
use booking_store::PostgresStore;

use super::server::{Database, sql};
use super::{open, world};
use crate::shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_database_never_book_twice() {
    let database = Database::new();
    never_book_twice(&database).await;
}

/// What is read after a lock has to be as new as the lock, whatever the server's default is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_where_transactions_are_repeatable_reads() {
    let database = Database::new();
    for isolation in ["repeatable read", "serializable"] {
        let name = database.url.rsplit('/').next().unwrap().trim_end_matches('?');
        let set = "SET default_transaction_isolation =";
        sql(&database.url, &format!("ALTER DATABASE {name} {set} '{isolation}'"));
        let count =
            "TRUNCATE meeting, series, series_meeting, busy, availability, outbox, delivery";
        sql(&database.url, count);
        never_book_twice(&database).await;
    }
}

async fn never_book_twice(database: &Database) {
    let worlds = [world(open(database).await).await, world(open(database).await).await];
    shared::never_book_twice(worlds).await;
}

/// People whose calendars do not exist yet, locked in overlapping sets: nobody waits in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn new_people_do_not_block_each_other() {
    let database = Database::new();
    let stores = [open(&database).await, open(&database).await];
    for round in 0..16 {
        let changes = race((0..12).map(|n| {
            let store = stores[n % 2].clone();
            let people = (0..4).map(|k| id(&format!("new_{round}_{}", (n * 5 + k * 3) % 7)));
            let scope = booking_core::Scope { people: people.collect(), ..Default::default() };
            async move { store.change(&scope, &|_| Ok(booking_core::Change::default())).await }
        }));
        for change in changes.await {
            change.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_database_may_be_opened_by_several_at_once() {
    let database = Database::blank();
    let opened = (0..4).map(|_| {
        let url = database.url.clone();
        async move { PostgresStore::open(&url).await }
    });
    for store in race(opened).await {
        let store = store.unwrap();
        store.migrate().await.unwrap();
        store.ping().await.unwrap();
    }
    let all = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres"));
    let all = all.unwrap().count();
    let once = format!("ASSERT (SELECT count(*) FROM _sqlx_migrations) = {all}");
    sql(&database.url, &format!("DO $$ BEGIN {once}; END $$"));
}
