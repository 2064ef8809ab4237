//! What was measured, in Markdown.

use std::time::Duration;

use crate::measured::Measured;

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// As many a second, times this, at least.
    Rate(f64),
    /// The slowest hundredth waits this many times as long, at most.
    P99(f64),
    /// Nothing was promised.
    None,
}

/// One of what was measured against another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Against {
    pub(crate) of: usize,
    pub(crate) target: Target,
}

impl Against {
    pub(crate) fn rate(of: usize, at_least: f64) -> Option<Self> {
        Some(Self { of, target: Target::Rate(at_least) })
    }

    pub(crate) fn p99(of: usize, at_most: f64) -> Option<Self> {
        Some(Self { of, target: Target::P99(at_most) })
    }

    /// For the reader to know.
    pub(crate) fn told(of: usize) -> Option<Self> {
        Some(Self { of, target: Target::None })
    }
}

/// A part of the table.
pub(crate) struct Part {
    pub(crate) title: String,
    pub(crate) measured: Vec<Measured>,
    /// What each is held against.
    pub(crate) against: Vec<Option<Against>>,
}

impl Part {
    /// How many requests failed.
    pub(crate) fn failed(&self) -> u64 {
        self.measured.iter().flat_map(|one| &one.rounds).map(|round| round.failed).sum()
    }
}

/// In Markdown, with a heading.
impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "\n**{}**\n", self.title)?;
        writeln!(f, "| | | a second | p50 | p99 | p99.9 | memory | failed | against | |")?;
        writeln!(f, "|--:|---|--:|--:|--:|--:|--:|--:|--:|---|")?;
        for (number, one) in self.measured.iter().enumerate() {
            let all = one.all();
            let at =
                |quantile| millis(Duration::from_micros(all.latencies.value_at_quantile(quantile)));
            let memory =
                one.resident.map_or_else(String::new, |bytes| format!("{} MiB", bytes / (1 << 20)));
            let passed = match all.passed {
                0 => String::new(),
                _ => {
                    let rates = one.rounds.iter().map(|r| r.passed as f64 / r.took.as_secs_f64());
                    format!(
                        " (beside {:.0} refused a second)",
                        rates.sum::<f64>() / one.rounds.len() as f64
                    )
                }
            };
            let (against, reached) = self.compared(number);
            writeln!(
                f,
                "| {} | {}{passed} | {:.0} | {} | {} | {} | {memory} | {} | {against} | {reached} |",
                number + 1,
                one.name,
                one.rate(),
                at(0.5),
                at(0.99),
                at(0.999),
                all.failed,
            )?;
        }
        Ok(())
    }
}

impl Part {
    fn compared(&self, number: usize) -> (String, String) {
        let one = &self.measured[number];
        let Some(Against { of, target }) = self.against.get(number).copied().flatten() else {
            return (String::new(), String::new());
        };
        let other = &self.measured[of];
        let place = of + 1;
        let told = |is_reached| if is_reached { "reached" } else { "**not reached**" };
        match target {
            Target::Rate(least) => {
                let ratio = one.ratio(other);
                let reached = format!("≥ {least}: {}", told(ratio >= least));
                (format!("{ratio:.2} × {place}"), reached)
            }
            Target::P99(most) => {
                let ratio = one.p99_ratio(other);
                let reached = format!("p99 ≤ {most}: {}", told(ratio <= most));
                (format!("p99 {ratio:.2} × {place}"), reached)
            }
            Target::None => (format!("{:.2} × {place}", one.ratio(other)), String::new()),
        }
    }
}

fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 10.0 { format!("{millis:.2} ms") } else { format!("{millis:.0} ms") }
}
