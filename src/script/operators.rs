//! The operators that rhai has otherwise than scripts need them, and what they are compiled to.
//!
//! rhai's own `/` divides whole numbers without a fraction, its `%` takes the sign of the left side where expressions take
//! that of the right, its shifts drop bits, and its comparisons take numbers that are close for equal. Each becomes an
//! operator of ours, which the functions in `api/` give its meaning. rhai's fast paths could only be replaced for all
//! operators together; this way the others keep theirs.

use rhai::{Dynamic, Engine, Token};

/// The function that gives its argument.
pub const BY_VALUE: &str = "by_value__";
/// The function that says whether parts of a value can be assigned: not of a frame's.
pub const MAY_CHANGE: &str = "may_change__";
/// The assignment that `/=` and its like are compiled to; what it is given is an [`Operand`].
pub const IN_PLACE: &str = "^=";

/// The right side of `/=` and its like, and the operator that it goes to.
#[derive(Clone, Debug)]
pub struct Operand {
    pub operator: &'static str,
    pub value: Dynamic,
}

/// `/`, for numbers with and without a fraction, and what makes the [`Operand`] where `a /= b` stood.
pub const DIVIDE: [&str; 2] = ["÷", "divide_assign__"];
pub const MODULO: [&str; 2] = ["﹪", "modulo_assign__"];
pub const SHIFT_LEFT: [&str; 2] = ["≪", "shift_left_assign__"];
pub const SHIFT_RIGHT: [&str; 2] = ["≫", "shift_right_assign__"];

/// How arithmetic is written and what it is compiled to, alone and in an assignment, and how tightly it binds.
const ARITHMETIC: [(&str, [&str; 2], u8); 4] =
    [("/", DIVIDE, 180), ("%", MODULO, 180), ("<<", SHIFT_LEFT, 210), (">>", SHIFT_RIGHT, 210)];

/// How a comparison is written, and what it is compiled to.
pub const COMPARISONS: [(&str, &str); 6] =
    [("==", "≡"), ("!=", "≢"), ("<", "≺"), ("<=", "≼"), (">", "≻"), (">=", "≽")];

/// How tightly comparisons bind, as rhai's own, and an assignment: weaker than all (1 is where an expression ends).
const EQUALITY: u8 = 90;
const ORDER: u8 = 130;
const WEAKEST: u8 = 2;

/// Makes room for our operators; [`meant`] has scripts compiled to them.
pub fn replace(engine: &mut Engine) {
    let comparisons = COMPARISONS.map(|(written, compiled)| match written {
        "==" | "!=" => (compiled, EQUALITY),
        _ => (compiled, ORDER),
    });
    let arithmetic = ARITHMETIC
        .iter()
        .flat_map(|(_, [alone, assigned], binds)| [(*alone, *binds), (*assigned, WEAKEST)]);
    for (name, precedence) in arithmetic.chain(comparisons) {
        let registered = engine.register_custom_operator(name, precedence);
        debug_assert!(registered.is_ok(), "the operator {name} is rhai's own");
    }
}

/// What a token of a script is compiled as.
pub fn meant(token: Token) -> Token {
    let replaced = matches!(
        token,
        Token::Divide
            | Token::Modulo
            | Token::LeftShift
            | Token::RightShift
            | Token::EqualsTo
            | Token::NotEqualsTo
            | Token::LessThan
            | Token::LessThanEqualsTo
            | Token::GreaterThan
            | Token::GreaterThanEqualsTo
    );
    let name = replaced.then(|| compiled(token.literal_syntax())).flatten();
    name.map_or(token, |name| Token::Custom(Box::new(name.into())))
}

fn compiled(written: &str) -> Option<&'static str> {
    let arithmetic = ARITHMETIC.iter().map(|(known, [alone, _], _)| (*known, *alone));
    let mut all = arithmetic.chain(COMPARISONS);
    all.find(|(known, _)| *known == written).map(|(_, compiled)| compiled)
}

/// What stands for the operator in an assignment such as `/=`, where it is one of ours.
pub fn assigned(written: &str) -> Option<&'static str> {
    let operator = written.strip_suffix('=')?;
    let found = ARITHMETIC.iter().find(|(known, ..)| *known == operator);
    found.map(|(_, [_, assigned], _)| *assigned)
}

/// An operator as scripts write it.
pub fn written(name: &str) -> &str {
    let arithmetic = ARITHMETIC.iter();
    let found = arithmetic.clone().find(|(_, compiled, _)| compiled.contains(&name));
    if let Some((written, ..)) = found {
        return written;
    }
    let found = COMPARISONS.iter().find(|(_, compiled)| *compiled == name);
    found.map_or(name, |(written, _)| written)
}
