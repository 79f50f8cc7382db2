//! rhai's errors in sentences: what went wrong, what was expected and got, and what to try.

use rhai::{EvalAltResult, ParseErrorType};

use super::failure::Failure;
use super::options::WHOLE_HINT;
use super::said::{Around, Known, Said, friendly_types, lower_first, plain, with_hint};
use super::unknown::{as_a_call, column_or_function, property, unknown_function, unknown_variable};

/// The sentence about the innermost error.
pub fn of(error: &EvalAltResult, known: &Known, around: &Around) -> Said {
    use EvalAltResult::*;
    match error {
        ErrorRuntime(value, _) => match value.clone().try_cast::<Failure>() {
            Some(failure) => Said {
                hint: column_or_function(&failure, around).or(failure.hint),
                message: failure.message,
                interrupted: failure.interrupted,
            },
            None => plain(thrown(value)),
        },
        ErrorTerminated(why, _) if why.is::<Failure>() => match why.clone().try_cast::<Failure>() {
            Some(failure) => Said {
                message: failure.message,
                hint: failure.hint,
                interrupted: failure.interrupted,
            },
            None => plain("stopped".to_string()),
        },
        ErrorTerminated(..) => Said {
            interrupted: true,
            ..plain("stopped".to_string())
        },
        ErrorFunctionNotFound(signature, _) => unknown_function(signature, known, around),
        ErrorVariableNotFound(name, _) => unknown_variable(name, known.scope, around),
        ErrorDataRace(..) => with_hint(
            "a closure reads what it is handed to while that is being worked on".to_string(),
            "take what the closure needs out of it first: let n = values.len(); values.for_each(|| … n …)".to_string(),
        ),
        ErrorArithmetic(text, _) => arithmetic(text),
        ErrorIndexingType(text, _) => indexing(text),
        ErrorPropertyNotFound(name, _) => with_hint(
            format!("there is no property `{name}`"),
            match as_a_call("map", name, known) {
                Some(hint) => hint,
                None => format!("where it may be missing: map[key] ?? 0 takes another value, and {name:?} in map asks"),
            },
        ),
        ErrorDotExpr(text, _) => property(text, known),
        ErrorMismatchDataType(expected, got, _) => mismatch(expected, got),
        ErrorFor(_) => with_hint(
            "a `for` loop goes over an array, a range, a text or the keys of a map, not over this".to_string(),
            "of a frame: for row in f.rows() { … }; of a map: for key in map.keys() { … }; n times: for i in 0..n { … }".to_string(),
        ),
        ErrorArrayBounds(length, index, _) => bounds("array", "items", *length, *index),
        ErrorStringBounds(length, index, _) => bounds("string", "characters", *length, *index),
        ErrorAssignmentToConstant(name, _) => with_hint(
            format!("`{name}` is a constant and cannot be assigned to"),
            format!("declare it with `let {name} = …` where it is to change"),
        ),
        ErrorParsing(kind, _) => plain(parse_sentence(kind)),
        ErrorStackOverflow(_) => with_hint(
            "functions call each other too deeply".to_string(),
            format!(
                "does a function call itself without an end? --max-depth N, which is {} here, lets calls go deeper",
                known.engine.max_call_levels()
            ),
        ),
        ErrorModuleNotFound(path, _) => plain(format!("there is no module {path:?}")),
        other => plain(without_position(&other.to_string())),
    }
}

/// rhai's own words; the position is shown apart.
fn without_position(text: &str) -> String {
    lower_first(text.rsplit_once(" (line ").map_or(text, |(bare, _)| bare))
}

/// `throw "text"`, or any other value thrown.
fn thrown(value: &rhai::Dynamic) -> String {
    match value.clone().into_string() {
        Ok(text) => text,
        Err(_) => format!("the script threw {value}"),
    }
}

/// "Addition overflow: 1 + 2".
fn arithmetic(text: &str) -> Said {
    let message = lower_first(text);
    if message.contains("negative power") {
        return with_hint(
            message,
            "a whole number to a negative power is none: write the base with a fraction, as in 2.0 ** -1".to_string(),
        );
    }
    if message.contains("overflow") {
        return with_hint(
            message,
            "whole numbers end at 9223372036854775807; numbers with a fraction, as 1.0 or n.to_float(), go on".to_string(),
        );
    }
    plain(message)
}

/// "array [f64]".
fn indexing(text: &str) -> Said {
    let (indexed, index) = text.split_once(" [").unwrap_or((text, ""));
    let index = index.trim_end_matches(']');
    if index == "f64" && matches!(indexed, "array" | "string") {
        return with_hint(
            format!(
                "the index of an {indexed}: expected a whole number, got a number with a fraction"
            )
            .replace("an string", "a string"),
            WHOLE_HINT.to_string(),
        );
    }
    let message =
        format!("{} cannot be indexed with {}", friendly_types(indexed), friendly_types(index));
    let hint = "f[\"a\"] is a column as an array, f.select([\"a\", \"b\"]) some columns, f.row(i) a row, f.slice(start, n) some";
    Said { hint: (indexed == "Frame").then(|| hint.to_string()), ..plain(message) }
}

fn mismatch(expected: &str, got: &str) -> Said {
    let hint = match (expected, got) {
        ("i64", "f64") => Some(WHOLE_HINT),
        ("i64", got) if got.to_lowercase().contains("range") => {
            Some("xs.extract(0..3) takes some items of an array, xs.extract(start, n) as well")
        }
        ("i64", got) if got.to_lowercase().contains("string") => Some(
            "the items of an array are counted from 0, as in xs[0]; names are the keys of maps and the columns of frames",
        ),
        ("bool", got) if got.ends_with("Expr") => Some(
            "an expression says how to compute a column: it goes into filter(…), select(…), when(…).then(…); of a value write row.a > 1",
        ),
        _ => None,
    };
    let (expected, got) = (friendly_types(expected), friendly_types(got));
    Said { hint: hint.map(str::to_string), ..plain(format!("expected {expected}, got {got}")) }
}

fn bounds(what: &str, parts: &str, length: usize, index: i64) -> Said {
    let message =
        format!("{what} index {index} is out of bounds: this {what} has {length} {parts}");
    let hint = match length {
        0 => format!("the {what} is empty; len() counts its {parts}"),
        _ => format!(
            "they are counted from 0 to {}, and from the end from -1 to -{length}",
            length - 1
        ),
    };
    with_hint(message, hint)
}

fn parse_sentence(kind: &ParseErrorType) -> String {
    match kind {
        ParseErrorType::UnexpectedEOF => "the script ends in the middle of something".to_string(),
        ParseErrorType::ExprTooDeep => {
            "too many operations in one expression; give a part of it a name with `let`".to_string()
        }
        ParseErrorType::MissingToken(token, what) => format!("`{token}` is missing {what}"),
        ParseErrorType::Reserved(word) => {
            format!("`{word}` is a reserved word and cannot be a name")
        }
        other => lower_first(&other.to_string()),
    }
}
