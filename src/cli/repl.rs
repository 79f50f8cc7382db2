//! The prompt: a session that grows line by line, with history, multi-line input, and Ctrl-C that stops work only.

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use clap::ArgMatches;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Editor, Helper};

use super::arguments::Common;
use super::exit::{DONE, FAILED, STOPPED, USAGE};
use super::progress::Bars;
use super::screen::{Screen, Stream};
use super::{environment, host, signals};
use crate::doorway::Roots;
use crate::notebook::runner::{self, Desk};
use crate::script::engine::Session;

/// What the editor asks whether a text is complete.
struct Input(Rc<RefCell<Session>>);

impl Validator for Input {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(if self.0.borrow().is_unfinished(context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

impl Completer for Input {
    type Candidate = String;
}

impl Hinter for Input {
    type Hint = String;
}

impl Highlighter for Input {}

impl Helper for Input {}

/// A session with where its values go.
struct Prompt {
    session: Rc<RefCell<Session>>,
    desk: Rc<RefCell<Desk>>,
    screen: Screen,
}

/// Opens the prompt; standard input that is no terminal is read as if typed.
pub fn main(matches: &ArgMatches) -> u8 {
    let common = Common::of(matches);
    let bars = Bars::new();
    let screen = Screen::new(Stream::Out, bars.clone());
    let host = match host::host(&common, &bars) {
        Ok(host) => Rc::new(host),
        Err(error) => {
            screen.remark(&screen.style().error(&error));
            return USAGE;
        }
    };
    let desk = Desk::new(Box::new(screen.clone()), None);
    host::listen(&host, &desk);
    let prompt =
        Prompt { session: Rc::new(RefCell::new(Session::new(host, "input"))), desk, screen };
    if std::io::stdin().is_terminal() { prompt.converse() } else { prompt.read_all() }
}

impl Prompt {
    /// Evaluates what was typed and shows its value or error; says whether it went well.
    fn evaluate(&self, text: &str) -> bool {
        let mut session = self.session.borrow_mut();
        let stop = session.host().control.stop_flag().clone();
        stop.store(false, Ordering::Relaxed);
        let result = runner::one(&mut session, &self.desk, "", text);
        stop.store(false, Ordering::Relaxed);
        if let Err(error) = &result {
            let drawn = if error.interrupted {
                "\nstopped\n".to_string()
            } else {
                self.screen.style().script_error(error)
            };
            self.screen.remark(&drawn);
        }
        result.is_ok()
    }

    /// Reads lines from a person until Ctrl-D.
    fn converse(&self) -> u8 {
        let mut editor = match Editor::<Input, DefaultHistory>::new() {
            Ok(editor) => editor,
            Err(_) => return self.read_all(),
        };
        editor.set_helper(Some(Input(self.session.clone())));
        let history = environment::history_file();
        if let Some(file) = &history {
            // The first time there is no history yet.
            if Roots::anywhere().find(file).is_ok() {
                let _ = editor.load_history(file);
            }
        }
        self.screen.write(&format!(
            "ebb {}. A line is evaluated when it is complete; Ctrl-C stops work, Ctrl-D ends.\n",
            env!("CARGO_PKG_VERSION")
        ));
        let mut code = DONE;
        loop {
            signals::wait(true);
            if signals::is_terminated() {
                code = STOPPED;
                break;
            }
            let line = editor.readline("> ");
            signals::wait(false);
            match line {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => {
                    // A history that cannot be kept is no reason to stop.
                    let _ = editor.add_history_entry(text.as_str());
                    self.evaluate(&text);
                }
                Err(ReadlineError::Interrupted) => {}
                Err(_) => break,
            }
        }
        if let Some(file) = &history {
            let kept = file.parent().map(std::fs::create_dir_all);
            if matches!(kept, Some(Ok(()))) {
                let _ = editor.append_history(file);
            }
        }
        code
    }

    /// Reads standard input to its end, piece by complete piece. One that fails fails the whole, after the rest was tried.
    fn read_all(&self) -> u8 {
        let mut code = DONE;
        let mut text = String::new();
        let mut lines = std::io::stdin().lock().lines();
        loop {
            signals::wait(true);
            if signals::is_terminated() {
                return STOPPED;
            }
            let line = lines.next();
            signals::wait(false);
            let Some(Ok(line)) = line else { break };
            text.push_str(&line);
            text.push('\n');
            let unfinished = self.session.borrow().is_unfinished(&text);
            if !unfinished && !self.evaluate(&std::mem::take(&mut text)) {
                code = FAILED;
            }
        }
        if !text.trim().is_empty() && !self.evaluate(&text) {
            code = FAILED;
        }
        code
    }
}
