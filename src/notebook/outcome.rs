//! What came of a run: the cells, what each of them showed, and the error at its end.

use serde::{Deserialize, Serialize};

use super::cells::{Cell, Content};
use crate::display::Output;
use crate::script::display::CellValue;
use crate::script::report::ScriptError;

/// Something a cell showed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A value: shown on purpose, or a cell's last one.
    Output(Output),
    /// Lines printed one after another.
    Printed(String),
    /// A remark of the program.
    Note(String),
}

/// A cell that was run, or prose that was passed.
#[derive(Clone, Debug)]
pub struct Ran {
    pub cell: Cell,
    pub items: Vec<Item>,
    pub seconds: f64,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub ran: Vec<Ran>,
    /// The last cell's value.
    pub last: CellValue,
    pub error: Option<Box<ScriptError>>,
}

impl Ran {
    /// The prose as it is shown; nothing for a cell of code.
    pub fn prose(&self) -> &str {
        match (&self.cell.content, self.items.first()) {
            (Content::Prose(_), Some(Item::Output(Output::Markdown(text)))) => text,
            (Content::Prose(text), _) => text,
            (Content::Code(_), _) => "",
        }
    }
}
