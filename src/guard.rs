//! A wall around libraries that panic over what strangers' files hold.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives; `None` where it panicked. `work` must own what it changes, or throw it away.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    let before = GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    outcome.ok()
}

/// Whether this thread is behind the wall: a panic there is told as an error and needs no message of its own.
pub fn is_guarded() -> bool {
    GUARDED.get()
}
