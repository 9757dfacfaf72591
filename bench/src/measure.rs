//! Interleaved samples, medians, and the tables they end in.

use std::fmt;
use std::time::Instant;

/// The argument that asks for shorter runs.
pub const QUICK: &str = "--quick";

/// Whether shorter runs are asked for.
pub fn is_quick() -> bool {
    std::env::args().any(|argument| argument == QUICK)
}

/// Something measured against others: gives nanoseconds per operation, once per call.
pub struct Contender<'a> {
    name: String,
    sample: Result<Box<dyn FnMut() -> f64 + 'a>, String>,
    target: Option<Target>,
    samples: Vec<f64>,
}

impl<'a> Contender<'a> {
    /// `sample` sets up what it needs and measures the rest with [`per_operation`] or
    /// [`cpu_per_operation`].
    pub fn new(name: impl Into<String>, sample: impl FnMut() -> f64 + 'a) -> Self {
        let sample: Box<dyn FnMut() -> f64 + 'a> = Box::new(sample);
        Self { name: name.into(), sample: Ok(sample), target: None, samples: Vec::new() }
    }

    /// One that can not take part.
    pub fn absent(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), sample: Err(why.into()), target: None, samples: Vec::new() }
    }

    /// Holds the race against a figure, which is judged in this contender's row.
    pub fn target(mut self, target: impl Into<Option<Target>>) -> Self {
        self.target = target.into();
        self
    }

    fn median(&mut self) -> Option<f64> {
        self.samples.sort_by(f64::total_cmp);
        self.samples.get(self.samples.len() / 2).copied()
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

/// Processor time of this process so far, in nanoseconds.
pub fn process_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Nanoseconds per operation of `run`, which does `operations` of them.
pub fn per_operation(operations: usize, run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_nanos() as f64 / operations as f64
}

/// What a contender's row is held against.
#[derive(Clone, Copy)]
pub enum Target {
    /// This contender takes at most this many nanoseconds.
    Nanoseconds(f64),
    /// The first contender is at least this many times as fast as this one.
    Faster(f64),
    /// The first contender takes at most this many times what this one does.
    Within(f64),
    /// The first contender takes at most this many nanoseconds more than this one.
    Longer(f64),
}

impl Target {
    /// Whether it is met by a contender that takes `own` where the first takes `first`.
    fn judge(self, own: f64, first: f64) -> (String, bool) {
        match self {
            Self::Nanoseconds(most) => (format!("at most {}", Nanoseconds(most)), own <= most),
            Self::Faster(times) if times < 1.0 => {
                let share = own / first;
                (
                    format!("at least {:.0} % of its speed: {:.0} %", times * 100.0, share * 100.0),
                    share >= times,
                )
            }
            Self::Faster(times) => {
                let ratio = own / first;
                (format!("at least {times} x as fast: {ratio:.2} x"), ratio >= times)
            }
            Self::Within(times) => {
                let ratio = first / own;
                (format!("within {times} x its time: {ratio:.2} x"), ratio <= times)
            }
            Self::Longer(most) => {
                let more = first - own;
                (format!("at most {} more: {more:.0} ns", Nanoseconds(most)), more <= most)
            }
        }
    }
}

/// How many targets were met, and how many not.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    met: usize,
    missed: usize,
    unknown: usize,
}

impl Tally {
    fn judge(&mut self, met: bool) -> &'static str {
        *(if met { &mut self.met } else { &mut self.missed }) += 1;
        if met { "met" } else { "MISSED" }
    }

    pub fn add(&mut self, other: Self) {
        self.met += other.met;
        self.missed += other.missed;
        self.unknown += other.unknown;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { met, missed, unknown } = self;
        write!(f, "targets: {met} met, {missed} missed, {unknown} not compared")
    }
}

/// The columns of a table of races.
const RACE: [&str; 6] = ["case", "contender", "median", "a second", "ratio to ours", "target"];

/// Rows of a table, in markdown.
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
    tally: Tally,
}

impl Default for Table {
    fn default() -> Self {
        Self::new(&RACE)
    }
}

impl Table {
    /// An empty one with these columns, which only one with the default columns can hold races in.
    pub fn new(columns: &[&str]) -> Self {
        let head = columns.iter().map(ToString::to_string).collect();
        Self { head, rows: Vec::new(), notes: Vec::new(), tally: Tally::default() }
    }

    /// Adds a row.
    pub fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        assert_eq!(cells.len(), self.head.len(), "a cell for each column");
        self.rows.push(cells.to_vec());
    }

    /// A target in words, with whether it is met, which is counted.
    pub fn judge(&mut self, target: &str, met: bool) -> String {
        format!("{target}, {}", self.tally.judge(met))
    }

    /// A target without anything to hold it against is counted as well.
    pub fn not_compared(&mut self) {
        self.tally.unknown += 1;
    }

    /// Lets the contenders take turns and adds a row for each. The first is ours; each ratio says how
    /// many times as long a contender takes. Of several turns the first is not counted.
    pub fn race(&mut self, case: &str, turns: usize, mut contenders: Vec<Contender<'_>>) {
        for turn in 0..turns {
            for contender in &mut contenders {
                let Ok(sample) = &mut contender.sample else { continue };
                let sample = sample();
                if turn > 0 || turns == 1 {
                    contender.samples.push(sample);
                }
            }
        }
        let first = contenders.first_mut().and_then(Contender::median);
        for (row, contender) in contenders.iter_mut().enumerate() {
            let median = contender.median();
            let is_known = median.is_some() && first.is_some();
            self.tally.unknown += usize::from(contender.target.is_some() && !is_known);
            let held = match (&contender.sample, contender.target, median, first) {
                (Err(why), _, _, _) => format!("n/a: {why}"),
                (Ok(_), Some(target), Some(own), Some(first)) => {
                    let (text, met) = target.judge(own, first);
                    format!("{text}, {}", self.tally.judge(met))
                }
                _ => String::new(),
            };
            let cell = |text: Option<String>| text.unwrap_or_else(|| "n/a".to_owned());
            self.rows.push(vec![
                if row == 0 { case.to_owned() } else { String::new() },
                contender.name.clone(),
                cell(median.map(|time| Nanoseconds(time).to_string())),
                cell(median.map(|time| rate(1e9 / time))),
                cell(median.zip(first).map(|(time, first)| format!("{:.2}", time / first))),
                held,
            ]);
        }
    }

    /// Adds a row that is not a race, with its target and whether that is met.
    pub fn fact(&mut self, case: &str, name: &str, value: String, target: &str, met: Option<bool>) {
        let held = met.map(|met| format!("{target}, {}", self.tally.judge(met)));
        let held = held.unwrap_or_default();
        let empty = String::new();
        self.row([case.to_owned(), name.to_owned(), value, empty.clone(), empty, held]);
    }

    /// Adds a line below the table.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || self.rows.iter().chain([&self.head]);
        let width = |column: usize| lines().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut line = |row: &[String]| -> fmt::Result {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")
        };
        line(&self.head)?;
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        line(&rules)?;
        for row in &self.rows {
            line(row)?;
        }
        for note in &self.notes {
            writeln!(f, "\n{note}")?;
        }
        Ok(())
    }
}

/// Operations a second, to three digits, thousands apart.
pub fn rate(rate: f64) -> String {
    let digits = rate.log10().floor() as i32 - 2;
    if digits < 0 {
        return format!("{rate:.*}", digits.unsigned_abs() as usize);
    }
    let unit = 10_f64.powi(digits);
    spaced(((rate / unit).round() * unit) as usize)
}

/// A number with its thousands apart.
pub fn spaced(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in the unit that suits it.
pub struct Nanoseconds(pub f64);

impl fmt::Display for Nanoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            time if time < 1e3 => write!(f, "{time:.1} ns"),
            time if time < 1e6 => write!(f, "{:.2} us", time / 1e3),
            time if time < 1e9 => write!(f, "{:.2} ms", time / 1e6),
            time => write!(f, "{:.2} s", time / 1e9),
        }
    }
}

/// Resident memory of this process, in bytes.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = status.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4096
}

/// The most memory that this process ever had resident, in bytes.
pub fn resident_max() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux");
    let number = line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
    number.expect("a number of KiB") * 1024
}

pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
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
