//! Operators between expressions and with plain values on either side. Each pair of types is registered: rhai takes `==`
//! between unlike types that are not for `false`.

use std::rc::Rc;

use polars::prelude as pl;
use polars::prelude::Operator;
use rhai::{Engine, ImmutableString};

use super::Expr;
use crate::script::host::Host;
use crate::script::record::Record;

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
    binary(engine, "*", |a, b| {
        pl::binary_expr(a, Operator::Multiply, b)
    });
    binary(engine, "/", |a, b| {
        pl::binary_expr(a, Operator::TrueDivide, b)
    });
    binary(engine, "%", |a, b| pl::binary_expr(a, Operator::Modulus, b));
    engine.register_fn("-", |e: Expr| Expr(pl::lit(0) - e.0));
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
    let both = |a: Expr, b: Expr| Expr(a.0.and(b.0));
    let either = |a: Expr, b: Expr| Expr(a.0.or(b.0));
    engine.register_fn("&", both).register_fn("|", either);
    engine.register_fn("!", |e: Expr| Expr(e.0.not()));
}

type Combine = fn(pl::Expr, pl::Expr) -> pl::Expr;

fn binary(engine: &mut Engine, name: &str, combine: Combine) {
    engine.register_fn(name, move |a: Expr, b: Expr| Expr(combine(a.0, b.0)));
    with_scalar(engine, name, combine, |n: i64| pl::lit(n));
    with_scalar(engine, name, combine, |n: f64| pl::lit(n));
    with_scalar(engine, name, combine, |b: bool| pl::lit(b));
    with_scalar(engine, name, combine, |s: ImmutableString| {
        pl::lit(s.to_string())
    });
    with_scalar(engine, name, combine, |_: ()| pl::lit(pl::NULL));
}

fn with_scalar<T: rhai::Variant + Clone>(
    engine: &mut Engine,
    name: &str,
    combine: Combine,
    literal: fn(T) -> pl::Expr,
) {
    engine.register_fn(name, move |a: Expr, b: T| Expr(combine(a.0, literal(b))));
    engine.register_fn(name, move |a: T, b: Expr| Expr(combine(literal(a), b.0)));
}
