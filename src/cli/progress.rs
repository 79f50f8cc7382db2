//! Progress of long work on standard error: bars in a terminal, otherwise a plain line every few seconds.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::environment::width;
use crate::control::{Pace, Progress, Task};
use crate::notebook::report::timing::duration;
use crate::plain::one_line;

/// Seconds between plain lines.
const EVERY: Duration = Duration::from_secs(5);

/// Bars that make room for other output.
#[derive(Clone)]
pub struct Bars {
    bars: Option<MultiProgress>,
}

impl Bars {
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { bars: terminal.then(MultiProgress::new) }
    }

    /// Takes the bars off the screen while `write` writes.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    pub fn progress(&self) -> Arc<dyn Progress> {
        Arc::new(self.clone())
    }
}

impl Progress for Bars {
    fn begin(&self, label: &str, total: u64, unit: &str) -> Box<dyn Task> {
        match &self.bars {
            Some(bars) => {
                let bar = bars.add(ProgressBar::new(total));
                let before = Arc::new(AtomicU64::new(0));
                dress(&bar, label, unit, before.clone());
                Box::new(Bar { bar, before })
            }
            None => Box::new(Lines {
                label: one_line(label),
                total,
                unit: one_line(unit),
                pace: Pace::default(),
                started: Instant::now(),
                told: Instant::now(),
            }),
        }
    }
}

/// Gives a bar its looks; `before` holds the units that were done before it began.
fn dress(bar: &ProgressBar, label: &str, unit: &str, before: Arc<AtomicU64>) {
    let unit = one_line(unit).replace(['{', '}'], "");
    let template = format!(
        "{{prefix}} [{{bar:24}}] {{pos}}/{{len}} {unit} · {{per_sec}} · {{eta}} left {{wide_msg}}"
    );
    if let Ok(style) = ProgressStyle::with_template(&template) {
        let seconds = |state: &indicatif::ProgressState| state.elapsed().as_secs_f64();
        let own = before.clone();
        let rate = move |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let pace = Pace::from(own.load(Ordering::Relaxed));
            let rate = pace.rate(state.pos(), seconds(state)).unwrap_or(0.0);
            // A bar that cannot be written is not worth an error.
            let _ = write!(out, "{rate:.1}/s");
        };
        let left = move |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let pace = Pace::from(before.load(Ordering::Relaxed));
            let total = state.len().unwrap_or(0);
            let left = pace.left(state.pos(), total, seconds(state));
            let _ = match left {
                Some(left) => write!(out, "{}", duration(left)),
                None => write!(out, "?"),
            };
        };
        let style = style.with_key("per_sec", rate).with_key("eta", left);
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.set_prefix(one_line(label));
    bar.enable_steady_tick(Duration::from_millis(250));
}

struct Bar {
    bar: ProgressBar,
    before: Arc<AtomicU64>,
}

impl Task for Bar {
    fn resumed(&mut self, done: u64) {
        self.before.store(done, Ordering::Relaxed);
        self.bar.set_position(done);
    }

    fn update(&mut self, done: u64, remark: &str) {
        self.bar.set_position(done);
        if !remark.is_empty() {
            self.bar.set_message(format!("· {}", one_line(remark)));
        }
    }

    fn text(&mut self, so_far: &str) {
        if let Ok(style) = ProgressStyle::with_template("{prefix} {spinner}\n{msg}") {
            self.bar.set_style(style);
        }
        self.bar.set_message(tail(so_far, width().saturating_sub(1)));
    }
}

/// Lines of a text under way that are shown.
const TAIL: usize = 8;

/// The last lines of a text, cut to a terminal's width.
fn tail(text: &str, width: usize) -> String {
    let lines: Vec<String> = text
        .lines()
        .flat_map(|line| {
            let shown: Vec<char> = one_line(line).chars().collect();
            let pieces = shown.chunks(width.max(1)).map(|piece| piece.iter().collect());
            pieces.collect::<Vec<String>>()
        })
        .collect();
    let first = lines.len().saturating_sub(TAIL);
    lines.get(first..).unwrap_or_default().join("\n")
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

struct Lines {
    label: String,
    total: u64,
    unit: String,
    pace: Pace,
    started: Instant,
    told: Instant,
}

impl Task for Lines {
    fn resumed(&mut self, done: u64) {
        self.pace = Pace::from(done);
    }

    fn update(&mut self, done: u64, remark: &str) {
        if self.told.elapsed() < EVERY {
            return;
        }
        self.told = Instant::now();
        let spent = self.started.elapsed().as_secs_f64();
        let rate = self.pace.rate(done, spent);
        let left = match rate.zip(self.pace.left(done, self.total, spent)) {
            None => String::new(),
            Some((rate, left)) => format!(", {rate:.1}/s, {} left", duration(left)),
        };
        let remark =
            if remark.is_empty() { String::new() } else { format!(", {}", one_line(remark)) };
        // Standard error may be closed; the work goes on.
        let _ = writeln!(
            std::io::stderr(),
            "{}: {done} of {} {}{left}{remark}",
            self.label,
            self.total,
            self.unit
        );
    }
}
