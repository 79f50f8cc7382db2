//! Where in a script an error happened: its line, the calls that led there, and the sentence about it.

use rhai::{EvalAltResult, Position};

use super::edits::Edits;
use super::said::{Around, Known};
use super::wording;

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

impl ScriptError {
    /// An error about a whole line of a script.
    pub fn at_line(name: &str, text: &str, line: usize, message: String) -> Self {
        let quoted = text.lines().nth(line.saturating_sub(1));
        Self {
            message,
            hint: None,
            file: name.to_string(),
            line: Some(line),
            line_text: quoted.unwrap_or_default().to_string(),
            column: None,
            notes: Vec::new(),
            interrupted: false,
        }
    }
}

/// Where the walk down a nested error stands.
struct Found<'a> {
    innermost: &'a EvalAltResult,
    position: Position,
    notes: Vec<String>,
    /// The cause is in a module, the position at its door.
    is_elsewhere: bool,
}

/// Explains an error of `text`, which is called `name` and was compiled with `edits`.
pub fn explain(
    error: &EvalAltResult,
    known: &Known,
    name: &str,
    text: &str,
    edits: &Edits,
) -> Box<ScriptError> {
    let found = locate(error, name);
    let position = edits.original(found.position);
    let line = position.line();
    let around = if found.is_elsewhere { Around::default() } else { around(text, position) };
    let said = wording::of(found.innermost, known, &around);
    Box::new(ScriptError {
        message: said.message,
        hint: said.hint,
        file: name.to_string(),
        line,
        line_text: line.and_then(|line| text.lines().nth(line - 1)).unwrap_or_default().to_string(),
        column: position.position(),
        notes: found.notes,
        interrupted: said.interrupted,
    })
}

/// Goes down to the cause. The position is the deepest one that still lies in the script itself; below a module's door,
/// places become notes.
fn locate<'a>(error: &'a EvalAltResult, name: &str) -> Found<'a> {
    let mut found = Found {
        innermost: error,
        position: error.position(),
        notes: Vec::new(),
        is_elsewhere: false,
    };
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
            if !found.is_elsewhere && !position.is_none() {
                found.notes.extend(call_note(function, found.position, position));
                found.position = position;
            }
            continue;
        }
        if let Some(line) = position.line() {
            found.notes.push(format!("in {source}, line {line}"));
        }
        found.is_elsewhere = true;
    }
}

/// "in `prepare`, called at line 12", where the call is on another line than the cause.
fn call_note(function: &str, call: Position, cause: Position) -> Option<String> {
    let line = call.line().filter(|line| Some(*line) != cause.line())?;
    let what = if function.starts_with("anon$") || function.is_empty() {
        "in a closure".to_string()
    } else {
        format!("in `{function}`")
    };
    Some(format!("{what}, called at line {line}"))
}

/// What stands before and behind a place of the script.
fn around(text: &str, position: Position) -> Around<'_> {
    let lines = position.line().and_then(|line| text.lines().nth(line - 1));
    let Some((line, column)) = lines.zip(position.position()) else {
        return Around::default();
    };
    let byte = line.char_indices().nth(column - 1).map_or(line.len(), |(byte, _)| byte);
    let (before, behind) = line.split_at_checked(byte).unwrap_or((line, ""));
    Around { text, before, behind }
}
