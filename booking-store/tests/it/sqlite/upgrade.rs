//! A file of an earlier version.

use std::sync::Arc;

use booking_core::testing::Harness;
use booking_core::testing::fixtures::{booked, client, hour, meeting, therapist};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{new_file, open};
use crate::old;

/// With gaps, as transactions that came to nothing leave them.
const NUMBERS: [i64; 6] = [1, 2, 3, 5, 8, 13];

#[tokio::test]
async fn events_of_the_first_version_are_in_the_log() {
    let (_folder, path) = new_file();
    let file = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = file.connect().await.unwrap();
    let all = sqlx::migrate!("migrations/sqlite");
    let first = all.iter().filter(|migration| migration.version == 1).cloned().collect();
    Migrator::with_migrations(first).run_direct(None, &mut connection, false).await.unwrap();
    let events: Vec<_> =
        (0..6).map(|n| booked(&meeting(&client(), &therapist(), hour(n)))).collect();
    for (event, number) in events.iter().zip(NUMBERS) {
        let insert = "INSERT INTO outbox VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let insert = sqlx::query(insert)
            .bind(number)
            .bind(event.id.uuid())
            .bind(event.payload.meeting().uuid())
            .bind(event.occurred_at.timestamp_millis())
            .bind(serde_json::to_string(&event.payload).unwrap())
            .bind(number < 4);
        insert.execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();

    let store = Arc::new(open(&path).await);
    old::check_log(Harness::new(store, ()), &events, &NUMBERS).await;
}
