//! The program's allocator, which knows the run's budget: what is asked for beyond it, or refused by the system, ends in a
//! sentence and not in an abort.
//!
//! Most work asks beforehand (`memory.rs`); this is what stands behind it. An allocator may not unwind, so there are two
//! ends only: the program's, by what the door has set, and a metered thread's. A metered thread runs what a stranger wrote
//! (a chat template) and may take so much and no more: it is left standing where it asks for more, and whoever waits for it
//! is told. What it had until then stays taken.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::guard::guarded;
use crate::memory;

/// Allocations from this size on are counted: few enough that the count costs nothing, and all that can exceed a budget at
/// once.
const LARGE: usize = 1 << 20;
/// Allocations in which a metered thread may be left standing. Smaller ones happen while locks are held that others need.
const STANDING: usize = 1 << 12;
/// How often whoever waits for a metered thread looks whether it stands.
const PATIENCE: Duration = Duration::from_millis(20);

/// Bytes of large allocations at present.
static TAKEN: AtomicI64 = AtomicI64::new(0);
/// The program's end is under way; whoever comes after waits for it.
static ENDING: AtomicBool = AtomicBool::new(false);
/// What ends the program, set by the door.
static END: OnceLock<fn(Refusal) -> !> = OnceLock::new();

thread_local! {
    /// Bytes that this thread may still take, and what tells that it stands; `None` where it is not metered.
    static METER: Cell<Option<(i64, *const AtomicBool)>> = const { Cell::new(None) };
    /// This thread ends the program, and may take what that needs.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// Bytes that are not granted, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Budget(u64),
    System(u64),
}

/// Sets what ends the program where memory is refused. The first one set stays.
pub fn set_end(end: fn(Refusal) -> !) {
    let _ = END.set(end);
}

/// An allocator with the budget in front of it.
pub struct Budgeted<A>(pub A);

// SAFETY: every request goes to the allocator behind, unchanged, or does not return.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Budgeted<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        admit(0, layout.size());
        // SAFETY: the caller's promises are the ones that are asked for.
        granted(unsafe { self.0.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        admit(0, layout.size());
        // SAFETY: as above.
        granted(unsafe { self.0.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        admit(layout.size(), size);
        // SAFETY: as above.
        granted(unsafe { self.0.realloc(place, layout, size) }, size)
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        admit(layout.size(), 0);
        // SAFETY: as above.
        unsafe { self.0.dealloc(place, layout) }
    }
}

/// Counts a piece of memory that changes its size, and does not return where it may not grow.
fn admit(before: usize, after: usize) {
    meter(before, after);
    if before < LARGE && after < LARGE {
        return;
    }
    let counted = |size: usize| if size < LARGE { 0 } else { size as i64 };
    let grown = counted(after) - counted(before);
    let taken = TAKEN.fetch_add(grown, Ordering::Relaxed) + grown;
    if grown > 0
        && let Some(limit) = memory::limit()
        && u64::try_from(taken).is_ok_and(|taken| taken > limit)
    {
        TAKEN.fetch_sub(grown, Ordering::Relaxed);
        end(Refusal::Budget(after as u64));
    }
}

fn meter(before: usize, after: usize) {
    // A thread that is ending has no meter left, and needs none.
    let Some((left, stands)) = METER.try_with(Cell::get).ok().flatten() else {
        return;
    };
    let left = left.saturating_add(before as i64).saturating_sub(after as i64);
    METER.set(Some((left, stands)));
    if left < 0 && after > before && after >= STANDING {
        METER.set(None);
        // SAFETY: `metered` keeps the flag on this thread's stack, which is not left from here.
        unsafe { &*stands }.store(true, Ordering::Release);
        stand();
    }
}

fn granted(place: *mut u8, size: usize) -> *mut u8 {
    if place.is_null() {
        end(Refusal::System(size as u64));
    }
    place
}

/// Ends the program by the door's means; without a door the request is let through and the system decides.
fn end(refusal: Refusal) {
    let Some(end) = END.get() else {
        return;
    };
    if ENDS.try_with(Cell::get) == Ok(true) {
        return;
    }
    take_the_end();
    end(refusal)
}

/// Makes this thread the one that ends the program: what it allocates from here on is granted, and another that would end it
/// too goes no further, so that the last word is written by one alone and to its end.
pub fn take_the_end() {
    if ENDS.try_with(Cell::get) == Ok(true) {
        return;
    }
    if ENDING.swap(true, Ordering::SeqCst) {
        stand();
    }
    ENDS.set(true);
}

/// This thread goes no further.
fn stand() -> ! {
    loop {
        std::thread::park();
    }
}

/// What `work` gives on a thread of its own that may take so many bytes more than it gives back, with so large a stack; `None`
/// where it asked for more, or failed. Without [`Budgeted`] as the program's allocator nothing is counted.
pub fn metered<T: Send + 'static>(
    bytes: u64,
    stack: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<Metered<T>> {
    let (tell, told) = sync_channel(1);
    let stands = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stands);
    let thread = std::thread::Builder::new().stack_size(stack);
    thread.spawn(move || {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        METER.set(Some((bytes, Arc::as_ptr(&flag))));
        let result = guarded(work);
        METER.set(None);
        drop(flag);
        if let Some(result) = result {
            // Where this fails nobody waits any more.
            let _ = tell.send(result);
        }
    })?;
    loop {
        match told.recv_timeout(PATIENCE) {
            Ok(result) => return Ok(Metered::Done(result)),
            Err(RecvTimeoutError::Disconnected) => return Ok(Metered::Failed),
            Err(RecvTimeoutError::Timeout) if stands.load(Ordering::Acquire) => {
                return Ok(Metered::Exceeded);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// What came of metered work.
pub enum Metered<T> {
    Done(T),
    /// It asked for more than it may take.
    Exceeded,
    /// It panicked.
    Failed,
}
