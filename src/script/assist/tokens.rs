//! The words of a script's text, also of one that is not finished: for colours, brackets, and what stands before a cursor.

use std::ops::Range;

/// What a piece of the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, or a word of the language.
    Word,
    Number,
    /// A string with its quotes; not closed where the text ends inside it.
    Text {
        closed: bool,
    },
    Comment,
    /// `::`, `#{`, `=>`, or one character.
    Mark,
}

/// A piece of the text. Between pieces there is only white space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    /// Bytes of the text.
    pub range: Range<usize>,
}

impl Token {
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.range.clone()).unwrap_or_default()
    }
}

/// Words that rhai keeps for itself.
pub const LANGUAGE: &[&str] = &[
    "let", "const", "if", "else", "switch", "while", "loop", "for", "in", "do", "until", "break",
    "continue", "return", "throw", "try", "catch", "fn", "private", "import", "export", "as",
    "true", "false", "this", "global",
];

/// Marks of two characters that mean something other than one after the other.
const PAIRS: &[&str] = &["::", "#{", "=>", "==", "!=", "<=", ">=", "->", "??", "&&", "||"];

/// All words of a text.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = piece(rest, first);
        found.push(Token { kind, range: at..at + length });
        at += length;
    }
    found
}

/// The kind of the piece that a text begins with, and its length.
fn piece(rest: &str, first: char) -> (Kind, usize) {
    let run = |inside: &dyn Fn(char) -> bool| rest.find(|c: char| !inside(c)).unwrap_or(rest.len());
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, comment(rest));
    }
    if matches!(first, '"' | '`') {
        let (length, closed) = quoted(rest, first);
        return (Kind::Text { closed }, length);
    }
    if let Some(length) = character(rest) {
        return (Kind::Text { closed: true }, length);
    }
    if first.is_ascii_digit() {
        return (Kind::Number, number(rest));
    }
    if first.is_alphabetic() || first == '_' {
        return (Kind::Word, run(&|c| c.is_alphanumeric() || c == '_'));
    }
    let is_pair = PAIRS.iter().any(|pair| rest.starts_with(pair));
    (Kind::Mark, if is_pair { 2 } else { first.len_utf8() })
}

/// The length of a character between single quotes, `'a'` or `'\n'`, where a text begins with one.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let length =
        if first == '\\' { 1 + inside.chars().nth(1)?.len_utf8() } else { first.len_utf8() };
    inside.get(length..)?.starts_with('\'').then_some(length + 2)
}

/// The length of a number: `1.5e-3`, but of `1.to_string()` and `0..9` only the first digit.
fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(b' ');
    let mut at = 0;
    loop {
        let here = byte(at);
        let is_point = here == b'.' && byte(at + 1).is_ascii_digit();
        let is_sign = matches!(here, b'+' | b'-')
            && at > 0
            && byte(at - 1) == b'e'
            && !rest.starts_with("0x");
        if !(here.is_ascii_alphanumeric() || here == b'_' || is_point || is_sign) {
            return at.max(1);
        }
        at += 1;
    }
}

/// The length of a comment between marks, which may hold others.
fn comment(rest: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(here) = rest.get(at..).filter(|here| !here.is_empty()) {
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a string, and whether it is closed. One between `"` ends with its line.
fn quoted(rest: &str, quote: char) -> (usize, bool) {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return (at + 1, true);
        }
        if quote == '"' && character == '\\' {
            characters.next();
        } else if quote == '"' && character == '\n' {
            return (at, false);
        }
    }
    (rest.len(), false)
}

/// The place of the bracket that belongs to the one at `cursor`, or in front of it.
pub fn matching(text: &str, cursor: usize) -> Option<usize> {
    let tokens = tokens(text);
    let is_bracket = |token: &Token| opens(token, text) || closes(token, text);
    let here = tokens.iter().position(|token| token.range.start == cursor && is_bracket(token));
    let before = || tokens.iter().position(|token| token.range.end == cursor && is_bracket(token));
    let at = here.or_else(before)?;
    let from = tokens.get(at)?;
    let mut depth = 0usize;
    let mut step = |token: &Token, opening: bool| {
        if opening {
            depth += 1;
        } else if is_bracket(token) {
            depth = depth.saturating_sub(1);
        }
        depth == 0
    };
    let found = if opens(from, text) {
        let mut on = tokens.iter().skip(at);
        on.find(|token| step(token, opens(token, text)))
    } else {
        let mut back = tokens.iter().take(at + 1).rev();
        back.find(|token| step(token, closes(token, text)))
    }?;
    // Of `#{` the brace.
    Some(found.range.end - 1)
}

/// Whether a piece opens a bracket.
pub fn opens(token: &Token, text: &str) -> bool {
    token.kind == Kind::Mark && matches!(token.of(text), "(" | "[" | "{" | "#{")
}

/// Whether a piece closes a bracket.
pub fn closes(token: &Token, text: &str) -> bool {
    token.kind == Kind::Mark && matches!(token.of(text), ")" | "]" | "}")
}

/// Whether a text speaks of the last value, `_`: by that name alone, and not as the last case of a `switch`.
pub fn speaks_of_last(text: &str) -> bool {
    let tokens = tokens(text);
    let mut pairs = tokens.iter().zip(tokens.iter().skip(1).map(Some).chain([None]));
    pairs.any(|(token, next)| {
        let is_case = next.is_some_and(|next| matches!(next.of(text), "=>" | "if"));
        token.kind == Kind::Word && token.of(text) == "_" && !is_case
    })
}
