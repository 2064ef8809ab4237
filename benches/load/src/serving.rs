//! The servers that are asked: `booking-api serve`, and a bare one.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hyper::StatusCode;

use crate::Fallible;
use crate::http::{self, Ask};
use crate::issuer::{ISSUER, Issuer};
use crate::port::Port;
use crate::processes::Afterwards;

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The flag by which a server is told how much to cache, if it knows it.
const CACHE_FLAG: &str = "--slot-cache";

/// What limits a server on the internet, lifted.
const NO_LIMITS: &[&str] = &[
    "--rate-per-user=0",
    "--rate-per-address=0",
    "--max-requests=4096",
    "--max-requests-per-user=4096",
    "--max-connections-per-address=4096",
];

/// A running server, until this is dropped.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    child: Child,
    _port: Port,
    _ends: Afterwards,
}

/// What a server may keep in memory of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    /// What it keeps unless told otherwise.
    On,
    Off,
}

/// Starts servers of one build.
pub(crate) struct Starter<'a> {
    pub(crate) server: &'a Path,
    pub(crate) issuer: &'a Issuer,
    /// Where logs go.
    pub(crate) folder: &'a Path,
}

impl Starter<'_> {
    /// Whether this build can be told not to cache.
    pub(crate) fn has_cache(&self) -> bool {
        let help = Command::new(self.server).args(["serve", "--help"]).output();
        help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains(CACHE_FLAG))
    }

    /// `booking-api serve`, once it is ready.
    pub(crate) async fn serve(&self, database_url: &str, cache: Cache) -> Fallible<Serving> {
        let mut command = Command::new(self.server);
        let port = Port::free()?;
        command
            .args(["serve", "--listen", &port.address.to_string(), "--issuer", ISSUER])
            .arg("--issuer-key")
            .arg(&self.issuer.public_key)
            .args(NO_LIMITS)
            .env("BOOKING_DATABASE_URL", database_url)
            // A line per request is the disk's business.
            .env("RUST_LOG", "warn");
        if cache == Cache::Off && self.has_cache() {
            command.args([CACHE_FLAG, "0"]);
        }
        self.start(&mut command, port, "/readyz").await
    }

    /// The tables of a database, with nothing in them.
    pub(crate) fn migrate(&self, database_url: &str) -> Fallible<()> {
        let mut command = Command::new(self.server);
        let command = command.arg("migrate").env("BOOKING_DATABASE_URL", database_url);
        let done = command.stdout(Stdio::null()).output()?;
        if done.status.success() {
            return Ok(());
        }
        Err(format!("`booking-api migrate`: {}", String::from_utf8_lossy(&done.stderr)).into())
    }

    /// The bare server of `bare.rs`, which answers with these bytes.
    pub(crate) async fn bare(&self, database_url: &str, body: &[u8]) -> Fallible<Serving> {
        let file = self.folder.join("body");
        fs::write(&file, body)?;
        let port = Port::free()?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([crate::bare::WORD, &port.address.to_string(), database_url])
            .args([&file, &self.issuer.public_key]);
        self.start(&mut command, port, "/open").await
    }

    async fn start(&self, command: &mut Command, port: Port, ready: &str) -> Fallible<Serving> {
        let address = port.address;
        let log = self.folder.join(format!("server-{}.log", address.port()));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        let ends = Afterwards::run(r#"kill -KILL "$0""#, &[child.id().to_string()], None)?;
        let serving = Serving { address, child, _port: port, _ends: ends };
        let is_ready = async {
            loop {
                let answer = http::once(address, &Ask::get(ready)).await;
                if matches!(answer, Ok((StatusCode::OK, _))) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(START_TIMEOUT, is_ready).await {
            Ok(()) => Ok(serving),
            Err(_) => Err(format!("no server: {}", fs::read_to_string(log)?).into()),
        }
    }
}

impl Serving {
    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended_already = self.child.kill().is_err();
        let _ended_already = self.child.wait().is_err();
    }
}
