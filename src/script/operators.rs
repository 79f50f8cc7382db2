//! The operators that rhai has otherwise than scripts need them. Each is compiled to an operator of ours, which the functions
//! in `api/` give its meaning: rhai's own `/` divides whole numbers without a fraction, and its comparisons take numbers that
//! are close for equal. rhai's fast paths could only be replaced for all operators together; this way the others keep theirs.

use rhai::{Engine, Token};

/// `/`, for numbers with and without a fraction.
pub const DIVIDE: &str = "÷";
/// The same where `a /= b` stood: an operator that binds weaker than all others.
pub const DIVIDE_ASSIGN: &str = "divide_assign__";

/// How a comparison is written, and what it is compiled to.
pub const COMPARISONS: [(&str, &str); 6] = [
    ("==", "≡"),
    ("!=", "≢"),
    ("<", "≺"),
    ("<=", "≼"),
    (">", "≻"),
    (">=", "≽"),
];

/// How tightly operators bind: `/` as `*` and `%` do, comparisons as rhai's own, an assignment weaker than all (1 is where an
/// expression ends).
const DIVISION: u8 = 180;
const EQUALITY: u8 = 90;
const ORDER: u8 = 130;
const WEAKEST: u8 = 2;

/// Compiles the operators to ours from here on.
#[expect(
    deprecated,
    reason = "rhai marks what may change with its version, which is locked"
)]
pub fn replace(engine: &mut Engine) {
    let comparisons = COMPARISONS.map(|(written, compiled)| match written {
        "==" | "!=" => (compiled, EQUALITY),
        _ => (compiled, ORDER),
    });
    let divisions = [(DIVIDE, DIVISION), (DIVIDE_ASSIGN, WEAKEST)];
    for (name, precedence) in divisions.into_iter().chain(comparisons) {
        let registered = engine.register_custom_operator(name, precedence);
        debug_assert!(registered.is_ok(), "the operator {name} is rhai's own");
    }
    engine.on_parse_token(|token, _, _| {
        let compiled = match &token {
            Token::Divide => Some(DIVIDE),
            Token::EqualsTo
            | Token::NotEqualsTo
            | Token::LessThan
            | Token::LessThanEqualsTo
            | Token::GreaterThan
            | Token::GreaterThanEqualsTo => compiled(token.literal_syntax()),
            _ => None,
        };
        compiled.map_or(token, |name| Token::Custom(Box::new(name.into())))
    });
}

fn compiled(written: &str) -> Option<&'static str> {
    let found = COMPARISONS.iter().find(|(known, _)| *known == written);
    found.map(|(_, compiled)| *compiled)
}

/// An operator as scripts write it.
pub fn written(name: &str) -> &str {
    if matches!(name, DIVIDE | DIVIDE_ASSIGN) {
        return "/";
    }
    let found = COMPARISONS.iter().find(|(_, compiled)| *compiled == name);
    found.map_or(name, |(written, _)| written)
}
