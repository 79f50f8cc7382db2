//! The doors: one file a command. Only here are the terminal, exit codes, the environment and the home folder.
//!
//! Exit codes: 0 done, 1 the script failed, 2 wrong usage, 130 stopped by Ctrl-C. A reader that goes away (a broken
//! pipe) is no failure.

mod arguments;
mod draw;
mod environment;
mod host;
mod progress;
mod repl;
mod run;
mod screen;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The run did what it was asked to.
const DONE: u8 = 0;
/// The script failed.
const FAILED: u8 = 1;
/// The command line makes no sense.
const USAGE: u8 = 2;
/// Stopped by Ctrl-C, as shells count it.
const STOPPED: u8 = 130;

/// Settles what the libraries below read from the environment. candle's own threads wait by spinning and take the cores
/// from our kernels, which have rayon's; its elementwise operations are small, so one thread is enough for them.
///
/// # Safety
/// Call it before any other thread is started: the environment is not guarded against readers.
pub unsafe fn prepare_environment() {
    if std::env::var_os("CANDLE_NUM_THREADS").is_none() {
        // SAFETY: the caller promises that no other thread runs.
        unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    }
}

/// Reads the command line and opens the door it asks for.
pub fn main() -> ExitCode {
    // What strangers' files make a library panic over is told as an error, and needs no second message.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !crate::guard::is_guarded() {
            usual(info);
        }
    }));
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().to_string())
        .collect();
    let code = match words.split_first() {
        Some((command, rest)) if command == "run" => run::main(rest),
        _ => match arguments::program()
            .try_get_matches_from(std::iter::once("ebb").chain(words.iter().map(String::as_str)))
        {
            Ok(matches) => repl::main(matches.subcommand_matches("repl").unwrap_or(&matches)),
            Err(error) => show_usage(&error),
        },
    };
    ExitCode::from(code)
}

/// Prints help, the version or what is wrong with the command line.
fn show_usage(error: &clap::Error) -> u8 {
    // Nobody is left to be told when this cannot be printed.
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(USAGE)
}

/// A flag that Ctrl-C sets. A second Ctrl-C before the flag is taken back ends the program at once.
fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Without a handler Ctrl-C still ends the program, only less politely.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(STOPPED));
        }
    });
    stop
}
