//! The doors: one file a command. Only here are the terminal, exit codes, the environment and the home folder.
//!
//! Exit codes: 0 done, 1 the script failed, 2 wrong usage, 130 stopped by Ctrl-C or a signal to end. A reader that goes away (a broken
//! pipe) is no failure.

mod arguments;
mod bundle;
mod check;
mod doc;
mod draw;
mod environment;
mod evaluate;
mod exit;
mod export;
mod gather;
mod host;
mod import;
mod kernel;
mod new;
mod permissions;
mod progress;
mod prose;
mod repl;
mod report;
mod resume;
mod run;
mod runs;
mod screen;
mod signals;
mod site;
mod sweep;
mod verify;
mod watch;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Command;

use self::exit::{FAILED, show_usage};
use crate::{guard, place};

/// Sizes of the stack that all work is done on, in bytes: the first that the system grants.
const STACKS: [usize; 3] = [4 << 30, 512 << 20, 64 << 20];

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
    guard::note_panics();
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().to_string()).collect();
    let code = on_a_large_stack(move || open(&words));
    // Work that was stopped may still be writing aside.
    place::abandon();
    ExitCode::from(code)
}

/// The whole program.
fn program() -> Command {
    let others = [
        new::command(),
        check::command(),
        import::command(),
        export::command(),
        sweep::command(),
        gather::command(),
        verify::command(),
        bundle::command(),
        runs::command(),
        kernel::command(),
        doc::command(),
    ];
    arguments::program().subcommands(others)
}

fn open(words: &[String]) -> u8 {
    match words.split_first() {
        Some((command, rest)) if command == "run" => run::main(rest),
        Some((command, rest)) if command == "sweep" => sweep::main(rest),
        Some((command, rest)) if command == "bundle" => bundle::main(rest),
        _ => match program()
            .try_get_matches_from(std::iter::once("ebb").chain(words.iter().map(String::as_str)))
        {
            Ok(matches) => match matches.subcommand() {
                Some(("kernel", options)) => kernel::main(options),
                Some(("doc", options)) => doc::main(options, program()),
                Some(("new", options)) => new::main(options),
                Some(("check", options)) => check::main(options),
                Some(("import", options)) => import::main(options),
                Some(("export", options)) => export::main(options),
                Some(("runs", options)) => runs::main(options),
                Some(("gather", options)) => gather::main(options),
                Some(("verify", options)) => verify::main(options),
                Some((_, options)) => repl::main(options),
                None => match matches.get_one::<String>("evaluate") {
                    Some(code) => evaluate::main(code, &matches),
                    None => repl::main(&matches),
                },
            },
            Err(error) => show_usage(&error),
        },
    }
}

/// Does all work on a stack that is large enough for the deepest value a script can build: parsing, showing and dropping
/// one goes down into it level by level. Only what is used of the stack takes memory; where the system grants no such
/// room, less is asked for.
fn on_a_large_stack(work: impl FnOnce() -> u8 + Send + 'static) -> u8 {
    let work = Arc::new(Mutex::new(Some(work)));
    for size in STACKS {
        let work = Arc::clone(&work);
        let begin = move || {
            let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
            work.map_or(FAILED, |work| work())
        };
        if let Ok(thread) = std::thread::Builder::new().stack_size(size).spawn(begin) {
            return thread.join().unwrap_or_else(|_| {
                let fault = guard::fault();
                signals::close_record("failed", Some(&fault));
                let screen = screen::Screen::new(screen::Stream::Error, progress::Bars::new());
                screen.remark(&screen.style().error(&fault));
                FAILED
            });
        }
    }
    let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
    work.map_or(FAILED, |work| work())
}
