//! `booking-api health`: for containers, which have no other program to ask with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Failure;
use super::cli::HealthArgs;

const PATIENCE: Duration = Duration::from_secs(5);
/// As much as a status line has at least: `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

pub(super) async fn ask(args: HealthArgs) -> Result<(), Failure> {
    let address = reachable(args.listen);
    let asked = timeout(PATIENCE, async {
        let mut stream = TcpStream::connect(address).await?;
        if args.tls_certificate.is_some() {
            return Ok(None);
        }
        let request = "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut status = [0; STATUS_BYTES];
        stream.read_exact(&mut status).await?;
        Ok::<_, std::io::Error>(Some(status))
    });
    let answered = asked.await.map_err(|_| format!("no answer from {address}"))?;
    let status = answered.map_err(|error| format!("no answer from {address}: {error}"))?;
    match status {
        Some(status) if !status.ends_with(b" 200") => {
            Err(format!("not ready: {}", String::from_utf8_lossy(&status)).into())
        }
        _ => Ok(()),
    }
}

/// Who listens on every address can be reached on this machine's own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
