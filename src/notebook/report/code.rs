//! Rhai code as HTML with a little colour: comments, strings, numbers and words of the language.

use super::escape::escape;

const WORDS: &[&str] = &[
    "as", "break", "catch", "const", "continue", "else", "export", "false", "fn", "for", "if",
    "import", "in", "let", "loop", "private", "return", "switch", "throw", "true", "try", "while",
];

/// The code, escaped, with spans of class `c` (comment), `s` (string), `n` (number) and `k` (word of the language).
pub fn highlighted(code: &str) -> String {
    let mut out = String::with_capacity(code.len() * 2);
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let (length, class) = token(rest, first);
        let (text, after) = rest.split_at(length.clamp(first.len_utf8(), rest.len()));
        match class {
            Some(class) => {
                out.push_str(&format!("<span class=\"{class}\">{}</span>", escape(text)))
            }
            None => out.push_str(&escape(text)),
        }
        rest = after;
    }
    out
}

/// The length in bytes and class of the token that `rest` begins with.
fn token(rest: &str, first: char) -> (usize, Option<&'static str>) {
    let while_holds =
        |holds: fn(char) -> bool| rest.find(|character| !holds(character)).unwrap_or(rest.len());
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Some("c"));
    }
    if rest.starts_with("/*") {
        return (rest.find("*/").map_or(rest.len(), |end| end + 2), Some("c"));
    }
    match first {
        '"' | '`' => (string(rest, first), Some("s")),
        '0'..='9' => {
            (while_holds(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.'), Some("n"))
        }
        _ if first.is_alphabetic() || first == '_' => {
            let length = while_holds(|c| c.is_alphanumeric() || c == '_');
            let word = rest.get(..length).unwrap_or_default();
            (length, WORDS.contains(&word).then_some("k"))
        }
        _ => (first.len_utf8(), None),
    }
}

/// The length of a string with its quotes; a backslash protects the next character.
fn string(rest: &str, quote: char) -> usize {
    let mut protected = false;
    for (index, character) in rest.char_indices().skip(1) {
        match character {
            _ if protected => protected = false,
            '\\' if quote == '"' => protected = true,
            _ if character == quote => return index + character.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}
