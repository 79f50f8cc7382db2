//! The program: everything is in the library; see `src/README.md` for its map.

use ebb::allocator::Budgeted;
use mimalloc::MiMalloc;

/// glibc's allocator gives the pages of every training step back to the system, only to ask for them again.
#[global_allocator]
static ALLOCATOR: Budgeted<MiMalloc> = Budgeted(MiMalloc);

fn main() -> std::process::ExitCode {
    // SAFETY: no other thread runs yet, so nobody reads the environment meanwhile.
    unsafe { ebb::cli::prepare_environment() };
    ebb::cli::main()
}
