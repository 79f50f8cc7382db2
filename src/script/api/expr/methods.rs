//! Methods of expressions: aggregates, missing values, types, numbers, lists and structs.

use polars::prelude as pl;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::given::{bounded, names, value};
use crate::error::{Context, Error, Result};
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::options::Options;
use crate::script::record::{Record, option};
use crate::script::values::Expr;

/// Equal values share the mean of their ranks, as in rank statistics.
const AVERAGE_RANK: pl::RankOptions =
    pl::RankOptions { method: pl::RankMethod::Average, descending: false };

/// Registers a method without arguments.
fn method(engine: &mut Engine, name: &str, apply: fn(pl::Expr) -> pl::Expr) {
    engine.register_fn(name, move |e: Expr| bounded(apply(e.0)));
}

pub const RECORDS: &[Record] = &[
    Record::new(
        "Expr.alias",
        &["e.alias(name) -> Expr"],
        "Names the column that the expression makes",
        r#"frame(#{ x: [1] }).select(col("x").alias("y"))"#,
        |engine, _| {
            engine.register_fn("alias", |e: Expr, name: &str| bounded(e.0.alias(name)));
        },
    ),
    Record::new(
        "Expr.mean",
        &[
            "e.mean()",
            "e.sum()",
            "e.min()",
            "e.max()",
            "e.std()",
            "e.variance()",
            "e.median()",
        ],
        "Aggregates of numbers, over all rows or each group; the sample's deviation and variance",
        r#"frame(#{ x: [1, 2, 6] }).select([col("x").mean().alias("mean"), col("x").max().alias("max")])"#,
        |engine, _| {
            method(engine, "mean", |e| e.mean());
            method(engine, "sum", |e| e.sum());
            method(engine, "min", |e| e.min());
            method(engine, "max", |e| e.max());
            method(engine, "std", |e| e.std(1));
            method(engine, "variance", |e| e.var(1));
            method(engine, "median", |e| e.median());
        },
    ),
    Record::new(
        "Expr.count",
        &[
            "e.count()",
            "e.n_unique()",
            "e.null_count()",
            "e.first()",
            "e.last()",
            "e.implode()",
        ],
        "Counts (without missing values), the first and last, and all values as a list",
        r#"frame(#{ k: ["a", "a"], x: [1, 2] }).group_by("k").agg([col("x").count().alias("n"), col("x").first()])"#,
        |engine, _| {
            let whole: fn(pl::Expr) -> pl::Expr = |e| e.count().cast(pl::DataType::Int64);
            method(engine, "count", whole);
            method(engine, "n_unique", |e| {
                e.n_unique().cast(pl::DataType::Int64)
            });
            method(engine, "null_count", |e| {
                e.null_count().cast(pl::DataType::Int64)
            });
            method(engine, "first", |e| e.first());
            method(engine, "last", |e| e.last());
            method(engine, "implode", |e| e.implode(true));
        },
    ),
    Record::new(
        "Expr.any",
        &["e.any()", "e.all()"],
        "Whether any or every row is true",
        r#"frame(#{ k: ["a", "a"], x: [1, 2] }).group_by("k").agg((col("x") > 1).any().alias("any_large"))"#,
        |engine, _| {
            method(engine, "any", |e| e.any(true));
            method(engine, "all", |e| e.all(true));
        },
    ),
    Record::new(
        "Expr.unique",
        &[
            "e.unique()",
            "e.sort()",
            "e.sort(#{ descending, nulls_last })",
            "e.reverse()",
        ],
        "The distinct values in the order in which they appear, sorted values (missing ones first), values in reverse order",
        r#"frame(#{ x: ["b", "a", "b"] }).select(col("x").unique().sort())"#,
        |engine, _| {
            method(engine, "unique", |e| e.unique_stable());
            method(engine, "reverse", |e| e.reverse());
            method(engine, "sort", |e| sort(e, false, false));
            engine.register_fn(
                "sort",
                |context: NativeCallContext, e: Expr, options: Map| {
                    let run = || {
                        let options = Options::new("sort", options);
                        let descending = options.boolean("descending")?.unwrap_or(false);
                        let nulls_last = options.boolean("nulls_last")?.unwrap_or(false);
                        options.finish()?;
                        Ok::<_, Error>(sort(e.0, descending, nulls_last))
                    };
                    run().at(&context).and_then(bounded)
                },
            );
        },
    )
    .options(&[
        &[
            option("descending", "true or false", "false", "The largest first"),
            option("nulls_last", "true or false", "false", "Missing values come last; else they come first"),
        ],
    ]),
    Record::new(
        "Expr.quantile",
        &[
            "e.quantile(q) -> Expr",
            "e.quantile(q, interpolation) -> Expr",
        ],
        "The value below which a share q of the rows lies: that of the nearest row, or as `interpolation` says",
        r#"frame(#{ x: [1, 2, 3, 4, 5] }).select(col("x").quantile(0.5))"#,
        |engine, _| {
            engine.register_fn(
                "quantile",
                |context: NativeCallContext, e: Expr, q: Dynamic| {
                    quantile(e.0, &q, "nearest").at(&context).and_then(bounded)
                },
            );
            engine.register_fn(
                "quantile",
                |context: NativeCallContext, e: Expr, q: Dynamic, interpolation: &str| {
                    quantile(e.0, &q, interpolation).at(&context).and_then(bounded)
                },
            );
        },
    )
    .doc(
        "`interpolation` has polars' names: \"nearest\", \"higher\", \"lower\", \"midpoint\", \"linear\" (as numpy's), \
         \"equiprobable\".",
    ),
    Record::new(
        "Expr.over",
        &["e.over(columns) -> Expr"],
        "The aggregate of the row's group, on every row of it",
        r#"frame(#{ k: ["a", "a", "b"], x: [1, 3, 5] }).with_columns(col("x").mean().over("k").alias("group_mean"))"#,
        |engine, _| {
            engine.register_fn(
                "over",
                |context: NativeCallContext, e: Expr, columns: Dynamic| {
                    let by: Vec<pl::Expr> = names("over", &columns)
                        .at(&context)?
                        .into_iter()
                        .map(pl::col)
                        .collect();
                    e.0.over(by).during("over").at(&context).and_then(bounded)
                },
            );
        },
    ),
    Record::new(
        "Expr.is_null",
        &[
            "e.is_null()",
            "e.is_not_null()",
            "e.is_nan()",
            "e.fill_null(value)",
        ],
        "Missing values: which rows have none, and what to put there",
        r#"frame(#{ x: [1, ()] }).with_columns(col("x").fill_null(0))"#,
        |engine, _| {
            method(engine, "is_null", |e| e.is_null());
            method(engine, "is_not_null", |e| e.is_not_null());
            method(engine, "is_nan", |e| e.is_nan());
            engine.register_fn(
                "fill_null",
                |context: NativeCallContext, e: Expr, given: Dynamic| {
                    let given = value("fill_null", &given).at(&context)?;
                    bounded(e.0.fill_null(given))
                },
            );
        },
    ),
    Record::new(
        "Expr.is_in",
        &["e.is_in(values) -> Expr", "e.is_between(low, high) -> Expr"],
        "Whether the value is one of an array's, or from low to high, both included",
        r#"frame(#{ x: ["a", "b", "c"] }).filter(col("x").is_in(["a", "c"]))"#,
        |engine, _| {
            engine.register_fn(
                "is_in",
                |context: NativeCallContext, e: Expr, values: Array| {
                    is_in(e.0, &values).at(&context).and_then(bounded)
                },
            );
            engine.register_fn(
                "is_between",
                |context: NativeCallContext,
                 e: Expr,
                 low: Dynamic,
                 high: Dynamic|
                 -> ScriptResult<Expr> {
                    let low = value("is_between", &low).at(&context)?;
                    let high = value("is_between", &high).at(&context)?;
                    bounded(e.0.is_between(low, high, pl::ClosedInterval::Both))
                },
            );
        },
    ),
    Record::new(
        "Expr.cast",
        &["e.cast(type) -> Expr", "e.try_cast(type) -> Expr"],
        "Another type: \"int\", \"float\", \"str\" or \"bool\"",
        r#"frame(#{ x: ["1", "2"] }).with_columns(col("x").cast("int"))"#,
        |engine, _| {
            engine.register_fn("cast", |context: NativeCallContext, e: Expr, name: &str| {
                let dtype = dtype(name).at(&context)?;
                bounded(e.0.strict_cast(dtype))
            });
            engine.register_fn(
                "try_cast",
                |context: NativeCallContext, e: Expr, name: &str| {
                    bounded(e.0.cast(dtype(name).at(&context)?))
                },
            );
        },
    )
    .doc("`cast` refuses values that do not fit; `try_cast` makes them missing."),
    Record::new(
        "Expr.abs",
        &[
            "e.abs()",
            "e.floor()",
            "e.ceil()",
            "e.round()",
            "e.round(decimals)",
            "e.round(decimals, mode)",
            "e.exp()",
            "e.log()",
            "e.sqrt()",
            "e.cum_sum()",
            "e.rank()",
            "e.shift(n)",
        ],
        "Numbers by row; cum_sum, rank and shift look along the rows",
        r#"frame(#{ x: [1.26, -2.5] }).select([col("x").abs().alias("abs"), col("x").round(1).alias("round")])"#,
        |engine, _| {
            method(engine, "abs", |e| e.abs());
            method(engine, "floor", |e| e.floor());
            method(engine, "ceil", |e| e.ceil());
            method(engine, "exp", |e| e.exp());
            method(engine, "log", |e| e.log(pl::lit(std::f64::consts::E)));
            method(engine, "sqrt", |e| e.sqrt());
            method(engine, "cum_sum", |e| e.cum_sum(false));
            method(engine, "rank", |e| e.rank(AVERAGE_RANK, None));
            engine.register_fn("shift", |e: Expr, n: i64| bounded(e.0.shift(pl::lit(n))));
            method(engine, "round", |e| e.round(0, pl::RoundMode::HalfToEven));
            engine.register_fn(
                "round",
                |context: NativeCallContext, e: Expr, decimals: i64| {
                    round(e.0, decimals, "half_to_even").at(&context).and_then(bounded)
                },
            );
            engine.register_fn(
                "round",
                |context: NativeCallContext, e: Expr, decimals: i64, mode: &str| {
                    round(e.0, decimals, mode).at(&context).and_then(bounded)
                },
            );
        },
    )
    .doc(
        "`round` puts a half to the even neighbour, as Python does; `mode` is \"half_to_even\" or \"half_away_from_zero\".",
    ),
    Record::new(
        "Expr.field",
        &[
            "e.field(name) -> Expr",
            "e.item(i) -> Expr",
            "e.list_len() -> Expr",
            "e.list_join(separator) -> Expr",
        ],
        "A field of a struct column, an item of a list column (from the end when negative), a list's length, its texts joined",
        r#"frame([#{ info: #{ group: "a" }, pair: [1, 2] }]).select([col("info").field("group"), col("pair").item(-1)])"#,
        |engine, _| {
            engine.register_fn("field", |e: Expr, name: &str| {
                bounded(e.0.struct_().field_by_name(name))
            });
            engine.register_fn("item", |e: Expr, index: i64| {
                // polars takes the amount of a negative index, which the lowest number has none of.
                bounded(e.0.list().get(pl::lit(index.max(-i64::MAX)), true))
            });
            method(engine, "list_len", |e| {
                e.list().len().cast(pl::DataType::Int64)
            });
            engine.register_fn("list_join", |e: Expr, separator: &str| {
                bounded(e.0.list().join(pl::lit(separator), true))
            });
        },
    ),
];

fn sort(e: pl::Expr, descending: bool, nulls_last: bool) -> pl::Expr {
    let how = pl::SortOptions::default()
        .with_order_descending(descending)
        .with_nulls_last(nulls_last)
        .with_maintain_order(true);
    e.sort(how)
}

fn round(e: pl::Expr, decimals: i64, mode: &str) -> Result<pl::Expr> {
    let mode = match mode {
        "half_to_even" => pl::RoundMode::HalfToEven,
        "half_away_from_zero" => pl::RoundMode::HalfAwayFromZero,
        other => {
            let known = ["half_to_even", "half_away_from_zero"];
            return Err(Error::unknown("mode of round", other, known));
        }
    };
    let decimals = u32::try_from(decimals).map_err(|_| {
        Error::invalid("round", "a number of decimals from 0", decimals.to_string())
    })?;
    Ok(e.round(decimals, mode))
}

fn quantile(e: pl::Expr, q: &Dynamic, interpolation: &str) -> Result<pl::Expr> {
    let (share, method) = quantile_asked(q, interpolation)?;
    Ok(e.quantile(pl::lit(share), method))
}

/// Which quantile is meant: its share, and what lies between two values, by polars' names.
pub fn quantile_asked(q: &Dynamic, interpolation: &str) -> Result<(f64, pl::QuantileMethod)> {
    let method = match interpolation {
        "nearest" => pl::QuantileMethod::Nearest,
        "higher" => pl::QuantileMethod::Higher,
        "lower" => pl::QuantileMethod::Lower,
        "midpoint" => pl::QuantileMethod::Midpoint,
        "linear" => pl::QuantileMethod::Linear,
        "equiprobable" => pl::QuantileMethod::Equiprobable,
        other => {
            let known = ["nearest", "higher", "lower", "midpoint", "linear", "equiprobable"];
            return Err(Error::unknown("interpolation of quantile", other, known));
        }
    };
    let share = q.as_float().ok().or_else(|| q.as_int().ok().map(|q| q as f64));
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    let refuse = || Error::invalid("quantile", "a number from 0 to 1", convert::describe(q));
    Ok((share.ok_or_else(refuse)?, method))
}

fn is_in(e: pl::Expr, values: &[Dynamic]) -> Result<pl::Expr> {
    let values = convert::column("", values)?;
    Ok(e.is_in(pl::lit(values).implode(true), false))
}

fn dtype(name: &str) -> Result<pl::DataType> {
    match name {
        "int" | "integer" => Ok(pl::DataType::Int64),
        "float" | "number" => Ok(pl::DataType::Float64),
        "str" | "string" | "text" => Ok(pl::DataType::String),
        "bool" | "boolean" => Ok(pl::DataType::Boolean),
        other => Err(Error::unknown("type", other, ["int", "float", "str", "bool"])),
    }
}
