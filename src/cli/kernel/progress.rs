//! Progress of long work in Jupyter: one line that is written anew in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jupyter_protocol::{DisplayData, Transient, UpdateDisplayData};

use super::media;
use super::publisher::Publisher;
use crate::control::{Pace, Progress, Task};
use crate::notebook::report::timing::duration;
use crate::plain::one_line;

/// How often a line is written anew.
const EVERY: Duration = Duration::from_millis(250);
/// Characters of a bar, and of a text under way that are shown.
const BAR: u64 = 24;
const TAIL: usize = 800;

/// Lines that everyone who is connected sees.
pub struct Lines {
    publisher: Publisher,
    /// Pieces of work so far: each line has a name of its own.
    begun: AtomicUsize,
}

impl Lines {
    pub fn progress(publisher: Publisher) -> Arc<dyn Progress> {
        Arc::new(Self { publisher, begun: AtomicUsize::new(0) })
    }
}

impl Progress for Lines {
    fn begin(&self, label: &str, total: u64, unit: &str) -> Box<dyn Task> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let line = Line {
            publisher: self.publisher.clone(),
            name: format!("ebb-{}-{number}", std::process::id()),
            label: one_line(label),
            unit: one_line(unit),
            total,
            done: 0,
            remark: String::new(),
            text: String::new(),
            pace: Pace::default(),
            started: now,
            told: now,
            shown: false,
        };
        Box::new(line)
    }
}

struct Line {
    publisher: Publisher,
    name: String,
    label: String,
    unit: String,
    total: u64,
    done: u64,
    remark: String,
    text: String,
    pace: Pace,
    started: Instant,
    told: Instant,
    shown: bool,
}

impl Line {
    /// Writes the line where it stands; work that is done at once has none.
    fn tell(&mut self, last: bool) {
        if self.told.elapsed() < EVERY && !(last && self.shown) {
            return;
        }
        self.told = Instant::now();
        let data = media::text(&self.drawn(last));
        let transient = Transient { display_id: Some(self.name.clone()) };
        if self.shown {
            self.publisher.publish(UpdateDisplayData::new(data, &self.name));
        } else {
            let line = DisplayData { data, transient: Some(transient), ..Default::default() };
            self.publisher.publish(line);
        }
        self.shown = true;
    }

    fn drawn(&self, last: bool) -> String {
        let spent = self.started.elapsed().as_secs_f64();
        let full = (self.done.min(self.total) * BAR).checked_div(self.total).unwrap_or(0);
        let bar: String = (0..BAR).map(|place| if place < full { '━' } else { ' ' }).collect();
        let mut line = format!("{} [{bar}] {}/{} {}", self.label, self.done, self.total, self.unit);
        if let Some(rate) = self.pace.rate(self.done, spent) {
            line.push_str(&format!(" · {rate:.1}/s"));
        }
        if last {
            line.push_str(&format!(" · {}", duration(spent)));
        } else if let Some(left) = self.pace.left(self.done, self.total, spent) {
            line.push_str(&format!(" · {} left", duration(left)));
        }
        if !self.remark.is_empty() {
            line.push_str(&format!(" · {}", self.remark));
        }
        if !last && !self.text.is_empty() {
            line.push_str(&format!("\n{}", self.text));
        }
        line
    }
}

impl Task for Line {
    fn resumed(&mut self, done: u64) {
        self.pace = Pace::from(done);
        self.done = done;
    }

    fn update(&mut self, done: u64, remark: &str) {
        self.done = done;
        if !remark.is_empty() {
            self.remark = one_line(remark);
        }
        self.tell(false);
    }

    fn text(&mut self, so_far: &str) {
        let length = so_far.chars().count();
        self.text = so_far.chars().skip(length.saturating_sub(TAIL)).collect();
        self.tell(false);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.tell(true);
    }
}
