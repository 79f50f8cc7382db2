//! Arrays of numbers: their statistics, their rounding, and the whole numbers from one to another.

use std::cmp::Ordering;

use polars::prelude::{ChunkQuantile, Float64Chunked};
use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::{comparisons, expr, mathematics};
use crate::error::{Context, Error, Result};
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[
    Record::new(
        "Array.sum",
        &["numbers.sum() -> number", "numbers.mean()", "numbers.min()", "numbers.max()"],
        "The sum, mean, smallest and largest of an array of numbers",
        "let losses = [2.5, 1.5, 2]; [losses.sum(), losses.mean(), losses.min(), losses.max()]",
        |engine, _| reductions(engine),
    )
    .doc("An empty array has the sum 0 and no mean, smallest or largest. Where one is not a number (0 / 0), so is the result."),
    Record::new(
        "Array.std",
        &[
            "numbers.std() -> number",
            "numbers.variance()",
            "numbers.median()",
            "numbers.quantile(q)",
            "numbers.quantile(q, interpolation)",
        ],
        "The deviation, variance, median and quantiles of an array of numbers",
        "let f1 = [0.81, 0.79, 0.86]; [f1.std(), f1.median(), f1.quantile(0.9)]",
        |engine, _| spreads(engine),
    )
    .doc(
        "`std` and `variance` are those of a sample, divided by n - 1, as of expressions and in polars (numpy divides by n unless \
         told otherwise), so they need two numbers. `quantile` gives the number below which a share q of them lies: the nearest \
         one there is, as polars does, or as `interpolation` says: \"nearest\", \"higher\", \"lower\", \"midpoint\", \"linear\" (as \
         numpy does), \"equiprobable\". Where one is not a number (0 / 0), so is the result.",
    ),
    Record::new(
        "Array.round",
        &["numbers.round(digits) -> array", "numbers.round() -> array"],
        "Each number of an array, rounded to so many digits behind the point",
        "[0.12345, 2.5, 3].round(2)",
        |engine, _| {
            engine.register_fn("round", |context: NativeCallContext, array: &mut Array, digits: i64| {
                rounded(array, |x| mathematics::round(x, digits)).at(&context)
            });
            engine.register_fn("round", |context: NativeCallContext, array: &mut Array| {
                rounded(array, |x| Ok(x.round())).at(&context)
            });
        },
    )
    .doc("A new array; whole numbers stay as they are. It rounds as number.round(digits) does."),
    Record::new(
        "range",
        &["range(n) -> array", "range(from, to) -> array", "range(from, to, step) -> array"],
        "The whole numbers from 0, or from the first one, up to but without the last, as an array",
        "for i in range(3) { print(i) } [range(4), range(2, 5), range(10, 0, -5)]",
        |engine, _| {
            engine.register_fn("range", |context: NativeCallContext, n: i64| {
                range(&context, 0, n, 1).at(&context)
            });
            engine.register_fn("range", |context: NativeCallContext, from: i64, to: i64| {
                range(&context, from, to, 1).at(&context)
            });
            engine.register_fn("range", |context: NativeCallContext, from: i64, to: i64, step: i64| {
                range(&context, from, to, step).at(&context)
            });
        },
    )
    .doc(
        "`for i in 0..n` walks through the same numbers without an array, however many there are; a part of a text or an array is \
         taken by `a..b` too.",
    ),
];

fn reductions(engine: &mut Engine) {
    engine
        .register_fn("sum", |context: NativeCallContext, array: &mut Array| sum(array).at(&context))
        .register_fn("mean", |context: NativeCallContext, array: &mut Array| {
            numbers("mean", 1, array).map(|numbers| mean(&numbers)).at(&context)
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

fn spreads(engine: &mut Engine) {
    engine
        .register_fn("variance", |context: NativeCallContext, array: &mut Array| {
            numbers("variance", 2, array).map(|numbers| variance(&numbers)).at(&context)
        })
        .register_fn("std", |context: NativeCallContext, array: &mut Array| {
            numbers("std", 2, array).map(|numbers| variance(&numbers).sqrt()).at(&context)
        })
        .register_fn("median", |context: NativeCallContext, array: &mut Array| {
            quantile("median", array, &Dynamic::from(0.5), "linear").at(&context)
        })
        .register_fn("quantile", |context: NativeCallContext, array: &mut Array, q: Dynamic| {
            quantile("quantile", array, &q, "nearest").at(&context)
        })
        .register_fn(
            "quantile",
            |context: NativeCallContext, array: &mut Array, q: Dynamic, interpolation: &str| {
                quantile("quantile", array, &q, interpolation).at(&context)
            },
        );
}

/// The item at a place as a number.
fn number(name: &str, place: usize, value: &Dynamic) -> Result<f64> {
    let whole = || value.as_int().map(|whole| whole as f64);
    value.as_float().or_else(|_| whole()).map_err(|_| {
        let got = format!("{} at index {place}", convert::describe(value));
        let error = Error::invalid(name, "an array of numbers", got);
        if value.is_unit() {
            error.with_hint("numbers.filter(|x| x != ()) leaves missing values out")
        } else {
            error
        }
    })
}

/// All items as numbers, at least so many of them.
fn numbers(name: &str, least: usize, array: &[Dynamic]) -> Result<Vec<f64>> {
    let numbers = array.iter().enumerate().map(|(place, value)| number(name, place, value));
    let numbers: Vec<f64> = numbers.collect::<Result<_>>()?;
    if numbers.len() < least {
        return Err(too_few(name, least, numbers.len()));
    }
    Ok(numbers)
}

fn too_few(name: &str, least: usize, got: usize) -> Error {
    let expected = if least == 1 { "at least one number" } else { "at least two numbers" };
    let got = if got == 0 { "an empty array" } else { "an array of one" };
    Error::invalid(name, expected, got)
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
    Ok(Dynamic::from(numbers("sum", 0, array)?.iter().sum::<f64>()))
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The sample's variance, by way of the mean: the sum of squares less the square of the sum would lose digits.
fn variance(numbers: &[f64]) -> f64 {
    let mean = mean(numbers);
    let squares: f64 = numbers.iter().map(|x| (x - mean) * (x - mean)).sum();
    squares / (numbers.len() as f64 - 1.0)
}

fn quantile(name: &str, array: &[Dynamic], q: &Dynamic, interpolation: &str) -> Result<f64> {
    let (share, method) = expr::quantile_asked(q, interpolation)?;
    let numbers = numbers(name, 1, array)?;
    if numbers.iter().any(|x| x.is_nan()) {
        return Ok(f64::NAN);
    }
    let found = Float64Chunked::from_vec("".into(), numbers).quantile(share, method);
    found.during(name).map(|found| found.unwrap_or(f64::NAN))
}

/// The smallest or largest item, as it is: a whole number stays whole.
fn extreme(name: &'static str, wanted: Ordering, array: &Array) -> Result<Dynamic> {
    let mut best = array.first().ok_or_else(|| too_few(name, 1, 0))?;
    for (place, value) in array.iter().enumerate() {
        if number(name, place, value)?.is_nan() {
            return Ok(value.clone());
        }
        if comparisons::numbers(value, best).flatten() == Some(wanted) {
            best = value;
        }
    }
    Ok(best.clone())
}

fn rounded(array: &[Dynamic], round: impl Fn(f64) -> Result<f64>) -> Result<Array> {
    let items = array.iter().enumerate().map(|(place, value)| {
        let x = number("round", place, value)?;
        if value.is_int() { Ok(value.clone()) } else { round(x).map(Dynamic::from) }
    });
    items.collect()
}

fn range(context: &NativeCallContext, from: i64, to: i64, step: i64) -> Result<Array> {
    let (first, last, by) = (i128::from(from), i128::from(to), i128::from(step));
    if step == 0 {
        return Err(Error::invalid("range", "a step that is not 0", "0"));
    }
    let distance = (last - first) * by.signum();
    let count = ((distance + by.abs() - 1) / by.abs()).max(0);
    let most = context.engine().max_array_size();
    if most > 0 && count > most as i128 {
        return Err(Error::invalid(
            "range",
            format!("at most {most} numbers, as many as an array holds"),
            count.to_string(),
        )
        .with_hint("`for i in 0..n` walks through any number of them without an array"));
    }
    Ok((0..count)
        .filter_map(|place| i64::try_from(first + place * by).ok())
        .map(Dynamic::from)
        .collect())
}
