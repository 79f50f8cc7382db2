//! What long work is handed by the doors: where to report progress, and whether to stop.
//!
//! The library neither prints nor listens for Ctrl-C. It is given a [`Control`], tells it how far it is, and
//! asks it between units of work whether the user wants to stop.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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

/// Whether work is under way that saves what it has once it hears that it shall stop.
pub fn is_saving() -> bool {
    SAVING.load(Ordering::Relaxed) > 0
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

/// How long scripts may work in all.
struct Clock {
    limit: Duration,
    spent: Mutex<Spent>,
}

#[derive(Default)]
struct Spent {
    before: Duration,
    /// When the work under way began.
    since: Option<Instant>,
}

impl Clock {
    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While this lives, the clock goes.
pub struct Timed(Option<Arc<Clock>>);

impl Drop for Timed {
    fn drop(&mut self) {
        if let Some(clock) = &self.0 {
            let mut spent = clock.spent();
            if let Some(since) = spent.since.take() {
                spent.before += since.elapsed();
            }
        }
    }
}

/// Progress, the wish to stop and the time there is, cheap to clone and shared by everything one run does.
#[derive(Clone)]
pub struct Control {
    progress: Arc<dyn Progress>,
    stop: Arc<AtomicBool>,
    clock: Option<Arc<Clock>>,
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
        Self { progress, stop, clock: None }
    }

    /// The same with a limit to the time that scripts may work, if there is one.
    pub fn within(self, limit: Option<Duration>) -> Self {
        let clock = |limit| Arc::new(Clock { limit, spent: Mutex::default() });
        Self { clock: limit.map(clock), ..self }
    }

    /// The same, with progress that goes elsewhere.
    pub fn reporting(&self, progress: Arc<dyn Progress>) -> Self {
        Self { progress, ..self.clone() }
    }

    /// A script begins to work: the clock goes until what this gives is dropped.
    pub fn begin_time(&self) -> Timed {
        if let Some(clock) = &self.clock {
            clock.spent().since = Some(Instant::now());
        }
        Timed(self.clock.clone())
    }

    /// All the time there is may be spent anew: a person typed another cell.
    pub fn restart_time(&self) {
        if let Some(clock) = &self.clock {
            *clock.spent() = Spent::default();
        }
    }

    /// Whether there is a limit to the time that scripts may work.
    pub fn is_timed(&self) -> bool {
        self.clock.is_some()
    }

    /// By how much the work under way has gone over its time; nothing where it has not, or there is no limit.
    pub fn is_late_by(&self) -> Option<Duration> {
        let clock = self.clock.as_ref()?;
        let spent = clock.spent();
        let all = spent.before + spent.since?.elapsed();
        all.checked_sub(clock.limit)
    }

    /// The error of work that has gone over its time.
    pub fn too_late(&self) -> Error {
        let limit = self.clock.as_ref().map_or(Duration::ZERO, |clock| clock.limit);
        Error::failed_with_hint(
            format!("this needs more than the {} s that the script may take", limit.as_secs_f64()),
            "--max-time TIME, such as --max-time 2h, raises it",
        )
    }

    /// No progress, never stopped.
    pub fn silent() -> Self {
        Self::new(Arc::new(Silent), Arc::new(AtomicBool::new(false)))
    }

    /// The same wish to stop, and no progress.
    pub fn quietly(&self) -> Self {
        Self::new(Arc::new(Silent), self.stop.clone())
    }

    pub fn begin(&self, label: &str, total: u64, unit: &str) -> Box<dyn Task> {
        self.progress.begin(label, total, unit)
    }

    /// `Err(Error::Interrupted)` once the user has asked to stop, and an error once the run has taken more memory or more time
    /// than it may. Call it between units of work.
    pub fn check(&self) -> Result<()> {
        if self.is_stopped() {
            return Err(Error::Interrupted);
        }
        if self.is_late_by().is_some() {
            return Err(self.too_late());
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
