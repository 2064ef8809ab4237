//! `booking-api serve`, as somebody would run it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Child;

use crate::caller::Caller;
use crate::commands::{command, sqlite_in};
use crate::port::Port;
use crate::server::DataDir;

const TIMEOUT: Duration = Duration::from_secs(300);

/// A running `serve`, over a SQLite file of its own.
pub(crate) struct Serving {
    pub(crate) anonymous: Caller,
    log: PathBuf,
    _running: Child,
    pub(crate) port: Port,
    _data: DataDir,
}

impl Serving {
    /// With these variables; listening and database are seen to.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let data = DataDir::new();
        let port = Port::free();
        let address = port.address().to_string();
        let log = data.path().join("serve.log");
        let running = command(&["serve", "--listen", &address])
            .env("BOOKING_DATABASE_URL", sqlite_in(data.path()))
            .env("RUST_LOG", "debug,hyper=info,sqlx=info,reqwest=info")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log file"))
            .spawn()
            .expect("the command starts");
        let listens = async {
            while tokio::net::TcpStream::connect(&address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let listens = tokio::time::timeout(TIMEOUT, listens).await;
        assert!(listens.is_ok(), "{}", fs::read_to_string(&log).unwrap_or_default());
        let anonymous = Caller::anonymous(&format!("http://{address}"));
        Self { anonymous, log, _running: running, port, _data: data }
    }

    /// Everything that it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is there")
    }
}
