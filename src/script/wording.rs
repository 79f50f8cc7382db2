//! rhai's errors in sentences: what went wrong, what was expected and got, and what to try.

use std::any::TypeId;

use rhai::{AST, Engine, EvalAltResult, ParseErrorType, Scope};

use super::api;
use super::failure::Failure;
use super::operators;
use super::options::WHOLE_HINT;
use crate::error::nearest;

/// What a name in a script could have meant.
pub struct Known<'a> {
    pub engine: &'a Engine,
    pub scope: &'a Scope<'a>,
    /// The script's own functions.
    pub library: &'a AST,
}

/// What to try where `()` came in place of a value.
const NOTHING_HINT: &str = "a value is `()`, nothing: push, insert, append and clear change what they are called on and give \
     nothing, and so does a function whose last line ends with a semicolon; a frame's missing value is `()` too, and so is a \
     key that a map does not have yet: counts[word] = (counts[word] ?? 0) + 1";

/// What to try where a text stands beside a number.
const TEXT_HINT: &str = "parse_float(text) and parse_int(text) make a number of a text, number.to_string() a text of a number";

/// What is said about an error.
#[derive(Default)]
pub struct Said {
    pub message: String,
    pub hint: Option<String>,
    /// The user asked to stop.
    pub interrupted: bool,
}

fn plain(message: String) -> Said {
    Said { message, ..Said::default() }
}

fn with_hint(message: String, hint: String) -> Said {
    Said { message, hint: Some(hint), interrupted: false }
}

/// The sentence about the innermost error.
pub fn of(error: &EvalAltResult, known: &Known) -> Said {
    use EvalAltResult::*;
    match error {
        ErrorRuntime(value, _) => match value.clone().try_cast::<Failure>() {
            Some(failure) => Said {
                message: failure.message,
                hint: failure.hint,
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
        ErrorFunctionNotFound(signature, _) => unknown_function(signature, known),
        ErrorVariableNotFound(name, _) => unknown_variable(name, known.scope),
        ErrorDataRace(..) => with_hint(
            "a closure reads what it is handed to while that is being worked on".to_string(),
            "take what the closure needs out of it first: let n = values.len(); values.for_each(|| … n …)".to_string(),
        ),
        ErrorArithmetic(text, _) => arithmetic(text),
        ErrorIndexingType(text, _) => indexing(text),
        ErrorPropertyNotFound(name, _) => with_hint(
            format!("there is no property `{name}`"),
            format!("where it may be missing: map[key] ?? 0 takes another value, and {name:?} in map asks"),
        ),
        ErrorDotExpr(text, _) => plain(property(text)),
        ErrorMismatchDataType(expected, got, _) => {
            let whole = expected == "i64" && got == "f64";
            let (expected, got) = (friendly_types(expected), friendly_types(got));
            Said {
                hint: whole.then(|| WHOLE_HINT.to_string()),
                ..plain(format!("expected {expected}, got {got}"))
            }
        }
        ErrorParsing(kind, _) => plain(parse_sentence(kind)),
        ErrorStackOverflow(_) => with_hint(
            "functions call each other too deeply".to_string(),
            "does a function call itself without an end?".to_string(),
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

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
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
    plain(format!("{} cannot be indexed with {}", friendly_types(indexed), friendly_types(index)))
}

fn unknown_variable(name: &str, scope: &Scope) -> Said {
    let known: Vec<&str> = scope.iter_raw().map(|(known, _, _)| known).collect();
    if known.contains(&name) {
        return with_hint(
            format!(
                "`{name}` is not known inside the function: functions see only their arguments"
            ),
            format!(
                "hand `{name}` over as an argument, or write a closure, which sees the variables around it: let f = |x| …"
            ),
        );
    }
    plain(match nearest(name, known) {
        Some(near) => format!("there is no variable `{name}`, did you mean `{near}`?"),
        None => format!("there is no variable `{name}`"),
    })
}

/// "name (type, type)" → what was called wrongly: a known name with other arguments, or an unknown name.
fn unknown_function(signature: &str, known: &Known) -> Said {
    let (name, arguments) = match signature.split_once(" (") {
        Some((name, rest)) => (name, rest.strip_suffix(')').unwrap_or(rest)),
        None => (signature, ""),
    };
    let name = operators::written(name);
    let types = friendly_types(arguments);
    if arguments.contains("f64") && wants_whole(name, arguments, known.engine) {
        return with_hint(
            format!("`{name}`: expected a whole number, got a number with a fraction"),
            WHOLE_HINT.to_string(),
        );
    }
    if arguments.split(", ").any(|kind| kind == "()") {
        let work = if name.starts_with(|first: char| first.is_alphabetic() || first == '_') {
            format!("`{name}` cannot be called with ({types})")
        } else {
            format!("the operator `{name}` does not work on {types}")
        };
        return with_hint(work, NOTHING_HINT.to_string());
    }
    if !name.starts_with(|first: char| first.is_alphabetic() || first == '_') {
        let message = format!("the operator `{name}` does not work on {types}");
        let texts =
            types.contains("string") && (types.contains("integer") || types.contains("number"));
        return Said { hint: texts.then(|| TEXT_HINT.to_string()), ..plain(message) };
    }
    if known.scope.get(name).is_some_and(|value| value.is::<rhai::FnPtr>()) {
        return with_hint(
            format!("`{name}` is a variable that holds a closure, not a function"),
            format!("call it as {name}.call(…)"),
        );
    }
    let wrongly = format!("`{name}` cannot be called with ({types})");
    let forms = forms_of(name, known.library);
    if !forms.is_empty() {
        return with_hint(wrongly, format!("it is called as {}", forms.join(" or ")));
    }
    let names = function_names(known);
    plain(match nearest(name, names.iter().map(String::as_str)) {
        Some(near) if near == name => wrongly,
        Some(near) => format!("there is no function `{name}`, did you mean `{near}`?"),
        None => format!("there is no function `{name}` for ({types})"),
    })
}

/// Whether a function of this name takes whole numbers where floats were given.
fn wants_whole(name: &str, arguments: &str, engine: &Engine) -> bool {
    if !name.starts_with(|first: char| first.is_alphabetic()) {
        return matches!(name, ".." | "..=");
    }
    let given: Vec<&str> = arguments.split(", ").collect();
    let fits = |info: rhai::FuncInfo| {
        let function = info.metadata;
        let whole = TypeId::of::<i64>();
        let expected = function.param_types.iter().zip(&given);
        let mut floats = expected.filter(|(_, kind)| **kind == "f64").peekable();
        let all = floats.peek().is_some() && floats.all(|(expected, _)| *expected == whole);
        let first = given.first().copied().unwrap_or_default();
        let first_fits = first == "f64" || takes(function.param_types.first(), first);
        (function.name == name && function.param_types.len() == given.len() && all && first_fits)
            .then_some(())
    };
    !engine.collect_fn_metadata(None, fits, true).is_empty()
}

/// Whether a parameter is of the type that the first argument has; unknown types pass.
fn takes(parameter: Option<&TypeId>, kind: &str) -> bool {
    let expected = match kind {
        "Frame" => TypeId::of::<api::frame::Frame>(),
        "Expr" => TypeId::of::<api::expr::Expr>(),
        "array" => TypeId::of::<rhai::Array>(),
        "map" => TypeId::of::<rhai::Map>(),
        "i64" => TypeId::of::<i64>(),
        kind if kind.contains("ImmutableString") => TypeId::of::<rhai::ImmutableString>(),
        _ => return true,
    };
    parameter == Some(&expected) || parameter == Some(&TypeId::of::<rhai::Dynamic>())
}

/// "Frame.head" is called as "head".
fn short(full: &'static str) -> &'static str {
    full.rsplit('.').next().unwrap_or(full)
}

/// The forms in which a function is called: the script's own, else the reference's.
fn forms_of(name: &str, library: &AST) -> Vec<String> {
    let own = library.iter_functions().filter(|function| function.name == name);
    let own: Vec<String> =
        own.map(|function| format!("{name}({})", function.params.join(", "))).collect();
    if !own.is_empty() {
        return own;
    }
    api::all()
        .filter(|record| short(record.name) == name)
        .flat_map(|record| record.signatures.iter())
        .filter(|form| form.contains(&format!("{name}(")))
        .map(|form| form.to_string())
        .collect()
}

fn function_names(known: &Known) -> Vec<String> {
    let records = api::all().map(|record| short(record.name).to_string());
    let own = known.library.iter_functions();
    let own = own.map(|function| function.name.to_string());
    let builtin =
        known.engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
    records
        .chain(own)
        .chain(builtin)
        .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .collect()
}

/// "Unknown property 'x' - a getter is not registered for type 'y'" in our words.
fn property(text: &str) -> String {
    let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [name, kind, ..] => format!("there is no property `{name}` in {}", friendly_types(kind)),
        _ => lower_first(text),
    }
}

/// rhai's names of types in the words of the reference.
fn friendly_types(arguments: &str) -> String {
    let friendly = |name: &str| match name.trim() {
        "i64" => "integer".to_string(),
        "bool" => "boolean".to_string(),
        "f64" => "number".to_string(),
        "&str | ImmutableString | String" | "ImmutableString" => "string".to_string(),
        "()" => "nothing".to_string(),
        "Fn" => "closure".to_string(),
        "core::ops::range::Range<i64>" | "core::ops::range::RangeInclusive<i64>" => {
            "range".to_string()
        }
        other => other.to_string(),
    };
    let parts: Vec<String> =
        arguments.split(", ").filter(|part| !part.is_empty()).map(friendly).collect();
    parts.join(", ")
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
