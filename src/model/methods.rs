//! Methods of Python's texts (<https://docs.python.org/3/library/stdtypes.html#string-methods>), for chat templates that were
//! written against jinja2. Places in a text are counted in characters; what is not here minijinja's own imitation has.

use minijinja::value::{Kwargs, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

/// What ends a line for `str.splitlines`, beside `\r\n`.
const LINE_ENDS: [char; 10] =
    ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

type Outcome = Result<Value, Error>;

/// A method by Python's name.
pub fn method(state: &State, value: &Value, name: &str, arguments: &[Value]) -> Outcome {
    let theirs =
        || minijinja_contrib::pycompat::unknown_method_callback(state, value, name, arguments);
    let Some(text) = value.as_str() else {
        return theirs();
    };
    if let Some(found) = places(text, name, arguments) {
        return found;
    }
    if let Some(found) = parts(text, name, arguments) {
        return found;
    }
    if let Some(holds) = kind(text, name) {
        let () = from_args(arguments)?;
        return Ok(Value::from(holds));
    }
    match name {
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(arguments)?;
            Ok(Value::from(text.strip_prefix(prefix).unwrap_or(text)))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(arguments)?;
            Ok(Value::from(text.strip_suffix(suffix).unwrap_or(text)))
        }
        "title" => {
            let () = from_args(arguments)?;
            Ok(Value::from(title(text)))
        }
        "swapcase" => {
            let () = from_args(arguments)?;
            Ok(Value::from(text.chars().map(swapped).collect::<String>()))
        }
        "zfill" | "ljust" | "rjust" | "center" => filled(text, name, arguments),
        "join" => joined(text, arguments),
        _ => theirs(),
    }
}

/// Methods that look for a text, from one character on and up to another.
fn places(text: &str, name: &str, arguments: &[Value]) -> Option<Outcome> {
    if !["find", "rfind", "index", "rindex", "count"].contains(&name) {
        return None;
    }
    let (wanted, start, end): (&str, Option<i64>, Option<i64>) = match from_args(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return Some(Err(error)),
    };
    let Some((before, within)) = between(text, start, end) else {
        let none = match name {
            "count" => Ok(Value::from(0)),
            "find" | "rfind" => Ok(Value::from(-1)),
            _ => Err(not_found()),
        };
        return Some(none);
    };
    if name == "count" {
        let count = if wanted.is_empty() {
            within.chars().count() + 1
        } else {
            within.matches(wanted).count()
        };
        return Some(Ok(Value::from(count)));
    }
    let place = match name {
        "find" | "index" => within.find(wanted),
        _ => within.rfind(wanted),
    };
    let place = place.and_then(|bytes| within.get(..bytes));
    Some(match place {
        Some(skipped) => Ok(Value::from(before + skipped.chars().count())),
        None if name.ends_with("index") => Err(not_found()),
        None => Ok(Value::from(-1)),
    })
}

fn not_found() -> Error {
    Error::new(ErrorKind::InvalidOperation, "substring not found")
}

/// `text[start:end]` and the characters before it; nothing where `start` lies behind `end` or the text.
fn between(text: &str, start: Option<i64>, end: Option<i64>) -> Option<(usize, &str)> {
    let length = text.chars().count() as i64;
    let place = |given: i64| {
        let from_the_end = if given < 0 { given.saturating_add(length) } else { given };
        from_the_end.max(0)
    };
    let start = place(start.unwrap_or(0));
    let end = place(end.unwrap_or(length)).min(length);
    if start > end {
        return None;
    }
    let byte = |place: i64| {
        let found = text.char_indices().nth(place as usize);
        found.map_or(text.len(), |(byte, _)| byte)
    };
    Some((start as usize, text.get(byte(start)..byte(end))?))
}

/// Methods that take a text apart.
fn parts(text: &str, name: &str, arguments: &[Value]) -> Option<Outcome> {
    Some(match name {
        "split" | "rsplit" => split(text, name, arguments),
        "splitlines" => lines(text, arguments),
        "partition" | "rpartition" => partition(text, name, arguments),
        _ => return None,
    })
}

fn split(text: &str, name: &str, arguments: &[Value]) -> Outcome {
    let (arguments, named) = with_names(arguments)?;
    let given = |place: usize, name: &str| -> Result<Option<Value>, Error> {
        let value = match arguments.get(place) {
            Some(value) => Some(value.clone()),
            None => named.get::<Option<Value>>(name)?,
        };
        Ok(value.filter(|value| !value.is_none() && !value.is_undefined()))
    };
    let separator = given(0, "sep")?;
    let most = given(1, "maxsplit")?.map(i64::try_from).transpose()?;
    named.assert_all_used()?;
    let most = most.and_then(|most| usize::try_from(most).ok());
    let separator = separator.as_ref().map(|value| value.as_str().unwrap_or_default());
    let found: Vec<&str> = match (separator, name) {
        (Some(""), _) => {
            return Err(Error::new(ErrorKind::InvalidOperation, "empty separator"));
        }
        (None, "split") => words(text, most),
        (None, _) => words_from_the_end(text, most),
        (Some(separator), "split") => match most {
            Some(most) => text.splitn(most.saturating_add(1), separator).collect(),
            None => text.split(separator).collect(),
        },
        (Some(separator), _) => {
            let mut parts: Vec<&str> = match most {
                Some(most) => text.rsplitn(most.saturating_add(1), separator).collect(),
                None => text.rsplit(separator).collect(),
            };
            parts.reverse();
            parts
        }
    };
    Ok(found.into_iter().map(Value::from).collect())
}

/// Arguments by place, and those by name.
fn with_names(arguments: &[Value]) -> Result<(&[Value], Kwargs), Error> {
    match arguments.split_last() {
        Some((last, others)) if last.is_kwargs() => Ok((others, Kwargs::try_from(last.clone())?)),
        _ => Ok((arguments, Kwargs::from_iter(std::iter::empty::<(String, Value)>()))),
    }
}

/// The words of a text; behind the first `most` of them the rest, as it stands.
fn words(text: &str, most: Option<usize>) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if Some(found.len()) == most {
            found.push(rest);
            break;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        found.push(word);
        rest = after.trim_start();
    }
    found
}

fn words_from_the_end(text: &str, most: Option<usize>) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        if Some(found.len()) == most {
            found.push(rest);
            break;
        }
        let space = rest.char_indices().rfind(|(_, character)| character.is_whitespace());
        let start = space.map_or(0, |(byte, space)| byte + space.len_utf8());
        let (before, word) = rest.split_at(start);
        found.push(word);
        rest = before.trim_end();
    }
    found.reverse();
    found
}

fn lines(text: &str, arguments: &[Value]) -> Outcome {
    let (arguments, named) = with_names(arguments)?;
    let named_ends: Option<bool> = named.get("keepends")?;
    named.assert_all_used()?;
    let ends = arguments.first().map_or(named_ends == Some(true), Value::is_true);
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = match rest.find(LINE_ENDS) {
            None => (rest, ""),
            Some(byte) => {
                let end = rest.get(byte..).unwrap_or_default();
                let long = if end.starts_with("\r\n") {
                    2
                } else {
                    end.chars().next().map_or(0, char::len_utf8)
                };
                let (line, after) = rest.split_at(byte + long);
                let bare = line.get(..byte).unwrap_or(line);
                (if ends { line } else { bare }, after)
            }
        };
        found.push(Value::from(line));
        rest = after;
    }
    Ok(Value::from(found))
}

fn partition(text: &str, name: &str, arguments: &[Value]) -> Outcome {
    let (separator,): (&str,) = from_args(arguments)?;
    if separator.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "empty separator"));
    }
    let (found, missing) = match name {
        "partition" => (text.split_once(separator), [text, "", ""]),
        _ => (text.rsplit_once(separator), ["", "", text]),
    };
    let parts = found.map_or(missing, |(before, after)| [before, separator, after]);
    Ok(parts.into_iter().map(Value::from).collect())
}

/// Whether all characters are of a kind, of which there must be one.
fn kind(text: &str, name: &str) -> Option<bool> {
    let all = |is: fn(char) -> bool| !text.is_empty() && text.chars().all(is);
    let cased = |is: fn(char) -> bool, is_not: fn(char) -> bool| {
        text.chars().any(is) && !text.chars().any(is_not)
    };
    Some(match name {
        "islower" => cased(char::is_lowercase, char::is_uppercase),
        "isupper" => cased(char::is_uppercase, char::is_lowercase),
        "isspace" => all(char::is_whitespace),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isdigit" | "isnumeric" | "isdecimal" => all(char::is_numeric),
        _ => return None,
    })
}

/// Every letter behind a character that is none in upper case, the others in lower case.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut within = false;
    for character in text.chars() {
        if within {
            out.extend(character.to_lowercase());
        } else {
            out.extend(character.to_uppercase());
        }
        within = character.is_alphabetic();
    }
    out
}

fn swapped(character: char) -> String {
    if character.is_uppercase() {
        character.to_lowercase().collect()
    } else {
        character.to_uppercase().collect()
    }
}

/// A text made as wide as is asked for.
fn filled(text: &str, name: &str, arguments: &[Value]) -> Outcome {
    const WIDEST: usize = 10_000;
    let (width, filling): (i64, Option<&str>) = from_args(arguments)?;
    let width = usize::try_from(width).unwrap_or(0);
    if width > WIDEST {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("{name} to more than {WIDEST} characters"),
        ));
    }
    let missing = width.saturating_sub(text.chars().count());
    if name == "zfill" {
        let sign = text.chars().next().filter(|first| ['+', '-'].contains(first));
        let digits = text.get(sign.map_or(0, char::len_utf8)..).unwrap_or(text);
        let sign = sign.map(String::from).unwrap_or_default();
        return Ok(Value::from(format!("{sign}{}{digits}", "0".repeat(missing))));
    }
    // Python puts the odd character of `center` to the left where the width is odd.
    let left = match name {
        "ljust" => 0,
        "rjust" => missing,
        _ => missing / 2 + (missing & width & 1),
    };
    let filling = filling.unwrap_or(" ");
    let (left, right) = (filling.repeat(left), filling.repeat(missing - left));
    Ok(Value::from(format!("{left}{text}{right}")))
}

/// The texts of a list with this one between them.
fn joined(text: &str, arguments: &[Value]) -> Outcome {
    let (values,): (&Value,) = from_args(arguments)?;
    let mut parts = Vec::new();
    for value in values.try_iter()? {
        let part = value.as_str().map(str::to_string);
        parts.push(part.ok_or_else(|| {
            let reason = format!("join takes texts, not {}", value.kind());
            Error::new(ErrorKind::InvalidOperation, reason)
        })?);
    }
    Ok(Value::from(parts.join(text)))
}

/// jinja2's filter `e`: the five characters that HTML reads, and no others.
pub fn escaped(value: &Value) -> Value {
    if value.is_safe() {
        return value.clone();
    }
    let text = match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().to_string(),
        _ => super::python::text(value),
    };
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            other => out.push(other),
        }
    }
    Value::from_safe_string(out)
}

/// jinja2's filter `round`: a half goes to the even neighbour, as Python's own does.
pub fn rounded(value: &Value, decimals: Option<usize>, how: Option<&str>) -> Outcome {
    const MOST: usize = 300;
    let number = f64::try_from(value.clone())?;
    let decimals = decimals.unwrap_or(0).min(MOST);
    let scale = 10_f64.powi(i32::try_from(decimals).unwrap_or(0));
    match how.unwrap_or("common") {
        "common" if value.is_integer() => Ok(value.clone()),
        // Written with so many digits a number is rounded exactly, which a detour over its multiple is not.
        "common" => Ok(Value::from(format!("{number:.decimals$}").parse().unwrap_or(number))),
        "ceil" => Ok(Value::from((number * scale).ceil() / scale)),
        "floor" => Ok(Value::from((number * scale).floor() / scale)),
        other => {
            let reason = format!("round takes common, ceil or floor, not {other}");
            Err(Error::new(ErrorKind::InvalidOperation, reason))
        }
    }
}
