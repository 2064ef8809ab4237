//! A standby takes over. The primary of before may come back as one that takes no writes, and have the
//! name, or what stands before both, for a while.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use booking_core::testing::fixtures::{hour, therapist};
use booking_core::testing::race;
use booking_core::{BookingError, Store as _, StoreError};
use booking_store::PostgresStore;
use sqlx::{Connection, PgConnection};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::server::{Cluster, Database, sql};
use super::{open, world};

/// Nothing here takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(100);

/// In the folder of its data.
const COMES_BACK_AS_A_STANDBY: &str = "COPY (SELECT) TO PROGRAM 'cat > standby.signal'";

/// Servers say so of what is read-only, whatever the reason.
const TAKES_NO_BOOKINGS: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'read-only' USING ERRCODE = '25006'; END $$;
    CREATE TRIGGER refuses BEFORE INSERT ON meeting EXECUTE FUNCTION refuse()";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_standby_is_no_server_to_work_with() {
    let [old, new] = [Cluster::start(), Cluster::start()];
    let address = Address::of(&old).await;
    let store = PostgresStore::open(&address.url).await.unwrap();
    let on_old = world(store.clone()).await;
    // The same people are there.
    let on_new = world(PostgresStore::open(&new.url()).await.unwrap()).await;
    for world in [&on_old, &on_new] {
        world.open(&therapist()).await;
        world.book_hour(hour(9)).await.unwrap();
    }
    sql(&old.url(), COMES_BACK_AS_A_STANDBY);
    old.stop();
    old.resume();
    let world = on_old;
    // Whoever it is that notices first.
    let outcomes = race((0..24).map(|n| {
        let (store, world) = (store.clone(), world.clone());
        async move {
            match n % 2 {
                0 => store.ping().await.map_err(BookingError::from),
                _ => world.book_hour(hour(10 + n)).await.map(drop),
            }
        }
    }));
    for outcome in outcomes.await {
        assert_unavailable(&outcome);
    }
    let opened = PostgresStore::open(&old.url()).await;
    assert!(matches!(opened, Err(StoreError::Unavailable(_))), "{opened:?}");

    address.leads_to(&new);
    store.ping().await.unwrap();
    world.book_hour(hour(10)).await.unwrap();
    assert!(on_new.book_hour(hour(10)).await.is_err(), "it is there");
}

/// Connections through somebody who stands before both servers outlive the one that they led to.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_stays_where_nothing_can_be_written() {
    let database = Database::new();
    let store = open(&database).await;
    let world = world(store.clone()).await;
    world.open(&therapist()).await;
    let work = async |from: i64| {
        for outcome in race((from..from + 16).map(|n| {
            let (store, world) = (store.clone(), world.clone());
            async move { (store.ping().await, world.book_hour(hour(n)).await.map(drop)) }
        }))
        .await
        {
            outcome.0.unwrap();
            outcome.1.unwrap();
        }
    };
    work(0).await;
    let before = processes(&database).await;
    assert!(before.len() > 2, "{before:?}");
    sql(&database.url, TAKES_NO_BOOKINGS);
    assert_unavailable(&world.book_hour(hour(50)).await.map(drop));
    sql(&database.url, "DROP TRIGGER refuses ON meeting");
    let begun = Instant::now();
    let mut from = 100;
    while !before.is_disjoint(&processes(&database).await) {
        assert!(begun.elapsed() < PATIENCE, "some are kept");
        work(from).await;
        from += 16;
    }
}

#[track_caller]
fn assert_unavailable(outcome: &Result<(), BookingError>) {
    let is_unavailable = matches!(outcome, Err(BookingError::Store(StoreError::Unavailable(_))));
    assert!(is_unavailable, "{outcome:?}");
}

/// Those of the server that serve the store.
async fn processes(database: &Database) -> BTreeSet<i32> {
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let select = "SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'booking'";
    let all: Vec<i32> = sqlx::query_scalar(select).fetch_all(&mut connection).await.unwrap();
    all.into_iter().collect()
}

/// What stays when servers change places.
struct Address {
    url: String,
    port: Arc<AtomicU16>,
}

impl Address {
    async fn of(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = listener.local_addr().unwrap().port();
        let port = Arc::new(AtomicU16::new(cluster.port()));
        let leads_to = port.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let port = leads_to.load(Ordering::Relaxed);
                tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await {
                        let _broken = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { url: cluster.url().replace(&cluster.port().to_string(), &ours.to_string()), port }
    }

    fn leads_to(&self, cluster: &Cluster) {
        self.port.store(cluster.port(), Ordering::Relaxed);
    }
}
