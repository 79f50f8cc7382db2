//! rhai's errors as sentences: what went wrong, where in the script, and what to try.

use rhai::{Engine, EvalAltResult, ParseErrorType, Position, Scope};

use super::api;
use super::failure::Failure;
use crate::error::nearest;

/// An error of a script, ready to be drawn by a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    pub message: String,
    pub hint: Option<String>,
    /// What the text is called: the script's path.
    pub file: String,
    /// The line of the script, from 1, and its text.
    pub line: Option<usize>,
    pub line_text: String,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// Where below the script it happened: "in std/mixture, line 12".
    pub notes: Vec<String>,
    /// The user asked to stop.
    pub interrupted: bool,
}

/// Where the walk down a nested error stands.
struct Found<'a> {
    innermost: &'a EvalAltResult,
    position: Position,
    notes: Vec<String>,
}

/// Explains an error of `text`, which is called `name`.
pub fn explain(
    error: &EvalAltResult,
    engine: &Engine,
    scope: &Scope,
    name: &str,
    text: &str,
) -> ScriptError {
    let found = locate(error, name);
    let (message, hint, interrupted) = describe(found.innermost, engine, scope);
    let line = found.position.line();
    ScriptError {
        message,
        hint,
        file: name.to_string(),
        line,
        line_text: line
            .and_then(|line| text.lines().nth(line - 1))
            .unwrap_or_default()
            .to_string(),
        column: found.position.position(),
        notes: found.notes,
        interrupted,
    }
}

/// Goes down to the cause. The position is the deepest one that still lies in the script itself; below a module's door,
/// places become notes.
fn locate<'a>(error: &'a EvalAltResult, name: &str) -> Found<'a> {
    let mut found = Found {
        innermost: error,
        position: error.position(),
        notes: Vec::new(),
    };
    let mut module: Option<String> = None;
    loop {
        let (inner, source, function) = match found.innermost {
            EvalAltResult::ErrorInFunctionCall(function, source, inner, _) => {
                (inner, source, function.as_str())
            }
            EvalAltResult::ErrorInModule(path, inner, _) => (inner, path, ""),
            _ => return found,
        };
        found.innermost = inner;
        let position = inner.position();
        if source.is_empty() || source == name {
            if module.is_none() && !position.is_none() {
                found
                    .notes
                    .extend(call_note(function, found.position, position));
                found.position = position;
            }
            continue;
        }
        if let Some(line) = position.line() {
            found.notes.push(format!("in {source}, line {line}"));
        }
        module = Some(source.clone());
    }
}

/// "in `prepare`, called at line 12", where the call is on another line than the cause.
fn call_note(function: &str, call: Position, cause: Position) -> Option<String> {
    let line = call.line().filter(|line| Some(*line) != cause.line())?;
    let what = match function.starts_with("anon$") || function.is_empty() {
        true => "in a closure".to_string(),
        false => format!("in `{function}`"),
    };
    Some(format!("{what}, called at line {line}"))
}

fn describe(
    error: &EvalAltResult,
    engine: &Engine,
    scope: &Scope,
) -> (String, Option<String>, bool) {
    let plain = |message: String| (message, None, false);
    match error {
        EvalAltResult::ErrorRuntime(value, _) => match value.clone().try_cast::<Failure>() {
            Some(failure) => (failure.message, failure.hint, failure.interrupted),
            None => plain(thrown(value)),
        },
        EvalAltResult::ErrorTerminated(..) => ("stopped".to_string(), None, true),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let (message, hint) = unknown_function(signature, engine);
            (message, hint, false)
        }
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            let known: Vec<String> = scope
                .iter()
                .map(|(known, _, _)| known.to_string())
                .collect();
            let near = nearest(name, known.iter().map(String::as_str));
            plain(match near {
                Some(near) => format!("there is no variable `{name}`, did you mean `{near}`?"),
                None => format!("there is no variable `{name}`"),
            })
        }
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            plain(format!("there is no property `{name}`"))
        }
        EvalAltResult::ErrorDotExpr(text, _) => plain(property(text)),
        EvalAltResult::ErrorMismatchDataType(expected, got, _) => plain(format!(
            "expected {}, got {}",
            friendly_types(expected),
            friendly_types(got)
        )),
        EvalAltResult::ErrorParsing(kind, _) => plain(parse_sentence(kind)),
        EvalAltResult::ErrorStackOverflow(_) => (
            "functions call each other too deeply".to_string(),
            Some("does a function call itself without an end?".to_string()),
            false,
        ),
        EvalAltResult::ErrorModuleNotFound(path, _) => {
            plain(format!("there is no module {path:?}"))
        }
        other => {
            let text = other.to_string();
            let bare = text
                .rsplit_once(" (line ")
                .map_or(text.as_str(), |(bare, _)| bare);
            plain(lower_first(bare))
        }
    }
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

/// "name (type, type)" → what was called wrongly: a known name with other arguments, or an unknown name.
fn unknown_function(signature: &str, engine: &Engine) -> (String, Option<String>) {
    let (name, arguments) = match signature.split_once(" (") {
        Some((name, rest)) => (name, rest.trim_end_matches(')')),
        None => (signature, ""),
    };
    let types = friendly_types(arguments);
    if !name
        .chars()
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
    {
        return (
            format!("the operator `{name}` does not work on {types}"),
            None,
        );
    }
    let short = |full: &'static str| full.rsplit('.').next().unwrap_or(full);
    let forms: Vec<&str> = api::all()
        .filter(|record| short(record.name) == name)
        .flat_map(|record| record.signatures.iter().copied())
        .filter(|form| form.contains(&format!("{name}(")))
        .collect();
    if !forms.is_empty() {
        let message = format!("`{name}` cannot be called with ({types})");
        return (
            message,
            Some(format!("it is called as {}", forms.join(" or "))),
        );
    }
    let mut known: Vec<String> = api::all()
        .map(|record| short(record.name).to_string())
        .collect();
    known.extend(
        engine
            .collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true)
            .into_iter()
            .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_')),
    );
    let message = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) if near != name => {
            format!("there is no function `{name}`, did you mean `{near}`?")
        }
        Some(_) => format!("`{name}` cannot be called with ({types})"),
        None => format!("there is no function `{name}` for ({types})"),
    };
    (message, None)
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
        other => other.to_string(),
    };
    let parts: Vec<String> = arguments
        .split(", ")
        .filter(|part| !part.is_empty())
        .map(friendly)
        .collect();
    parts.join(", ")
}

fn parse_sentence(kind: &ParseErrorType) -> String {
    match kind {
        ParseErrorType::UnexpectedEOF => "the script ends in the middle of something".to_string(),
        ParseErrorType::MissingToken(token, what) => format!("`{token}` is missing {what}"),
        ParseErrorType::Reserved(word) => {
            format!("`{word}` is a reserved word and cannot be a name")
        }
        other => lower_first(&other.to_string()),
    }
}
