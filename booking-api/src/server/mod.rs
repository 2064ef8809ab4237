//! The server: connections, and an end to each of them.

mod answer;
mod connection;
mod prompt;
mod pulse;
mod stopping;
#[cfg(feature = "tls")]
mod tls;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use ipnet::IpNet;
use poem::{Endpoint, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use self::connection::Connection;
use crate::http::network_of;

pub use stopping::Stopping;
#[cfg(feature = "tls")]
pub use tls::{InvalidCertificate, Tls};

/// How long requests under way may take once there are to be no more.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);
/// How long to let the system be that had no room for one more connection.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// Who has connected before the end is let in: until nobody comes for so long, and for no longer
/// than that.
const LAST_ARRIVALS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));
/// How many more of those who stand before the door when it closes: as long as the system's queue.
const MOST_AT_ONCE: usize = 4_096;

/// How many connections there may be at the same time.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Of everybody together; 4 096 unless said otherwise. Beyond, new ones wait until others end.
    pub in_all: usize,
    /// Of one address, or of one /64 network of IPv6; as many as there are unless said otherwise.
    /// Beyond, new ones are closed at once.
    pub per_address: usize,
    /// Proxies, say, through which many come: as many connections as they like.
    pub exempt: Vec<IpNet>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { in_all: 4_096, per_address: usize::MAX, exempt: Vec::new() }
    }
}

/// Serves HTTP/1.1 and HTTP/2, and ends connections that have no use: whose request does not
/// arrive, whose answer is not taken, or whose other side has hung up. poem's own server does not.
///
/// ```
/// use booking_api::{Server, Stopping};
/// use poem::Route;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let stopping = Stopping::default();
/// # stopping.closing.cancel();
/// Server::new(vec![listener]).run(Route::new(), stopping).await;
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    limits: ConnectionLimits,
    counts: ConnectionCounts,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

/// How many connections there are, and were. Clones count the same.
#[derive(Debug, Clone, Default)]
pub struct ConnectionCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    open: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
}

impl ConnectionCounts {
    /// Those that are open.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Those that were closed at once, since their address had too many.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Those on which the head of a request, or a handshake, did not arrive in time.
    #[must_use]
    pub fn timed_out(&self) -> u64 {
        self.0.timed_out.load(Ordering::Relaxed)
    }

    fn count_timeout(&self) {
        self.0.timed_out.fetch_add(1, Ordering::Relaxed);
    }
}

impl Server {
    /// Serves whoever connects there.
    #[must_use]
    pub fn new(listeners: Vec<TcpListener>) -> Self {
        let (limits, counts) = (ConnectionLimits::default(), ConnectionCounts::default());
        Self {
            listeners,
            limits,
            counts,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// How many connections there may be.
    #[must_use]
    pub fn limits(mut self, limits: ConnectionLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Speaks TLS alone.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How many connections there are, now and later.
    #[must_use]
    pub fn counts(&self) -> ConnectionCounts {
        self.counts.clone()
    }

    /// Serves until told to stop, and returns once nothing is under way, or 10 seconds later.
    pub async fn run(
        self,
        endpoint: impl Endpoint<Output = Response> + 'static,
        stopping: Stopping,
    ) {
        let connections = TaskTracker::new();
        let at_once = stopping.at_once.child_token();
        let door = Door {
            room: Arc::new(Semaphore::new(self.limits.in_all.min(Semaphore::MAX_PERMITS))),
            limits: Arc::new(self.limits),
            per_address: Arc::default(),
            counts: self.counts.clone(),
        };
        let connection = Connection {
            endpoint: Arc::new(endpoint),
            stopping: Stopping { at_once: at_once.clone(), ..stopping },
            counts: self.counts,
            #[cfg(feature = "tls")]
            tls: self.tls,
        };
        let accept = |listener: TcpListener| {
            accept(listener, door.clone(), connection.clone(), connections.clone())
        };
        join_all(self.listeners.into_iter().map(accept)).await;
        connections.close();
        if timeout(SHUTDOWN_DEADLINE, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "some requests did not end in time");
            at_once.cancel();
            connections.wait().await;
        }
    }
}

/// Lets everybody in for whom there is room, until there is to be nobody more. Those who connected
/// before that are let in still: to close the door on them is to break their connections off.
async fn accept<E: Endpoint<Output = Response> + 'static>(
    listener: TcpListener,
    door: Door,
    connection: Connection<E>,
    connections: TaskTracker,
) {
    let let_in = async |until: Option<Instant>| {
        let Some(room) = door.room(until).await else { return };
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Such as too many open files: to ask again at once would not help.
            Err(error) if !is_of_one_connection(&error) => {
                tracing::warn!(%error, "cannot accept connections");
                return sleep(AFTER_FAILURE).await;
            }
            Err(_) => return,
        };
        let Some(guest) = door.admit(remote.ip(), room) else { return };
        connections.spawn(connection.clone().serve(stream, remote, guest));
    };
    let closing = connection.stopping.closing.clone();
    while closing.run_until_cancelled(let_in(None)).await.is_some() {}
    let (pause, in_all) = LAST_ARRIVALS;
    let until = Instant::now() + in_all;
    while Instant::now() < until && timeout(pause, let_in(Some(until))).await.is_ok() {}
    for (stream, remote) in close(listener) {
        let Some(room) = door.room(Some(Instant::now() + pause)).await else { return };
        let Some(guest) = door.admit(remote.ip(), room) else { continue };
        connections.spawn(connection.clone().serve(stream, remote, guest));
    }
}

/// Closes the door, and returns those who stood before it: while many come, some always do, and what is
/// in the system's queue when it closes is broken off. Asked of the system itself, for tokio may not have
/// heard of them yet.
fn close(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let arrived = std::iter::from_fn(|| listener.accept().ok());
    let arrived = arrived.filter_map(|(stream, remote)| {
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, remote))
    });
    arrived.take(MOST_AT_ONCE).collect()
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Who may come in.
#[derive(Clone)]
struct Door {
    room: Arc<Semaphore>,
    limits: Arc<ConnectionLimits>,
    per_address: PerAddress,
    counts: ConnectionCounts,
}

type PerAddress = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Somebody who was let in; their place is free when this is dropped.
struct Guest {
    _room: OwnedSemaphorePermit,
    network: Option<IpAddr>,
    per_address: PerAddress,
    counts: ConnectionCounts,
}

impl Door {
    async fn room(&self, until: Option<Instant>) -> Option<OwnedSemaphorePermit> {
        let room = self.room.clone().acquire_owned();
        match until {
            Some(until) => tokio::time::timeout_at(until, room).await.ok()?.ok(),
            None => room.await.ok(),
        }
    }

    fn admit(&self, address: IpAddr, room: OwnedSemaphorePermit) -> Option<Guest> {
        // On `[::]`, those who come by IPv4 have an address of IPv6 around theirs.
        let address = address.to_canonical();
        let is_exempt = self.limits.exempt.iter().any(|network| network.contains(&address));
        let is_limited = self.limits.per_address < usize::MAX && !is_exempt;
        let network = is_limited.then(|| network_of(address));
        if let Some(network) = network {
            let mut taken = self.per_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = taken.entry(network).or_default();
            if *count >= self.limits.per_address {
                self.counts.0.refused.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            *count += 1;
        }
        self.counts.0.open.fetch_add(1, Ordering::Relaxed);
        let (per_address, counts) = (self.per_address.clone(), self.counts.clone());
        Some(Guest { _room: room, network, per_address, counts })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.counts.0.open.fetch_sub(1, Ordering::Relaxed);
        let Some(network) = self.network else { return };
        let mut taken = self.per_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn door(per_address: usize, proxy: &str) -> Door {
        let exempt = vec![proxy.parse().expect("a network")];
        Door {
            room: Arc::new(Semaphore::new(100)),
            limits: Arc::new(ConnectionLimits { in_all: 100, per_address, exempt }),
            per_address: Arc::default(),
            counts: ConnectionCounts::default(),
        }
    }

    /// However an address of IPv4 is written, as a listener on `[::]` does it or plainly.
    #[tokio::test]
    async fn proxies_are_exempt_and_others_are_counted_on_a_dual_stack_too() {
        let door = door(1, "10.1.0.0/16");
        let plain = |last| Ipv4Addr::new(10, last, 0, 1);
        let mapped = |last| IpAddr::V6(plain(last).to_ipv6_mapped());
        let mut guests = Vec::new();
        for (address, is_let_in) in [
            (mapped(1), true),
            (mapped(1), true),
            (plain(1).into(), true),
            (mapped(2), true),
            (mapped(2), false),
            (plain(2).into(), false),
            (plain(3).into(), true),
            (IpAddr::V6(Ipv6Addr::LOCALHOST), true),
            (IpAddr::V6(Ipv6Addr::LOCALHOST), false),
        ] {
            let room = door.room(None).await.expect("there is room");
            let guest = door.admit(address, room);
            assert_eq!(guest.is_some(), is_let_in, "{address}");
            guests.extend(guest);
        }
    }
}
