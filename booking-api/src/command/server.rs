//! Listening, and stopping when told to.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use poem::{Endpoint, Response};
use tokio::net::TcpListener;

use super::Failure;
use super::exposure::StopArgs;
use crate::{Server, Stopping};

/// Lets this process have as many connections as the machine allows: what is allowed at first is
/// about a thousand files on many machines, for the sake of programs of long ago.
#[cfg(unix)]
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let allowed = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: allowed, maximum: allowed };
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the number of open files stays as it is");
    }
}

#[cfg(not(unix))]
const fn allow_many_files() {}

/// 127.0.0.1 and, where the machine has it, `[::1]`; returns the port too.
pub(super) async fn listen_on_loopback(port: u16) -> Result<(Vec<TcpListener>, u16), Failure> {
    let v4 = bind((Ipv4Addr::LOCALHOST, port).into()).await;
    let v4 = v4.map_err(|error| format!("{error}; --port chooses another"))?;
    let port = v4.local_addr()?.port();
    let listeners = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
        Ok(v6) => vec![v4, v6],
        // Somebody else's: `localhost` would reach them, and tokens would go there.
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            return Err(format!("cannot listen on [::1]:{port}: {error}").into());
        }
        Err(_) => vec![v4],
    };
    Ok((listeners, port))
}

/// One address.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    bind(address).await
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    Ok(bound.map_err(|error| format!("cannot listen on {address}: {error}"))?)
}

/// Serves until the process gets SIGINT or SIGTERM: fails to be ready, goes on for as long as it was
/// told to, and finishes what is under way. Told a second time, it breaks everything off.
pub(super) async fn serve(
    server: Server,
    routes: impl Endpoint<Output = Response> + 'static,
    stopping: &Stopping,
    args: &StopArgs,
) -> Result<(), Failure> {
    allow_many_files();
    let mut signals = Signals::listen()?;
    let (drain, steps) = (args.drain, stopping.clone());
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!(drain = drain.as_secs_f64(), "stopping");
        steps.draining.cancel();
        let drained = tokio::time::timeout(drain, signals.next()).await.is_err();
        steps.closing.cancel();
        if drained {
            signals.next().await;
        }
        tracing::warn!("stopping at once");
        steps.at_once.cancel();
    });
    server.run(routes, stopping.clone()).await;
    Ok(())
}

/// What tells a process to stop. It is listened for from the start, and not only once it is awaited:
/// by then a server may have answered its first request, and been told to stop.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Where there are no signals, nobody tells.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
