//! The prompt: a session that grows cell by cell, with history, help, and Ctrl-C that stops work only.

mod commands;
mod helper;
mod history;
mod prompt;

use std::cell::{Cell, RefCell};
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::rc::Rc;

use clap::ArgMatches;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor};

use self::helper::Typing;
use self::prompt::{Prompt, fresh};
use super::arguments::Common;
use super::exit::{DONE, FAILED, STOPPED, USAGE};
use super::progress::Bars;
use super::screen::{Screen, Stream};
use super::{host, signals};
use crate::doorway::Roots;
use crate::notebook::record::Record;
use crate::notebook::runner::Desk;
use crate::script::host::{normal_form, real_form};

/// Inputs that are kept.
const HISTORY: usize = 10_000;

/// Opens the prompt, after a script if one is named; standard input that is no terminal is read as if typed.
pub fn main(matches: &ArgMatches) -> u8 {
    let common = Common::of(matches);
    let bars = Bars::new();
    let screen = Screen::new(Stream::Out, bars.clone());
    let script = matches.try_get_one::<String>("SCRIPT").ok().flatten();
    let text = script.map(|script| Roots::anywhere().text(Path::new(script))).transpose();
    let begun = text.and_then(|text| Ok((text, host::host(&common, &bars)?)));
    let (text, mut host) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            screen.remark(&screen.style().error(&error));
            return USAGE;
        }
    };
    let folder = script.and_then(|script| Path::new(script).parent());
    host.script_folder =
        folder.and_then(|folder| real_form(&normal_form(&host.working_folder.join(folder))).ok());
    let host = Rc::new(host);
    let record = Record::unkept("the prompt", "", vec!["ebb".to_string()], &host);
    let desk = Desk::new(Box::new(screen.clone()), Some(record));
    host::listen(&host, &desk);
    let prompt = Prompt {
        session: Rc::new(RefCell::new(fresh(&host))),
        host,
        desk,
        screen,
        timed: Cell::new(false),
        worked: RefCell::default(),
        saved: RefCell::default(),
    };
    let mut code = DONE;
    if let (Some(script), Some(text)) = (script, text)
        && !prompt.run(script, &text)
    {
        code = FAILED;
    }
    let typed = if std::io::stdin().is_terminal() { prompt.converse() } else { prompt.read_all() };
    code.max(typed)
}

impl Prompt {
    /// Evaluates what was typed and shows its value or error; says whether it went well.
    fn evaluate(&self, text: &str) -> bool {
        if commands::is_command(text) {
            return commands::carry_out(self, text);
        }
        let answer = self.session.borrow().answer(text);
        if let Some(answer) = answer {
            self.show(answer);
            return true;
        }
        self.evaluate_code(text)
    }

    /// The line editor, set up for a terminal.
    fn editor(&self) -> rustyline::Result<Editor<Typing, DefaultHistory>> {
        let style = self.screen.style();
        let colours = if style.colour { ColorMode::Enabled } else { ColorMode::Disabled };
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .completion_show_all_if_ambiguous(true)
            .color_mode(colours)
            .max_history_size(HISTORY)?
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(Typing {
            session: self.session.clone(),
            width: style.width,
            colour: style.colour,
            last: Cell::new(false),
        }));
        Ok(editor)
    }

    /// Reads cells from a person until Ctrl-D.
    fn converse(&self) -> u8 {
        let Ok(mut editor) = self.editor() else {
            return self.read_all();
        };
        let (kept, trouble) = history::load(&mut editor);
        self.screen.write(&format!(
            "ebb {}. help() shows where to begin, Tab completes, Ctrl-C stops work, Ctrl-D ends.\n",
            env!("CARGO_PKG_VERSION")
        ));
        if let Some(trouble) = trouble {
            self.screen.remark(&format!("{trouble}\n"));
        }
        loop {
            signals::wait(true);
            if signals::is_terminated() {
                return STOPPED;
            }
            let line = editor.readline("> ");
            signals::wait(false);
            match line {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => {
                    let _ = editor.add_history_entry(text.as_str());
                    kept.add(&mut editor);
                    self.evaluate(&text);
                    if self.session.borrow().has_left() {
                        return DONE;
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(_) => return DONE,
            }
        }
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
            let is_whole = {
                let session = self.session.borrow();
                let is_asked = commands::is_command(&text) || session.answer(&text).is_some();
                is_asked || !session.is_unfinished(&text)
            };
            if is_whole && !self.evaluate(&std::mem::take(&mut text)) {
                code = FAILED;
            }
            if self.session.borrow().has_left() {
                return code;
            }
        }
        if !text.trim().is_empty() && !self.evaluate(&text) {
            code = FAILED;
        }
        code
    }
}
