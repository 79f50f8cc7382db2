//! Runs examples as a reader would: in a folder of their own, with what is in the program, and without a network.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use tempfile::TempDir;

use crate::control::Control;
use crate::display::{Output, Table};
use crate::error::{Error, Result};
use crate::notebook::cells::Cell;
use crate::notebook::outcome::Item;
use crate::notebook::runner::{self, Desk, Front};
use crate::script::assist::tokens::speaks_of_last;
use crate::script::engine::Session;
use crate::script::host::Host;

/// Examples speak of a classifier in a folder of this name.
const CLASSIFIER: &str = "\"classifier\"";
/// What puts it there.
const PUT: &str = "load_detoxify(\"ebb/toxicity-tiny\").save(\"classifier\"); ()";
/// What the folder is called where an example shows it: this machine's own names are nobody's business.
const HOME: &str = "/home/you/study";

/// A session in a folder of its own.
pub struct Trial {
    session: Session,
    desk: Rc<RefCell<Desk>>,
    /// Removed when the trial ends.
    _folder: TempDir,
    home: PathBuf,
    has_classifier: bool,
}

/// Nobody looks on.
struct Unseen;

impl Front for Unseen {
    fn begin(&mut self, _cell: &Cell) {}
    fn show(&mut self, _item: &Item) {}
}

/// A folder that is removed when it is dropped.
pub fn folder() -> Result<TempDir> {
    let made = tempfile::Builder::new().prefix("ebb-doc-").tempdir();
    made.map_err(|error| Error::io("create", std::env::temp_dir(), error))
}

impl Trial {
    /// A session that stops when `control` says so.
    pub fn begin(control: &Control) -> Result<Self> {
        let folder = folder()?;
        let quiet = Host::quiet(folder.path().to_path_buf());
        let home = quiet.working_folder.clone();
        let host =
            Rc::new(Host { control: control.quietly(), cache: Some(home.join("cache")), ..quiet });
        let desk = Desk::new(Box::new(Unseen), None);
        let listening = desk.clone();
        *host.listener.borrow_mut() = Box::new(move |event| listening.borrow_mut().hear(event));
        Ok(Self {
            session: Session::new(host, "example"),
            desk,
            _folder: folder,
            home,
            has_classifier: false,
        })
    }

    /// Runs code and gives what it showed, and the error if there was one.
    pub fn run(&mut self, code: &str) -> (Vec<Item>, Option<String>) {
        if code.contains(CLASSIFIER) && !self.has_classifier {
            self.has_classifier = true;
            // Where it fails, so does the example, which says why.
            let _ = runner::one(&mut self.session, &self.desk, "", PUT);
            let _ = self.desk.borrow_mut().take_items();
        }
        if speaks_of_last(code) {
            self.session.keep_last();
        }
        let result = runner::one(&mut self.session, &self.desk, "", code);
        let mut items = self.desk.borrow_mut().take_items();
        let error = result.err().map(|error| {
            let hint = error.hint.iter().map(|hint| format!(" ({hint})"));
            format!("{}{}", error.message, hint.collect::<String>())
        });
        items.extend(error.iter().map(|error| Item::Note(format!("This failed: {error}"))));
        for item in &mut items {
            self.rename(item);
        }
        (items, error)
    }

    /// Calls the folder otherwise.
    fn rename(&self, item: &mut Item) {
        let home = self.home.display().to_string();
        let renamed = |text: &mut String| {
            if text.contains(&home) {
                *text = text.replace(&home, HOME);
            }
        };
        match item {
            Item::Printed(text) | Item::Note(text) => renamed(text),
            Item::Output(Output::Text(text) | Output::Markdown(text)) => renamed(text),
            Item::Output(Output::Table(Table { rows, .. })) => {
                rows.iter_mut().flatten().flatten().for_each(renamed);
            }
            Item::Output(Output::Chart(_)) => {}
        }
    }
}
