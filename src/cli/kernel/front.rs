//! The front of a notebook in Jupyter: what cells show, published as they show it.

use std::cell::Cell as Slot;
use std::rc::Rc;

use jupyter_protocol::{DisplayData, ExecuteResult, ExecutionCount, StreamContent, Transient};

use super::media;
use super::publisher::Publisher;
use crate::notebook::cells::Cell;
use crate::notebook::outcome::Item;
use crate::notebook::runner::Front;
use crate::plain::printable;

/// Bytes that one cell may print: a page that is sent more cannot be opened again.
const MOST_PRINTED: usize = 4 << 20;

/// What the front is told about the cell under way.
#[derive(Clone, Default)]
pub struct Present {
    pub count: Rc<Slot<usize>>,
    /// Nothing is shown.
    pub silent: Rc<Slot<bool>>,
    /// Bytes printed so far.
    pub printed: Rc<Slot<usize>>,
}

pub struct Jupyter {
    pub publisher: Publisher,
    pub present: Present,
}

impl Jupyter {
    /// Publishes printed text until a cell has printed too much, and says so once.
    fn print(&self, text: &str) {
        let before = self.present.printed.get();
        if before > MOST_PRINTED {
            return;
        }
        self.present.printed.set(before + text.len() + 1);
        if before + text.len() <= MOST_PRINTED {
            self.publisher.publish(StreamContent::stdout(&format!("{}\n", printable(text))));
            return;
        }
        self.present.printed.set(MOST_PRINTED + 1);
        let room = (0..=MOST_PRINTED - before).rev().find(|end| text.is_char_boundary(*end));
        let shown = printable(text.get(..room.unwrap_or(0)).unwrap_or_default());
        self.publisher.publish(StreamContent::stdout(&format!("{shown}\n")));
        self.publisher.publish(StreamContent::stderr(&format!(
            "note: this cell has printed {} MiB; what it prints from here on is not shown\n",
            MOST_PRINTED >> 20
        )));
    }
}

impl Front for Jupyter {
    fn begin(&mut self, _cell: &Cell) {}

    fn show(&mut self, item: &Item) {
        if self.present.silent.get() {
            return;
        }
        match item {
            Item::Printed(text) => self.print(text),
            Item::Note(text) => {
                let text = format!("note: {}\n", printable(text));
                self.publisher.publish(StreamContent::stderr(&text));
            }
            Item::Output(output) => self.publisher.publish(DisplayData::new(media::media(output))),
        }
    }

    fn result(&mut self, item: &Item) {
        match item {
            Item::Output(output) if !self.present.silent.get() => {
                let count = ExecutionCount::new(self.present.count.get());
                let result = ExecuteResult {
                    // Jupyter's own schema wants an object here, even one without a word.
                    transient: Some(Transient::default()),
                    ..ExecuteResult::new(count, media::media(output))
                };
                self.publisher.publish(result);
            }
            _ => self.show(item),
        }
    }
}
