//! Ctrl-C, and the signals that end a program: work stops between two units of it and the record is closed; a second signal
//! ends the program at once, with the record saying so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::exit::STOPPED;
use crate::allocator;
use crate::control;
use crate::error::Error;
use crate::notebook::record::Abandoned;
use crate::place;

/// How long a run's work may take to hear that it shall stop.
const PATIENCE: Duration = Duration::from_millis(900);
/// A signal came that asks the program to end, not only its present work.
static TERMINATED: AtomicBool = AtomicBool::new(false);
/// Nothing is under way: the program waits for a person.
static WAITING: AtomicBool = AtomicBool::new(false);
/// What is left to write where the program ends at once.
static LAST_WORD: Mutex<Option<Abandoned>> = Mutex::new(None);

/// A flag that Ctrl-C and the ending signals set. A second one before the flag is taken back ends the program at once.
pub fn listen() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Without a handler Ctrl-C still ends the program, only less politely.
    let heard = ctrlc::set_handler(move || {
        control::make_unheard();
        let again = flag.swap(true, Ordering::Relaxed);
        if again || is_terminated() && WAITING.load(Ordering::Relaxed) {
            leave();
        }
        leave_unless_heard(Arc::clone(&flag));
    });
    if heard.is_ok() {
        hear_endings();
    }
    stop
}

/// Ends a run whose work does not hear the wish to stop: a single call into a library that takes long. Work that has heard
/// it may take its time to leave things in order, and the prompt waits.
fn leave_unless_heard(flag: Arc<AtomicBool>) {
    let wait = move || {
        std::thread::sleep(PATIENCE);
        let is_run = LAST_WORD.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if is_run && flag.load(Ordering::Relaxed) && !control::is_heard() {
            leave();
        }
    };
    // Without a thread for it, a second Ctrl-C ends the program.
    let _ = std::thread::Builder::new().spawn(wait);
}

/// Whether the program is asked to end once its present work has stopped.
pub fn is_terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
}

/// Says whether the program waits for a person, so that a signal to end has nothing to stop first.
pub fn wait(waiting: bool) {
    WAITING.store(waiting, Ordering::Relaxed);
}

/// Asks a process that this one began to stop as Ctrl-C would.
pub fn ask_to_stop(child: &std::process::Child) {
    #[cfg(unix)]
    if let Ok(id) = i32::try_from(child.id()) {
        // SAFETY: a plain system call; the child was not waited for yet, so its number is still its own.
        unsafe { libc::kill(id, libc::SIGINT) };
    }
    #[cfg(not(unix))]
    let _ = child;
}

/// What is to be written where the program ends at once; `None` once the record is closed.
pub fn set_last_word(word: Option<Abandoned>) {
    *LAST_WORD.lock().unwrap_or_else(PoisonError::into_inner) = word;
}

/// Says in the record of a run under way, if there is one, how it ended, and over what. The program ends on this thread.
pub fn close_record(status: &str, error: Option<&Error>) {
    allocator::take_the_end();
    let word = LAST_WORD.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(word) = word {
        word.write(status, error);
    }
}

fn leave() -> ! {
    close_record("stopped", None);
    place::abandon();
    std::process::exit(i32::from(STOPPED));
}

/// SIGTERM and SIGHUP become a Ctrl-C that ends the program; where whoever started it had one ignored (nohup), it stays so.
#[cfg(unix)]
fn hear_endings() {
    extern "C" fn end(_signal: libc::c_int) {
        TERMINATED.store(true, Ordering::Relaxed);
        // SAFETY: `raise` may be called in a handler; the one for SIGINT only posts a semaphore.
        unsafe { libc::raise(libc::SIGINT) };
    }
    let end = end as extern "C" fn(libc::c_int) as libc::sighandler_t;
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler stores an atomic and raises a signal, both of which a handler may do.
        unsafe {
            if libc::signal(signal, end) == libc::SIG_IGN {
                libc::signal(signal, libc::SIG_IGN);
            }
        }
    }
}

#[cfg(not(unix))]
fn hear_endings() {}
