//! Comparisons of numbers, exact as IEEE 754 has them. rhai's own take numbers within a relative 2.2e-16 for equal, and
//! everything below 2.2e-16 for zero.

use std::any::TypeId;
use std::cmp::Ordering;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext};

use super::expr::Expr;
use crate::script::failure::ScriptResult;
use crate::script::operators::{BY_VALUE, COMPARISONS, MAY_CHANGE};
use crate::script::record::Record;
use crate::script::switches::CASE;

pub const RECORDS: &[Record] = &[Record::new(
    "comparisons",
    &[
        "a == b -> boolean",
        "a != b",
        "a < b",
        "a <= b",
        "a > b",
        "a >= b",
        "max(a, b)",
        "min(a, b)",
    ],
    "Comparisons of numbers, texts and other values",
    "[1e-20 > 0.0, 0.1 + 0.2 == 0.3, 1 == 1.0, (0.1 + 0.2 - 0.3).abs() < 1e-9]",
    |engine, _| register(engine),
)
.doc(
    "Numbers compare exactly, also a whole one with one that has a fraction: 0.1 + 0.2 is not 0.3. What is not a number (0 / 0) \
     equals nothing, not itself either, and is neither below nor above anything; number.is_nan() tells it. Values of \
     different kinds are never equal, and which of them is larger is an error. A missing value, (), equals only (), and is \
     neither below nor above anything.",
)];

/// The first float beyond all whole numbers.
const BOUND: f64 = 9_223_372_036_854_775_808.0;

/// Whether an order of two numbers is what an operator asks for; none where one of them is not a number.
type Holds = fn(Option<Ordering>) -> bool;

fn register(engine: &mut Engine) {
    for (written, compiled) in COMPARISONS {
        let holds: Holds = match written {
            "==" => |order| order == Some(Ordering::Equal),
            "!=" => |order| order != Some(Ordering::Equal),
            "<" => |order| order == Some(Ordering::Less),
            "<=" => |order| order.is_some_and(Ordering::is_le),
            ">" => |order| order == Some(Ordering::Greater),
            _ => |order| order.is_some_and(Ordering::is_ge),
        };
        let equality = matches!(written, "==" | "!=");
        engine.register_raw_fn(
            compiled,
            [TypeId::of::<Dynamic>(); 2],
            move |context, arguments| match arguments {
                [a, b] => compare(&context, written, equality, holds, a, b),
                _ => Ok(Dynamic::UNIT),
            },
        );
        // What rhai itself compares by: `in`, index_of, arrays and maps as a whole, Fn("<").
        engine
            .register_fn(written, move |a: f64, b: f64| holds(a.partial_cmp(&b)))
            .register_fn(written, move |a: i64, b: f64| holds(mixed(a, b)))
            .register_fn(written, move |a: f64, b: i64| holds(mixed(b, a).map(Ordering::reverse)));
    }
    engine
        .register_fn(CASE, case)
        .register_fn(BY_VALUE, |value: Dynamic| value.flatten())
        .register_fn(MAY_CHANGE, |value: Dynamic| value.is_array() || value.is_map());
    larger_and_smaller(engine);
}

/// A float that is whole as a whole number, for `switch`; anything else as it is.
fn case(value: Dynamic) -> Dynamic {
    match value.as_float() {
        Ok(number) if number.fract() == 0.0 && (-BOUND..BOUND).contains(&number) => {
            Dynamic::from(number as i64)
        }
        _ => value,
    }
}

/// The larger or smaller of a whole number and one with a fraction, as it is: rhai would make both floats first.
fn larger_and_smaller(engine: &mut Engine) {
    for (name, wanted) in [("max", Ordering::Greater), ("min", Ordering::Less)] {
        // As between two floats, what is not a number loses.
        let choose = move |a: i64, b: f64| match mixed(a, b) {
            Some(order) if order != wanted && order != Ordering::Equal => Dynamic::from(b),
            _ => Dynamic::from(a),
        };
        engine.register_fn(name, choose).register_fn(name, move |a: f64, b: i64| choose(b, a));
    }
}

fn compare(
    context: &NativeCallContext,
    written: &str,
    equality: bool,
    holds: Holds,
    a: &mut Dynamic,
    b: &mut Dynamic,
) -> ScriptResult<Dynamic> {
    if let Some(order) = numbers(a, b) {
        return Ok(holds(order).into());
    }
    if let (Some(a), Some(b)) = (a.read_lock::<ImmutableString>(), b.read_lock::<ImmutableString>())
    {
        return Ok(holds(Some(a.as_str().cmp(b.as_str()))).into());
    }
    if !equality && !comparable(a, b) {
        let name = |value: &Dynamic| context.engine().map_type_name(value.type_name()).to_string();
        let signature = format!("{written} ({}, {})", name(a), name(b));
        return Err(Box::new(EvalAltResult::ErrorFunctionNotFound(
            signature,
            context.call_position(),
        )));
    }
    context.call_native_fn_raw(written, true, &mut [a, b])
}

/// Whether one value can be larger than the other. A text may be a single character, an expression compares by row, and a
/// missing value is neither larger nor smaller.
fn comparable(a: &Dynamic, b: &Dynamic) -> bool {
    let textual = |value: &Dynamic| value.is_string() || value.is_char();
    let any = |value: &Dynamic| value.is_unit() || value.is::<Expr>();
    any(a) || any(b) || a.type_id() == b.type_id() || (textual(a) && textual(b))
}

/// The order of two numbers: `None` where they are not numbers, `Some(None)` where one is NaN.
pub fn numbers(a: &Dynamic, b: &Dynamic) -> Option<Option<Ordering>> {
    match (a.as_int(), b.as_int()) {
        (Ok(a), Ok(b)) => Some(Some(a.cmp(&b))),
        (Ok(a), Err(_)) => Some(mixed(a, b.as_float().ok()?)),
        (Err(_), Ok(b)) => Some(mixed(b, a.as_float().ok()?).map(Ordering::reverse)),
        (Err(_), Err(_)) => Some(a.as_float().ok()?.partial_cmp(&b.as_float().ok()?)),
    }
}

/// A whole number and a float in their exact order: not every whole number beyond 2^53 is a float.
fn mixed(whole: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float >= BOUND {
        return Some(Ordering::Less);
    }
    if float < -BOUND {
        return Some(Ordering::Greater);
    }
    let cut = float.trunc();
    Some(whole.cmp(&(cut as i64)).then_with(|| {
        let rest = float - cut;
        0.0_f64.partial_cmp(&rest).unwrap_or(Ordering::Equal)
    }))
}
