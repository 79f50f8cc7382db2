//! What a method does to what it is called on: whether a closure may be handed a copy in its place.

use super::api;

/// What becomes of the value that a method is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// It stays as it is.
    Unchanged,
    /// Its items may change, where the closure changes `this`.
    Items,
    /// It is changed by what a closure says, and given.
    Changed,
    /// It may be changed.
    Unknown,
}

/// rhai's own methods that run a closure over an array and leave it as it is.
const UNCHANGED: &[&str] =
    &["map", "filter", "reduce", "reduce_rev", "some", "all", "find", "find_map", "index_of"];

/// Methods that change an array or a map by what a closure says, and give it.
const CHANGED: &[&str] = &["sort", "sort_by", "retain", "dedup"];

/// Methods of arrays, texts and maps that change them, by the names that methods of records may have too.
const CHANGES: &[&str] = &[
    "append",
    "chop",
    "clear",
    "crop",
    "drain",
    "fill_with",
    "insert",
    "mixin",
    "pad",
    "pop",
    "push",
    "remove",
    "replace",
    "reverse",
    "set",
    "shift",
    "sort_desc",
    "splice",
    "split",
    "take",
    "trim",
    "truncate",
];

/// What a method of this name does, whatever it is called on.
pub fn receiver(name: &str) -> Receiver {
    if CHANGED.contains(&name) {
        return Receiver::Changed;
    }
    if name == "for_each" {
        return Receiver::Items;
    }
    let unchanged = UNCHANGED.contains(&name) || (!CHANGES.contains(&name) && of_a_record(name));
    if unchanged { Receiver::Unchanged } else { Receiver::Unknown }
}

/// Whether frames, models, expressions or charts have the method. They never change, and the reference calls them by a letter.
fn of_a_record(name: &str) -> bool {
    let mut forms = api::all().flat_map(|record| record.signatures.iter());
    forms.any(|form| {
        let Some((on, rest)) = form.split_once('.') else {
            return false;
        };
        let is_letter = on.len() == 1 && on.starts_with(|letter: char| letter.is_ascii_lowercase());
        is_letter && rest.split_once('(').is_some_and(|(method, _)| method == name)
    })
}
