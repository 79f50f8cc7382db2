//! What may stand inside a string: a frame's column, a file, a model or data set of the program, a module.

use std::path::Path;

use super::candidates::{Candidates, Item, chosen, modules};
use super::entries::Entry;
use super::kinds::Reader;
use super::view::columns;
use crate::doorway::EntryKind;
use crate::frame::bundled;
use crate::model::load;

/// Words of the reference for an argument that names a file or folder.
const PLACES: &[&str] = &["path", "source", "folder"];

/// Completes the string at the word `at`, whose text begins at the byte `from`.
pub fn complete(reader: &Reader, at: usize, from: usize) -> Candidates {
    let typed = reader.text.get(from..).unwrap_or_default();
    let before = at.checked_sub(1).map_or("", |before| reader.word(before));
    if before == "import" {
        return Candidates { start: from, items: chosen(modules(reader.view), typed) };
    }
    let Some((open, argument)) = reader.open_before(at) else {
        return Candidates { start: from, items: Vec::new() };
    };
    let call = open.checked_sub(1).filter(|_| reader.word(open) == "(");
    let called = call.map(|call| reader.forms(call)).unwrap_or_default();
    let place = called.iter().find_map(|entry| place_of(entry, argument));
    match place {
        Some(what) => places(
            reader,
            from,
            typed,
            what,
            called.first().map_or("", |entry| entry.name.as_str()),
        ),
        None => Candidates { start: from, items: chosen(columns_around(reader, at), typed) },
    }
}

/// What an argument names, if it is something of the disk.
fn place_of(entry: &Entry, argument: usize) -> Option<&str> {
    let parameter = entry.parameters.split(',').nth(argument)?.trim();
    PLACES.contains(&parameter).then_some(parameter)
}

/// The columns of the frames whose methods the string stands in, the innermost that is known; else of all frames.
fn columns_around(reader: &Reader, at: usize) -> Vec<Item> {
    let mut end = at;
    while let Some((open, _)) = reader.open_before(end) {
        let head = match reader.word(open) {
            // `rows["…`, and `rows.filter(… "…`.
            "[" | "(" => reader.start_of_chain(open),
            _ => None,
        };
        let value = head.and_then(|head| reader.view.variable(reader.word(head)));
        let found = value.map(columns).unwrap_or_default();
        if !found.is_empty() {
            return items(found);
        }
        end = open;
    }
    let variables = reader.view.variables();
    variables.iter().flat_map(|(_, value)| items(columns(value))).collect()
}

fn items(columns: Vec<(String, String)>) -> Vec<Item> {
    columns.into_iter().map(|(name, kind)| Item::new(name, kind)).collect()
}

/// Names of the program's own models and data, and what lies in the folder that was typed so far.
fn places(reader: &Reader, from: usize, typed: &str, what: &str, function: &str) -> Candidates {
    let bundled = match function {
        _ if what == "folder" => Vec::new(),
        "load_model" => load::bundled_names(),
        "load_detoxify" => load::bundled_classifiers(),
        "write" | "save" => Vec::new(),
        _ => bundled::names(),
    };
    let mut items: Vec<Item> =
        bundled.into_iter().map(|name| Item::new(name, "in the program")).collect();
    let folder = typed.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder = if typed.starts_with('/') && folder.is_empty() { "/" } else { folder };
    let host = reader.view.host;
    let listed = host.roots(folder).list(&host.absolute(folder)).unwrap_or_default();
    let shown = typed.rsplit('/').next().unwrap_or_default().starts_with('.');
    for entry in listed.into_iter().filter(|entry| shown || !entry.name.starts_with('.')) {
        let slash = if entry.kind == EntryKind::Folder { "/" } else { "" };
        let way = Path::new(folder).join(&entry.name);
        items.push(Item::new(format!("{}{slash}", way.display()), ""));
    }
    Candidates { start: from, items: chosen(items, typed) }
}
