//! Functions of numbers, also for whole ones, which rhai's own leave out.

use rhai::{Engine, NativeCallContext};

use crate::error::{Error, Result};
use crate::script::failure::At;
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[
    Record::new(
        "Number.sqrt",
        &[
            "number.sqrt() -> number",
            "number.exp()",
            "number.ln()",
            "number.log(base)",
            "number.round(digits)",
        ],
        "Functions of a number, whole or not",
        "[2.sqrt(), 1.exp(), 10.ln(), 100.log(10), 3.14159.round(2)]",
        |engine, _| functions(engine),
    )
    .doc(
        "abs, sin, cos, tan, their inverses (asin, atan, atan(y, x), …) and hyperbolic forms, hypot(x, y), to_degrees, to_radians, \
         floor, ceil and round work alike, as methods and as functions: sqrt(2). round() takes halves away from \
         zero and gives a number with a fraction, 3.0; to_int() makes a whole number of it. round(digits) gives the nearest \
         number with so many digits behind the point. log wants its base, as logarithms are natural in some languages and to \
         the base of 10 in others.",
    ),
];

type Function = fn(f64) -> f64;
type FunctionOfTwo = fn(f64, f64) -> f64;

const FUNCTIONS: [(&str, Function); 17] = [
    ("sqrt", f64::sqrt),
    ("exp", f64::exp),
    ("ln", f64::ln),
    ("sin", f64::sin),
    ("cos", f64::cos),
    ("tan", f64::tan),
    ("asin", f64::asin),
    ("acos", f64::acos),
    ("atan", f64::atan),
    ("sinh", f64::sinh),
    ("cosh", f64::cosh),
    ("tanh", f64::tanh),
    ("asinh", f64::asinh),
    ("acosh", f64::acosh),
    ("atanh", f64::atanh),
    ("to_degrees", f64::to_degrees),
    ("to_radians", f64::to_radians),
];

/// Functions of two numbers: the angle of the point (x, y), called with y first as everywhere, and its distance from (0, 0).
const OF_TWO: [(&str, FunctionOfTwo); 2] = [("atan", f64::atan2), ("hypot", f64::hypot)];

fn functions(engine: &mut Engine) {
    for (name, function) in FUNCTIONS {
        engine.register_fn(name, move |n: i64| function(n as f64));
    }
    for (name, function) in OF_TWO {
        engine
            .register_fn(name, move |a: i64, b: i64| function(a as f64, b as f64))
            .register_fn(name, move |a: i64, b: f64| function(a as f64, b))
            .register_fn(name, move |a: f64, b: i64| function(a, b as f64));
    }
    for name in ["round", "floor", "ceiling", "ceil", "int"] {
        engine.register_fn(name, |n: i64| n);
    }
    engine
        .register_fn("ceil", f64::ceil)
        .register_fn("is_nan", |_: i64| false)
        .register_fn("is_infinite", |_: i64| false)
        .register_fn("is_finite", |_: i64| true)
        .register_fn("round", |context: NativeCallContext, x: f64, digits: i64| {
            round(x, digits).at(&context)
        })
        .register_fn("round", |n: i64, _: i64| n)
        .register_fn("log", |context: NativeCallContext, _: f64| baseless().at(&context))
        .register_fn("log", |context: NativeCallContext, _: i64| baseless().at(&context))
        .register_fn("log", |n: i64, base: i64| log(n as f64, base as f64))
        .register_fn("log", |x: f64, base: i64| log(x, base as f64))
        .register_fn("log", |n: i64, base: f64| log(n as f64, base))
        .register_fn("log", log);
}

/// The usual bases exactly where the result is whole: ln(1000) / ln(10) is 2.9999999999999996.
fn log(x: f64, base: f64) -> f64 {
    if base == 10.0 {
        x.log10()
    } else if base == 2.0 {
        x.log2()
    } else {
        x.log(base)
    }
}

fn baseless() -> Result<f64> {
    Err(Error::failed_with_hint(
        "log() is natural in some languages and to the base of 10 in others",
        "number.ln() is the natural logarithm, number.log(10) that to the base of 10",
    ))
}

/// By way of the decimal text, which is rounded correctly.
pub fn round(x: f64, digits: i64) -> Result<f64> {
    let digits = usize::try_from(digits).ok().filter(|digits| *digits <= 300);
    let digits = digits
        .ok_or_else(|| Error::invalid("round", "from 0 to 300 digits", "another number of them"))?;
    Ok(format!("{x:.digits$}").parse().unwrap_or(x))
}
