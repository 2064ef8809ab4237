//! Stores on one database hear each other.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use booking_core::testing::fixtures::{client, id, therapist};
use booking_core::{Listening, Signal, Signals as _, StoreError, UserId};
use booking_store::PostgresStore;
use tokio::time::timeout;

use super::open;
use super::outages::Network;
use super::server::{Cluster, Database, sql};

/// Only what never comes takes that long.
const PATIENCE: Duration = Duration::from_secs(120);

async fn next(listening: &mut Box<dyn Listening>) -> Signal {
    let heard = timeout(PATIENCE, listening.next()).await;
    heard.expect("something is heard").expect("the server is there")
}

fn two() -> BTreeSet<UserId> {
    [client(), therapist()].into()
}

#[tokio::test]
async fn a_signal_is_heard_by_others_and_at_once() {
    let database = Database::new();
    let (one, other) = (open(&database).await, open(&database).await);
    let mut ones = one.listen().await.unwrap();
    let mut others = other.listen().await.unwrap();
    let begun = Instant::now();
    for _ in 0..3 {
        one.signal(&two()).await.unwrap();
        assert_eq!(next(&mut others).await, Signal::Changed(two()));
    }
    // Who only looks now and then, as after so much silence, takes that long for each.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    one.signal(&BTreeSet::new()).await.unwrap();
    other.signal(&[client()].into()).await.unwrap();
    // Not what it has said itself.
    assert_eq!(next(&mut ones).await, Signal::Changed([client()].into()));
    let silence = timeout(Duration::from_millis(200), others.next()).await;
    assert!(silence.is_err(), "{silence:?}");
}

/// A payload takes less than 8 000 bytes.
#[tokio::test]
async fn any_number_of_people_is_heard_of() {
    let database = Database::new();
    let (one, other) = (open(&database).await, open(&database).await);
    let mut others = other.listen().await.unwrap();
    let people: BTreeSet<UserId> =
        (0..700).map(|n| id(&format!("{n}{}", "\\\"".repeat(62)))).collect();
    one.signal(&people).await.unwrap();
    let mut heard = BTreeSet::new();
    while heard.len() < people.len() {
        match next(&mut others).await {
            Signal::Changed(some) => heard.extend(some),
            Signal::Missed => panic!("nothing was missed"),
        }
    }
    assert_eq!(heard, people);
}

#[tokio::test]
async fn what_cannot_be_understood_may_mean_anything() {
    let database = Database::new();
    let store = open(&database).await;
    let mut listening = store.listen().await.unwrap();
    for payload in ["", "hello", "{}", r#"{"sender":1,"people":[]}"#] {
        sql(&database.url, &format!("NOTIFY booking, '{payload}'"));
        assert_eq!(next(&mut listening).await, Signal::Missed, "{payload}");
    }
}

#[tokio::test]
async fn a_server_that_has_gone_is_noticed() {
    let cluster = Cluster::start();
    let (one, other) = (
        PostgresStore::open(&cluster.url()).await.unwrap(),
        PostgresStore::open(&cluster.url()).await.unwrap(),
    );
    let mut listening = other.listen().await.unwrap();
    cluster.stop();
    for _ in 0..2 {
        let gone = timeout(PATIENCE, listening.next()).await.unwrap();
        assert!(matches!(gone, Err(StoreError::Unavailable(_))), "{gone:?}");
    }
    let refused = other.listen().await.err();
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    assert!(matches!(one.signal(&two()).await, Err(StoreError::Unavailable(_))));
    cluster.resume();
    let mut listening = other.listen().await.unwrap();
    while one.signal(&two()).await.is_err() {}
    assert_eq!(next(&mut listening).await, Signal::Changed(two()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_goes_silent_is_noticed() {
    let cluster = Cluster::start();
    let network = Network::to(&cluster).await;
    let store = PostgresStore::open(&network.url).await.unwrap();
    let mut listening = store.listen().await.unwrap();
    network.is_silent.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    let gone = timeout(PATIENCE, listening.next()).await.unwrap();
    assert!(matches!(gone, Err(StoreError::Unavailable(_))), "{gone:?}");
    assert!(begun.elapsed() > Duration::from_secs(5), "silence alone is no failure");
    let refused = timeout(PATIENCE, store.listen()).await.unwrap().err();
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_store_that_is_closed_hears_nothing_more() {
    let database = Database::new();
    let store = open(&database).await;
    let mut listening = store.listen().await.unwrap();
    store.close().await;
    let closed = timeout(PATIENCE, listening.next()).await.unwrap();
    assert!(matches!(closed, Err(StoreError::Unavailable(_))), "{closed:?}");
}
