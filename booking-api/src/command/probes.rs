//! What `/metrics` tells of the store, the server and the process.

use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use booking_core::{
    Backlog, Clock, SlotCache, SlotCacheCounts, StoreError, SystemClock, tzdb, with_causes,
};
use prometheus::core::Collector;
use prometheus::{Counter, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::Failure;
use super::backend::Backend;
use crate::ConnectionCounts;
use crate::http::Probe;

/// With what is always so.
pub(super) fn registry() -> Result<Registry, Failure> {
    let registry = Registry::new();
    let build = Opts::new("booking_build_info", "Which version this is");
    let build = build.const_label("version", env!("CARGO_PKG_VERSION"));
    // How old the clocks of zones are that it goes by.
    let build = build.const_label("tzdb", tzdb::version());
    added(&registry, IntGauge::with_opts(build)?)?.set(1);
    Ok(registry)
}

/// Registers a collector, and keeps it to be set.
fn added<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, Failure> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

pub(super) fn of_store(
    registry: &Registry,
    backend: &Backend,
) -> Result<Vec<Arc<dyn Probe>>, Failure> {
    let gauge =
        |name, help| -> Result<IntGauge, Failure> { added(registry, IntGauge::new(name, help)?) };
    let gauges = |name, help, labels: &[&str]| -> Result<IntGaugeVec, Failure> {
        added(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
    };
    let pools = Pools {
        backend: backend.clone(),
        connections: gauges(
            "booking_store_connections",
            "Connections to the database: open, idle, and how many there may be",
            &["pool", "state"],
        )?,
        waiting: gauges(
            "booking_store_waiting",
            "Calls that wait for a connection to the database",
            &["pool"],
        )?,
    };
    let events = Events {
        backend: backend.clone(),
        is_up: gauge("booking_outbox_up", "Whether these numbers could be read last time")?,
        unpublished: gauge("booking_outbox_unpublished", "Events that are not in the log yet")?,
        pending: gauges("booking_deliveries_pending", "Events on their way", &["subscriber"])?,
        dead: gauges("booking_deliveries_dead", "Dead letters", &["subscriber"])?,
        oldest: gauges(
            "booking_deliveries_oldest_seconds",
            "How long ago the first event that is on its way occurred",
            &["subscriber"],
        )?,
    };
    let process = Process {
        memory: gauge("process_resident_memory_bytes", "Memory of the process")?,
        files: gauge("process_open_fds", "Files and sockets that are open")?,
        cpu: added(
            registry,
            Counter::new("process_cpu_seconds_total", "Time on processors, in seconds")?,
        )?,
    };
    Ok(vec![Arc::new(pools), Arc::new(events), Arc::new(process)])
}

pub(super) fn of_connections(
    registry: &Registry,
    counts: ConnectionCounts,
) -> Result<Arc<dyn Probe>, Failure> {
    let counter = |name, help| -> Result<IntCounter, Failure> {
        added(registry, IntCounter::new(name, help)?)
    };
    let open = IntGauge::new("booking_http_connections", "Connections that are open")?;
    Ok(Arc::new(Connections {
        open: added(registry, open)?,
        refused: counter(
            "booking_http_connections_refused_total",
            "Connections closed at once, since their address had too many",
        )?,
        timed_out: counter(
            "booking_http_connections_timed_out_total",
            "Connections on which the head of a request did not arrive in time",
        )?,
        counts,
    }))
}

pub(super) fn of_slots(registry: &Registry, cache: SlotCache) -> Result<Arc<dyn Probe>, Failure> {
    let lists = Opts::new(
        "booking_slot_lists_total",
        "Lists of slots, by where from: memory (hit), the store (miss), or the store since other \
         processes were not heard (bypassed)",
    );
    let lists = added(registry, IntCounterVec::new(lists, &["cache"])?)?;
    Ok(Arc::new(Slots { cache, lists }))
}

struct Slots {
    cache: SlotCache,
    lists: IntCounterVec,
}

#[async_trait]
impl Probe for Slots {
    async fn measure(&self) {
        let SlotCacheCounts { hits, misses, bypassed } = self.cache.counts();
        for (outcome, count) in [("hit", hits), ("miss", misses), ("bypassed", bypassed)] {
            let counter = self.lists.with_label_values(&[outcome]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }
}

struct Connections {
    counts: ConnectionCounts,
    open: IntGauge,
    refused: IntCounter,
    timed_out: IntCounter,
}

#[async_trait]
impl Probe for Connections {
    async fn measure(&self) {
        self.open.set(whole(self.counts.open()));
        for (counter, count) in
            [(&self.refused, self.counts.refused()), (&self.timed_out, self.counts.timed_out())]
        {
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }
}

struct Pools {
    backend: Backend,
    connections: IntGaugeVec,
    waiting: IntGaugeVec,
}

#[async_trait]
impl Probe for Pools {
    async fn measure(&self) {
        for pool in self.backend.pools() {
            for (state, count) in [("open", pool.open), ("idle", pool.idle), ("most", pool.most)] {
                self.connections.with_label_values(&[pool.name, state]).set(count.into());
            }
            if let Some(waiting) = pool.waiting {
                self.waiting.with_label_values(&[pool.name]).set(waiting.into());
            }
        }
    }
}

struct Events {
    backend: Backend,
    is_up: IntGauge,
    unpublished: IntGauge,
    pending: IntGaugeVec,
    dead: IntGaugeVec,
    oldest: IntGaugeVec,
}

#[async_trait]
impl Probe for Events {
    async fn measure(&self) {
        // Should it not end in time.
        self.is_up.set(0);
        match self.look().await {
            Ok(()) => self.is_up.set(1),
            Err(error) => {
                tracing::warn!(cause = with_causes(&error), "deliveries cannot be counted");
            }
        }
    }
}

impl Events {
    async fn look(&self) -> Result<(), StoreError> {
        let events = &self.backend.events;
        self.unpublished.set(events.unpublished(Backlog::MOST).await?.into());
        let backlog = events.backlog().await?;
        // Whoever has left is not told of any more.
        for gauge in [&self.pending, &self.dead, &self.oldest] {
            gauge.reset();
        }
        let now = SystemClock.now();
        for Backlog { subscriber, pending, oldest, dead } in backlog {
            let name = [subscriber.as_str()];
            self.pending.with_label_values(&name).set(whole(pending));
            self.dead.with_label_values(&name).set(whole(dead));
            let age = oldest.map_or(0, |oldest| (now - oldest).num_seconds().max(0));
            self.oldest.with_label_values(&name).set(age);
        }
        Ok(())
    }
}

/// What Linux tells of a process, by the names that Prometheus's own libraries use.
struct Process {
    memory: IntGauge,
    files: IntGauge,
    cpu: Counter,
}

#[async_trait]
impl Probe for Process {
    async fn measure(&self) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = kib.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok());
        self.memory.set(kib.unwrap_or(0) * 1_024);
        let files = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        self.files.set(i64::try_from(files).unwrap_or(i64::MAX));
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The program's name may have any character; what follows it has not.
        let numbers = stat.rsplit_once(") ").map_or("", |(_, numbers)| numbers);
        let numbers: Vec<&str> = numbers.split(' ').collect();
        let ticks = numbers.get(USER_TICKS..USER_TICKS + 2).unwrap_or_default();
        let ticks: f64 = ticks.iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        self.cpu.inc_by((ticks / TICKS_PER_SECOND - self.cpu.get()).max(0.0));
    }
}

/// Where the time in user mode stands behind the program's name, and behind that the kernel's
/// (`proc_pid_stat(5)`).
const USER_TICKS: usize = 11;
/// The same on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
