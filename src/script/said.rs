//! What is said about an error, and what its sentence is made from.

use rhai::{AST, Engine, Scope};

/// What a name in a script could have meant.
pub struct Known<'a> {
    pub engine: &'a Engine,
    pub scope: &'a Scope<'a>,
    /// The script's own functions.
    pub library: &'a AST,
}

/// The script around the place of an error, on its line; empty where the place is not in the script itself.
#[derive(Default)]
pub struct Around<'a> {
    /// The whole script.
    pub text: &'a str,
    pub before: &'a str,
    /// From the place on.
    pub behind: &'a str,
}

/// What is said about an error.
#[derive(Default)]
pub struct Said {
    pub message: String,
    pub hint: Option<String>,
    /// The user asked to stop.
    pub interrupted: bool,
}

pub fn plain(message: String) -> Said {
    Said { message, ..Said::default() }
}

pub fn with_hint(message: String, hint: String) -> Said {
    Said { message, hint: Some(hint), interrupted: false }
}

/// rhai's names of types in the words of the reference.
pub fn friendly_types(arguments: &str) -> String {
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
        other => other.rsplit("::").next().unwrap_or(other).to_string(),
    };
    let parts: Vec<String> =
        arguments.split(", ").filter(|part| !part.is_empty()).map(friendly).collect();
    parts.join(", ")
}

/// A sentence of rhai as the rest of one of ours.
pub fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
