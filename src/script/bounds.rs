//! How deep a script's values may lie in each other, and how far one call may let an array or a text grow.
//!
//! `a = [a]` in a loop copies the whole value each time, and everything that shows, compares or drops it goes down into it:
//! rhai itself knows no bound. The sizes that its `pad` adds up before it allocates may go round, and with an empty text it
//! does not end.

use std::cell::Cell;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext, Position};

use super::failure::{At, ScriptResult, raise_at};
use crate::error::{Error, Result};

/// Deeper than any honest value, and quick to reach.
const DEEPEST: usize = 1000;
/// A variable is looked into once in so many times that one is read; a prime, to fall into step with no loop.
const TURNS: u32 = 61;
/// Values looked at in one variable.
const MOST: usize = 1 << 13;

/// Registers the functions that let a value grow at once, each up to its bound; they give the value.
pub fn register(engine: &mut Engine) {
    engine.register_fn("pad", pad);
    engine.register_fn("pad", pad_text);
    engine.register_fn(
        "pad",
        |context: NativeCallContext, text: &mut ImmutableString, length: i64, with: char| {
            pad_text(context, text, length, with.encode_utf8(&mut [0; 4]))
        },
    );
}

/// Looks into the variables that scripts read, one in so many times.
#[derive(Default)]
pub struct Depth(Cell<u32>);

impl Depth {
    /// Refuses a variable whose value lies too deep.
    pub fn check(&self, name: &str, value: &Dynamic) -> ScriptResult<()> {
        self.0.set((self.0.get() + 1) % TURNS);
        if self.0.get() == 0 && is_deeper(value, DEEPEST, &mut { MOST }) {
            let error = Error::invalid(
                format!("the variable `{name}`"),
                format!("arrays and maps at most {DEEPEST} deep in each other"),
                "deeper ones",
            );
            return Err(raise_at(Position::NONE, error));
        }
        Ok(())
    }
}

/// The length that `pad` is to reach; below zero it is reached already.
fn padded(length: i64, most: usize, unit: &str) -> Result<usize> {
    let length = usize::try_from(length).unwrap_or(0);
    if length > most {
        let expected = format!("at most {most} {unit}");
        let error = Error::invalid("pad", expected, length.to_string());
        return Err(error.with_hint(
            "one value may take an eighth of the run's memory; ebb run --memory SIZE gives it more",
        ));
    }
    Ok(length)
}

/// Appends copies of an item until the array has `length` elements.
fn pad(
    context: NativeCallContext,
    array: &mut Array,
    length: i64,
    item: Dynamic,
) -> ScriptResult<Array> {
    let length = padded(length, context.engine().max_array_size(), "elements").at(&context)?;
    if length > array.len() {
        array.resize(length, item);
    }
    Ok(array.clone())
}

/// Appends a text again and again until there are `length` characters; an empty one appends nothing.
fn pad_text(
    context: NativeCallContext,
    text: &mut ImmutableString,
    length: i64,
    with: &str,
) -> ScriptResult<ImmutableString> {
    let length = padded(length, context.engine().max_string_size(), "characters").at(&context)?;
    let missing = length.saturating_sub(text.chars().count());
    text.make_mut().extend(with.chars().cycle().take(missing));
    Ok(text.clone())
}

/// Whether something lies deeper than `depth` more levels allow, among the first values that are found.
fn is_deeper(value: &Dynamic, depth: usize, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else {
        return false;
    };
    *left = rest;
    if let Some(array) = value.read_lock::<Array>() {
        let mut items = array.iter().take(MOST);
        return depth == 0 || items.any(|item| is_deeper(item, depth - 1, left));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let mut items = map.values().take(MOST);
        return depth == 0 || items.any(|item| is_deeper(item, depth - 1, left));
    }
    false
}
