//! A Postgres of our own, on this machine alone.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Fallible;
use crate::port::Port;
use crate::processes::{Afterwards, as_user};

/// What it runs with while it is measured, beside its defaults: said in the head of the table.
pub(crate) const SETTINGS: &[&str] =
    &["max_connections=300", "shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min"];

/// What it runs with while it is filled: nobody would miss what a crash takes.
const FILLING: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=16GB",
    "shared_buffers=1GB",
    "maintenance_work_mem=1GB",
    "work_mem=256MB",
    "autovacuum=off",
];

/// A server's folder, which is kept or goes with this value.
pub(crate) struct Cluster {
    binaries: PathBuf,
    user: Option<(u32, u32)>,
    folder: PathBuf,
    goes: Option<TempDir>,
}

/// A running server.
pub(crate) struct Running {
    pub(crate) port: u16,
    pub(crate) binaries: PathBuf,
    _port: Port,
    _stops: Afterwards,
}

impl Cluster {
    /// In a folder that stays, or in one that goes.
    pub(crate) fn at(kept: Option<&Path>, name: &str) -> Fallible<Self> {
        let binaries = binaries()?;
        let goes = match kept {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("booking-load-pg-").tempdir()?),
        };
        let folder = match (&goes, kept) {
            (Some(goes), _) => goes.path().to_owned(),
            (None, kept) => kept.unwrap_or(Path::new(".")).join(name),
        };
        fs::create_dir_all(&folder)?;
        let folder = folder.canonicalize()?;
        let user = server_user(&folder)?;
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid))?;
        }
        let cluster = Self { binaries, user, folder, goes };
        if !cluster.folder.join("data").exists() {
            let options =
                ["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"];
            cluster.run("initdb", &options)?;
        }
        Ok(cluster)
    }

    /// With settings by which a table is filled quickly.
    pub(crate) fn start_to_fill(&self) -> Fallible<Running> {
        self.start(FILLING)
    }

    /// With those that are measured.
    pub(crate) fn start_to_measure(&self) -> Fallible<Running> {
        self.start(SETTINGS)
    }

    fn start(&self, settings: &[&str]) -> Fallible<Running> {
        // Also when this process is killed.
        let stop =
            r#"cd "$0" && "$1/pg_ctl" stop -D data -m "$2" -t 600; [ "$2" = fast ] || rm -rf "$0""#;
        let mode = if self.goes.is_some() && settings == SETTINGS { "immediate" } else { "fast" };
        let arguments = [self.folder.as_os_str(), self.binaries.as_os_str(), OsStr::new(mode)];
        let stops = Afterwards::run(stop, &arguments, self.user)?;
        let held = Port::free()?;
        let port = held.address.port();
        let socket = self.folder.display();
        let mut options = format!(
            "-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories='{socket}'"
        );
        for setting in settings {
            options += &format!(" -c {setting}");
        }
        self.run(
            "pg_ctl",
            &["-D", "data", "start", "-w", "-t", "600", "-l", "log", "-o", &options],
        )?;
        Ok(Running { port, binaries: self.binaries.clone(), _port: held, _stops: stops })
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Fallible<()> {
        let output = self.folder.join("output");
        let log = File::options().create(true).append(true).open(&output)?;
        let mut command = Command::new(self.binaries.join(program));
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if as_user(&mut command, self.user).status()?.success() {
            return Ok(());
        }
        let said = fs::read_to_string(output).unwrap_or_default();
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(format!("{program} {arguments:?}: {said}{log}").into())
    }
}

impl Running {
    /// Of one of its databases, as its administrator.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

/// Where `initdb`, `pg_ctl` and `pgbench` are.
fn binaries() -> Fallible<PathBuf> {
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
    let all = ["initdb", "pg_ctl", "pgbench"];
    let found = folders.into_iter().find(|folder| all.iter().all(|n| folder.join(n).exists()));
    found.ok_or_else(|| "install Postgres, with pgbench: the package `postgresql`".into())
}

/// Postgres does not run as root: then it is the user `postgres` whom its package made.
fn server_user(folder: &Path) -> Fallible<Option<(u32, u32)>> {
    const ROOT: u32 = 0;
    let owner = fs::metadata(folder)?;
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let mut ids = line.into_iter().flat_map(|line| line.split(':')).filter_map(|f| f.parse().ok());
    let postgres = ids.next().zip(ids.next());
    let is_kept = Some(owner.uid()) == postgres.map(|(uid, _)| uid);
    if fs::metadata("/proc/self")?.uid() != ROOT {
        return Ok(None);
    }
    if owner.uid() == ROOT || is_kept {
        return postgres.map(Some).ok_or_else(|| "there is no user `postgres`".into());
    }
    Ok(None)
}
