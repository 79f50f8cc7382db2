//! What of the reference is run together: the examples of a page, one after another in one session.

use super::parts::{Chapter, Entry};
use super::pieces::Piece;
use crate::notebook::outcome::Item;

/// Code of a page, and where what it shows goes.
pub struct Code<'a> {
    pub text: &'a str,
    pub items: &'a mut Vec<Item>,
}

/// The examples of one page.
pub struct Unit<'a> {
    /// What the page is about: "frames", "Frame.select".
    pub name: String,
    pub codes: Vec<Code<'a>>,
}

impl Unit<'_> {
    /// Says under each example why it was not run.
    pub fn leave(&mut self, why: &str) {
        for code in &mut self.codes {
            code.items.push(Item::Note(why.to_string()));
        }
    }
}

/// All examples, page by page.
pub fn units(chapters: &mut [Chapter]) -> Vec<Unit<'_>> {
    let mut units = Vec::new();
    for chapter in chapters {
        units.push(Unit { name: chapter.name.clone(), codes: codes(&mut chapter.page).collect() });
        units.extend(chapter.entries.iter_mut().map(of_entry));
        for module in &mut chapter.modules {
            units
                .push(Unit { name: module.path.clone(), codes: codes(&mut module.page).collect() });
            units.extend(module.entries.iter_mut().map(of_entry));
        }
    }
    units.retain(|unit| !unit.codes.is_empty());
    units
}

fn of_entry(entry: &mut Entry) -> Unit<'_> {
    let name = entry.function.name.clone();
    Unit { name, codes: codes(&mut entry.doc).chain(codes(&mut entry.example)).collect() }
}

fn codes(page: &mut [Piece]) -> impl Iterator<Item = Code<'_>> {
    page.iter_mut().filter_map(|piece| match piece {
        Piece::Code { text, items } => Some(Code { text, items }),
        Piece::Prose(_) => None,
    })
}
