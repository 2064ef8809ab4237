//! A server of our own, to be killed and paused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;
use tokio::task::spawn_blocking;

use crate::postgres::Cluster;

/// How long the server may take to be there again, replaying its log.
const PATIENCE: Duration = Duration::from_secs(300);

/// Never the server of the other tests, whatever `DATABASE_URL` says: nobody else's may be killed.
///
/// It runs with `fsync=off`, which a killed process does not notice: what was written stays with the
/// operating system. Only a power cut would tell the difference, and nobody cuts the power here.
pub(crate) struct Database(Arc<Cluster>);

/// Processes that stand still; they go on when this goes.
struct Paused(Vec<i32>);

impl Database {
    pub(crate) async fn start() -> Self {
        let cluster = spawn_blocking(Cluster::start).await;
        Self(Arc::new(cluster.expect("the server starts")))
    }

    /// For us, past every [`Network`](super::network::Network).
    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port()
    }

    /// A connection, once the server takes one.
    pub(crate) async fn connection(&self) -> PgConnection {
        let begun = Instant::now();
        loop {
            match PgConnection::connect(&self.url()).await {
                Ok(connection) => return connection,
                Err(error) if begun.elapsed() > PATIENCE => panic!("it does not recover: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// `pg_ctl stop -m immediate`: all its processes leave without a word.
    pub(crate) async fn stop(&self) {
        let cluster = self.0.clone();
        spawn_blocking(move || cluster.stop()).await.expect("the server stops");
    }

    /// Starts it again. A server whose first process was killed may have others that have yet to
    /// find out; until then it cannot start.
    pub(crate) async fn resume(&self) {
        let begun = Instant::now();
        loop {
            let cluster = self.0.clone();
            match spawn_blocking(move || cluster.try_resume()).await.expect("pg_ctl runs") {
                Ok(()) => return,
                Err(why) => assert!(begun.elapsed() < PATIENCE, "{why}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// SIGKILL to the first process; the others finish what they are at, and notice.
    pub(crate) async fn kill_postmaster(&self) {
        let postmaster = postmaster(&mut self.connection().await).await;
        signal("KILL", &[postmaster]).await;
    }

    /// SIGKILL to all its processes at once.
    pub(crate) async fn kill_everything(&self) {
        let mut connection = self.connection().await;
        let mut pids = vec![postmaster(&mut connection).await];
        pids.extend(processes(&mut connection).await);
        signal("KILL", &pids).await;
    }

    /// SIGKILL to a process that serves a connection. The server then ends all others too, and
    /// recovers by itself.
    pub(crate) async fn kill_backend(&self, choice: usize) {
        let mut connection = self.connection().await;
        let pids = backends(&mut connection).await;
        // Without any, the one that serves this connection will do.
        let pid = pids.get(choice % pids.len().max(1)).copied();
        let pid = match pid {
            Some(pid) => pid,
            None => own_pid(&mut connection).await,
        };
        signal("KILL", &[pid]).await;
        // Closed when the server ends all others: then it has begun to recover.
        let begun = Instant::now();
        while connection.ping().await.is_ok() {
            assert!(begun.elapsed() < PATIENCE, "a killed process leaves no trace");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.connection().await;
    }

    /// Ends all connections, in order.
    pub(crate) async fn end_sessions(&self) {
        let mut connection = self.connection().await;
        for pid in backends(&mut connection).await {
            let end = sqlx::query("SELECT pg_terminate_backend($1)").bind(pid);
            end.execute(&mut connection).await.expect("it may be gone already");
        }
    }

    /// Stands still for a while, with all that it is at.
    pub(crate) async fn pause(&self, pause: Duration) {
        let mut connection = self.connection().await;
        // The first process first, so that no new ones come.
        let postmaster = postmaster(&mut connection).await;
        let mut paused = Paused(vec![postmaster]);
        signal("STOP", &[postmaster]).await;
        paused.0.extend(processes(&mut connection).await);
        signal("STOP", &paused.0).await;
        tokio::time::sleep(pause).await;
        drop(paused);
    }

    /// Waits until nobody is connected any more, and nothing can be committed late.
    pub(crate) async fn wait_until_idle(&self) {
        let begun = Instant::now();
        let mut connection = self.connection().await;
        while !backends(&mut connection).await.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "connections outlive their process");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn postmaster(connection: &mut PgConnection) -> i32 {
    let first_line = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int4";
    sqlx::query_scalar(first_line).fetch_one(connection).await.expect("the server is up")
}

/// All but the first.
async fn processes(connection: &mut PgConnection) -> Vec<i32> {
    let all = sqlx::query_scalar("SELECT pid FROM pg_stat_activity");
    all.fetch_all(connection).await.expect("the server is up")
}

/// Those that serve a connection other than this.
async fn backends(connection: &mut PgConnection) -> Vec<i32> {
    let others = "SELECT pid FROM pg_stat_activity
                  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid";
    sqlx::query_scalar(others).fetch_all(connection).await.expect("the server is up")
}

async fn own_pid(connection: &mut PgConnection) -> i32 {
    let own = sqlx::query_scalar("SELECT pg_backend_pid()");
    own.fetch_one(connection).await.expect("the server is up")
}

fn kill(name: &str, pids: &[i32]) -> (&'static str, [String; 2]) {
    let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
    // Some may be gone already, which `kill` complains of.
    ("sh", ["-c".to_owned(), format!("kill -{name} {} 2>&-", pids.join(" "))])
}

async fn signal(name: &str, pids: &[i32]) {
    let (program, arguments) = kill(name, pids);
    Command::new(program).args(arguments).status().await.expect("sh starts");
}

impl Drop for Paused {
    fn drop(&mut self) {
        let (program, arguments) = kill("CONT", &self.0);
        let sent = std::process::Command::new(program).args(arguments).status();
        sent.expect("sh starts");
    }
}
