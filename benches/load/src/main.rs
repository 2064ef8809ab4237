//! The server under load, beside what it compares against, as a table in Markdown.
//! `cargo run --release -p booking-load`; `--help` says what can be asked for.
//!
//! Everything is on this machine, and shares it: Postgres, the servers, and the clients. So figures
//! mean little by themselves, and something beside what was measured in the same rounds.
#![expect(clippy::print_stdout, reason = "the table, and how far it is")]

/// How far it is.
macro_rules! progress {
    ($($said:tt)*) => { eprintln!($($said)*) };
}

mod bare;
mod cluster;
mod fill;
mod http;
mod issuer;
mod measured;
mod options;
mod pgbench;
mod port;
mod processes;
mod scripts;
mod sections;
mod serving;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;

use chrono::{DateTime, Utc};
use clap::Parser as _;

use crate::fill::Filled;
use crate::issuer::Issuer;
use crate::options::{Options, Section};
use crate::processes::Afterwards;
use crate::sections::Bench;
use crate::serving::Starter;
use crate::table::Part;

/// Whatever goes wrong ends the run.
type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, arguments @ ..] = &arguments[..]
        && word == bare::WORD
    {
        return bare::run(arguments).await;
    }
    run(&Options::parse()).await
}

async fn run(options: &Options) -> Fallible<()> {
    let server = match &options.server {
        Some(server) => server.clone(),
        None => build()?,
    };
    let folder = tempfile::Builder::new().prefix("booking-load-").tempdir()?;
    let folder = folder.path();
    let _goes_if_we_are_killed = Afterwards::run(r#"rm -rf "$0""#, &[folder], None)?;
    let issuer = Issuer::new(&server, folder)?;
    let starter = Starter { server: &server, issuer: &issuer, folder };
    let now = now();
    let mut filled: Vec<Rc<Filled>> = vec![];
    for &meetings in &options.meetings {
        // A size that is held against itself shows how far figures go astray.
        if let Some(same) = filled.iter().find(|one| one.meetings == meetings) {
            filled.push(same.clone());
            continue;
        }
        progress!("{meetings} meetings of {} therapists", options.therapists);
        let kept = options.data.as_deref();
        let one = fill::fill(&starter, kept, options.therapists, meetings, now.date_naive());
        filled.push(Rc::new(one.await?));
    }
    let [first, ..] = &filled[..] else { return Err("how many --meetings?".into()) };
    if options.fill_only {
        return Ok(());
    }
    println!("{}", head(options, &server, first, now));
    let bench = Bench::new(options, &starter, &issuer, folder)?;
    let failed = parts(&bench, &filled, first).await?;
    if failed > 0 {
        return Err(format!("{failed} requests failed").into());
    }
    Ok(())
}

/// Prints each as soon as it is there. Tells how many requests failed.
async fn parts(bench: &Bench<'_>, filled: &[Rc<Filled>], first: &Filled) -> Fallible<u64> {
    let mut failed = 0;
    let mut show = |part: Part| {
        println!("{part}");
        failed += part.failed();
    };
    let wants = |section| bench.options.wants(section);
    if wants(Section::Slots) {
        show(bench.slots(first).await?);
    }
    if wants(Section::Bookings) {
        show(bench.bookings(first).await?);
    }
    if wants(Section::Contention) {
        show(bench.contention(first).await?);
    }
    if wants(Section::Sqlite) {
        show(bench.sqlite(first).await?);
    }
    if wants(Section::Lists) {
        show(bench.lists(first).await?);
    }
    if wants(Section::Ways) {
        show(bench.ways(first).await?);
    }
    if wants(Section::Growth)
        && let [few, .., many] = filled
    {
        show(bench.growth(few, many).await?);
    }
    Ok(failed)
}

/// This tree's server, as users run it.
fn build() -> Fallible<PathBuf> {
    progress!("building booking-api, optimized");
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Together with this program, which has been built: with the same features, nothing is built
    // a second time.
    let build = ["build", "--release", "--locked", "-p", "booking-api", "-p", "booking-load"];
    let mut build_all = Command::new(env!("CARGO"));
    build_all.args(build).arg("--message-format=json-render-diagnostics");
    let built = build_all.current_dir(&tree).stderr(Stdio::inherit()).output()?;
    if !built.status.success() {
        return Err("booking-api cannot be built".into());
    }
    let said = String::from_utf8_lossy(&built.stdout);
    let mut messages = said.lines().filter_map(|line| serde_json::from_str(line).ok());
    let program = messages.find_map(|message: serde_json::Value| {
        let is_ours = message["target"]["name"] == "booking-api";
        message["executable"].as_str().filter(|_| is_ours).map(PathBuf::from)
    });
    program.ok_or_else(|| "cargo does not say what it has built".into())
}

/// Which machine, when, and how.
fn head(options: &Options, server: &Path, on: &Filled, now: DateTime<Utc>) -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let said = |program: &Path, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        output.map_or_else(
            |_| String::new(),
            |o| String::from_utf8_lossy(&o.stdout).trim().to_owned(),
        )
    };
    let postgres = said(&on.running.binaries.join("postgres"), "--version");
    format!(
        "{}; {processor}, {cores} cores, {memory}; Linux {}. {}, {postgres} with fsync and {}, on \
         the same machine as the servers and the clients, who connect by TCP and stay connected. {} \
         therapists. Medians of {} rounds of {:.1} s, in turns, each after half a second that does \
         not count; ratios are medians of the rounds' ratios, percentiles those of all rounds, \
         memory the server's after the last. Servers log warnings, and limit no rates.",
        now.date_naive(),
        read("/proc/sys/kernel/osrelease").trim(),
        said(server, "--version"),
        cluster::SETTINGS.join(", "),
        options.therapists,
        options.rounds,
        options.round().as_secs_f64(),
    )
}

#[expect(clippy::disallowed_methods, reason = "what is measured runs by the machine's clock")]
fn now() -> DateTime<Utc> {
    Utc::now()
}
