//! The program: everything is in the library; see `src/README.md` for its map.

use ebb::allocator::Budgeted;
use mimalloc::MiMalloc;

/// glibc's allocator gives the pages of every training step back to the system, only to ask for them again.
#[global_allocator]
static ALLOCATOR: Budgeted<MiMalloc> = Budgeted(MiMalloc);

unsafe extern "C" {
    /// mimalloc's own: what is free but kept for later goes back to the system.
    fn mi_collect(force: bool);
}

fn main() -> std::process::ExitCode {
    // SAFETY: mimalloc is the program's allocator, and collecting is safe on any thread at any time.
    ebb::memory::set_reclaim(|| unsafe { mi_collect(true) });
    // SAFETY: no other thread runs yet, so nobody reads the environment meanwhile.
    unsafe { ebb::cli::prepare_environment() };
    ebb::cli::main()
}
