//! What was measured, and measuring in turns.

use std::time::Duration;

use futures_util::future::BoxFuture;
use hdrhistogram::Histogram;

use crate::Fallible;
use crate::processes;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As it should be.
    Good,
    /// As it should be, and not what is counted here: somebody else was faster.
    Passed,
    /// An error.
    Failed,
}

/// One round of one measurement: microseconds of what went well, and how much did not.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) latencies: Histogram<u64>,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) first_failure: Option<String>,
    pub(crate) took: Duration,
}

impl Round {
    pub(crate) fn new() -> Self {
        // From a microsecond to a minute, to three digits: within the bounds of the crate.
        let latencies = Histogram::new_with_bounds(1, 60_000_000, 3);
        let latencies = latencies.unwrap_or_else(|_| unreachable!("the bounds are good"));
        Self { latencies, passed: 0, failed: 0, first_failure: None, took: Duration::ZERO }
    }

    pub(crate) fn count(
        &mut self,
        outcome: Outcome,
        took: Duration,
        said: impl FnOnce() -> String,
    ) {
        match outcome {
            Outcome::Good => {
                self.latencies
                    .saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            }
            Outcome::Passed => self.passed += 1,
            Outcome::Failed => {
                self.failed += 1;
                self.first_failure.get_or_insert_with(said);
            }
        }
    }

    /// What others did at the same time.
    pub(crate) fn join(&mut self, other: &Self) {
        let _same_bounds = self.latencies.add(&other.latencies).is_ok();
        self.passed += other.passed;
        self.failed += other.failed;
        self.took = self.took.max(other.took);
        if self.first_failure.is_none() {
            self.first_failure.clone_from(&other.first_failure);
        }
    }

    /// How many went well each second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }
}

/// Something to measure, a round at a time.
pub(crate) struct Subject<'a> {
    name: String,
    /// Whose memory is looked at.
    process: Option<u32>,
    round: Box<dyn Fn(Duration) -> BoxFuture<'a, Fallible<Round>> + 'a>,
}

/// All rounds of one measurement.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) rounds: Vec<Round>,
    /// What the server had in memory after the last round, in bytes.
    pub(crate) resident: Option<u64>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(
        name: impl Into<String>,
        process: Option<u32>,
        round: impl Fn(Duration) -> BoxFuture<'a, Fallible<Round>> + 'a,
    ) -> Self {
        Self { name: name.into(), process, round: Box::new(round) }
    }
}

impl Measured {
    pub(crate) fn all(&self) -> Round {
        let mut all = Round::new();
        for round in &self.rounds {
            all.join(round);
        }
        all
    }

    /// The median of the rounds' rates.
    pub(crate) fn rate(&self) -> f64 {
        median(self.rounds.iter().map(Round::rate))
    }

    /// How much faster than another: the median of the rounds' ratios, so that what else the
    /// machine does falls on both.
    pub(crate) fn ratio(&self, other: &Self) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        median(pairs.map(|(mine, theirs)| mine.rate() / theirs.rate().max(f64::EPSILON)))
    }

    /// How much longer the slowest hundredth waits than another's.
    pub(crate) fn p99_ratio(&self, other: &Self) -> f64 {
        let p99 = |round: &Round| round.latencies.value_at_quantile(0.99) as f64;
        median(self.rounds.iter().zip(&other.rounds).map(|(a, b)| p99(a) / p99(b).max(1.0)))
    }
}

/// A round that is shorter shows that things work, and nothing else: nobody has to be warm for it.
const WORTH_WARMING_UP: Duration = Duration::from_millis(100);
/// How long a round is not counted.
const WARM_UP: Duration = Duration::from_millis(500);

/// Rounds in which all take turns. Each goes on for a while before it is counted: what a server
/// remembers of the last one is gone by the time it is its turn again.
pub(crate) async fn take_turns(
    subjects: Vec<Subject<'_>>,
    rounds: u32,
    time: Duration,
) -> Fallible<Vec<Measured>> {
    let measured = |subject: &Subject<'_>| Measured {
        name: subject.name.clone(),
        rounds: vec![],
        resident: None,
    };
    let mut all: Vec<Measured> = subjects.iter().map(measured).collect();
    for number in 1..=rounds {
        for (subject, measured) in subjects.iter().zip(&mut all) {
            if time >= WORTH_WARMING_UP {
                (subject.round)(time.min(WARM_UP)).await?;
            }
            let round = (subject.round)(time).await?;
            progress!("  {number}/{rounds} {}: {:.0}/s", subject.name, round.rate());
            if let Some(failure) = &round.first_failure {
                progress!("    {} failed, such as {failure}", round.failed);
            }
            measured.rounds.push(round);
            measured.resident = subject.process.and_then(processes::resident);
        }
    }
    Ok(all)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
