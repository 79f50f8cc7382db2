//! Numbers: division with and without a fraction, and whole numbers out of others.

use std::any::TypeId;

use polars::prelude as pl;
use rhai::{Dynamic, Engine, NativeCallContext};

use super::expr::{self, Expr};
use crate::error::{Error, Result};
use crate::frame::query;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::operators::{DIVIDE, IN_PLACE, MODULO, Operand, SHIFT_LEFT, SHIFT_RIGHT};
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[
    Record::new(
        "div_floor",
        &["div_floor(a, b) -> integer", "div_floor(e, f) -> Expr"],
        "Whole division: how often b fits into a, rounded down",
        "[7 / 2, div_floor(7, 2), div_floor(-7, 2), 7 % 2]",
        |engine, _| {
            divisions(engine);
            remainders(engine);
            shifts(engine);
            assignments(engine);
            engine.register_fn(
                "div_floor",
                |context: NativeCallContext, a: Dynamic, b: Dynamic| div_floor(&a, &b).at(&context),
            );
        },
    )
    .doc(
        "`/` gives a number with a fraction, also between whole numbers, as in expressions and in Python: 7 / 2 is 3.5, 4 / 2 \
         is 2.0, 1 / 0 is infinite. `%` is what div_floor leaves and has the sign of its right side, there as here: -7 % 3 is \
         2. Where a whole number is needed, write div_floor(a, b), or number.to_int() to cut a \
         fraction off.",
    ),
    Record::new(
        "Number.to_int",
        &["number.to_int() -> integer"],
        "A number as a whole one, its fraction cut off",
        "[2.9.to_int(), (-2.9).to_int(), 2.5.round().to_int()]",
        |engine, _| {
            engine.register_fn("to_int", |context: NativeCallContext, number: f64| {
                to_int(number).at(&context)
            });
        },
    )
    .doc("What is not a number, is infinite or lies beyond 64 bits is an error."),
];

/// `/` between numbers, by the operators that it is compiled to.
fn divisions(engine: &mut Engine) {
    let [name, _] = DIVIDE;
    engine
        .register_fn(name, |a: i64, b: i64| a as f64 / b as f64)
        .register_fn(name, |a: i64, b: f64| a as f64 / b)
        .register_fn(name, |a: f64, b: i64| a / b as f64)
        .register_fn(name, |a: f64, b: f64| a / b);
}

/// `%` between numbers: what whole division leaves, with the sign of the right side.
fn remainders(engine: &mut Engine) {
    let [name, _] = MODULO;
    engine
        .register_fn(name, |context: NativeCallContext, a: i64, b: i64| {
            remainder(a, b).at(&context)
        })
        .register_fn(name, |a: i64, b: f64| float_remainder(a as f64, b))
        .register_fn(name, |a: f64, b: i64| float_remainder(a, b as f64))
        .register_fn(name, float_remainder);
}

fn remainder(a: i64, b: i64) -> Result<i64> {
    if b == 0 {
        return Err(Error::failed(format!("{a} % 0: nothing can be divided by zero")));
    }
    let rest = a.wrapping_rem(b);
    let other_side = rest != 0 && (rest < 0) != (b < 0);
    Ok(if other_side { rest + b } else { rest })
}

fn float_remainder(a: f64, b: f64) -> f64 {
    let rest = a % b;
    let other_side = rest != 0.0 && (rest < 0.0) != (b < 0.0);
    if other_side { rest + b } else { rest }
}

/// `<<` and `>>`, where no bit is lost in silence.
fn shifts(engine: &mut Engine) {
    let [name, _] = SHIFT_LEFT;
    engine.register_fn(name, |context: NativeCallContext, a: i64, n: i64| {
        shift_left(a, n).at(&context)
    });
    let [name, _] = SHIFT_RIGHT;
    engine.register_fn(name, |context: NativeCallContext, a: i64, n: i64| {
        let n = shift_by(n).at(&context)?;
        ScriptResult::Ok(a >> n.min(63))
    });
}

/// `a /= b` and its like: `a` is found once and gets what the operator gives.
fn assignments(engine: &mut Engine) {
    for [operator, assigned] in [DIVIDE, MODULO, SHIFT_LEFT, SHIFT_RIGHT] {
        engine.register_fn(assigned, move |_: (), value: Dynamic| Operand { operator, value });
    }
    let kinds = [TypeId::of::<Dynamic>(), TypeId::of::<Operand>()];
    engine.register_raw_fn(IN_PLACE, kinds, |context, arguments| {
        if let [target, operand] = arguments
            && let Some(operand) = std::mem::take(*operand).try_cast::<Operand>()
        {
            // The call may take its arguments with it, and where it fails the target stays what it was.
            let (mut left, mut right) = (target.clone(), operand.value);
            let sides = &mut [&mut left, &mut right];
            let given = context.call_native_fn_raw(operand.operator, false, sides);
            **target = given.map_err(|mut error| {
                error.set_position(context.call_position());
                error
            })?;
        }
        Ok(Dynamic::UNIT)
    });
}

fn shift_by(n: i64) -> Result<u32> {
    u32::try_from(n).map_err(|_| Error::invalid("a shift", "a whole number from 0", n.to_string()))
}

fn shift_left(a: i64, n: i64) -> Result<i64> {
    let shifted = a.checked_shl(shift_by(n)?);
    let whole = shifted.filter(|shifted| shifted.checked_shr(n as u32) == Some(a));
    whole.ok_or_else(|| Error::failed(format!("{a} << {n} does not fit into 64 bits")))
}

fn div_floor(a: &Dynamic, b: &Dynamic) -> Result<Dynamic> {
    if a.is::<Expr>() || b.is::<Expr>() {
        let (a, b) = (expr::value("div_floor", a)?, expr::value("div_floor", b)?);
        let divided = pl::binary_expr(a, pl::Operator::FloorDivide, b);
        query::check_size(&divided)?;
        return Ok(Dynamic::from(Expr(divided)));
    }
    let whole = |value: &Dynamic| {
        value.as_int().map_err(|_| {
            Error::invalid("div_floor", "two whole numbers", convert::describe(value))
                .with_hint("number.floor().to_int() makes a whole number of one with a fraction")
        })
    };
    let (a, b) = (whole(a)?, whole(b)?);
    let cut = a.checked_div(b).ok_or_else(|| match b {
        0 => Error::failed(format!("div_floor: {a} cannot be divided by zero")),
        _ => Error::failed(format!("div_floor: {a} divided by {b} does not fit into 64 bits")),
    })?;
    let below = a % b != 0 && (a < 0) != (b < 0);
    Ok(Dynamic::from(cut - i64::from(below)))
}

fn to_int(number: f64) -> Result<i64> {
    // The largest whole number is no float; 2^63 is the first that is too large.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&number) {
        Ok(number.trunc() as i64)
    } else {
        Err(Error::invalid(
            "to_int",
            "a number between -9223372036854775808 and 9223372036854775807",
            number.to_string(),
        ))
    }
}
