//! Lines of errors as a notebook counts them. A session counts all cells as one text; a person looks for a line of a cell.

use crate::script::report::ScriptError;

/// What a call's place begins with in an error's notes.
const CALLED: &str = "called at line ";

/// Where each cell begins: the lines before it, and the number it was given.
#[derive(Default)]
pub struct Lines(Vec<(usize, usize)>);

impl Lines {
    pub fn begin(&mut self, before: usize, count: usize) {
        self.0.push((before, count));
    }

    /// The cell of a line, and the line in it.
    fn place(&self, line: usize) -> Option<(usize, usize)> {
        let (before, count) = self.0.iter().rev().find(|(before, _)| *before < line)?;
        Some((*count, line - before))
    }

    /// The same error with the cell's name and its own lines.
    pub fn placed(&self, mut error: ScriptError) -> ScriptError {
        if let Some((count, line)) = error.line.and_then(|line| self.place(line)) {
            error.file = format!("cell [{count}]");
            error.line = Some(line);
        }
        for note in &mut error.notes {
            let called = note.split_once(CALLED);
            let line = called.and_then(|(_, line)| line.parse::<usize>().ok());
            if let Some(((what, _), (count, line))) =
                called.zip(line.and_then(|line| self.place(line)))
            {
                *note = format!("{what}{CALLED}{line} of cell [{count}]");
            }
        }
        error
    }
}
