//! Operators between expressions and with plain values on either side. Every type is taken, if only to refuse it: rhai
//! takes `==` between unlike types that are not registered for `false`, without a word.

use std::rc::Rc;

use polars::prelude as pl;
use polars::prelude::Operator;
use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};

use super::given::{bounded, value};
use crate::error::Result;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::Host;
use crate::script::operators::{DIVIDE, MODULO};
use crate::script::record::Record;
use crate::script::values::Expr;

pub const RECORDS: &[Record] = &[
    Record::new(
        "Expr.+",
        &["e + f", "e - f", "e * f", "e / f", "e % f", "-e"],
        "Arithmetic by row; `/` is true division; `+` joins texts",
        r#"frame(#{ x: [3, 4] }).select((col("x") / 2).alias("half"))"#,
        arithmetic,
    ),
    Record::new(
        "Expr.==",
        &["e == f", "e != f", "e < f", "e <= f", "e > f", "e >= f"],
        "Comparison by row; a missing value compares as missing",
        r#"frame(#{ x: [3, 4] }).filter(col("x") >= 4)"#,
        comparisons,
    ),
    Record::new(
        "Expr.&",
        &["e & f", "e | f", "!e"],
        "Logic by row",
        r#"frame(#{ x: [3, 4, 5] }).filter((col("x") > 3) & !(col("x") == 5))"#,
        logic,
    ),
];

fn arithmetic(engine: &mut Engine, _host: &Rc<Host>) {
    binary(engine, "+", |a, b| pl::binary_expr(a, Operator::Plus, b));
    binary(engine, "-", |a, b| pl::binary_expr(a, Operator::Minus, b));
    binary(engine, "*", |a, b| pl::binary_expr(a, Operator::Multiply, b));
    named(engine, DIVIDE[0], "/", |a, b| pl::binary_expr(a, Operator::TrueDivide, b));
    named(engine, MODULO[0], "%", |a, b| pl::binary_expr(a, Operator::Modulus, b));
    engine.register_fn("-", |e: Expr| bounded(-e.0));
}

fn comparisons(engine: &mut Engine, _host: &Rc<Host>) {
    binary(engine, "==", |a, b| a.eq(b));
    binary(engine, "!=", |a, b| a.neq(b));
    binary(engine, "<", |a, b| a.lt(b));
    binary(engine, "<=", |a, b| a.lt_eq(b));
    binary(engine, ">", |a, b| a.gt(b));
    binary(engine, ">=", |a, b| a.gt_eq(b));
}

fn logic(engine: &mut Engine, _host: &Rc<Host>) {
    binary(engine, "&", |a, b| a.and(b));
    binary(engine, "|", |a, b| a.or(b));
    engine.register_fn("!", |e: Expr| bounded(e.0.not()));
}

type Combine = fn(pl::Expr, pl::Expr) -> pl::Expr;

/// An operator with an expression on either side or both. What is neither an expression nor a plain value (an array, a
/// map, a frame) is an error. Texts are registered by their type, as rhai has a `+` of its own that joins them to anything.
fn binary(engine: &mut Engine, name: &'static str, combine: Combine) {
    named(engine, name, name, combine);
}

/// The same for an operator that scripts write otherwise.
fn named(engine: &mut Engine, name: &'static str, written: &'static str, combine: Combine) {
    engine.register_fn(name, move |a: Expr, b: ImmutableString| {
        bounded(combine(a.0, pl::lit(b.as_str())))
    });
    engine.register_fn(name, move |a: ImmutableString, b: Expr| {
        bounded(combine(pl::lit(a.as_str()), b.0))
    });
    engine.register_fn(name, move |a: Expr, b: Expr| bounded(combine(a.0, b.0)));
    engine.register_fn(
        name,
        move |context: NativeCallContext, a: Expr, b: Dynamic| -> ScriptResult<Expr> {
            bounded(combine(a.0, operand(written, &b).at(&context)?))
        },
    );
    engine.register_fn(
        name,
        move |context: NativeCallContext, a: Dynamic, b: Expr| -> ScriptResult<Expr> {
            bounded(combine(operand(written, &a).at(&context)?, b.0))
        },
    );
}

fn operand(operator: &str, given: &Dynamic) -> Result<pl::Expr> {
    value(&format!("an expression beside `{operator}`"), given)
        .map_err(|error| error.with_hint("`is_in` compares with the values of an array"))
}
