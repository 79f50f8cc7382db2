//! The records' forms taken apart: what is called on what, and what it gives.

use super::super::api;
use super::super::record::Record;

/// One function or method of the reference, in one of its forms.
#[derive(Clone)]
pub struct Entry {
    /// What it is called on: "Frame", or "" for a function. `group_by(…).agg(…)` is called on "Frame.group_by".
    pub on: String,
    pub name: String,
    /// "f.select(exprs) -> Frame".
    pub form: &'static str,
    /// The words between its brackets.
    pub parameters: String,
    /// What it gives, where that is known.
    pub gives: Option<String>,
    pub record: &'static Record,
}

/// All of the reference, in its order.
pub fn entries() -> Vec<Entry> {
    let forms =
        api::all().flat_map(|record| record.signatures.iter().map(move |form| (record, *form)));
    forms.flat_map(|(record, form)| of_form(record, form)).collect()
}

/// The type that a record's methods are called on.
pub fn owner(record: &Record) -> &'static str {
    record.name.split_once('.').map_or("", |(owner, _)| owner)
}

fn of_form(record: &'static Record, form: &'static str) -> Vec<Entry> {
    let (calls, gives) = match form.rsplit_once("->") {
        Some((calls, gives)) => (calls.trim(), Some(kind_of_word(gives.trim()))),
        None => (form, given_by_others(record)),
    };
    let (mut on, mut rest) = receiver(record, calls);
    let mut found: Vec<Entry> = Vec::new();
    while let Some((name, behind)) = rest.split_once('(') {
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let Some((parameters, after)) = closed(behind).filter(|_| is_name) else {
            break;
        };
        let next = after.strip_prefix('.');
        let way = if on.is_empty() { name.to_string() } else { format!("{on}.{name}") };
        let gives = if next.is_some() { Some(way.clone()) } else { gives.clone() };
        found.push(Entry {
            on: std::mem::replace(&mut on, way),
            name: name.to_string(),
            form,
            parameters: parameters.to_string(),
            gives,
            record,
        });
        match next {
            Some(next) => rest = next,
            None => break,
        }
    }
    found
}

/// What a form is called on, and the call.
fn receiver<'a>(record: &Record, calls: &'a str) -> (String, &'a str) {
    match calls.split_once('.') {
        Some((on, rest)) if !owner(record).is_empty() && !on.contains('(') => {
            let on = match on {
                "text" => "Text",
                "array" | "numbers" => "Array",
                "number" => "Number",
                "map" => "Map",
                _ => owner(record),
            };
            (on.to_string(), rest)
        }
        _ => (String::new(), calls),
    }
}

/// What stands before the bracket that closes, and behind it.
fn closed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return Some((text.get(..at)?, text.get(at + 1..)?)),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A form without an arrow gives what the record's other forms give, and methods of frames and expressions their like.
fn given_by_others(record: &Record) -> Option<String> {
    let arrow = record.signatures.iter().find_map(|form| form.rsplit_once("->"));
    match (arrow, owner(record)) {
        (Some((_, gives)), _) => Some(kind_of_word(gives.trim())),
        (None, owner @ ("Frame" | "Expr")) => Some(owner.to_string()),
        _ => None,
    }
}

/// The word of a form as the word that records begin with.
fn kind_of_word(word: &str) -> String {
    match word {
        "string" => "Text",
        "array" => "Array",
        "map" => "Map",
        "integer" | "number" => "Number",
        "boolean" => "Boolean",
        other => other,
    }
    .to_string()
}
