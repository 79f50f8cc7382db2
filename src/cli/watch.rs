//! The run's budgets of memory and of time, kept from the outside: a watcher that looks at the program's size or the clock, and the program's end where
//! neither asking beforehand nor stopping between units of work has kept it within.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::exit::FAILED;
use super::progress::Bars;
use super::screen::{Screen, Stream};
use super::signals;
use crate::allocator::{self, Refusal};
use crate::control::{self, Control};
use crate::error::Error;
use crate::memory;
use crate::place;

/// How often the size is looked at: memory is filled with some gigabytes a second.
const EVERY: Duration = Duration::from_millis(20);
/// By how much work that is asked to stop may go over before it does, at the least.
const SLACK: u64 = 32 << 20;

/// Sets the budget, or the usual one, and begins to watch over it.
pub fn begin(asked: Option<u64>) {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    let Some(limit) = asked.or_else(memory::usual_limit) else {
        return;
    };
    memory::set_limit(limit);
    allocator::set_end(refuse);
    if BEGUN.swap(true, Ordering::Relaxed) {
        return;
    }
    // Without the watcher there are still the checks in front and the allocator's count.
    let _ = std::thread::Builder::new().spawn(move || watch(limit));
}

/// How long work may go on over its time before the program ends: it is asked to stop between two units of work, and a single
/// call into a library that takes long does not hear it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends a run that goes on over its time and does not hear that it shall stop. Work with checkpoints is left to save.
pub fn over_time(control: &Control) {
    if !control.is_timed() {
        return;
    }
    let control = control.clone();
    let watch = move || {
        while control.is_late_by().is_none_or(|late| late < PATIENCE) || control::is_saving() {
            std::thread::sleep(EVERY);
        }
        leave(&control.too_late());
    };
    // Without the watcher there are still the checks between units of work.
    let _ = std::thread::Builder::new().spawn(watch);
}

/// Over the budget, work is asked to stop between two units of it; what goes on growing does not ask, and is ended.
fn watch(limit: u64) {
    let most = limit.saturating_add(SLACK.max(limit / 10));
    while let Some(mut taken) = memory::taken() {
        if taken > limit {
            memory::reclaim();
            taken = memory::taken().unwrap_or(taken);
        }
        memory::set_over(taken > limit);
        if taken > most {
            leave(&memory::exceeded("the script"));
        }
        std::thread::sleep(EVERY);
    }
}

/// The end for an allocation that would go over the budget or that the system refuses.
fn refuse(refusal: Refusal) -> ! {
    let at_once = |bytes| format!("the script, which asks for {} at once,", memory::shown(bytes));
    leave(&match refusal {
        Refusal::Budget(bytes) => memory::exceeded(&at_once(bytes)),
        Refusal::System(bytes) => Error::failed_with_hint(
            format!("{} gets no more memory from the system", at_once(bytes)),
            "work on less at a time, or end other programs",
        ),
    })
}

/// Closes the record, says why and ends.
fn leave(error: &Error) -> ! {
    signals::close_record("failed", Some(error));
    let screen = Screen::new(Stream::Error, Bars::new());
    screen.remark(&screen.style().error(error));
    place::abandon();
    std::process::exit(i32::from(FAILED))
}
