//! The option keys that a call takes, read from what its record says of them.

use super::super::record::Record;
use super::entries::Entry;

/// An option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    /// What the record says behind it, as far as the next one.
    pub said: String,
}

/// The options of a record, in its order: the words between backquotes that are said to be options, and those that stand
/// in a form (`#{ literal, n }`).
pub fn of(record: &Record, all: &[Entry]) -> Vec<Key> {
    let mut found: Vec<Key> = Vec::new();
    let mut add = |name: &str, said: String| {
        if is_key(name) && !found.iter().any(|key| key.name == name) {
            found.push(Key { name: name.to_string(), said });
        }
    };
    for form in record.signatures {
        let inside = form.split_once("#{").and_then(|(_, rest)| rest.split_once('}'));
        for name in inside.map_or("", |(inside, _)| inside).split(',') {
            let name = name.split(':').next().unwrap_or_default().trim();
            add(name, String::new());
        }
    }
    if !record.signatures.iter().any(|form| form.contains("opts")) {
        return found;
    }
    let pieces: Vec<&str> = record.doc.split('`').collect();
    for (place, piece) in pieces.iter().enumerate().filter(|(place, _)| place % 2 == 1) {
        let said = pieces.get(place + 1).copied().unwrap_or_default();
        let is_function = all.iter().any(|entry| entry.name == *piece);
        // `as `finetune` has them` speaks of another function; `chat` (…) of an option of its name.
        if !is_function || said.starts_with(" (") {
            add(piece, meaning(said));
        }
    }
    found
}

fn is_key(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// What stands in the brackets behind a name, else the words up to the next mark.
fn meaning(said: &str) -> String {
    let said = said.trim_start();
    let whole = match said.strip_prefix('(') {
        Some(inside) => inside.split_once(')').map_or(inside, |(inside, _)| inside),
        None => said.split(['.', ';', ',']).next().unwrap_or_default(),
    };
    whole.trim_matches([' ', ',', ';', '.', ':']).to_string()
}
