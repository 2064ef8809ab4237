//! A server that answers by a script, byte by byte, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::sleep;

/// What it does, one after the other; then it hangs up.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Say(Vec<u8>),
    /// Says this again and again, until nobody listens any more, with a pause each time.
    Repeat(Vec<u8>, Duration),
    /// Says nothing for so long.
    Pause(Duration),
    /// Says nothing until it is told to go on.
    Until(Arc<Notify>),
    /// Says nothing more.
    Wait,
}

/// How to answer a request, by its first line.
type Script = Box<dyn Fn(&str) -> Vec<Step> + Send + Sync>;

pub(super) struct Answers {
    pub(super) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Answers {
    pub(super) async fn start(ip: &str, script: Script) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (script, heads) = (Arc::new(script), Arc::new(Mutex::default()));
        let server = Self { address, heads: heads.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), heads.clone()));
            }
        });
        server
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of the requests since it was last asked, in small letters.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.heads.lock().expect("no panic"))
    }
}

/// One request per connection.
async fn serve(
    mut stream: TcpStream,
    script: Arc<Script>,
    heads: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let head = read(&mut stream).await?;
    let steps = script(head.lines().next().unwrap_or_default());
    heads.lock().expect("no panic").push(head.to_ascii_lowercase());
    for step in steps {
        match step {
            Step::Say(bytes) => stream.write_all(&bytes).await.ok()?,
            Step::Repeat(bytes, pause) => loop {
                stream.write_all(&bytes).await.ok()?;
                sleep(pause).await;
            },
            Step::Pause(pause) => sleep(pause).await,
            Step::Until(told) => told.notified().await,
            Step::Wait => std::future::pending().await,
        }
    }
    stream.shutdown().await.ok()
}

/// The head; the body is read, and not kept.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(head)
}

/// An answer, whole, with its length.
pub(super) fn whole(status: &str, headers: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    // It does close, and whoever follows a redirect must not ask again on the same connection.
    let closing = "connection: close\r\n";
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n{closing}\r\n");
    vec![Step::Say([head.as_bytes(), body.as_bytes()].concat())]
}

/// Bytes as they are.
pub(super) fn raw(text: impl AsRef<[u8]>) -> Vec<Step> {
    vec![Step::Say(text.as_ref().to_vec())]
}

/// An answer that sends on.
pub(super) fn to(status: &str, target: &str) -> Vec<Step> {
    whole(status, &format!("location: {target}\r\n"), "")
}
