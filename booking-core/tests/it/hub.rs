//! What a hub keeps, and for whom.

use std::sync::Arc;
use std::time::Duration;

use booking_core::{Hub, MemoryStore, Relay, SystemClock};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::world::{World, john};

/// Whether somebody's name lies anywhere in it.
fn keeps_john(hub: &Hub) -> bool {
    format!("{hub:?}").contains(john().id.as_str())
}

/// Who has changed is kept for a relay that tells other processes, until it has; where none runs,
/// for nobody, however long the program does.
#[test]
fn who_has_changed_is_kept_for_a_relay_alone() {
    let hub = Hub::default();
    World::with_nobody().run(async {
        let change = || {
            hub.changed([&john().id]);
            keeps_john(&hub)
        };
        assert!(!change(), "no relay runs yet");
        let store = Arc::new(MemoryStore::default());
        let relay = Relay::new(store, hub.clone(), Arc::new(SystemClock));
        let (stop, stopped) = oneshot::channel();
        let relay = tokio::spawn(relay.run(async { stopped.await.unwrap_or_default() }));
        sleep(Duration::from_millis(5)).await;
        assert!(change(), "a relay will look");
        while keeps_john(&hub) {
            sleep(Duration::from_millis(5)).await;
        }
        stop.send(()).unwrap();
        relay.await.unwrap();
        assert!(!change(), "it runs no more");
    });
}
