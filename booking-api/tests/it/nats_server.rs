//! A NATS server with JetStream, started for one test and killed after it.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::port::Port;

const PATIENCE: Duration = Duration::from_secs(300);

/// A server at an address that stays the same, with a folder that outlives its processes.
pub(crate) struct NatsServer {
    dir: TempDir,
    port: Port,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl NatsServer {
    /// An address with nobody there yet.
    pub(crate) fn not_yet(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().copied().map(str::to_owned).collect();
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { dir, port: Port::free(), arguments, process: None }
    }

    /// With a configuration file that says this.
    pub(crate) async fn configured(text: &str) -> Self {
        let mut server = Self::not_yet(&[]);
        let path = server.dir.path().join("nats.conf");
        std::fs::write(&path, text).expect("a file");
        server.arguments = vec!["-c".to_owned(), path.display().to_string()];
        server.resume().await;
        server
    }

    pub(crate) async fn start() -> Self {
        let mut server = Self::not_yet(&[]);
        server.resume().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.port.address())
    }

    pub(crate) async fn resume(&mut self) {
        let log = File::create(self.dir.path().join("log")).expect("a log file");
        let child = Command::new(binary())
            .args(["-a", "127.0.0.1", "-p", &self.port.address().port().to_string(), "-js", "-sd"])
            .arg(self.dir.path())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.process = Some(child.expect("nats-server starts"));
        let there = async {
            while TcpStream::connect(self.port.address()).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, there).await.expect("nats-server listens");
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("nats-server runs");
            process.wait().expect("nats-server has ended");
        }
    }

    /// As somebody else on that server sees it.
    pub(crate) async fn jetstream(&self) -> Context {
        jetstream::new(async_nats::connect(self.url()).await.expect("nats-server answers"))
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ended_already = process.kill().is_err();
            let _ended_already = process.wait().is_err();
        }
    }
}

/// Debian has it where only root's PATH leads.
fn binary() -> &'static str {
    let places = ["/usr/sbin/nats-server", "/usr/local/bin/nats-server"];
    places.into_iter().find(|place| Path::new(place).exists()).unwrap_or("nats-server")
}
