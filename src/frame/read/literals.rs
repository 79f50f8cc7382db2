//! Literals in JSON that its usual readers change or stumble over: whole numbers of more than 64 bits, and Python's `NaN`.

use std::borrow::Cow;

/// Whole numbers of so many digits may not fit 64 bits.
const LONG: usize = 19;

/// JSON in which each whole number of more than 64 bits is a text of its digits: as a number it would lose some of them.
pub fn with_long_numbers_as_text(json: &[u8]) -> Cow<'_, [u8]> {
    if !has_long_run(json) {
        return Cow::Borrowed(json);
    }
    let mut written = Vec::with_capacity(json.len() + 16);
    for (token, is_text) in Tokens::new(json) {
        let long = !is_text && is_long_whole(token);
        if long {
            written.push(b'"');
        }
        written.extend_from_slice(token);
        if long {
            written.push(b'"');
        }
    }
    Cow::Owned(written)
}

fn has_long_run(json: &[u8]) -> bool {
    let mut run = 0;
    json.iter().any(|byte| {
        run = if byte.is_ascii_digit() { run + 1 } else { 0 };
        run >= LONG
    })
}

fn is_long_whole(token: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(token) else {
        return false;
    };
    let size = text.strip_prefix('-').unwrap_or(text);
    let is_whole = size.bytes().all(|byte| byte.is_ascii_digit());
    let is_json = !size.starts_with('0');
    let fits = || text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    size.len() >= LONG && is_whole && is_json && !fits()
}

/// The literal at or about a place (counted in bytes) that Python writes and JSON does not have.
pub fn not_json_at(json: &[u8], place: usize) -> Option<&'static str> {
    let known = ["-Infinity", "Infinity", "NaN"];
    let mut start = 0;
    for (token, is_text) in Tokens::new(json) {
        let end = start + token.len();
        if !is_text && start <= place && place <= end {
            let found = known.iter().find(|word| word.as_bytes() == token);
            if let Some(word) = found {
                return Some(word);
            }
        }
        start = end;
    }
    None
}

/// JSON cut into texts (with their quotes), words (numbers and the like), and single bytes between them.
struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    fn new(json: &'a [u8]) -> Self {
        Self { rest: json }
    }
}

impl<'a> Iterator for Tokens<'a> {
    /// The bytes, and whether they are a text.
    type Item = (&'a [u8], bool);

    fn next(&mut self) -> Option<Self::Item> {
        let is_text = *self.rest.first()? == b'"';
        let length = if is_text {
            text_length(self.rest)
        } else {
            let word = self.rest.iter().take_while(|byte| is_of_word(**byte));
            word.count().max(1)
        };
        let (token, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        Some((token, is_text))
    }
}

fn text_length(json: &[u8]) -> usize {
    let mut escaped = false;
    let end = json.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |end| end + 2)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}
