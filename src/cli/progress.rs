//! Progress of long work on standard error: bars in a terminal, otherwise a plain line every few seconds.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::environment::width;
use crate::control::{Progress, Task};
use crate::notebook::report::html::duration;
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
        Self {
            bars: terminal.then(MultiProgress::new),
        }
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
                dress(&bar, label, unit);
                Box::new(Bar(bar))
            }
            None => Box::new(Lines {
                label: one_line(label),
                total,
                unit: one_line(unit),
                started: Instant::now(),
                told: Instant::now(),
            }),
        }
    }
}

fn dress(bar: &ProgressBar, label: &str, unit: &str) {
    let unit = one_line(unit).replace(['{', '}'], "");
    let template = format!(
        "{{prefix}} [{{bar:24}}] {{pos}}/{{len}} {unit} · {{per_sec}} · {{eta}} left {{wide_msg}}"
    );
    if let Ok(style) = ProgressStyle::with_template(&template) {
        let rate = |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            // A bar that cannot be written is not worth an error.
            let _ = write!(out, "{:.1}/s", state.per_sec());
        };
        bar.set_style(style.with_key("per_sec", rate).progress_chars("━╸ "));
    }
    bar.set_prefix(one_line(label));
    bar.enable_steady_tick(Duration::from_millis(250));
}

struct Bar(ProgressBar);

impl Task for Bar {
    fn update(&mut self, done: u64, remark: &str) {
        self.0.set_position(done);
        if !remark.is_empty() {
            self.0.set_message(format!("· {}", one_line(remark)));
        }
    }

    fn text(&mut self, so_far: &str) {
        if let Ok(style) = ProgressStyle::with_template("{prefix} {spinner}\n{msg}") {
            self.0.set_style(style);
        }
        self.0.set_message(tail(so_far, width().saturating_sub(1)));
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
            let pieces = shown
                .chunks(width.max(1))
                .map(|piece| piece.iter().collect());
            pieces.collect::<Vec<String>>()
        })
        .collect();
    let first = lines.len().saturating_sub(TAIL);
    lines.get(first..).unwrap_or_default().join("\n")
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

struct Lines {
    label: String,
    total: u64,
    unit: String,
    started: Instant,
    told: Instant,
}

impl Task for Lines {
    fn update(&mut self, done: u64, remark: &str) {
        if self.told.elapsed() < EVERY {
            return;
        }
        self.told = Instant::now();
        let spent = self.started.elapsed().as_secs_f64();
        let rate = done as f64 / spent;
        let left = match done {
            0 => String::new(),
            _ => format!(
                ", {rate:.1}/s, {} left",
                duration(self.total.saturating_sub(done) as f64 / rate)
            ),
        };
        let remark = match remark.is_empty() {
            true => String::new(),
            false => format!(", {}", one_line(remark)),
        };
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
