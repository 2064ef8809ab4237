//! A database of an earlier version.

use std::sync::Arc;

use booking_core::testing::Harness;
use booking_core::testing::fixtures::{booked, client, hour, meeting, therapist};
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection};

use super::open;
use super::server::Database;
use crate::old;

/// With gaps, as transactions that came to nothing leave them.
const NUMBERS: [i64; 6] = [1, 2, 3, 5, 8, 13];

#[tokio::test]
async fn events_of_the_first_version_are_in_the_log() {
    let database = Database::blank();
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let all = sqlx::migrate!("migrations/postgres");
    let first = all.iter().filter(|migration| migration.version == 1).cloned().collect();
    Migrator::with_migrations(first).run_direct(None, &mut connection, false).await.unwrap();
    let events: Vec<_> =
        (0..6).map(|n| booked(&meeting(&client(), &therapist(), hour(n)))).collect();
    for (event, number) in events.iter().zip(NUMBERS) {
        let insert = "INSERT INTO outbox OVERRIDING SYSTEM VALUE
            VALUES ($1, $2, $3, $4, $5::text::json, $6)";
        let insert = sqlx::query(insert)
            .bind(number)
            .bind(event.id.uuid())
            .bind(event.payload.meeting().uuid())
            .bind(event.occurred_at)
            .bind(serde_json::to_string(&event.payload).unwrap())
            .bind(number < 4);
        insert.execute(&mut connection).await.unwrap();
    }
    let drawn = "SELECT setval(pg_get_serial_sequence('outbox', 'sequence'), 13)";
    sqlx::query(drawn).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let store = Arc::new(open(&database).await);
    old::check_log(Harness::new(store, ()), &events, &NUMBERS).await;
}
