//! `_` as a name: the last value. rhai knows the sign only as the last case of a `switch`, which it stays there.

use std::cell::RefCell;

use rhai::{Engine, Position, Token};

/// The name of the last value.
pub const LAST: &str = "_";

/// What was read of a text so far.
#[derive(Default)]
struct Reading {
    /// The brackets that are open: whether each holds the cases of a `switch`.
    open: Vec<bool>,
    /// How many brackets were open where a `switch` was read whose cases have not begun.
    switches: Vec<usize>,
    /// Whether a case may begin here.
    begins: bool,
    at: Position,
}

impl Reading {
    /// Whether a `_` here is a case of a `switch`.
    fn is_case(&self) -> bool {
        self.begins && self.open.last() == Some(&true)
    }

    fn read(&mut self, token: &Token, at: Position) {
        // Pieces of a text around `${…}` may have no place.
        self.at = if at.is_none() { self.at } else { at };
        self.begins = matches!(token, Token::LeftBrace | Token::RightBrace | Token::Comma);
        match token {
            Token::Switch => self.switches.push(self.open.len()),
            Token::LeftBrace => {
                let holds_cases = self.switches.last() == Some(&self.open.len());
                if holds_cases {
                    self.switches.pop();
                }
                self.open.push(holds_cases);
            }
            Token::MapStart | Token::LeftParen | Token::LeftBracket => self.open.push(false),
            Token::RightBrace | Token::RightParen | Token::RightBracket => {
                self.open.pop();
            }
            _ => {}
        }
    }
}

/// Lets an engine read `_` as a name. rhai asks one listener about every token; `then` says what else a token is compiled as.
#[expect(deprecated, reason = "rhai marks what may change with its version, which is locked")]
pub fn name(engine: &mut Engine, then: fn(Token) -> Token) {
    let reading = RefCell::new(Reading::default());
    engine.on_parse_token(move |token, at, _| {
        let mut reading = reading.borrow_mut();
        // Another text begins: what an error left open is none of its.
        if !at.is_none() && at < reading.at {
            *reading = Reading::default();
        }
        let is_name = token == Token::Underscore && !reading.is_case();
        reading.read(&token, at);
        if is_name { Token::Identifier(Box::new(LAST.into())) } else { then(token) }
    });
}
