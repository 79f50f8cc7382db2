//! rhai's errors in sentences: what went wrong, what was expected and got, and what to try.

use rhai::{AST, Engine, EvalAltResult, ParseErrorType, Scope};

use super::api;
use super::failure::Failure;
use crate::error::nearest;

/// What a name in a script could have meant.
pub struct Known<'a> {
    pub engine: &'a Engine,
    pub scope: &'a Scope<'a>,
    /// The script's own functions.
    pub library: &'a AST,
}

/// What is said about an error.
#[derive(Default)]
pub struct Said {
    pub message: String,
    pub hint: Option<String>,
    /// The user asked to stop.
    pub interrupted: bool,
}

fn plain(message: String) -> Said {
    Said {
        message,
        ..Said::default()
    }
}

fn with_hint(message: String, hint: String) -> Said {
    Said {
        message,
        hint: Some(hint),
        interrupted: false,
    }
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
        ErrorTerminated(..) => Said {
            interrupted: true,
            ..plain("stopped".to_string())
        },
        ErrorFunctionNotFound(signature, _) => unknown_function(signature, known),
        ErrorVariableNotFound(name, _) => unknown_variable(name, known.scope),
        ErrorPropertyNotFound(name, _) => plain(format!("there is no property `{name}`")),
        ErrorDotExpr(text, _) => plain(property(text)),
        ErrorMismatchDataType(expected, got, _) => {
            let (expected, got) = (friendly_types(expected), friendly_types(got));
            plain(format!("expected {expected}, got {got}"))
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

fn unknown_variable(name: &str, scope: &Scope) -> Said {
    let known: Vec<&str> = scope.iter_raw().map(|(known, _, _)| known).collect();
    plain(match nearest(name, known) {
        Some(near) => format!("there is no variable `{name}`, did you mean `{near}`?"),
        None => format!("there is no variable `{name}`"),
    })
}

/// "name (type, type)" → what was called wrongly: a known name with other arguments, or an unknown name.
fn unknown_function(signature: &str, known: &Known) -> Said {
    let (name, arguments) = match signature.split_once(" (") {
        Some((name, rest)) => (name, rest.trim_end_matches(')')),
        None => (signature, ""),
    };
    let types = friendly_types(arguments);
    if !name.starts_with(|first: char| first.is_alphabetic() || first == '_') {
        return plain(format!("the operator `{name}` does not work on {types}"));
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

/// "Frame.head" is called as "head".
fn short(full: &'static str) -> &'static str {
    full.rsplit('.').next().unwrap_or(full)
}

/// The forms in which a function is called: the script's own, else the reference's.
fn forms_of(name: &str, library: &AST) -> Vec<String> {
    let own = library
        .iter_functions()
        .filter(|function| function.name == name);
    let own: Vec<String> = own
        .map(|function| format!("{name}({})", function.params.join(", ")))
        .collect();
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
        known
            .engine
            .collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
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
