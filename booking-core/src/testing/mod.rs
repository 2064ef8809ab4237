//! The conformance suite that every [`Store`] passes, and fixtures for tests.
//!
//! What a store promises is easy to state and easy to get wrong in ways that only show when
//! requests race. [`conformance!`](crate::conformance) turns every promise into a test; there is no
//! way to pick some of them.
//!
//! ```
//! use std::sync::Arc;
//!
//! use booking_core::MemoryStore;
//! use booking_core::testing::Harness;
//!
//! async fn harness() -> Harness {
//!     Harness::new(Arc::new(MemoryStore::default()), ())
//! }
//!
//! booking_core::conformance!(harness());
//! # fn main() {}
//! ```
//!
//! The crate that does so needs `tokio` with its features `macros` and `rt-multi-thread`.

pub mod atomicity;
pub mod audit;
pub mod audit_pages;
pub mod availability;
pub mod copies;
pub mod current;
pub mod deliveries;
pub mod delivery_races;
pub mod diaries;
pub mod dropped;
pub mod feeds;
pub mod fixtures;
pub mod hold_races;
pub mod holds;
pub mod links;
pub mod lists;
pub mod log;
pub mod news;
pub mod overrides;
pub mod people;
pub mod published;
pub mod races;
pub mod reads;
pub mod records;
pub mod rows;
pub mod series;
pub mod settings;
pub mod subscribers;
pub mod unwritten;

mod events;
mod linked;
mod world;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use crate::{AuditLog, DirectoryAdmin, EventStore, Feeds, LinkedCalendars, Store};

pub use world::{Everything, Tally, World, race};

/// A store of its own for one case, empty.
pub struct Harness {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Its outbox, with deliveries and signals.
    pub outbox: Arc<dyn EventStore>,
    /// Its directory.
    pub directory: Arc<dyn DirectoryAdmin>,
    /// Its audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Its calendar feeds.
    pub feeds: Arc<dyn Feeds>,
    /// Its linked calendars.
    pub links: Arc<dyn LinkedCalendars>,
    /// What has to live as long as the store: a temporary folder, a server.
    pub keep: Box<dyn Any + Send + Sync>,
}

impl Harness {
    /// For a store that is all of it at once.
    pub fn new<S>(store: Arc<S>, keep: impl Any + Send + Sync) -> Self
    where
        S: Store + EventStore + DirectoryAdmin + AuditLog + Feeds + LinkedCalendars + 'static,
    {
        Self {
            outbox: store.clone(),
            directory: store.clone(),
            audit: store.clone(),
            feeds: store.clone(),
            links: store.clone(),
            store,
            keep: Box::new(keep),
        }
    }
}

/// How long a case may take: far longer than any does on the slowest machine, unless something waits
/// for ever.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs one case over a fresh store.
///
/// # Panics
/// When the store breaks the promise, or the case does not come to an end.
pub async fn run<F: Future<Output = ()>>(
    harness: impl Future<Output = Harness>,
    case: impl FnOnce(World) -> F,
) {
    let world = World::new(harness.await).await;
    let done = tokio::time::timeout(PATIENCE, Box::pin(case(world))).await;
    done.expect("every change comes to an end");
}

/// One test per promise of a store.
///
/// Takes an expression for a future of a fresh [`Harness`](crate::testing::Harness); it is
/// evaluated once per test.
#[macro_export]
macro_rules! conformance {
    ($make:expr) => {
        $crate::conformance_races!($make);
        $crate::conformance_availability!($make);
        $crate::conformance_atomicity!($make);
        $crate::conformance_current!($make);
        $crate::conformance_dropped!($make);
        $crate::conformance_rows!($make);
        $crate::conformance_settings!($make);
        $crate::conformance_overrides!($make);
        $crate::conformance_records!($make);
        $crate::conformance_series!($make);
        $crate::conformance_holds!($make);
        $crate::conformance_hold_races!($make);
        $crate::conformance_reads!($make);
        $crate::conformance_diaries!($make);
        $crate::conformance_lists!($make);
        $crate::conformance_published!($make);
        $crate::conformance_log!($make);
        $crate::conformance_subscribers!($make);
        $crate::conformance_deliveries!($make);
        $crate::conformance_delivery_races!($make);
        $crate::conformance_people!($make);
        $crate::conformance_audit!($make);
        $crate::conformance_audit_pages!($make);
        $crate::conformance_news!($make);
        $crate::conformance_feeds!($make);
        $crate::conformance_links!($make);
        $crate::conformance_copies!($make);
        $crate::conformance_unwritten!($make);
    };
}

/// Declares the cases of one module, and the macro that makes a test of each: every name is written
/// once. The first token stands for the inner macro's `$`.
macro_rules! cases {
    (
        ($d:tt) $list:ident in $group:ident:
        $($(#[$meta:meta])* async fn $case:ident($world:ident: World) $body:block)+
    ) => {
        $($(#[$meta])* pub async fn $case($world: $crate::testing::World) $body)+

        #[doc(hidden)]
        #[macro_export]
        macro_rules! $list {
            ($d make:expr) => {
                mod $group {
                    use super::*;

                    $(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                        async fn $case() {
                            $crate::testing::run($d make, $crate::testing::$group::$case).await;
                        }
                    )+
                }
            };
        }
    };
}
use cases;
