//! The program: everything is in the library; see `src/README.md` for its map.

fn main() -> std::process::ExitCode {
    ebb::cli::main()
}
