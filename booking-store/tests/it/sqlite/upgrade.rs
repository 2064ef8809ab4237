//! A file of an earlier version.

use booking_core::testing::fixtures::{booked, client, hour, meeting, now, therapist};
use booking_core::{
    Deliveries as _, DeliveryQuery, EventQuery, Outbox as _, Subscriber, SubscriberId,
};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{new_file, open, world};

/// Events stay in the log under their numbers, whether they were delivered or not; whoever joins
/// gets later ones.
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
    for (event, number) in events.iter().zip([1, 2, 3, 5, 8, 13]) {
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

    let store = open(&path).await;
    let log = store.events(&EventQuery { after: 0, person: None, limit: 10 }).await.unwrap();
    assert!(log.iter().map(|recorded| recorded.sequence).eq([1, 2, 3, 5, 8, 13]));
    assert!(log.iter().map(|recorded| &recorded.event).eq(&events));
    for person in [client(), therapist()] {
        let own = EventQuery { after: 2, person: Some(person), limit: 10 };
        assert_eq!(store.events(&own).await.unwrap(), log[2..]);
    }
    assert_eq!(store.last_sequence().await.unwrap(), 13);

    let crm = SubscriberId::new("crm").unwrap();
    let subscriber = Subscriber {
        id: crm.clone(),
        event_types: [].into(),
        is_active: true,
        settings: serde_json::Value::Null,
        created_at: now(),
    };
    assert!(store.add_subscriber(&subscriber).await.unwrap());
    let world = world(store.clone()).await;
    world.open(&therapist()).await;
    world.book_hour(hour(9)).await.unwrap();
    world.publish().await;
    let query = DeliveryQuery { subscriber: crm, state: None, before: None, limit: 10 };
    let deliveries = store.deliveries(&query).await.unwrap();
    assert!(deliveries.iter().map(|delivery| delivery.event.sequence).eq([14]));
}
