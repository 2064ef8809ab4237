//! The quickest of many rounds, in which the rows take turns: what else the machine does falls on all
//! of them, and on few rounds as short as these.

use std::fmt::Debug;
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 500;
const ROUND: Duration = Duration::from_millis(1);

/// What is timed.
pub(crate) struct Row {
    name: &'static str,
    work: Box<dyn Fn()>,
}

impl Row {
    /// A comparison with something that answers otherwise would say nothing: panics if it does.
    pub(crate) fn new<R: 'static, A: Debug + PartialEq>(
        name: &'static str,
        expected: &A,
        work: impl Fn() -> R + 'static,
        answer: impl Fn(&R) -> A,
    ) -> Self {
        assert_eq!(&answer(&work()), expected, "{name}");
        let work = Box::new(move || drop(black_box(work())));
        Self { name, work }
    }

    fn repeat(&self, times: u32) -> Duration {
        let began = Instant::now();
        (0..times).for_each(|_| (self.work)());
        began.elapsed()
    }

    /// How often it goes into a round.
    fn times(&self) -> u32 {
        (0..20).map(|power| 1 << power).find(|times| self.repeat(*times) > ROUND).unwrap_or(1 << 20)
    }
}

/// A table of rows for so many days each, with the ratio to the first row.
pub(crate) fn show(days: &[u64], rows: impl Fn(u64) -> Vec<Row>) {
    let columns: Vec<Vec<(&str, f64)>> = days.iter().map(|days| measure(&rows(*days))).collect();
    print!("{:<40}", "");
    days.iter().for_each(|days| print!("{:>20}", format!("{days} d")));
    println!();
    for row in 0..columns[0].len() {
        print!("{:<40}", columns[0][row].0);
        for column in &columns {
            let (micros, ratio) = (column[row].1, column[row].1 / column[0].1);
            print!("{micros:>12.2} µs{ratio:>5.*}", if ratio < 10.0 { 1 } else { 0 });
        }
        println!();
    }
}

/// Microseconds each.
fn measure(rows: &[Row]) -> Vec<(&'static str, f64)> {
    let times: Vec<u32> = rows.iter().map(Row::times).collect();
    let mut best = vec![f64::INFINITY; rows.len()];
    for _ in 0..ROUNDS {
        for ((row, times), best) in rows.iter().zip(&times).zip(&mut best) {
            let took = row.repeat(*times).as_secs_f64() * 1e6 / f64::from(*times);
            *best = best.min(took);
        }
    }
    rows.iter().zip(best).map(|(row, best)| (row.name, best)).collect()
}
