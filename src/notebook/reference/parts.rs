//! What the reference is made of: chapters, modules, and functions with their prose and examples.

use super::pieces::Piece;
use crate::script::assist::reference::Function;

/// A function with its prose and examples.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub function: Function,
    pub doc: Vec<Piece>,
    pub example: Vec<Piece>,
}

/// A module of the standard library.
#[derive(Clone, Debug, Default)]
pub struct Module {
    pub path: String,
    pub page: Vec<Piece>,
    pub entries: Vec<Entry>,
}

/// A topic: its page, its functions, and for the standard library its modules.
#[derive(Clone, Debug, Default)]
pub struct Chapter {
    pub name: String,
    pub title: String,
    pub page: Vec<Piece>,
    pub entries: Vec<Entry>,
    pub modules: Vec<Module>,
}

/// Everything, ready to be written down.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    pub chapters: Vec<Chapter>,
    /// How many examples were run.
    pub ran: usize,
    /// Examples that failed, or were not run: where, and why.
    pub failed: Vec<String>,
    pub seconds: f64,
}

impl Reference {
    /// Every function of every topic and module.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.chapters.iter().flat_map(|chapter| {
            let inside = chapter.modules.iter().flat_map(|module| module.entries.iter());
            chapter.entries.iter().chain(inside)
        })
    }
}
