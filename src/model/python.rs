//! Values as Python writes them, for chat templates that were written against jinja2: `str`, `repr` and `json.dumps`.

use std::fmt::{self, Write};

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// How deep lists and maps may hold each other.
const DEEPEST: usize = 64;

/// `str(value)`.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    // Writing to a string does not fail, and what is nested too deep ends in an ellipsis.
    let _ = write_text(&mut out, value);
    out
}

/// `str(value)` of a value that came as JSON.
pub fn shown(value: &serde_json::Value) -> String {
    text(&Value::from_serialize(value))
}

/// Writes `str(value)`; nothing for what is undefined, as Jinja does.
pub fn write_text(out: &mut impl Write, value: &Value) -> fmt::Result {
    match value.kind() {
        ValueKind::Undefined => Ok(()),
        ValueKind::String => out.write_str(value.as_str().unwrap_or_default()),
        _ => write_repr(out, value, 0),
    }
}

/// Writes `repr(value)`.
fn write_repr(out: &mut impl Write, value: &Value, depth: usize) -> fmt::Result {
    if depth > DEEPEST {
        return out.write_str("...");
    }
    match value.kind() {
        ValueKind::Undefined => out.write_str("Undefined"),
        ValueKind::None => out.write_str("None"),
        ValueKind::Bool => out.write_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => out.write_str(&number(value)),
        ValueKind::String => quoted(out, value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            out.write_str("[")?;
            for (place, item) in value.try_iter().into_iter().flatten().enumerate() {
                out.write_str(if place == 0 { "" } else { ", " })?;
                write_repr(out, &item, depth + 1)?;
            }
            out.write_str("]")
        }
        ValueKind::Map => {
            out.write_str("{")?;
            for (place, key) in value.try_iter().into_iter().flatten().enumerate() {
                out.write_str(if place == 0 { "" } else { ", " })?;
                write_repr(out, &key, depth + 1)?;
                out.write_str(": ")?;
                write_repr(out, &value.get_item(&key).unwrap_or_default(), depth + 1)?;
            }
            out.write_str("}")
        }
        _ => write!(out, "{value}"),
    }
}

/// A text in quotes: single ones, unless only they occur in it.
fn quoted(out: &mut impl Write, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.write_char(quote)?;
    for character in text.chars() {
        match character {
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\\' => out.write_str("\\\\")?,
            c if c == quote => write!(out, "\\{c}")?,
            c if c.is_control() || c == '\u{a0}' || c == '\u{ad}' => {
                write!(out, "\\x{:02x}", u32::from(c))?
            }
            c if c != ' ' && (c.is_whitespace() || c == '\u{feff}') => {
                write!(out, "\\u{:04x}", u32::from(c))?
            }
            c => out.write_char(c)?,
        }
    }
    out.write_char(quote)
}

/// A number as `repr` gives it: the shortest digits that read back, with an exponent below 1e-4 and from 1e16.
fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    let Ok(x) = f64::try_from(value.clone()) else {
        return value.to_string();
    };
    if x.is_nan() {
        return "nan".to_string();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.to_string();
    }
    let size = x.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{x:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{x:?}")
}

/// How `json.dumps` writes.
pub struct Json {
    /// Whether characters beyond ASCII are escaped.
    pub ascii: bool,
    /// Spaces a level; everything on one line when `None`.
    pub indent: Option<usize>,
    /// What stands between items, and between a key and its value.
    pub separators: Option<(String, String)>,
    /// Whether keys are put in order.
    pub sorted: bool,
    /// Bytes that may be written.
    pub longest: usize,
}

impl Json {
    pub fn text(&self, value: &Value) -> Result<String, Error> {
        let mut out = String::new();
        self.write(&mut out, value, 0)?;
        Ok(out)
    }

    fn write(&self, out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        let refuse = |reason: String| Err(Error::new(ErrorKind::InvalidOperation, reason));
        if depth > DEEPEST || out.len() > self.longest {
            return refuse("the value is too large for tojson".to_string());
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&match number(value).as_str() {
                "nan" => "NaN".to_string(),
                "inf" => "Infinity".to_string(),
                "-inf" => "-Infinity".to_string(),
                other => other.to_string(),
            }),
            ValueKind::String => self.string(out, value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let mut first = true;
                out.push('[');
                for item in value.try_iter()? {
                    self.between(out, &mut first, depth + 1);
                    self.write(out, &item, depth + 1)?;
                }
                self.close(out, first, depth, ']');
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sorted {
                    keys.sort();
                }
                let mut first = true;
                out.push('{');
                for key in keys {
                    self.between(out, &mut first, depth + 1);
                    match key.kind() {
                        ValueKind::String => self.string(out, key.as_str().unwrap_or_default()),
                        ValueKind::Bool | ValueKind::None | ValueKind::Number => {
                            out.push('"');
                            self.write(out, &key, depth + 1)?;
                            out.push('"');
                        }
                        kind => return refuse(format!("a key of JSON cannot be {kind}")),
                    }
                    match &self.separators {
                        Some((_, colon)) => out.push_str(colon),
                        None => out.push_str(": "),
                    }
                    self.write(out, &value.get_item(&key)?, depth + 1)?;
                }
                self.close(out, first, depth, '}');
            }
            kind => return refuse(format!("a value that is {kind} has no JSON")),
        }
        Ok(())
    }

    /// What stands before an item: a comma after an earlier one, and its own line where lines are indented.
    fn between(&self, out: &mut String, first: &mut bool, depth: usize) {
        if !std::mem::take(first) {
            match (&self.separators, self.indent) {
                (Some((comma, _)), _) => out.push_str(comma),
                (None, Some(_)) => out.push(','),
                (None, None) => out.push_str(", "),
            }
        }
        self.line(out, depth);
    }

    fn close(&self, out: &mut String, empty: bool, depth: usize, bracket: char) {
        if !empty {
            self.line(out, depth);
        }
        out.push(bracket);
    }

    fn line(&self, out: &mut String, depth: usize) {
        if let Some(width) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', width.min(64) * depth));
        }
    }

    fn string(&self, out: &mut String, text: &str) {
        out.push('"');
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if u32::from(c) < 0x20
                    || (self.ascii && !c.is_ascii())
                    || (self.ascii && c == '\u{7f}') =>
                {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}
