//! A server that is gone, busy, or out of reach without a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use booking_core::testing::fixtures::{audited, client, hour, meeting, therapist};
use booking_core::testing::race;
use booking_core::{Change, ChangeError, Scope, Store, StoreError, Write};
use booking_store::PostgresStore;
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::server::{Cluster, Database};
use super::{open, world};

/// The store promises 10 seconds. What has an end comes to it by then, however busy the machine is.
const BOUND: Duration = Duration::from_secs(60);

async fn insert(store: &PostgresStore, n: i64) -> Result<Change, ChangeError> {
    let scope = Scope { people: [client(), therapist()].into(), ..Scope::default() };
    let writes = vec![audited(Write::InsertMeeting(meeting(&client(), &therapist(), hour(n))))];
    let change = Change { writes, ..Change::default() };
    store.change(&scope, &|_| Ok(change.clone())).await
}

/// Reads and changes fail as they should, and in time, on all connections.
async fn assert_unavailable(store: &PostgresStore) {
    let begun = Instant::now();
    let outcomes = race((0..24).map(|n| {
        let store = store.clone();
        async move {
            match n % 2 {
                0 => store.ping().await,
                _ => match insert(&store, n).await {
                    Ok(_) => Ok(()),
                    Err(ChangeError::Store(error)) => Err(error),
                    Err(declined) => panic!("{declined:?}"),
                },
            }
        }
    }));
    for outcome in outcomes.await {
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    }
    assert!(begun.elapsed() < BOUND, "no wait without an end: {:?}", begun.elapsed());
}

/// The same store works again, at once or after some connections were found broken.
async fn assert_recovers(store: &PostgresStore, first: i64) {
    let begun = Instant::now();
    let mut n = first;
    while let Err(error) = insert(store, n).await {
        assert!(matches!(error, ChangeError::Store(StoreError::Unavailable(_))), "{error:?}");
        assert!(begun.elapsed() < BOUND, "it stays broken");
        n += 1;
    }
    for outcome in race((1..=32).map(|k| {
        let store = store.clone();
        async move { (store.ping().await, insert(&store, n + k).await) }
    }))
    .await
    {
        outcome.0.unwrap();
        outcome.1.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_survives_its_server() {
    let cluster = Cluster::start();
    let store = PostgresStore::open(&cluster.url()).await.unwrap();
    assert_recovers(&store, 0).await;
    for round in 1..=2 {
        cluster.stop();
        assert_unavailable(&store).await;
        cluster.resume();
        assert_recovers(&store, 100 * round).await;
    }
    // So quickly that nobody looks in between.
    cluster.stop();
    cluster.resume();
    assert_recovers(&store, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_survives_a_network_that_goes_silent() {
    let cluster = Cluster::start();
    let network = Network::to(&cluster).await;
    let store = PostgresStore::open(&network.url).await.unwrap();
    assert_recovers(&store, 0).await;
    network.is_silent.store(true, Ordering::Relaxed);
    assert_unavailable(&store).await;
    assert_unavailable(&store).await;
    network.is_silent.store(false, Ordering::Relaxed);
    assert_recovers(&store, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_survives_a_server_behind_somebody_who_still_answers() {
    let cluster = Cluster::start();
    let network = Network::to(&cluster).await;
    let store = PostgresStore::open(&network.url).await.unwrap();
    assert_recovers(&store, 0).await;
    cluster.stop();
    assert_unavailable(&store).await;
    assert_unavailable(&store).await;
    let opened = PostgresStore::open(&network.url).await;
    assert!(matches!(opened, Err(StoreError::Unavailable(_))), "{opened:?}");
    cluster.resume();
    assert_recovers(&store, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_calendar_that_stays_locked_is_unavailable_and_can_still_be_read() {
    let database = Database::new();
    let store = open(&database).await;
    let world = world(store.clone()).await;
    insert(&store, 0).await.unwrap();
    let mut somebody = PgConnection::connect(&database.url).await.unwrap();
    let lock = "BEGIN; SELECT * FROM calendar FOR UPDATE";
    sqlx::raw_sql(lock).execute(&mut somebody).await.unwrap();
    let begun = Instant::now();
    let outcomes = race((0..32).map(|n| {
        let store = store.clone();
        async move { insert(&store, n).await }
    }));
    assert_eq!(world.meetings_of(&client()).await.len(), 1);
    for outcome in outcomes.await {
        let unavailable = matches!(outcome, Err(ChangeError::Store(StoreError::Unavailable(_))));
        assert!(unavailable, "{outcome:?}");
    }
    assert!(begun.elapsed() < BOUND, "no wait without an end");
    drop(somebody);
    assert_recovers(&store, 100).await;
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let database = Database::new();
    let store = open(&database).await;
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
}

/// Between a store and its server. Connections that met silence stay silent for ever.
pub(super) struct Network {
    pub(super) url: String,
    pub(super) is_silent: Arc<AtomicBool>,
}

impl Network {
    pub(super) async fn to(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let is_silent = Arc::new(AtomicBool::new(false));
        let (far, ours) = (cluster.port(), listener.local_addr().unwrap().port());
        let silent = is_silent.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // Closed again at once, as by anybody who stands before a server that is gone.
                let Ok(far) = TcpStream::connect(("127.0.0.1", far)).await else { continue };
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                tokio::spawn(carry(near_read, far_write, silent.clone()));
                tokio::spawn(carry(far_read, near_write, silent.clone()));
            }
        });
        let url = cluster.url().replace(&cluster.port().to_string(), &ours.to_string());
        Self { url, is_silent }
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    is_silent: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 65_536];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if is_silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
