//! The words of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Measures `booking-api serve` under load, beside what it compares against, and prints a table.
#[derive(Debug, Clone, Parser)]
pub(crate) struct Options {
    /// How many meetings there are; given twice, how much more costs is measured too.
    #[arg(long, default_value = "1000000")]
    pub(crate) meetings: Vec<u32>,
    /// How many therapists they are spread over.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) therapists: u32,
    /// How long one round of one measurement takes, in seconds.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How many rounds there are; in each, all measurements of a section take turns.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// How many clients ask at the same time, each on a connection of its own.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) clients: u32,
    /// A folder for the databases, which are kept and used again; else they are made for this run,
    /// and go with it.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// The `booking-api` to measure, instead of building this tree's, optimized.
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
    /// Which sections; all unless said.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Section>,
    /// Fills the databases in `--data`, and measures nothing.
    #[arg(long, requires = "data")]
    pub(crate) fill_only: bool,
}

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Section {
    /// GET slots, against bare endpoints.
    Slots,
    /// POST meetings on Postgres, against pgbench.
    Bookings,
    /// Many after one therapist.
    Contention,
    /// The same on SQLite, against bare inserts.
    Sqlite,
    /// GET meetings of those who have few and many.
    Lists,
    /// Tokens against none, two processes against one.
    Ways,
    /// More meetings against fewer.
    Growth,
}

impl Options {
    /// One round of one measurement.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.05, 600.0))
    }

    pub(crate) fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }
}
