//! A Radicale, started for one test and killed after it: <https://radicale.org>.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use booking_api::calendars::Location;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{PATIENCE, with_login};
use crate::caller::no_tls;
use crate::port::Port;

const USERNAME: &str = "jane";
const PASSWORD: &str = "pässword:1";

/// A server at an address that stays the same, with a folder that outlives its processes, and one
/// user's collection `work`.
pub(crate) struct Radicale {
    dir: TempDir,
    port: Port,
    process: Option<Child>,
    http: Client,
}

impl Radicale {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let http =
            Client::builder().no_proxy().timeout(PATIENCE).tls_backend_preconfigured(no_tls());
        let http = http.build().expect("a client");
        let mut server = Self { dir, port: Port::free(), process: None, http };
        server.configure("");
        server.resume().await;
        let made = server.send("MKCALENDAR", "", String::new()).await;
        assert_eq!(made, 201);
        server
    }

    /// Speaks TLS from now on, with this certificate, and nothing else.
    pub(crate) async fn speak_tls(&mut self, certificate: &str, key: &str) {
        self.kill();
        self.configure(&format!("ssl = True\ncertificate = {certificate}\nkey = {key}\n"));
        self.resume().await;
    }

    /// Only lets itself be read from now on, or written into too.
    pub(crate) async fn let_write(&mut self, is_allowed: bool) {
        self.kill();
        let rights = self.dir.path().join("rights");
        let permissions = if is_allowed { "RrWw" } else { "Rr" };
        let rule = format!("[all]\nuser: .+\ncollection: .*\npermissions: {permissions}\n");
        fs::write(&rights, rule).expect("a file");
        let rights = rights.display();
        self.configure(&format!("[rights]\ntype = from_file\nfile = {rights}\n"));
        self.resume().await;
    }

    fn configure(&self, more: &str) {
        let [users, folder] = ["users", "collections"].map(|name| self.dir.path().join(name));
        fs::write(&users, format!("{USERNAME}:{PASSWORD}\n")).expect("a file");
        let (users, folder) = (users.display(), folder.display());
        let config = format!(
            "[server]\nhosts = {}\n{more}\
             [auth]\ntype = htpasswd\nhtpasswd_filename = {users}\nhtpasswd_encryption = plain\n\
             delay = 0\n\
             [storage]\nfilesystem_folder = {folder}\n\
             [logging]\nlevel = info\n",
            self.port.address()
        );
        fs::write(self.dir.path().join("config"), config).expect("a file");
    }

    pub(crate) async fn resume(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log file");
        let child = Command::new(program())
            .arg("--config")
            .arg(self.dir.path().join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let process = self.process.insert(child.expect("radicale starts"));
        let (address, log) = (self.port.address(), self.dir.path().join("log"));
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let there = async {
            while TcpStream::connect(address).await.is_err() {
                assert!(process.try_wait().is_ok_and(|ended| ended.is_none()), "{}", said());
                sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(PATIENCE, there).await.is_ok(), "radicale does not listen: {}", said());
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("radicale runs");
            process.wait().expect("radicale has ended");
        }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Of the collection.
    pub(crate) fn url(&self) -> String {
        format!("{}/{USERNAME}/work/", self.origin())
    }

    /// As it is linked: the collection, with what opens it.
    pub(crate) fn location(&self) -> Location {
        with_login(&self.url(), USERNAME, PASSWORD)
    }

    pub(crate) fn location_with(&self, password: &str) -> Location {
        with_login(&self.url(), USERNAME, password)
    }

    /// What links it, for the API.
    pub(crate) fn link(&self, write_back: bool) -> Value {
        let Value::Object(mut link) = self.relink() else { unreachable!() };
        link.extend([("kind".into(), "caldav".into()), ("writeBack".into(), write_back.into())]);
        link.into()
    }

    /// What links it again.
    pub(crate) fn relink(&self) -> Value {
        json!({"url": self.url(), "username": USERNAME, "password": PASSWORD})
    }

    /// As a calendar app puts an event there.
    pub(crate) async fn put(&self, name: &str, event: &str) {
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{name}\r\n\
             DTSTAMP:20240101T000000Z\r\n{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
            event.replace('\n', "\r\n")
        );
        let status = self.send("PUT", name, text).await;
        assert!(matches!(status, 201 | 204), "{status}");
    }

    /// As a calendar app takes one away.
    pub(crate) async fn delete(&self, name: &str) {
        let status = self.send("DELETE", name, String::new()).await;
        assert_eq!(status, 200);
    }

    /// As a calendar app reads one.
    pub(crate) async fn get(&self, name: &str) -> Option<String> {
        let url = format!("{}{name}", self.url());
        let answer = self.http.get(url).basic_auth(USERNAME, Some(PASSWORD)).send().await;
        let answer = answer.expect("radicale answers");
        if answer.status() == 404 {
            return None;
        }
        assert_eq!(answer.status(), 200);
        Some(answer.text().await.expect("a body"))
    }

    async fn send(&self, method: &str, name: &str, body: String) -> u16 {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("{}{name}", self.url()));
        let request = request.basic_auth(USERNAME, Some(PASSWORD)).body(body);
        request.send().await.expect("radicale answers").status().as_u16()
    }
}

impl Drop for Radicale {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ended_already = process.kill().is_err();
            let _ended_already = process.wait().is_err();
        }
    }
}

/// `./test.sh tests` puts it there; a variable may name another.
fn program() -> PathBuf {
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/python/radicale/bin/radicale");
    let program = std::env::var_os("BOOKING_RADICALE").map_or_else(|| ours.into(), PathBuf::from);
    let hint = "./test.sh tests installs it, BOOKING_RADICALE names another";
    assert!(program.is_file(), "there is no Radicale at {}: {hint}", program.display());
    program
}
