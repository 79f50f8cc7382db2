//! Exit codes, and what is said where the command line makes no sense.

/// The run did what it was asked to.
pub const DONE: u8 = 0;
/// The script failed.
pub const FAILED: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// Stopped by Ctrl-C or a signal to end, as shells count it.
pub const STOPPED: u8 = 130;

/// Prints help, the version or what is wrong with the command line.
pub fn show_usage(error: &clap::Error) -> u8 {
    let text = error.render().to_string();
    let shown = crate::plain::printable(&text);
    // Nobody is left to be told when this cannot be printed.
    let _ = if shown == text {
        error.print()
    } else {
        // Words of the command line that would steer the terminal: without colours they can be told from clap's own.
        std::io::Write::write_all(&mut std::io::stderr(), shown.as_bytes())
    };
    u8::try_from(error.exit_code()).unwrap_or(USAGE)
}
