//! Requests that no HTTP library would send, byte by byte.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::Server;

const TIMEOUT: Duration = Duration::from_secs(60);

/// What came back: nothing where the server just hung up.
#[derive(Debug)]
pub(crate) struct RawAnswer(String);

/// A whole request that says `connection: close`, and the answer to it.
pub(crate) async fn send_request(server: &Server, bytes: &[u8]) -> RawAnswer {
    send(server, bytes, After::Wait).await
}

/// What is no whole request: nothing follows it, and whatever comes back is read.
pub(crate) async fn send_garbage(server: &Server, bytes: &[u8]) -> RawAnswer {
    send(server, bytes, After::HangUp).await
}

/// What happens to our half of the connection once everything is sent.
enum After {
    Wait,
    HangUp,
}

async fn send(server: &Server, bytes: &[u8], after: After) -> RawAnswer {
    let exchange = async {
        let mut stream = TcpStream::connect(server.address()).await.expect("the server listens");
        // A server that has seen enough may hang up before everything is sent.
        let _hung_up = stream.write_all(bytes).await.is_err();
        if matches!(after, After::HangUp) {
            let _hung_up = stream.shutdown().await.is_err();
        }
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            answer.extend_from_slice(&chunk[..count]);
        }
        RawAnswer(String::from_utf8_lossy(&answer).into_owned())
    };
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
    tokio::time::timeout(TIMEOUT, exchange)
        .await
        .unwrap_or_else(|_| panic!("no end of the answer to {start:?}"))
}

impl RawAnswer {
    /// `None` where the server just hung up.
    pub(crate) fn status(&self) -> Option<u16> {
        self.0.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()
    }

    /// All of it.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}
