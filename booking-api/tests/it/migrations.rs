//! Tables made and brought up to date by real processes: several at the same moment, killed ones,
//! and one that is too old for its database.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio::task::JoinSet;

use crate::commands::{command, run, sqlite_in};
use crate::postgres::{Database, sql};
use crate::server::{DataDir, MONDAY_14, Server, session};

/// Servers, and as many who only migrate.
const PROCESSES: usize = 4;
const KILLED: u64 = 12;

/// How many migrations were run; each is recorded when it is.
async fn migrations(url: &str) -> i64 {
    const COUNT: &str = "SELECT count(*) FROM _sqlx_migrations WHERE success";
    let count = if url.starts_with("sqlite:") {
        let mut file = SqliteConnection::connect(url).await.expect("the file opens");
        sqlx::query_scalar(COUNT).fetch_one(&mut file).await
    } else {
        let mut database = PgConnection::connect(url).await.expect("the server lets us in");
        sqlx::query_scalar(COUNT).fetch_one(&mut database).await
    };
    count.expect("migrations are recorded")
}

/// Their versions; some are for one database alone.
fn versions(of: &str) -> BTreeSet<i64> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../booking-store/migrations").join(of);
    let files = folder.read_dir().expect("it is there");
    let version = |name: String| name.split('_').next()?.parse().ok();
    files.filter_map(|file| version(file.ok()?.file_name().into_string().ok()?)).collect()
}

fn files(of: &str) -> i64 {
    versions(of).len().try_into().expect("a few")
}

/// They all come up, and work together.
async fn start_at_once(url: String) {
    let mut servers = JoinSet::new();
    let mut migrating = JoinSet::new();
    for _ in 0..PROCESSES {
        let (to_serve, to_migrate) = (url.clone(), url.clone());
        servers.spawn(async move { Server::start_on(&DataDir::new(), &to_serve).await });
        migrating.spawn(async move { run(&["migrate", "--database-url", &to_migrate]).await });
    }
    for ran in migrating.join_all().await {
        assert!(ran.ok, "{}", ran.stderr);
    }
    let servers = servers.join_all().await;
    servers[0].open_mondays().await;
    let booked = servers[1].booked(MONDAY_14, 60).await;
    for server in &servers {
        let listed = server.therapist().get("/booking/meetings").await.expect(200);
        assert_eq!(listed.column("id"), [booked.id()]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn processes_that_start_at_once_on_nothing_all_come_up() {
    let data = DataDir::new();
    let file = sqlite_in(data.path());
    start_at_once(file.clone()).await;
    assert_eq!(migrations(&file).await, files("sqlite"));
    let database = Database::blank();
    start_at_once(database.url.clone()).await;
    assert_eq!(migrations(&database.url).await, files("postgres"));
}

/// After more and more of its time, until one gets through.
async fn migrate_and_kill(url: &str) {
    for n in 0..KILLED {
        let mut migrating = command(&["migrate", "--database-url", url]);
        let migrating = migrating.stdout(std::process::Stdio::null()).spawn();
        let mut migrating = migrating.expect("the command starts");
        tokio::time::sleep(Duration::from_millis(5 * n)).await;
        migrating.kill().await.expect("it is gone");
    }
    let ran = run(&["migrate", "--database-url", url]).await;
    assert!(ran.ok, "{}", ran.stderr);
    let server = Server::start_on(&DataDir::new(), url).await;
    server.open_mondays().await;
    server.client().book(&session(MONDAY_14, 60)).await.expect(201);
}

#[tokio::test]
async fn a_migration_that_is_killed_is_done_or_not() {
    for _ in 0..3 {
        let data = DataDir::new();
        migrate_and_kill(&sqlite_in(data.path())).await;
        migrate_and_kill(&Database::blank().url).await;
    }
}

#[tokio::test]
async fn a_program_that_is_too_old_says_so() {
    let (data, database) = (DataDir::new(), Database::new());
    let dir = data.path().to_str().unwrap();
    let file = sqlite_in(data.path());
    assert!(run(&["migrate", "--database-url", &file]).await.ok);
    for (url, of) in [(file.as_str(), "sqlite"), (database.url.as_str(), "postgres")] {
        const LATER: &str = "INSERT INTO _sqlx_migrations
            (version, description, installed_on, success, checksum, execution_time)
            SELECT 9999, 'later', installed_on, success, checksum, 0 FROM _sqlx_migrations LIMIT 1";
        if of == "sqlite" {
            let mut file = SqliteConnection::connect(url).await.unwrap();
            sqlx::raw_sql(LATER).execute(&mut file).await.unwrap();
        } else {
            sql(url, LATER);
        }
        let expected = format!(
            "tables are of version 9999 or later, and this program knows those up to {}",
            versions(of).last().expect("some")
        );
        for args in [&["migrate"][..], &["dev", "--port", "0", "--data-dir", dir]] {
            let ran = run(&[args, &["--database-url", url]].concat()).await;
            assert!(!ran.ok && ran.stderr.contains(&expected), "{args:?}: {}", ran.stderr);
            assert!(!ran.stderr.contains("panic"), "{args:?}: {}", ran.stderr);
        }
    }
}
