//! Option maps that stand in a call as they are: keys that the call does not know, and values of a kind that they cannot have.

use rhai::{Array, Dynamic, Expr, FnPtr, Map, Position};

use crate::error::Error;
use crate::script::assist::entries::Entry;
use crate::script::convert::describe;
use crate::script::names;
use crate::script::options::WHOLE_HINT;
use crate::script::record::{OptionDoc, named_in};

/// What is wrong with the argument `at` of a call with `count` arguments, in any of its forms.
pub fn problems(
    forms: &[&Entry],
    at: usize,
    count: usize,
    argument: &Expr,
) -> Vec<(Position, Error)> {
    let Some(given) = given(argument) else {
        return Vec::new();
    };
    let fitting: Vec<&&Entry> =
        forms.iter().filter(|form| parameters(form).len() == count).collect();
    let takes = |form: &&&Entry| parameters(form).get(at).is_some_and(|word| takes_options(word));
    if fitting.is_empty() || !fitting.iter().all(takes) {
        return Vec::new();
    }
    let mut known: Vec<&OptionDoc> = Vec::new();
    for form in &fitting {
        for option in form.record.options_of(form.form) {
            if !known.iter().any(|known| known.name == option.name) {
                known.push(option);
            }
        }
    }
    if known.is_empty() {
        return Vec::new();
    }
    let call = fitting.first().map_or("", |form| form.name.as_str());
    let wrong = given.iter().filter_map(|one| Some((one.at, wrong(one, &known, call)?)));
    wrong.collect()
}

/// A key of a map, and its value where it is a literal.
struct Given {
    key: String,
    at: Position,
    value: Option<Dynamic>,
}

/// The keys of a map that stands in the script as it is; none for what is no such map.
fn given(argument: &Expr) -> Option<Vec<Given>> {
    match argument {
        Expr::Map(parts, _) => {
            let one = |(key, value): &(rhai::Ident, Expr)| Given {
                key: key.name.to_string(),
                at: key.pos,
                value: value.get_literal_value(None),
            };
            Some(parts.0.iter().map(one).collect())
        }
        // A map of literals alone.
        Expr::DynamicConstant(value, at) => {
            let map = value.read_lock::<Map>()?;
            let one = |(key, value): (&rhai::Identifier, &Dynamic)| Given {
                key: key.to_string(),
                at: *at,
                value: Some(value.clone()),
            };
            Some(map.iter().map(one).collect())
        }
        _ => None,
    }
}

fn wrong(given: &Given, known: &[&OptionDoc], call: &str) -> Option<Error> {
    let Some(option) = known.iter().find(|option| option.name == given.key) else {
        let names: Vec<&str> = known.iter().map(|option| option.name).collect();
        return Some(names::option(Error::unknown("option", &given.key, names)));
    };
    let value = given.value.as_ref().filter(|value| !value.is_unit())?;
    let expected = expected(option.kind)?;
    if expected.iter().any(|kind| kind.holds(value)) {
        return None;
    }
    let words: Vec<&str> = expected.iter().map(|kind| kind.word()).collect();
    let error = Error::invalid(
        format!("option `{}` of {call}", given.key),
        words.join(" or "),
        describe(value),
    );
    let wants_whole = value.is_float() && expected.contains(&Value::Whole);
    Some(if wants_whole { error.with_hint(WHOLE_HINT) } else { error })
}

/// What an option's value may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Text,
    Whole,
    Number,
    Boolean,
    Array,
    Map,
    /// Only a run makes it: a frame, an expression.
    Made,
    Closure,
}

impl Value {
    fn holds(self, value: &Dynamic) -> bool {
        match self {
            Self::Text => value.is_string() || value.is_char(),
            Self::Whole => value.is_int(),
            Self::Number => value.is_int() || value.is_float(),
            Self::Boolean => value.is_bool(),
            Self::Array => value.is::<Array>(),
            Self::Map => value.is::<Map>(),
            Self::Closure => value.is::<FnPtr>(),
            Self::Made => false,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Whole => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Array => "an array",
            Self::Map => "a map",
            Self::Closure => "a closure",
            Self::Made => "a value that the run makes",
        }
    }
}

/// The record's words for an option's kind, one by one; nothing where one of them is not known here.
fn expected(words: &str) -> Option<Vec<Value>> {
    let words = words.replace("true or false", "boolean");
    let one = |word: &str| {
        Some(match word.trim() {
            "string" | "column" => Value::Text,
            "whole number" => Value::Whole,
            "number" => Value::Number,
            "boolean" => Value::Boolean,
            "map" => Value::Map,
            "closure" => Value::Closure,
            "frame" | "expression" | "template" => Value::Made,
            word if word == "array" || word.starts_with("array of ") => Value::Array,
            _ => return None,
        })
    };
    words.replace(" or ", ", ").split(", ").map(one).collect()
}

/// The words between a form's brackets, apart: commas within brackets belong to a word.
fn parameters(form: &Entry) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut bars, mut from) = (0_usize, false, 0_usize);
    let text = form.parameters.as_str();
    for (at, character) in text.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '|' => bars = !bars,
            ',' if depth == 0 && !bars => {
                parts.extend(text.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(from..));
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn takes_options(parameter: &str) -> bool {
    parameter == "opts" || named_in(parameter).is_some()
}
