//! What long work is handed by the doors: where to report progress, and whether to stop.
//!
//! The library neither prints nor listens for Ctrl-C. It is given a [`Control`], tells it how far it is, and
//! asks it between units of work whether the user wants to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::memory;

/// The last wish to stop was heard by the work under way. A program has one user, so it has one such wish.
static HEARD: AtomicBool = AtomicBool::new(false);

/// Pieces of work under way that have something to save once they hear it.
static SAVING: AtomicUsize = AtomicUsize::new(0);

/// Whether the work under way has heard the last wish to stop, or will before it is worth ending it.
pub fn is_heard() -> bool {
    HEARD.load(Ordering::Relaxed) || SAVING.load(Ordering::Relaxed) > 0
}

/// While this lives, work is under way that saves what it has when it hears the wish to stop, however long it takes until
/// then: a finetuning with checkpoints.
pub struct Saving(());

impl Saving {
    pub fn begin() -> Self {
        SAVING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        SAVING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A new wish to stop is made, which nobody has heard yet.
pub fn make_unheard() {
    HEARD.store(false, Ordering::Relaxed);
}

/// Where progress goes. The terminal draws bars; tests and `--json` without a terminal draw nothing.
pub trait Progress: Send + Sync {
    /// A piece of work begins: what it is ("finetuning"), how many units in all, and their name ("steps").
    fn begin(&self, label: &str, total: u64, unit: &str) -> Box<dyn Task>;
}

/// One piece of work under way. Dropping it ends it.
pub trait Task: Send {
    /// Units that were done before this work began, as where it goes on from a checkpoint: they count for how far it is, but
    /// not for how fast it goes.
    fn resumed(&mut self, _done: u64) {}

    /// Units done so far, and a short remark such as "loss 1.23".
    fn update(&mut self, done: u64, remark: &str);

    /// The text that the work has written so far, for people to read along. Not kept: the work gives it whole at its end.
    fn text(&mut self, _so_far: &str) {}
}

/// How fast a piece of work goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    before: u64,
}

impl Pace {
    /// A pace that leaves out the units that were done before.
    pub fn from(before: u64) -> Self {
        Self { before }
    }

    /// Units a second, when `done` units are done in all and `seconds` have gone by. `None` while nothing can be said.
    pub fn rate(&self, done: u64, seconds: f64) -> Option<f64> {
        let own = done.checked_sub(self.before).filter(|own| *own > 0)?;
        Some(own as f64 / seconds).filter(|rate| rate.is_finite())
    }

    /// Seconds that the rest of `total` units will take.
    pub fn left(&self, done: u64, total: u64, seconds: f64) -> Option<f64> {
        let rate = self.rate(done, seconds)?;
        Some(total.saturating_sub(done) as f64 / rate)
    }
}

/// Progress that goes nowhere.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _label: &str, _total: u64, _unit: &str) -> Box<dyn Task> {
        Box::new(Silent)
    }
}

impl Task for Silent {
    fn update(&mut self, _done: u64, _remark: &str) {}
}

/// Progress and the wish to stop, cheap to clone and shared by everything one run does.
#[derive(Clone)]
pub struct Control {
    progress: Arc<dyn Progress>,
    stop: Arc<AtomicBool>,
}

impl Default for Control {
    fn default() -> Self {
        Self::silent()
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(out, "Control(stop: {})", self.stop.load(Ordering::Relaxed))
    }
}

impl Control {
    pub fn new(progress: Arc<dyn Progress>, stop: Arc<AtomicBool>) -> Self {
        Self { progress, stop }
    }

    /// No progress, never stopped.
    pub fn silent() -> Self {
        Self::new(Arc::new(Silent), Arc::new(AtomicBool::new(false)))
    }

    pub fn begin(&self, label: &str, total: u64, unit: &str) -> Box<dyn Task> {
        self.progress.begin(label, total, unit)
    }

    /// `Err(Error::Interrupted)` once the user has asked to stop, and an error while the run takes more memory than it may.
    /// Call it between units of work.
    pub fn check(&self) -> Result<()> {
        if self.is_stopped() {
            return Err(Error::Interrupted);
        }
        memory::check()
    }

    /// Whether the user has asked to stop. Whoever hears it is taken at its word that it does.
    pub fn is_stopped(&self) -> bool {
        let stopped = self.stop.load(Ordering::Relaxed);
        if stopped {
            HEARD.store(true, Ordering::Relaxed);
        }
        stopped
    }

    /// The flag itself, for a script engine's own progress hook and for the signal handler.
    pub fn stop_flag(&self) -> &Arc<AtomicBool> {
        &self.stop
    }
}
