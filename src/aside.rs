//! Work done aside, on a thread of its own, while the one who asked for it listens whether the user wants to stop.
//!
//! What libraries do in one call (polars' plans, a tokenizer's training) cannot be interrupted. Done aside it need not be:
//! who asked goes on at once, and what the work gives later is thrown away. Its thread has a stack for deep plans, too.

use std::cell::RefCell;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::guard;

/// How often the wish to stop is asked for.
const TURN: Duration = Duration::from_millis(20);
/// Bytes of stack: room, of which only what is used takes memory.
const STACK: usize = 1 << 28;

thread_local! {
    /// What the work of this thread belongs to.
    static PRESENT: RefCell<Control> = RefCell::new(Control::silent());
}

/// Puts back what the thread's work belonged to before, also after a panic.
struct Before(Option<Control>);

impl Drop for Before {
    fn drop(&mut self) {
        if let Some(control) = self.0.take() {
            PRESENT.set(control);
        }
    }
}

/// Does work of which [`check`] and [`aside`] know whether it shall stop.
pub fn under<T>(control: &Control, work: impl FnOnce() -> T) -> T {
    let _before = Before(Some(PRESENT.replace(control.clone())));
    work()
}

/// What the work of this thread belongs to: to be taken along to other threads.
pub fn present() -> Control {
    PRESENT.with_borrow(Control::clone)
}

/// `Err(Error::Interrupted)` once the user has asked to stop what this thread does. Call it between units of work.
pub fn check() -> Result<()> {
    PRESENT.with_borrow(Control::check)
}

/// What `work` gives, or that it was interrupted: then it ends by itself, or at its next [`check`].
pub fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let control = present();
    control.check()?;
    let (done, outcome) = channel();
    let inner = control.clone();
    let begin = move || {
        // Nobody listens any more where the user stopped it.
        let _ = done.send(guard::guarded(|| under(&inner, work)));
    };
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(begin)
        .map_err(|error| Error::failed(format!("the system gives no thread: {error}")))?;
    loop {
        match outcome.recv_timeout(TURN) {
            Ok(Some(Ok(done))) => return Ok(done),
            Ok(Some(Err(error))) => {
                // What stopped may have told it in a library's own words.
                control.check()?;
                return Err(error);
            }
            Ok(None) | Err(RecvTimeoutError::Disconnected) => return Err(guard::fault()),
            Err(RecvTimeoutError::Timeout) => control.check()?,
        }
    }
}
