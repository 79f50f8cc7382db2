//! What the parser refuses, in sentences: habits of other languages, the bracket that is not closed, the line that lacks its `;`.

use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use super::assist::tokens::{Kind, LANGUAGE};
use super::failure::Failure;
use super::habits;
use super::stumble::Place;

/// A parse error as an error of the script, about the place that is to be mended. `lines_before` lines of the source are not
/// the text that was just read.
pub fn taught(error: ParseError, source: &str, lines_before: usize) -> Box<EvalAltResult> {
    let ParseError(kind, position) = &error;
    let skipped: usize = source.split_inclusive('\n').take(lines_before).map(str::len).sum();
    let text = source.get(skipped..).unwrap_or_default();
    let byte = byte_of(text, *position, lines_before);
    let place = Place::new(text, byte, lines_before);
    let Some(said) = said(kind, &place) else {
        return error.into();
    };
    let position = match said.at {
        At::Parser => *position,
        At::Start(at) => position_of(text, start(&place, at), lines_before),
        At::End(at) => position_of(text, end(&place, at), lines_before),
    };
    let failure = Failure { message: said.message, hint: said.hint, interrupted: false };
    Box::new(EvalAltResult::ErrorRuntime(rhai::Dynamic::from(failure), position))
}

/// What an error is about.
enum At {
    /// What the parser says.
    Parser,
    /// The beginning of a token.
    Start(usize),
    /// Behind a token.
    End(usize),
}

struct Said {
    message: String,
    hint: Option<String>,
    at: At,
}

fn told(at: At, message: impl Into<String>, hint: impl Into<String>) -> Option<Said> {
    Some(Said { message: message.into(), hint: Some(hint.into()), at })
}

fn said(kind: &ParseErrorType, place: &Place) -> Option<Said> {
    use ParseErrorType::*;
    match kind {
        BadInput(error) => lexical(error, place),
        ExprTooDeep => told(
            At::Parser,
            "too many operations in one expression",
            "give a part of it a name with `let`",
        ),
        AssignmentToConstant(name) if !name.is_empty() => told(
            At::Parser,
            format!("`{name}` is a constant and cannot be assigned to"),
            format!("declare it with `let {name} = …` where it is to change"),
        ),
        _ => structure(kind, place),
    }
}

/// What the parser found in the wrong place.
fn structure(kind: &ParseErrorType, place: &Place) -> Option<Said> {
    if let Some(said) = habitual(place) {
        return Some(said);
    }
    let missing = match kind {
        ParseErrorType::MissingToken(token, _) => token.as_str(),
        _ => "",
    };
    unclosed(place, missing)
        .or_else(|| closes_nothing(place))
        .or_else(|| unended(place, missing))
        .or_else(|| undivided(place, missing))
        .or_else(|| other(kind, place))
}

fn habitual(place: &Place) -> Option<Said> {
    let habit = habits::at(place)?;
    told(At::Start(habit.at), habit.message, habit.hint)
}

/// A bracket that is still open where the text ends, or where something stands that no bracket holds.
fn unclosed(place: &Place, missing: &str) -> Option<Said> {
    let open = place.open()?;
    let is_block = place.word(open) == "{";
    let here = place.here();
    let ends = match here {
        "" => true,
        ")" | "]" | "}" => here != closing(place, open),
        "else" if is_block => missing == ";",
        ";" => !is_block,
        word => !is_block && LANGUAGE.contains(&word) && missing != ";",
    };
    ends.then_some(())?;
    match here {
        "" => Some(not_closed(place, outermost_by_lines(place).unwrap_or(open))),
        _ => Some(not_closed(place, open)),
    }
}

fn not_closed(place: &Place, open: usize) -> Said {
    let before = match place.here() {
        "" => "before the end".to_string(),
        here => {
            format!("before `{here}` in line {}", place.lines_before + place.line(place.at) + 1)
        }
    };
    Said {
        message: format!("this `{}` is not closed", place.word(open)),
        hint: Some(format!("`{}` is missing {before}", closing(place, open))),
        at: At::Start(open),
    }
}

/// What closes a bracket.
fn closing(place: &Place, open: usize) -> &'static str {
    match place.word(open) {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

/// The brace that is not closed, as the lines are indented: its `}` would stand as far in as its line.
fn outermost_by_lines(place: &Place) -> Option<usize> {
    let indent = |at: usize| {
        let line = place.text.lines().nth(place.line(at)).unwrap_or_default();
        line.len() - line.trim_start().len()
    };
    let is_first = |at: usize| at == 0 || place.line(at - 1) != place.line(at);
    let mut open: Vec<usize> = Vec::new();
    for at in 0..place.tokens.len() {
        match place.word(at) {
            "(" | "[" | "{" | "#{" => open.push(at),
            ")" | "]" => {
                open.pop();
            }
            "}" => {
                let opened = open.pop()?;
                if is_first(at) && indent(at) < indent(opened) {
                    return Some(opened);
                }
            }
            _ => {}
        }
    }
    open.pop()
}

fn closes_nothing(place: &Place) -> Option<Said> {
    let here = place.word(place.at);
    let is_closing = matches!(here, ")" | "]" | "}");
    (is_closing && place.open().is_none()).then_some(())?;
    told(
        At::Parser,
        format!("this `{here}` closes nothing"),
        "take it away, or open its bracket before",
    )
}

/// A statement without its `;`: the line that lacks it is the one before, not the one where the parser noticed.
fn unended(place: &Place, missing: &str) -> Option<Said> {
    let last = place.at.checked_sub(1)?;
    (missing == ";").then_some(())?;
    if let Some(divided) = division(place, last) {
        return Some(divided);
    }
    if place.line(last) < place.line(place.at) {
        return told(
            At::End(last),
            "`;` is missing at the end of this line",
            format!("write {};", place.line_text(last)),
        );
    }
    let (one, next) = (place.word(last), place.word(place.at));
    let is_call = place.tokens.get(last).is_some_and(|token| token.kind == Kind::Word);
    if next == "," {
        return told(
            At::Start(place.at),
            "a statement does not go on behind `,`",
            "one `let` declares one variable: let a = 1; let b = 2;",
        );
    }
    let hint = match (is_call, next) {
        (true, _) => format!(
            "a function is called with brackets: {one}({next}); statements are divided by `;`"
        ),
        (false, _) => "statements are divided by `;`, values by an operator".to_string(),
    };
    told(
        At::Start(place.at),
        format!("`{next}` stands right behind `{one}`, with nothing between them"),
        hint,
    )
}

/// `7 // 2`, of which the parser sees `7`.
fn division(place: &Place, last: usize) -> Option<Said> {
    let rest = place.text.get(end(place, last)..)?.lines().next()?;
    let at = rest.find("//")?;
    let divisor = rest.get(at + 2..)?.trim().trim_end_matches(';');
    let is_value = !divisor.is_empty()
        && divisor.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '(' | ')'));
    is_value.then_some(())?;
    let one = place.word(last);
    told(
        At::End(last),
        "`//` begins a comment, so the statement in front of it lacks its `;`",
        format!(
            "div_floor({one}, {divisor}) divides whole numbers; {one} / {divisor} gives a fraction"
        ),
    )
}

/// Arguments, items or parameters without a comma between them.
fn undivided(place: &Place, missing: &str) -> Option<Said> {
    let last = place.at.checked_sub(1)?;
    let next = place.word(place.at);
    match missing {
        "," => told(
            At::Start(place.at),
            format!("`,` or an operator is missing between `{}` and `{next}`", place.word(last)),
            format!("write {}, {next}", place.word(last)),
        ),
        "{" => told(
            At::Start(place.at),
            format!("expected a block between braces, got `{next}`"),
            "write if condition { … }, for x in xs { … }, while condition { … }, fn f(x) { … }",
        ),
        "in" => told(
            At::Start(place.at),
            "a `for` loop goes over an array, a range or the keys of a map",
            "write for i in 0..3 { … }",
        ),
        ":" => told(
            At::Start(place.at),
            format!("expected `:` and a value behind the key `{}`, got `{next}`", place.word(last)),
            format!("write #{{ {}: … }}", place.word(last)),
        ),
        ")" | "]" => told(
            At::Start(place.at),
            format!("expected `{missing}` or an operator, got `{next}`"),
            format!("`{}` and `{next}` stand beside each other", place.word(last)),
        ),
        _ => None,
    }
}

fn other(kind: &ParseErrorType, place: &Place) -> Option<Said> {
    let here = place.word(place.at);
    match kind {
        ParseErrorType::Reserved(word) => told(
            At::Parser,
            format!("`{word}` is a reserved word and cannot be a name"),
            "take another name",
        ),
        ParseErrorType::VariableExpected => told(
            At::Parser,
            format!("expected the name of a variable, got `{here}`"),
            "one `let` declares one variable: let a = 1; let b = 2;",
        ),
        ParseErrorType::PropertyExpected => told(
            At::Parser,
            format!("expected a name or a call behind `.`, got `{here}`"),
            "write value.name or value.method(…); texts are put together with +",
        ),
        ParseErrorType::FnMissingBody(name) => told(
            At::End(place.at.saturating_sub(1)),
            format!("the function `{name}` has no body"),
            format!("write fn {name}(…) {{ … }}"),
        ),
        ParseErrorType::LoopBreak => told(
            At::Parser,
            format!("`{here}` stands outside of a loop"),
            "`return` leaves a function; a script ends with its last line",
        ),
        ParseErrorType::WrongFnDefinition if place.starts_line(place.at) => {
            Some(not_closed(place, outermost_by_lines(place).or_else(|| place.open())?))
        }
        ParseErrorType::BadInput(LexError::UnexpectedInput(_)) => told(
            At::Parser,
            format!("expected a value or a statement, got `{here}`"),
            "an operator has a value on either side, and a bracket closes the one that was opened last",
        ),
        ParseErrorType::WrongFnDefinition => told(
            At::Parser,
            "a function stands inside another or inside a block",
            "define it outside, or write a closure: let f = |x| …",
        ),
        _ => None,
    }
}

/// What no token can be made of.
fn lexical(error: &LexError, place: &Place) -> Option<Said> {
    match error {
        LexError::UnterminatedString => {
            let quote = place.word(place.at).chars().next().unwrap_or('"');
            let hint = if quote == '`' {
                "a backtick is missing where it ends"
            } else {
                "`\"` is missing where it ends; a text between backticks may go over several lines"
            };
            told(At::Parser, "the text that begins here is not closed", hint)
        }
        LexError::MalformedEscapeSequence(sequence) => habitual(place).or_else(|| told(
            At::Parser,
            format!("`{sequence}` is no escape sequence"),
            format!(
                "write \\{sequence} for a backslash, or the text between backticks, where it stands for itself"
            )),
        ),
        LexError::ImproperSymbol(symbol, _) => {
            if let Some(said) = habitual(place) {
                return Some(said);
            }
            let write = match symbol.as_str() {
                "===" => "==",
                "!==" => "!=",
                ":=" | "<-" => "=",
                _ => return None,
            };
            told(At::Parser, format!("there is no `{symbol}`"), format!("write {write}"))
        }
        _ => structure(&ParseErrorType::BadInput(error.clone()), place),
    }
}

fn start(place: &Place, at: usize) -> usize {
    place.tokens.get(at).map_or(place.text.len(), |token| token.range.start)
}

fn end(place: &Place, at: usize) -> usize {
    place.tokens.get(at).map_or(place.text.len(), |token| token.range.end)
}

/// The byte of a text at a position of the source, whose first lines are not in it.
fn byte_of(text: &str, position: Position, lines_before: usize) -> usize {
    let Some(line) = position.line().and_then(|line| line.checked_sub(lines_before + 1)) else {
        return text.len();
    };
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    let column = position.position().unwrap_or(1).saturating_sub(1);
    before + rest.char_indices().nth(column).map_or(rest.len(), |(byte, _)| byte)
}

fn position_of(text: &str, byte: usize, lines_before: usize) -> Position {
    let before = text.get(..byte).unwrap_or_default();
    let line = before.matches('\n').count() + lines_before + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    match (u16::try_from(line), u16::try_from(column)) {
        (Ok(line), Ok(column)) => Position::new(line, column),
        _ => Position::NONE,
    }
}
