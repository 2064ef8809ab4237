//! A real server for tests: the one that `DATABASE_URL` names, else one that is made for this test
//! run from the binaries of this machine, and goes with it.

use std::fs;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::net::TcpSocket;

/// A database of its own for one test, with all tables, and nothing in them.
pub(crate) struct Database {
    pub(crate) url: String,
    name: String,
}

/// A server that ends with this value, or with this process, whatever comes first.
pub(crate) struct Cluster {
    binaries: PathBuf,
    user: Option<(u32, u32)>,
    folder: PathBuf,
    port: u16,
    /// Bound and never listening: nobody else is given the port while no server has it.
    _port_is_ours: TcpSocket,
    /// Waits until its standard input ends, stops the server, and removes the folder.
    _watchdog: Child,
}

/// Ends with the tests, whatever becomes of them; wakes a server that they left paused.
const CLEAN_UP: &str = r#"
cat
kill -CONT "$(head -n 1 "$1/data/postmaster.pid")"
"$0/pg_ctl" stop -D "$1/data" -m immediate
rm -rf "$1"
"#;

impl Database {
    /// Of the server that all tests of this process share.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("booking_test_{}_{number}", std::process::id());
        let template = template();
        sql(server(), &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Self { url: with_database(server(), &name), name }
    }

    /// With no tables either.
    pub(crate) fn blank() -> Self {
        let database = Self::new();
        sql(&database.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        database
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        sql(server(), &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// The URL of the server that all tests of this process share, as its administrator.
fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<Cluster>)> = OnceLock::new();
    let (url, _cluster) = SERVER.get_or_init(|| match std::env::var("DATABASE_URL") {
        Ok(url) if url.starts_with("postgres") => (url, None),
        _ => {
            let cluster = Cluster::start();
            (cluster.url(), Some(cluster))
        }
    });
    url
}

/// The database that all others of this process are copies of. It stays behind on a server that
/// was there before, until the next run.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = concat!(env!("CARGO_PKG_NAME"), "_template").replace('-', "_");
        sql(server(), &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        sql(server(), &format!("CREATE DATABASE {name}"));
        let url = with_database(server(), &name);
        on_a_thread(async move {
            let store = booking_store::PostgresStore::open(&url).await.expect("a new database");
            store.close().await;
        });
        name
    })
}

fn with_database(url: &str, name: &str) -> String {
    let (head, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = head.split_once("://").expect("the URL of a server");
    let authority = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}/{name}?{parameters}")
}

/// Runs statements, from anywhere.
pub(crate) fn sql(url: &str, statements: &str) {
    let (url, statements) = (url.to_owned(), statements.to_owned());
    on_a_thread(async move {
        let mut connection = PgConnection::connect(&url).await.expect("the server lets us in");
        let run = sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await;
        run.expect("the server runs the statements");
        connection.close().await.expect("the server says goodbye");
    });
}

/// Whether or not the caller is in a runtime.
fn on_a_thread(future: impl Future<Output = ()> + Send + 'static) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(future);
    };
    std::thread::spawn(run).join().expect("it runs to its end");
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let binaries = binaries();
        let folder = tempfile::Builder::new().prefix("booking-pg-").tempdir().expect("a folder");
        let folder = folder.keep();
        let user = server_user(&folder);
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).expect("the folder can be given away");
        }
        let mut watchdog = Command::new("sh");
        watchdog
            .args(["-c", CLEAN_UP])
            .args([&binaries, &folder])
            .current_dir("/")
            // Signals to the tests are not for the one who cleans up after them.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let watchdog = as_user(&mut watchdog, user).spawn().expect("sh starts");
        // Its number also tells sockets apart.
        let (held, port) = free_port();
        let cluster =
            Self { binaries, user, folder, port, _port_is_ours: held, _watchdog: watchdog };
        let data = cluster.folder.join("data");
        let data = data.to_str().expect("a folder in UTF-8");
        // In no language of the machine's: not every one goes with UTF-8.
        let options = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"];
        cluster.run("initdb", &options).expect("there is a server to start");
        cluster.resume();
        cluster
    }

    /// `postgres://…`, as its administrator.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it, or starts it again.
    pub(crate) fn resume(&self) {
        self.try_resume().expect("the server starts");
    }

    /// The same, for a server that may not be able to start yet; or what it says.
    pub(crate) fn try_resume(&self) -> Result<(), String> {
        // Data that outlives this test run would be of no use to anybody.
        let options = format!(
            "-c listen_addresses=127.0.0.1 -p {} -k {} -c max_connections=2000 -c fsync=off",
            self.port,
            self.folder.display()
        );
        self.pg_ctl(&["start", "-w", "-l", "log", "-o", &options])
    }

    /// As if the power failed.
    pub(crate) fn stop(&self) {
        self.pg_ctl(&["stop", "-m", "immediate"]).expect("the server stops");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Result<(), String> {
        let data = self.folder.join("data");
        let data = data.to_str().expect("a folder in UTF-8");
        self.run("pg_ctl", &[&["-D", data], arguments].concat())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let output = self.folder.join("output");
        let log = fs::File::options().create(true).append(true).open(output);
        let log = log.expect("a file for the output");
        let mut command = Command::new(self.binaries.join(program));
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle"))
            .stderr(log);
        let status = as_user(&mut command, self.user).status().expect("the program starts");
        let failed = || format!("{program} {arguments:?}: {}", self.output());
        if status.success() { Ok(()) } else { Err(failed()) }
    }

    fn output(&self) -> String {
        let mut all = String::new();
        for name in ["output", "log"] {
            if let Ok(mut file) = fs::File::open(self.folder.join(name)) {
                let _not_text = file.read_to_string(&mut all);
            }
        }
        all
    }
}

/// Servers say, as this does, that they share it with those that do not listen.
fn free_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option of sockets");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let port = socket.local_addr().expect("an address").port();
    (socket, port)
}

/// Where `initdb` and `pg_ctl` are.
fn binaries() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<_> = versions.flatten().map(|version| version.path()).collect();
        versions.sort_by_key(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            std::cmp::Reverse(name.and_then(|name| name.parse::<u32>().ok()))
        });
        folders.extend(versions.into_iter().map(|version| version.join("bin")));
    }
    let is_there = |folder: &PathBuf| ["initdb", "pg_ctl"].iter().all(|n| folder.join(n).exists());
    folders.into_iter().find(is_there).expect(
        "tests need Postgres: install the package `postgresql` (./test.sh does), or set \
         DATABASE_URL to a server on which they may create databases",
    )
}

/// Postgres does not run as root: then it is the user `postgres` whom its package made.
fn server_user(folder: &Path) -> Option<(u32, u32)> {
    const ROOT: u32 = 0;
    if fs::metadata(folder).expect("the folder is there").uid() != ROOT {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("a list of users");
    let user = users.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<&str> = user.expect("a user `postgres`").split(':').collect();
    let id = |field: usize| fields[field].parse().expect("a number");
    Some((id(2), id(3)))
}

fn as_user(command: &mut Command, user: Option<(u32, u32)>) -> &mut Command {
    match user {
        Some((uid, gid)) => command.uid(uid).gid(gid),
        None => command,
    }
}
