//! Interleaved samples, medians, and the tables they end in.

use std::fmt;
use std::time::Instant;

/// Something measured against others: gives nanoseconds per operation, once per call.
pub struct Contender<'a> {
    name: &'static str,
    sample: Box<dyn FnMut() -> f64 + 'a>,
    samples: Vec<f64>,
}

impl<'a> Contender<'a> {
    /// `sample` sets up what it needs and measures the rest with [`per_operation`] or
    /// [`cpu_per_operation`].
    pub fn new(name: &'static str, sample: impl FnMut() -> f64 + 'a) -> Self {
        Self { name, sample: Box::new(sample), samples: Vec::new() }
    }
}

/// Processor time of this thread, in nanoseconds, per operation of `run`: for work that neither
/// waits nor has helpers, on a machine that does other things as well.
pub fn cpu_per_operation(operations: usize, run: impl FnOnce()) -> f64 {
    let start = thread_time();
    run();
    (thread_time() - start) / operations as f64
}

fn thread_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Nanoseconds per operation of `run`, which does `operations` of them.
pub fn per_operation(operations: usize, run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_nanos() as f64 / operations as f64
}

/// What a row is held against.
#[derive(Clone, Copy)]
pub enum Target {
    /// The first contender takes at most this many nanoseconds.
    Nanoseconds(f64),
    /// The first contender takes at most this many times what the last does.
    TimesTheLast(f64),
    /// Nothing is promised.
    None,
}

/// Rows of a table, in markdown.
#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 5]>,
    notes: Vec<String>,
}

impl Table {
    /// Lets the contenders take turns for `turns` rounds, after one that is not counted, and adds
    /// a row for each. The first is ours; each ratio is to it.
    pub fn race(
        &mut self,
        case: &str,
        turns: usize,
        target: Target,
        mut contenders: Vec<Contender<'_>>,
    ) {
        for turn in 0..=turns {
            for contender in &mut contenders {
                let sample = (contender.sample)();
                if turn > 0 {
                    contender.samples.push(sample);
                }
            }
        }
        let medians: Vec<f64> =
            contenders.iter_mut().map(|contender| median(&mut contender.samples)).collect();
        let ours = medians[0];
        let last = medians[medians.len() - 1];
        for (row, (contender, median)) in contenders.iter().zip(&medians).enumerate() {
            let held = match (row, target) {
                (0, Target::Nanoseconds(most)) => {
                    format!("<= {}: {}", Nanoseconds(most), met(*median <= most))
                }
                (0, Target::TimesTheLast(most)) => {
                    let times = *median / last;
                    format!(
                        "<= {most} x {}: {times:.2}, {}",
                        contenders[contenders.len() - 1].name,
                        met(times <= most)
                    )
                }
                _ => String::new(),
            };
            self.rows.push([
                if row == 0 { case.to_owned() } else { String::new() },
                contender.name.to_owned(),
                Nanoseconds(*median).to_string(),
                format!("{:.2}", *median / ours),
                held,
            ]);
        }
    }

    /// Adds a row that is not a race.
    pub fn fact(&mut self, case: &str, name: &str, value: String, held: Option<bool>) {
        let held = held.map(met).unwrap_or_default().to_owned();
        self.rows.push([case.to_owned(), name.to_owned(), value, String::new(), held]);
    }

    /// Adds a line below the table.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["case", "contender", "median", "ratio to ours", "target"].map(String::from);
        let widths: [usize; 5] = std::array::from_fn(|column| {
            self.rows.iter().chain([&head]).map(|row| row[column].len()).max().unwrap_or(0)
        });
        let mut line = |row: &[String; 5]| -> fmt::Result {
            for (cell, width) in row.iter().zip(widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")
        };
        line(&head)?;
        line(&widths.map(|width| "-".repeat(width)))?;
        for row in &self.rows {
            line(row)?;
        }
        for note in &self.notes {
            writeln!(f, "\n{note}")?;
        }
        Ok(())
    }
}

/// A time in the unit that suits it.
struct Nanoseconds(f64);

impl fmt::Display for Nanoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            time if time < 1e3 => write!(f, "{time:.1} ns"),
            time if time < 1e6 => write!(f, "{:.2} us", time / 1e3),
            time => write!(f, "{:.2} ms", time / 1e6),
        }
    }
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn met(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Resident memory of this process, in bytes.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = status.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4096
}

/// The numbers below `count` in an order that is always the same and looks random.
pub fn shuffled(count: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..count).collect();
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    for place in (1..count).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        numbers.swap(place, (state >> 33) as usize % (place + 1));
    }
    numbers
}
