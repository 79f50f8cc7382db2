//! The program: everything is in the library; see `src/README.md` for its map.

use std::ffi::{c_int, c_long};

use ebb::allocator::Budgeted;
use mimalloc::MiMalloc;

/// glibc's allocator gives the pages of every training step back to the system, only to ask for them again.
#[global_allocator]
static ALLOCATOR: Budgeted<MiMalloc> = Budgeted(MiMalloc);

unsafe extern "C" {
    /// mimalloc's own: what is free but kept for later goes back to the system.
    fn mi_collect(force: bool);
    /// mimalloc's options, by their places in its list.
    fn mi_option_get(option: c_int) -> c_long;
    fn mi_option_set(option: c_int, value: c_long);
}

/// For how many milliseconds what is free is kept for later (`mi_option_purge_delay`).
const PURGE_DELAY: c_int = 15;

/// Keeps what is free for longer than a training step takes: pages that went back to the system come again cleared, which
/// costs as much as a sixth of a step. What a run needs beyond its budget is collected before.
fn keep_pages() {
    const USUAL: c_long = 1_000;
    const LONGER: c_long = 20_000;
    // SAFETY: mimalloc is the program's allocator; an option is one number, read anew each time.
    unsafe {
        // Whoever sets the option in the environment means it; in a mimalloc with another list another number is here.
        if mi_option_get(PURGE_DELAY) == USUAL {
            mi_option_set(PURGE_DELAY, LONGER);
        }
    }
}

fn main() -> std::process::ExitCode {
    keep_pages();
    // SAFETY: mimalloc is the program's allocator, and collecting is safe on any thread at any time.
    ebb::memory::set_reclaim(|| unsafe { mi_collect(true) });
    // SAFETY: no other thread runs yet, so nobody reads the environment meanwhile.
    unsafe { ebb::cli::prepare_environment() };
    ebb::cli::main()
}
