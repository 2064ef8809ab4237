//! Bookings by hand: the rows that the server writes, inserted by pgbench.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::process::Command;

use crate::Fallible;
use crate::cluster::Running;
use crate::fill::{self, DATABASE, Filled};
use crate::measured::{Outcome, Round};

/// Beyond whatever the server books.
const FIRST_START: i64 = 2_500_000_000;
/// Between the starts of one round and those of the next, in seconds.
const STRIDE: i64 = 1_000_000_000;

/// What can be counted in seconds.
const SHORTEST: Duration = Duration::from_secs(1);
/// What is not counted: connections make their plans.
const WARM_UP: Duration = Duration::from_secs(2);

/// What a transaction does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Transaction {
    /// One statement: one round trip.
    Insert,
    /// Begin, lock two calendars, look, insert, commit.
    LockAndInsert,
}

/// Whose times are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum After {
    /// So many therapists' in turn, each with a client of their own.
    Different(u32),
    /// One therapist's, by all clients.
    One,
}

/// A script, ready to run.
pub(crate) struct Pgbench {
    program: PathBuf,
    port: u16,
    folder: PathBuf,
    script: PathBuf,
    therapists: u32,
}

/// What an event and an entry of the audit log look like, for the inserts to write the same: taken
/// from the last booking.
pub(crate) async fn learn(connection: &mut PgConnection) -> Fallible<()> {
    let (payload, fields): (String, String) = sqlx::query_as(
        "SELECT
            (SELECT payload::text FROM outbox ORDER BY sequence DESC LIMIT 1),
            (SELECT fields::text FROM audit_entry ORDER BY at DESC, id DESC LIMIT 1)",
    )
    .fetch_one(&mut *connection)
    .await?;
    for (name, json) in [("payload", payload), ("fields", fields)] {
        let quoted = json.replace('\'', "''");
        let function = format!(
            "CREATE OR REPLACE FUNCTION load.{name}() RETURNS json LANGUAGE sql IMMUTABLE
             RETURN '{quoted}'::json"
        );
        fill::run(connection, &function).await?;
    }
    Ok(())
}

impl Pgbench {
    pub(crate) fn new(
        on: &Filled,
        folder: &Path,
        transaction: Transaction,
        after: After,
    ) -> Fallible<Self> {
        let Running { port, binaries, .. } = &on.running;
        let (client, therapist, therapists) = match after {
            After::Different(therapists) => {
                ("('client_' || :t::bigint || '_0')", "('therapist_' || :t::bigint)", therapists)
            }
            After::One => ("('one_of_many_' || :client_id::bigint)", "'wanted'", 1),
        };
        let insert = include_str!("../sql/insert.sql");
        let statements = match transaction {
            Transaction::Insert => insert.to_owned(),
            Transaction::LockAndInsert => {
                include_str!("../sql/lock_and_look.sql").replace("{insert}", insert)
            }
        };
        let statements = statements.replace("{client}", client).replace("{therapist}", therapist);
        let script = folder.join(format!("{transaction:?}-{therapists}-{port}.sql"));
        fs::write(
            &script,
            format!(
                "\\set i :i + 1\n\\set n :i * :clients + :client_id\n\\set t :n % :therapists\n\
                 \\set start :base + (:n / :therapists) * 1800\n{statements}"
            ),
        )?;
        let program = binaries.join("pgbench");
        Ok(Self { program, port: *port, folder: folder.to_owned(), script, therapists })
    }

    /// So many clients for so long.
    pub(crate) async fn round(&self, clients: u32, time: Duration) -> Fallible<Round> {
        static ROUND: AtomicI64 = AtomicI64::new(0);
        let number = ROUND.fetch_add(1, Ordering::Relaxed);
        let log = tempfile::tempdir_in(&self.folder)?;
        let output = Command::new(&self.program)
            .args(["-h", "127.0.0.1", "-U", "postgres", "-n", "-M", "prepared", "-l"])
            .args(["-p", &self.port.to_string()])
            .args(["-c", &clients.to_string(), "-j", &clients.min(2).to_string()])
            .args(limit(time))
            // As the server's connections are: plans are made once.
            .env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan -c jit=off")
            .args(["-D", "i=0", "-D", &format!("clients={clients}")])
            .args(["-D", &format!("therapists={}", self.therapists)])
            .args(["-D", &format!("base={}", FIRST_START + number * STRIDE)])
            .arg("--log-prefix")
            .arg(log.path().join("log"))
            .arg("-f")
            .arg(&self.script)
            .arg(DATABASE)
            .kill_on_drop(true)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(
                format!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr)).into()
            );
        }
        let mut lines = vec![];
        for file in fs::read_dir(log.path())? {
            for line in fs::read_to_string(file?.path())?.lines() {
                lines.push(Line::of(line).ok_or("a line of pgbench's log")?);
            }
        }
        Ok(after_warm_up(&lines, if time >= SHORTEST { WARM_UP } else { Duration::ZERO }))
    }
}

/// A transaction in pgbench's log.
struct Line {
    /// When it ended, since 1970.
    at: Duration,
    /// Unless it failed.
    took: Option<Duration>,
}

impl Line {
    /// `client transaction latency script seconds microseconds`
    fn of(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let took = fields.nth(2)?.parse().ok().map(Duration::from_micros);
        let seconds = fields.nth(1)?.parse().ok()?;
        let at = Duration::from_secs(seconds) + Duration::from_micros(fields.next()?.parse().ok()?);
        Some(Self { at, took })
    }
}

/// Each connection first makes its plans, some while they hold what the others wait for.
fn after_warm_up(lines: &[Line], warm_up: Duration) -> Round {
    let mut round = Round::new();
    let began = lines.iter().map(|line| line.at - line.took.unwrap_or_default()).min();
    let ended = lines.iter().map(|line| line.at).max();
    let from = began.unwrap_or_default() + warm_up;
    round.took = ended.unwrap_or_default().saturating_sub(from);
    for line in lines.iter().filter(|line| line.at >= from) {
        let outcome = if line.took.is_some() { Outcome::Good } else { Outcome::Failed };
        round.count(outcome, line.took.unwrap_or_default(), || "a transaction".to_owned());
    }
    round
}

/// Pgbench counts seconds; what is to be shorter is counted in transactions of each client.
fn limit(time: Duration) -> [String; 2] {
    if time >= SHORTEST {
        return ["-T".to_owned(), (time + WARM_UP).as_secs().to_string()];
    }
    ["-t".to_owned(), (time.as_millis() / 20 + 1).to_string()]
}
