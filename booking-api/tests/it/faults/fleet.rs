//! Several processes over one database, each behind a network of its own.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use reqwest::Method;
use tempfile::TempDir;

use super::database::Database;
use super::network::Network;
use super::sinks::Sinks;
use crate::caller::Caller;
use crate::port::Port;
use crate::signing::{DEV_ISSUER, IssuerKey};

/// Linked calendars are a subscriber too, since the data came by way of `dev`; nobody has linked any.
const CALENDAR_KEY: &str = "hE5O8l//KxsnUmLKVWBn7yOsUWP4xAr0SFU9PX/bwYU=";
/// How long a process may take until it is ready, however often it has to be started for that.
const PATIENCE: Duration = Duration::from_secs(300);

/// Processes of `booking-api serve`.
pub(crate) struct Fleet {
    folder: TempDir,
    members: Vec<Member>,
    nats_url: String,
}

struct Member {
    network: Network,
    database_url: String,
    log: PathBuf,
    running: Mutex<Option<Running>>,
    /// Each process that is started has it.
    port: Port,
    caller: Caller,
}

/// A process that is killed at the latest when this goes.
struct Running(Child);

impl Fleet {
    pub(crate) async fn start(size: usize, database: &Database, sinks: &Sinks) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let key = IssuerKey::ours().public_pem();
        fs::write(folder.path().join("issuer.pem"), key).expect("the directory is writable");
        let mut members = Vec::new();
        for n in 0..size {
            let network = Network::to(database.port()).await;
            let port = Port::free();
            let (far, near) = (database.port().to_string(), network.port().to_string());
            members.push(Member {
                database_url: database.url().replace(&far, &near),
                network,
                log: folder.path().join(format!("process-{n}.log")),
                running: Mutex::default(),
                caller: Caller::anonymous(&format!("http://{}", port.address())),
                port,
            });
        }
        let fleet = Self { folder, members, nats_url: sinks.nats_url.clone() };
        fleet.start_all().await;
        fleet
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn network(&self, n: usize) -> &Network {
        &self.members[n].network
    }

    /// Calls a process, as nobody yet; nobody answers while it is down.
    pub(crate) fn caller(&self, n: usize) -> Caller {
        self.members[n].caller.clone()
    }

    /// SIGKILL: nothing is written, nothing is closed.
    pub(crate) fn kill(&self, n: usize) {
        drop(self.members[n].running.lock().expect("nobody panics with it").take());
    }

    pub(crate) async fn start_all(&self) {
        for n in 0..self.len() {
            self.start_again(n).await;
        }
    }

    /// Until it is ready: one that cannot reach the database gives up.
    pub(crate) async fn start_again(&self, n: usize) {
        let begun = Instant::now();
        let member = &self.members[n];
        loop {
            let mut running = self.spawn(member);
            while running.is_there() && begun.elapsed() < PATIENCE {
                let ready = member.caller.try_send(Method::GET, "/readyz", None).await;
                if ready.is_ok_and(|answer| answer.status == 200) {
                    *member.running.lock().expect("nobody panics with it") = Some(running);
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not start:\n{}", self.logs());
        }
    }

    /// What went wrong, as the processes see it.
    pub(crate) fn logs(&self) -> String {
        const TAIL: usize = 4_000;
        let tail = |member: &Member| {
            let log = fs::read(&member.log).unwrap_or_default();
            String::from_utf8_lossy(&log[log.len().saturating_sub(TAIL)..]).into_owned()
        };
        self.members.iter().map(tail).collect::<Vec<_>>().join("\n")
    }

    fn spawn(&self, member: &Member) -> Running {
        let address = member.port.address().to_string();
        let log = File::options().create(true).append(true).open(&member.log);
        let child = Command::new(env!("CARGO_BIN_EXE_booking-api"))
            .args(["serve", "--listen", &address, "--issuer", DEV_ISSUER])
            .args(["--database-url", &member.database_url, "--issuer-key"])
            .arg(self.folder.path().join("issuer.pem"))
            .args(["--webhook-allow-network", "127.0.0.0/8", "--nats-url", &self.nats_url])
            .args(["--calendar-key", CALENDAR_KEY])
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log file"))
            .spawn()
            .expect("the command starts");
        Running(child)
    }
}

impl Running {
    fn is_there(&mut self) -> bool {
        self.0.try_wait().expect("a child of ours").is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.0.kill().is_err();
        let _ended_already = self.0.wait().is_err();
    }
}
