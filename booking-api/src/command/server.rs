//! Listening, and stopping when told to.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use poem::listener::{Acceptor, AcceptorExt, TcpAcceptor};
use poem::{Endpoint, Response, Server};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::PromptAcceptor;

/// How long requests under way may take once the process is told to stop.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);
/// How long a connection may stay open with nothing asked.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a client may take nothing of what is sent to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// 127.0.0.1 and, where the machine has it, `[::1]`; returns the port too.
pub(super) async fn listen_on_loopback(
    port: u16,
) -> Result<(Box<dyn poem::listener::DynAcceptor>, u16), Failure> {
    let v4 = bind((Ipv4Addr::LOCALHOST, port).into()).await;
    let v4 = v4.map_err(|error| format!("{error}; --port chooses another"))?;
    let port = v4.local_addr()?.port();
    let v4 = TcpAcceptor::from_tokio(v4)?;
    let acceptor = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
        Ok(v6) => v4.combine(TcpAcceptor::from_tokio(v6)?).boxed(),
        // Somebody else's: `localhost` would reach them, and tokens would go there.
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            return Err(format!("cannot listen on [::1]:{port}: {error}").into());
        }
        Err(_) => v4.boxed(),
    };
    Ok((acceptor, port))
}

/// One address.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpAcceptor, Failure> {
    Ok(TcpAcceptor::from_tokio(bind(address).await?)?)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    Ok(bound.map_err(|error| format!("cannot listen on {address}: {error}"))?)
}

/// Serves until the process gets SIGINT or SIGTERM, says so, and finishes what is under way.
pub(super) async fn serve(
    acceptor: impl Acceptor + 'static,
    routes: impl Endpoint<Output = Response> + 'static,
    stopping: CancellationToken,
) -> Result<(), Failure> {
    let told_to_stop = told_to_stop()?;
    let told_to_stop = async move {
        told_to_stop.await;
        stopping.cancel();
    };
    Server::new_with_acceptor(PromptAcceptor::new(acceptor, WRITE_TIMEOUT))
        .idle_timeout(IDLE_TIMEOUT)
        .run_with_graceful_shutdown(routes, told_to_stop, Some(SHUTDOWN_DEADLINE))
        .await?;
    Ok(())
}

/// Listens for signals from the moment it is called, and not only once it is awaited: by then a
/// server may have answered its first request, and been told to stop.
#[cfg(unix)]
fn told_to_stop() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn told_to_stop() -> Result<impl Future<Output = ()>, Failure> {
    Ok(async {
        // Where there are no signals, nobody tells.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
