//! Candidates of a completion, each with a line about it.

use super::super::modules::standard_names;
use super::view::View;

/// One thing that may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub text: String,
    /// One line about it; may be empty.
    pub summary: String,
}

impl Item {
    pub fn new(text: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { text: text.into(), summary: summary.into() }
    }
}

/// What may stand instead of the text between `start` and the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// A byte of the text.
    pub start: usize,
    pub items: Vec<Item>,
}

/// Those that begin with what was typed, in the order of the alphabet, each once.
pub fn chosen(mut items: Vec<Item>, prefix: &str) -> Vec<Item> {
    items.retain(|item| item.text.starts_with(prefix));
    items.sort_by(|a, b| a.text.cmp(&b.text));
    items.dedup_by(|a, b| a.text == b.text);
    items
}

/// Modules that can be imported, with what their pages say they are for.
pub fn modules(view: &View) -> Vec<Item> {
    let described = |path: String| {
        let page = view.page(path.trim_start_matches("std/"));
        let doc = page.map(|(_, page)| page.doc).unwrap_or_default();
        let first = doc.lines().next().unwrap_or_default().to_string();
        Item::new(path, first)
    };
    standard_names().into_iter().map(described).collect()
}
