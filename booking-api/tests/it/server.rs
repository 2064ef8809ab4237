//! The real command, started for one test and killed after it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::caller::{Answer, Caller};
use crate::postgres::Database;
use crate::signing::IssuerKey;

/// Where the clock of every server starts.
pub(crate) const NOW: &str = "2024-01-01T12:00:00Z";
/// The slot of the contract's examples; a Monday.
pub(crate) const MONDAY_14: &str = "2024-01-15T14:00:00.000Z";

const START_TIMEOUT: Duration = Duration::from_secs(300);
/// Longer than any single wait of a scenario.
const SCENARIO_TIMEOUT: Duration = Duration::from_secs(900);

/// Where a server keeps its meetings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Memory,
    Sqlite,
    Postgres,
}

/// A data directory that holds the issuer's key; it outlives the servers that use it.
#[derive(Clone)]
pub(crate) struct DataDir(Arc<TempDir>);

/// A running `booking-api dev`.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    origin: String,
    caller: Caller,
    greeting: Arc<Mutex<String>>,
    _data: DataDir,
    /// Goes after the server that uses it.
    _database: Option<Database>,
}

/// Runs a scenario on each kind of store, on a server of its own.
pub(crate) async fn on_every_store(scenario: impl AsyncFn(&Server)) {
    for store in [Store::Memory, Store::Sqlite, Store::Postgres] {
        let server = Server::start(store).await;
        let done = tokio::time::timeout(SCENARIO_TIMEOUT, scenario(&server)).await;
        assert!(done.is_ok(), "the scenario hangs on {store:?}");
    }
}

/// What a client asks for, with `therapist_456`.
pub(crate) fn session(start: &str, duration: u32) -> Value {
    json!({"startTime": start, "duration": duration, "therapistId": "therapist_456"})
}

impl DataDir {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        IssuerKey::ours().install_in(dir.path());
        Self(Arc::new(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Server {
    /// A server that keeps everything in memory: for rules that no store has a part in.
    pub(crate) async fn memory() -> Self {
        Self::start(Store::Memory).await
    }

    pub(crate) async fn start(store: Store) -> Self {
        Self::start_in(&DataDir::new(), store).await
    }

    /// One of perhaps several servers of a data directory, over time or at the same time.
    pub(crate) async fn start_in(data: &DataDir, store: Store) -> Self {
        match store {
            Store::Memory => Self::start_with(data, &["--database-url", "memory:"]).await,
            Store::Sqlite => Self::start_with(data, &[]).await,
            Store::Postgres => {
                let database = Database::new();
                let mut server = Self::start_on(data, &database.url).await;
                server._database = Some(database);
                server
            }
        }
    }

    /// On a database that somebody else looks after.
    pub(crate) async fn start_on(data: &DataDir, database_url: &str) -> Self {
        Self::start_with(data, &["--database-url", database_url]).await
    }

    /// With more flags.
    pub(crate) async fn start_with(data: &DataDir, arguments: &[&str]) -> Self {
        Self::launch(data, &[&["--now", NOW], arguments].concat()).await
    }

    /// As a newcomer starts it: at the present, and with something to show.
    pub(crate) async fn with_samples() -> Self {
        Self::launch(&DataDir::new(), &["--database-url", "memory:"]).await
    }

    async fn launch(data: &DataDir, arguments: &[&str]) -> Self {
        let log = log_file(data);
        let mut command = Command::new(env!("CARGO_BIN_EXE_booking-api"));
        command.args(["dev", "--port", "0", "--data-dir"]).arg(data.path());
        command.args(arguments);
        let mut child = command
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log file"))
            .spawn()
            .expect("the command starts");
        let greeting = Arc::default();
        let found = read_greeting(&mut child, &greeting).recv_timeout(START_TIMEOUT);
        let origin = found.unwrap_or_else(|_| {
            panic!("no address: {}", fs::read_to_string(&log).unwrap_or_default())
        });
        let caller = Caller::anonymous(&origin);
        let server =
            Self { child, log, origin, caller, greeting, _data: data.clone(), _database: None };
        server.anonymous().get("/readyz").await.expect(200);
        server
    }

    /// `http://127.0.0.1:…`
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// `127.0.0.1:…`
    pub(crate) fn address(&self) -> &str {
        self.origin.trim_start_matches("http://")
    }

    /// What the server printed when it started.
    pub(crate) fn greeting(&self) -> String {
        self.greeting.lock().expect("nobody panics with it").clone()
    }

    /// Everything that the server has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is there")
    }

    /// SIGKILL: nothing is written, nothing is closed.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("the server has ended");
    }

    /// SIGTERM; returns once the server has ended, and how.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.tell_to_stop();
        self.ended()
    }

    /// SIGTERM, and nobody waits.
    pub(crate) fn tell_to_stop(&self) {
        self.signal("TERM");
    }

    /// What the system says of each of its threads.
    #[cfg(target_os = "linux")]
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let statuses = tasks.flatten().map(|task| fs::read_to_string(task.path().join("status")));
        statuses.flatten().collect()
    }

    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let told = Command::new("sh").args(["-c", "kill -$1 $0", &process, name]).status();
        assert!(told.expect("there is a shell").success());
    }

    /// Waits for the end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("the server ends")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the server was started").is_none()
    }

    pub(crate) fn anonymous(&self) -> Caller {
        self.caller.clone()
    }

    /// Anybody, with a good token.
    pub(crate) fn caller(&self, role: &str, id: &str) -> Caller {
        self.caller.with_token(&IssuerKey::ours().token(id, role))
    }

    /// `client_123`
    pub(crate) fn client(&self) -> Caller {
        self.caller("client", "client_123")
    }

    /// `client_124`, related to `therapist_456` too
    pub(crate) fn other_client(&self) -> Caller {
        self.caller("client", "client_124")
    }

    /// `therapist_456`
    pub(crate) fn therapist(&self) -> Caller {
        self.caller("therapist", "therapist_456")
    }

    /// `therapist_457`, related to nobody
    pub(crate) fn other_therapist(&self) -> Caller {
        self.caller("therapist", "therapist_457")
    }

    /// `admin_1`
    pub(crate) fn admin(&self) -> Caller {
        self.caller("admin", "admin_1")
    }

    pub(crate) async fn set_clock(&self, now: &str) {
        self.anonymous().put("/dev/clock", &json!({"now": now})).await.expect(200);
    }

    /// `therapist_456` is there on Mondays from 09:00 to 17:00.
    pub(crate) async fn open_mondays(&self) -> Answer {
        open(&self.therapist(), 1, "09:00", "17:00").await
    }

    /// A user of the directory.
    pub(crate) async fn add_user(&self, role: &str, id: &str, zone: Option<&str>) {
        let user = json!({
            "role": role, "firstName": "First", "lastName": id,
            "email": format!("{id}@example.com"), "timeZone": zone,
        });
        self.admin().put(&format!("/booking/directory/users/{id}"), &user).await.expect(200);
    }

    pub(crate) async fn relate(&self, client: &str, therapist: &str) {
        let path = format!("/booking/directory/relationships/{client}/{therapist}");
        self.admin().put(&path, &json!({})).await.expect(204);
    }

    /// Clients `client_r0`, `client_r1`, … of `therapist_456`.
    pub(crate) async fn add_clients(&self, count: usize) -> Vec<Caller> {
        let mut callers = Vec::new();
        for n in 0..count {
            let id = format!("client_r{n}");
            self.add_user("client", &id, None).await;
            self.relate(&id, "therapist_456").await;
            callers.push(self.caller("client", &id));
        }
        callers
    }

    /// A meeting of `client_123` with `therapist_456`, for which there is availability.
    pub(crate) async fn booked(&self, start: &str, duration: u32) -> Answer {
        self.client().book(&session(start, duration)).await.expect(201)
    }
}

/// Adds a weekly window.
pub(crate) async fn open(therapist: &Caller, day: u32, start: &str, end: &str) -> Answer {
    let window = json!({"dayOfWeek": day, "startTime": start, "endTime": end});
    therapist.post("/booking/availability", &window).await.expect(201)
}

/// Is there all week long.
pub(crate) async fn open_always(therapist: &Caller) {
    for day in 0..7 {
        open(therapist, day, "00:00", "24:00").await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill().is_err();
        let _ended_already = self.child.wait().is_err();
    }
}

fn log_file(data: &DataDir) -> PathBuf {
    let name = |n: usize| data.path().join(format!("server-{n}.log"));
    (0..).map(name).find(|path| !path.exists()).expect("names do not run out")
}

/// Reads the greeting to its end, and on: the server must never find its standard output closed.
/// Sends the address once it has been printed.
fn read_greeting(child: &mut Child, greeting: &Arc<Mutex<String>>) -> Receiver<String> {
    let stdout = child.stdout.take().expect("standard output is piped");
    let (sender, receiver) = mpsc::channel();
    let greeting = greeting.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let address = line.trim().strip_prefix("docs").map(str::trim);
            let origin = address.and_then(|url| url.strip_suffix("/docs")).map(str::to_owned);
            *greeting.lock().expect("nobody panics with it") += &(line + "\n");
            if let Some(origin) = origin {
                let _test_is_over = sender.send(origin).is_err();
            }
        }
    });
    receiver
}
