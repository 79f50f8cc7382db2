//! Functions of numbers, also for whole ones, which rhai's own leave out, and sums over arrays of numbers.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::comparisons;
use crate::error::{Error, Result};
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
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
        "sin, cos, tan, their inverses and hyperbolic forms, floor, ceiling and round work alike. round() takes halves away from \
         zero and gives a number with a fraction, 3.0; to_int() makes a whole number of it. round(digits) gives the nearest \
         number with so many digits behind the point. log wants its base, as logarithms are natural in some languages and to \
         the base of 10 in others.",
    ),
    Record::new(
        "Array.sum",
        &[
            "numbers.sum() -> number",
            "numbers.mean()",
            "numbers.min()",
            "numbers.max()",
        ],
        "The sum, mean, smallest and largest of an array of numbers",
        "let losses = [2.5, 1.5, 2]; [losses.sum(), losses.mean(), losses.min(), losses.max()]",
        |engine, _| reductions(engine),
    )
    .doc("An empty array has the sum 0 and no mean, smallest or largest. Where one is not a number (0 / 0), so is the result."),
];

type Function = fn(f64) -> f64;

const FUNCTIONS: [(&str, Function); 15] = [
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
];

fn functions(engine: &mut Engine) {
    for (name, function) in FUNCTIONS {
        engine.register_fn(name, move |n: i64| function(n as f64));
    }
    for name in ["round", "floor", "ceiling", "int"] {
        engine.register_fn(name, |n: i64| n);
    }
    engine
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
fn round(x: f64, digits: i64) -> Result<f64> {
    let digits = usize::try_from(digits).ok().filter(|digits| *digits <= 300);
    let digits = digits
        .ok_or_else(|| Error::invalid("round", "from 0 to 300 digits", "another number of them"))?;
    Ok(format!("{x:.digits$}").parse().unwrap_or(x))
}

fn reductions(engine: &mut Engine) {
    engine
        .register_fn("sum", |context: NativeCallContext, array: &mut Array| sum(array).at(&context))
        .register_fn("mean", |context: NativeCallContext, array: &mut Array| {
            mean(array).at(&context)
        });
    for (name, wanted) in [("min", Ordering::Less), ("max", Ordering::Greater)] {
        engine.register_fn(
            name,
            move |context: NativeCallContext, array: &mut Array| -> ScriptResult<Dynamic> {
                extreme(name, wanted, array).at(&context)
            },
        );
    }
}

fn number(name: &str, value: &Dynamic) -> Result<f64> {
    let whole = || value.as_int().map(|whole| whole as f64);
    value.as_float().or_else(|_| whole()).map_err(|_| {
        Error::invalid(name, "an array of numbers", format!("{} in it", convert::describe(value)))
    })
}

fn empty(name: &str) -> Error {
    Error::invalid(name, "at least one number", "an empty array")
}

fn sum(array: &Array) -> Result<Dynamic> {
    if let Some(whole) = array.iter().map(|value| value.as_int().ok()).collect::<Option<Vec<i64>>>()
    {
        let sum = whole.iter().try_fold(0_i64, |sum, n| sum.checked_add(*n));
        let sum = sum.ok_or_else(|| {
            Error::failed_with_hint(
                "sum: the sum of the whole numbers does not fit into 64 bits",
                "numbers with a fraction, as n.to_float(), go on",
            )
        });
        return sum.map(Dynamic::from);
    }
    let mut sum = 0.0;
    for value in array {
        sum += number("sum", value)?;
    }
    Ok(Dynamic::from(sum))
}

fn mean(array: &Array) -> Result<f64> {
    let mut sum = 0.0;
    for value in array {
        sum += number("mean", value)?;
    }
    if array.is_empty() { Err(empty("mean")) } else { Ok(sum / array.len() as f64) }
}

fn extreme(name: &'static str, wanted: Ordering, array: &Array) -> Result<Dynamic> {
    let mut best = array.first().ok_or_else(|| empty(name))?;
    for value in array {
        if number(name, value)?.is_nan() {
            return Ok(value.clone());
        }
        if comparisons::numbers(value, best).flatten() == Some(wanted) {
            best = value;
        }
    }
    Ok(best.clone())
}
