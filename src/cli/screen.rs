//! The front of a notebook in a terminal: what cells show, written beside the progress bars.

use std::cell::{Cell as Slot, RefCell};
use std::io::{ErrorKind, IsTerminal, Write};
use std::rc::Rc;

use super::draw::Style;
use super::environment;
use super::exit::{DONE, FAILED};
use super::progress::Bars;
use crate::error::{Error, Result};
use crate::notebook::cells::Cell;
use crate::notebook::outcome::Item;
use crate::notebook::runner::Front;
use crate::plain;

/// Where a screen writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Out,
    /// Beside a result that is alone on standard output.
    Error,
}

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Screen {
    stream: Stream,
    style: Style,
    bars: Bars,
    heading: Rc<RefCell<String>>,
    /// The reader went away: nothing more is written, and that is fine.
    closed: Rc<Slot<bool>>,
    trouble: Rc<RefCell<Option<Error>>>,
}

impl Screen {
    pub fn new(stream: Stream, bars: Bars) -> Self {
        let terminal = match stream {
            Stream::Out => std::io::stdout().is_terminal(),
            Stream::Error => std::io::stderr().is_terminal(),
        };
        Self {
            stream,
            style: Style {
                width: environment::width(),
                colour: terminal && environment::colour_wanted(),
            },
            bars,
            heading: Rc::default(),
            closed: Rc::default(),
            trouble: Rc::default(),
        }
    }

    pub fn style(&self) -> Style {
        self.style
    }

    /// Writes text as it is.
    pub fn write(&self, text: &str) {
        if self.closed.get() {
            return;
        }
        let result = self.bars.aside(|| match self.stream {
            Stream::Out => whole(std::io::stdout().lock(), text),
            Stream::Error => whole(std::io::stderr().lock(), text),
        });
        if let Err(error) = result {
            self.closed.set(true);
            if error.kind() != ErrorKind::BrokenPipe {
                *self.trouble.borrow_mut() = Some(Error::io("write", "the output", error));
            }
        }
    }

    /// Why the output could not be written, if that was not the reader's own wish.
    pub fn trouble(&self) -> Option<Error> {
        self.trouble.borrow_mut().take()
    }

    /// Ends a command that gives nothing but words: notes where it went well, else its error; both go to standard error.
    pub fn ended(&self, outcome: Result<Vec<String>>) -> u8 {
        match outcome {
            Ok(notes) => {
                for note in notes {
                    self.remark(&format!("note: {}\n", plain::printable(&note)));
                }
                DONE
            }
            Err(error) => {
                self.remark(&self.style().error(&error));
                FAILED
            }
        }
    }

    /// Writes a line to standard error, beside the bars.
    pub fn remark(&self, text: &str) {
        // Standard error may be closed; there is nobody else to tell.
        let _ = self.bars.aside(|| whole(std::io::stderr().lock(), text));
    }
}

fn whole(mut stream: impl Write, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

impl Front for Screen {
    fn begin(&mut self, cell: &Cell) {
        *self.heading.borrow_mut() = cell.title.clone();
    }

    fn show(&mut self, item: &Item) {
        let heading = std::mem::take(&mut *self.heading.borrow_mut());
        if !heading.is_empty() {
            let heading = plain::one_line(&heading);
            self.write(&format!("\n{}\n", self.style.dim(&format!("── {heading}"))));
        }
        self.write(&self.style.item(item));
    }
}
