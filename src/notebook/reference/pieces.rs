//! Markdown taken apart into prose and the code within it, which is run.

use crate::notebook::outcome::Item;

/// A part of a page.
#[derive(Clone, Debug)]
pub enum Piece {
    Prose(String),
    /// Code, and what it showed.
    Code {
        text: String,
        items: Vec<Item>,
    },
}

/// The parts of a page, in order: lines that begin with four spaces are code.
pub fn pieces(page: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let (mut prose, mut code) = (String::new(), String::new());
    for line in page.lines() {
        match line.strip_prefix("    ") {
            Some(rest) => {
                take_prose(&mut prose, &mut found);
                code.push_str(&format!("{rest}\n"));
            }
            // An empty line within code is a part of it.
            None if line.trim().is_empty() && !code.is_empty() => code.push('\n'),
            None => {
                take_code(&mut code, &mut found);
                prose.push_str(&format!("{line}\n"));
            }
        }
    }
    take_prose(&mut prose, &mut found);
    take_code(&mut code, &mut found);
    found
}

/// A text that is code as a whole; nothing where it is empty.
pub fn code(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    take_code(&mut text.to_string(), &mut found);
    found
}

fn take_prose(prose: &mut String, found: &mut Vec<Piece>) {
    let text = std::mem::take(prose);
    if !text.trim().is_empty() {
        found.push(Piece::Prose(text.trim_matches('\n').to_string()));
    }
}

fn take_code(code: &mut String, found: &mut Vec<Piece>) {
    let text = std::mem::take(code);
    if !text.trim().is_empty() {
        found.push(Piece::Code { text: text.trim_matches('\n').to_string(), items: Vec::new() });
    }
}
