//! Whether a text is the beginning of something longer: what makes a prompt ask for another line.
//!
//! rhai tells most of it by its parse errors at the end of a text. It does not tell an open comment, a hanging `x.` and
//! `let f = |x|` apart from mistakes; those are looked for here.

use rhai::{Engine, LexError, ParseErrorType};

/// True when more lines could make the text whole. Two empty lines end any text.
pub fn is_unfinished(engine: &Engine, text: &str) -> bool {
    if text.ends_with("\n\n") {
        return false;
    }
    // A comment on a function is the beginning of one.
    if text.lines().last().is_some_and(|line| line.trim_start().starts_with("///")) {
        return true;
    }
    let end = end_of(text);
    // rhai takes a closure without a body; a person who ends a line with `|x|` is about to write it.
    if end.inside_comment || opens_closure(&end.code) {
        return true;
    }
    let Err(error) = engine.compile(text) else {
        return false;
    };
    match error.err_type() {
        ParseErrorType::UnexpectedEOF => true,
        ParseErrorType::BadInput(LexError::UnterminatedString) => end.inside_raw_string,
        _ => reaches_end(&error, &end.code) || hangs(&end.code),
    }
}

/// Whether the parser stopped behind the last thing that was typed.
fn reaches_end(error: &rhai::ParseError, code: &str) -> bool {
    let position = error.position();
    let (Some(line), Some(column)) = (position.line(), position.position()) else {
        return true;
    };
    let lines = code.lines().count();
    let last = code.lines().last().map_or(0, |line| line.chars().count());
    line > lines || (line == lines && column > last)
}

/// Whether the last token cannot end a statement.
fn hangs(code: &str) -> bool {
    code.ends_with(['.', ',', '=', '+', '(', '[', '{', '&', ':'])
}

/// `let f = |x|`: the last `|` closes the parameters of a closure whose body is missing.
fn opens_closure(code: &str) -> bool {
    let Some(before) = code.strip_suffix('|') else {
        return false;
    };
    match before.rsplit_once('|') {
        Some((_, parameters)) => {
            parameters.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ',' | ' '))
        }
        None => false,
    }
}

/// Where a text ends.
struct End {
    inside_comment: bool,
    /// Inside a string between backticks, which may span lines.
    inside_raw_string: bool,
    /// The text without comments and without white space at its end.
    code: String,
}

fn end_of(text: &str) -> End {
    let mut code = String::new();
    let mut depth = 0usize;
    let mut quote = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        match (depth, quote, character, next) {
            (0, None, '/', Some('/')) => while characters.next_if(|c| *c != '\n').is_some() {},
            (_, None, '/', Some('*')) => {
                characters.next();
                depth += 1;
            }
            (1.., None, '*', Some('/')) => {
                characters.next();
                depth -= 1;
            }
            (1.., ..) => {}
            (0, Some('"'), '\\', Some(escaped)) => {
                characters.next();
                code.extend([character, escaped]);
            }
            (0, Some(open), _, _) => {
                let closes = character == open || (open == '"' && character == '\n');
                quote = if closes { None } else { quote };
                code.push(character);
            }
            (0, None, ..) => {
                if matches!(character, '"' | '`') {
                    quote = Some(character);
                }
                code.push(character);
            }
        }
    }
    End {
        inside_comment: depth > 0,
        inside_raw_string: quote == Some('`'),
        code: code.trim_end().to_string(),
    }
}
