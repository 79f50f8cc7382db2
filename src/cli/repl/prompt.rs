//! What a prompt has: the session, where its values go, and what worked so far.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::cli::screen::Screen;
use crate::display::Output;
use crate::notebook;
use crate::notebook::cells::{self, Content};
use crate::notebook::outcome::{Item, Ran};
use crate::notebook::runner::{self, Desk, Front};
use crate::script::engine::Session;
use crate::script::host::Host;
use crate::script::report::ScriptError;

/// What errors call what was typed.
const NAME: &str = "input";
/// Seconds from which the time of a cell is always shown.
const LONG: f64 = 1.0;

/// A session with where its values go.
pub struct Prompt {
    pub session: Rc<RefCell<Session>>,
    pub host: Rc<Host>,
    pub desk: Rc<RefCell<Desk>>,
    pub screen: Screen,
    /// Whether the time of every cell is shown.
    pub timed: Cell<bool>,
    /// The cells that worked, with what they showed, for `:save` and `:report`.
    pub worked: RefCell<Vec<Ran>>,
    /// What this prompt saved, and may save again.
    pub saved: RefCell<Vec<PathBuf>>,
}

/// A session that knows the last value as `_`.
pub fn fresh(host: &Rc<Host>) -> Session {
    let mut session = Session::new(host.clone(), NAME);
    session.keep_last();
    session
}

impl Prompt {
    pub fn show_item(&self, item: &Item) {
        self.screen.clone().show(item);
    }

    pub fn show(&self, output: Output) {
        self.show_item(&Item::Output(output));
    }

    /// Forgets all variables and functions; what worked can still be saved.
    pub fn forget(&self) {
        *self.session.borrow_mut() = fresh(&self.host);
    }

    fn say(&self, error: &ScriptError) {
        let drawn = if error.interrupted {
            "\nstopped; the variables are kept\n".to_string()
        } else {
            self.screen.style().script_error(error)
        };
        self.screen.remark(&drawn);
    }

    /// Runs a script's cells in this session; says whether all went well.
    pub fn run(&self, name: &str, text: &str) -> bool {
        let text = text.replace("\r\n", "\n");
        let mut session = self.session.borrow_mut();
        // Lines count from here on: the session's text goes on with the script's.
        session.rename(name);
        let stop = session.host().control.stop_flag().clone();
        stop.store(false, Ordering::Relaxed);
        session.host().restart();
        let outcome = runner::run(&mut session, &self.desk, &text, &cells::split(&text));
        stop.store(false, Ordering::Relaxed);
        session.rename(NAME);
        let failed = outcome.error.is_some();
        let worked = outcome.ran.len() - usize::from(failed);
        self.worked.borrow_mut().extend(outcome.ran.into_iter().take(worked));
        if let Some(error) = &outcome.error {
            self.say(error);
        }
        !failed
    }

    /// Evaluates code and shows its value or error; says whether it went well.
    pub fn evaluate_code(&self, text: &str) -> bool {
        let mut session = self.session.borrow_mut();
        let stop = session.host().control.stop_flag().clone();
        stop.store(false, Ordering::Relaxed);
        session.host().restart();
        let begun = Instant::now();
        let result = runner::one(&mut session, &self.desk, "", text);
        let seconds = begun.elapsed().as_secs_f64();
        stop.store(false, Ordering::Relaxed);
        let items = self.desk.borrow_mut().take_items();
        match &result {
            Ok(_) => {
                let content = Content::Code(text.to_string());
                let cell = notebook::cells::Cell { title: String::new(), content, lines_before: 0 };
                self.worked.borrow_mut().push(Ran { cell, items, seconds });
            }
            Err(error) => self.say(error),
        }
        if self.timed.get() || seconds >= LONG {
            self.screen.remark(&self.screen.style().dim(&format!("{seconds:.1} s\n")));
        }
        result.is_ok()
    }
}
