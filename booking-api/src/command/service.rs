//! A store with everything that goes on over it: bookings, their events, and those who wait for
//! them.

use std::sync::Arc;
use std::time::Duration;

use booking_core::{
    Announced, Booking, Clock, DirectoryAdmin, Hub, Live, RandomIds, Relay, SystemClock,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::backend::Backend;
use super::cli::EventsArgs;
use crate::{Api, Verifier};

/// How long deliveries under way may take once the process is told to stop.
const LAST_DELIVERIES: Duration = Duration::from_secs(10);

pub(super) struct Service {
    pub(super) booking: Booking,
    pub(super) directory: Arc<dyn DirectoryAdmin>,
    pub(super) live: Live,
    pub(super) hub: Hub,
    /// Cancelled when the process is told to stop.
    pub(super) stopping: CancellationToken,
    backend: Backend,
    relay: JoinHandle<()>,
}

impl Service {
    /// Begins to deliver events. `clock` is the one that bookings go by; deliveries go by the
    /// machine's.
    pub(super) async fn start(
        backend: Backend,
        clock: Arc<dyn Clock>,
        settings: EventsArgs,
    ) -> Result<Self, Failure> {
        let hub = Hub::default();
        let store = Arc::new(Announced::new(backend.store.clone(), hub.clone()));
        let directory = Arc::new(Announced::new(backend.directory.clone(), hub.clone()));
        let booking = Booking::new(store, directory.clone(), clock, Arc::new(RandomIds));
        let live = Live::new(booking.clone(), backend.events.clone(), hub.clone());

        let mut relay = Relay::new(backend.events.clone(), hub.clone(), Arc::new(SystemClock));
        if let Some(age) = settings.keep_events {
            relay = relay.keep_for(age);
        }
        let stopping = CancellationToken::new();
        let relay = tokio::spawn(relay.run(stopping.clone().cancelled_owned()));
        Ok(Self { booking, directory, live, hub, stopping, backend, relay })
    }

    pub(super) fn api(&self, verifier: Arc<dyn Verifier>) -> Api {
        Api::new(self.booking.clone(), verifier).with_directory(self.directory.clone())
    }

    /// Delivers what can be delivered soon, waits for calls under way, and closes the store. What
    /// is left in the outbox stays there.
    pub(super) async fn stop(self) {
        self.stopping.cancel();
        if tokio::time::timeout(LAST_DELIVERIES, self.relay).await.is_err() {
            tracing::warn!("some deliveries did not end in time; they come again");
        }
        self.backend.close().await;
    }
}
