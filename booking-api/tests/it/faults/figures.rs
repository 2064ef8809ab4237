//! What a run amounts to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::check::{self, Violation};
use super::delivery::Delivered;
use super::found::Found;
use super::history::{Attempt, Outcome, Tag};
use super::injection::Faults;
use super::world::World;

pub(crate) struct Figures {
    pub(crate) seed: u64,
    /// Operations that changed something and were acknowledged, however often, by kind.
    done: BTreeMap<&'static str, usize>,
    reads: usize,
    refused: BTreeMap<String, usize>,
    unreached: usize,
    unknown: usize,
    /// Operations that nobody was told of, and whose events are there.
    done_unknown: usize,
    pub(crate) faults: Faults,
    pub(crate) delivered: Delivered,
    longest: Duration,
    took: Duration,
    pub(crate) lost: usize,
    pub(crate) overlapping: usize,
    pub(crate) violations: Vec<Violation>,
}

impl Figures {
    pub(crate) fn of(
        world: &World,
        history: &[Attempt],
        found: &Found,
        faults: Faults,
        took: Duration,
        violations: Vec<Violation>,
    ) -> Self {
        let count = |fault| violations.iter().filter(|v| v.fault == fault).count();
        let mut figures = Self {
            seed: world.seed,
            done: BTreeMap::new(),
            reads: 0,
            refused: BTreeMap::new(),
            unreached: 0,
            unknown: 0,
            done_unknown: 0,
            faults,
            delivered: Delivered::default(),
            longest: Duration::ZERO,
            took,
            lost: count(check::Fault::Lost),
            overlapping: count(check::Fault::Overlap),
            violations,
        };
        let mut done: BTreeSet<Tag> = BTreeSet::new();
        let mut told: BTreeSet<Tag> = found.events.iter().filter_map(|e| e.what.tag()).collect();
        told.retain(|tag| *tag >= world.first);
        for attempt in history.iter().filter(|attempt| attempt.request.tag >= world.first) {
            if matches!(attempt.outcome, Outcome::Acked(_)) {
                told.remove(&attempt.request.tag);
            }
            figures.longest = figures.longest.max(attempt.ended - attempt.begun);
            let asked = &attempt.request.asked;
            match &attempt.outcome {
                Outcome::Acked(_) if !asked.is_change() => figures.reads += 1,
                Outcome::Acked(_) if done.insert(attempt.request.tag) => {
                    *figures.done.entry(asked.kind()).or_default() += 1;
                }
                Outcome::Acked(_) => {}
                Outcome::Refused(code) => {
                    *figures.refused.entry(code.clone()).or_default() += 1;
                }
                Outcome::Unreached => figures.unreached += 1,
                Outcome::Unknown => figures.unknown += 1,
            }
        }
        figures.done_unknown = told.len();
        figures
    }

    pub(crate) fn operations(&self) -> usize {
        self.done.values().sum()
    }

    pub(crate) fn kills(&self) -> usize {
        self.faults.iter().map(|(fault, count)| fault.kills() * count).sum()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, took, longest, unknown, unreached, done_unknown, .. } = self;
        writeln!(f, "faults: seed {seed}, {:.0} s", took.as_secs_f64())?;
        writeln!(f, "  acknowledged {} {:?}", self.operations(), self.done)?;
        writeln!(f, "  and reads    {}", self.reads)?;
        writeln!(f, "  refused      {:?}", self.refused)?;
        writeln!(
            f,
            "  unknown      {unknown}, and {unreached} that reached nobody; {done_unknown} were done"
        )?;
        writeln!(
            f,
            "  faults       {}, kills {} {:?}",
            self.faults.values().sum::<usize>(),
            self.kills(),
            self.faults
        )?;
        write!(f, "{}", self.delivered)?;
        writeln!(f, "  longest      {:.1} s", longest.as_secs_f64())?;
        writeln!(
            f,
            "  lost {}, overlapping {}, violations {}",
            self.lost,
            self.overlapping,
            self.violations.len()
        )?;
        // Enough to go on from; one bug may show a thousand times.
        for Violation { fault, detail } in self.violations.iter().take(20) {
            writeln!(f, "  {fault:?}: {detail}")?;
        }
        Ok(())
    }
}
