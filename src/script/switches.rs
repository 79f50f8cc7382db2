//! `switch` finds its case by a hash, to which 2.0 is not 2, so that `switch 4 / 2 { 2 => … }` would miss. What is switched
//! by goes through a function that makes whole numbers of floats that are whole, and such labels are written whole.

use rhai::{Expr, Position};

use super::edits::{Edit, Text};

/// The function that what is switched by goes through.
pub const CASE: &str = "case__";

/// The edits of the statement that begins at a place.
pub fn edits(text: &Text, value: &Expr, at: Position) -> Option<Vec<Edit>> {
    const WORD: &str = "switch";
    // A block as the value of a switch would end in front of its cases.
    if !text.starts_with(at, WORD) || matches!(value, Expr::Stmt(_)) {
        return None;
    }
    let code = text.code_from(at);
    let characters: Vec<char> = code.iter().map(|(_, character)| *character).collect();
    let body = body_of(&characters)?;
    let about = value.start_position();
    let behind_word = code.get(WORD.len())?.0;
    let mut edits = vec![
        Edit::insertion(behind_word, &format!(" {CASE}("), about)?,
        Edit::insertion(code.get(body)?.0, ")", about)?,
    ];
    for (start, length, whole) in labels(&characters, body) {
        let place = code.get(start)?.0;
        let mut edit = Edit::insertion(place, &whole.to_string(), place)?;
        edit.removed = length;
        edits.push(edit);
    }
    Some(edits)
}

/// The place of the brace that opens the cases.
fn body_of(code: &[char]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in code.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| code.get(before));
        match character {
            '{' if depth == 0 && before != Some(&'#') => return Some(at),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Labels that are whole floats: their place, length and value.
fn labels(code: &[char], body: usize) -> Vec<(usize, usize, i64)> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut at = body;
    while let Some(character) = code.get(at) {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            first if first.is_alphanumeric() || *first == '_' => {
                let length = word_length(code.get(at..).unwrap_or_default());
                let word: String = code.iter().skip(at).take(length).collect();
                let whole = whole_float(&word);
                let is_label =
                    depth == 1 && ends_label(code.get(at + length..).unwrap_or_default());
                found.extend(whole.filter(|_| is_label).map(|whole| (at, length, whole)));
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    found
}

/// The length of a name or number. A dot belongs to a number unless it begins a range or a method.
fn word_length(code: &[char]) -> usize {
    let digits = code.first().is_some_and(char::is_ascii_digit);
    let mut length = 0;
    while let Some(character) = code.get(length) {
        let next = code.get(length + 1).copied().unwrap_or(' ');
        let before = length.checked_sub(1).and_then(|before| code.get(before));
        let fraction = *character == '.' && next != '.' && !next.is_alphabetic() && next != '_';
        let sign = matches!(character, '+' | '-') && matches!(before, Some('e' | 'E'));
        let part = character.is_alphanumeric() || *character == '_';
        if !(part || (digits && (fraction || sign))) {
            break;
        }
        length += 1;
    }
    length
}

fn whole_float(word: &str) -> Option<i64> {
    // The first float beyond all whole numbers.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if !word.starts_with(|first: char| first.is_ascii_digit()) || word.parse::<i64>().is_ok() {
        return None;
    }
    let number: f64 = word.replace('_', "").parse().ok()?;
    (number.fract() == 0.0 && number < BOUND).then_some(number as i64)
}

/// Whether what follows ends a label.
fn ends_label(code: &[char]) -> bool {
    let rest: String =
        code.iter().skip_while(|character| character.is_whitespace()).take(3).collect();
    rest.starts_with("=>") || (rest.starts_with('|') && !rest.starts_with("||")) || rest == "if "
}
