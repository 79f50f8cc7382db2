//! What is done to one frame: polars' verbs under polars' names.

use std::rc::Rc;

use polars::prelude::{self as pl, DataFrame, SortMultipleOptions, UniqueKeepStrategy};
use rhai::{Dynamic, Engine, Map, NativeCallContext};

use crate::aside::aside;
use crate::error::{Context, Error, Result};
use crate::frame::{describe, query, room, sample};
use crate::script::api::{expr, several};
use crate::script::convert;
use crate::script::failure::At;
use crate::script::host::Host;
use crate::script::options::Options;
use crate::script::record::{Record, option};
use crate::script::values::Frame;

pub const RECORDS: &[Record] = &[
    Record::new(
        "Frame.select",
        &["f.select(exprs) -> Frame", "f.select(expr, expr, …) -> Frame"],
        "A frame of the given columns and expressions",
        r#"frame(#{ x: [1, 2], y: [3, 4] }).select(["x", (col("x") + col("y")).alias("sum")])"#,
        |engine, _| {
            several::register(engine, "select", expr::list, |f: Frame, exprs| {
                let selected = query::run(&f.0, "select", &exprs, |lazy, exprs| lazy.select(&exprs));
                selected.map(Frame)
            });
        },
    )
    .doc("One array of columns and expressions, or up to 8 of them one after another."),
    Record::new(
        "Frame.with_columns",
        &["f.with_columns(exprs) -> Frame", "f.with_columns(expr, expr, …) -> Frame"],
        "Adds columns, or replaces those of the same name",
        r#"frame(#{ x: [1, 2] }).with_columns((col("x") * 2).alias("double"))"#,
        |engine, _| {
            several::register(engine, "with_columns", expr::list, |f: Frame, exprs| {
                let wider = query::run(&f.0, "with_columns", &exprs, |lazy, exprs| lazy.with_columns(&exprs));
                wider.map(Frame)
            });
        },
    )
    .doc("One array of expressions, or up to 8 of them one after another; each sees the columns as they were before."),
    Record::new(
        "Frame.filter",
        &["f.filter(condition) -> Frame"],
        "Keeps the rows for which an expression is true",
        r#"frame(#{ x: [1, 2, 3] }).filter(col("x") > 1)"#,
        |engine, _| {
            engine.register_fn("filter", |context: NativeCallContext, f: Frame, condition: Dynamic| {
                let run = || {
                    let condition = match condition.clone().try_cast::<expr::Expr>() {
                        Some(condition) => condition.0,
                        None => return Err(Error::invalid("filter", "an expression such as col(\"x\") > 1", convert::describe(&condition)).with_hint("write f.filter(col(\"x\") > 1), or f.filter_rows(|row| row.x > 1) with a closure")),
                    };
                    query::run(&f.0, "filter", &[condition], |lazy, conditions| {
                        conditions.into_iter().fold(lazy, |lazy, condition| lazy.filter(condition))
                    })
                };
                run().map(Frame).at(&context)
            });
        },
    ),
    Record::new(
        "Frame.sort",
        &["f.sort(by) -> Frame", "f.sort(by, opts) -> Frame"],
        "Rows in the order of one or more columns; equal rows keep their order",
        r#"frame(#{ x: [2, 3, 1] }).sort("x", #{ descending: true })"#,
        |engine, _| {
            engine.register_fn("sort", |context: NativeCallContext, f: Frame, by: Dynamic| {
                sort(&f.0, &by, Options::none("sort")).map(Frame).at(&context)
            });
            engine.register_fn("sort", |context: NativeCallContext, f: Frame, by: Dynamic, opts: Map| {
                sort(&f.0, &by, Options::new("sort", opts)).map(Frame).at(&context)
            });
        },
    )
    .options(&[
        &[
            option("descending", "true or false", "false", "The largest first"),
            option("nulls_last", "true or false", "false", "Rows without a value come last; else they come first"),
        ],
    ]),
    Record::new(
        "Frame.drop",
        &["f.drop(names) -> Frame", "f.drop(name, name, …) -> Frame"],
        "The frame without these columns",
        r#"frame(#{ x: [1], y: [2] }).drop("y")"#,
        |engine, _| {
            several::register(engine, "drop", expr::names, |f: Frame, names| {
                check_names(&f.0, &names)?;
                Ok(Frame(f.0.drop_many(names)))
            });
        },
    )
    .doc("One array of names, or up to 8 of them one after another."),
    Record::new(
        "Frame.rename",
        &["f.rename(#{ old: new }) -> Frame"],
        "Other names for columns",
        r#"frame(#{ x: [1] }).rename(#{ x: "y" })"#,
        |engine, _| {
            engine.register_fn("rename", |context: NativeCallContext, f: Frame, names: Map| {
                rename(&f.0, &names).map(Frame).at(&context)
            });
        },
    ),
    Record::new(
        "Frame.unique",
        &["f.unique(columns) -> Frame", "f.unique(column, column, …) -> Frame", "f.unique() -> Frame"],
        "The first row of each distinct combination, in order",
        r#"frame(#{ x: [1, 1, 2] }).unique("x")"#,
        |engine, _| {
            several::register(engine, "unique", expr::names, |f: Frame, names| {
                check_names(&f.0, &names)?;
                unique(&f.0, Some(names)).map(Frame)
            });
            engine.register_fn("unique", |context: NativeCallContext, f: Frame| {
                unique(&f.0, None).map(Frame).at(&context)
            });
        },
    ),
    Record::new(
        "Frame.head",
        &["f.head(n)", "f.tail(n)", "f.slice(start, n)", "f.reverse()"],
        "The first rows, the last, those from a place on, all in reverse order",
        r#"frame(#{ x: [1, 2, 3] }).tail(2)"#,
        |engine, _| {
            engine.register_fn("head", |f: Frame, n: i64| {
                Frame(f.0.head(Some(end_of(&f.0, n))))
            });
            engine.register_fn("tail", |f: Frame, n: i64| {
                Frame(f.0.tail(Some(end_of(&f.0, n))))
            });
            engine.register_fn("slice", |f: Frame, start: i64, n: i64| {
                Frame(f.0.slice(start, rows_to_take(f.0.height(), start, n)))
            });
            engine.register_fn("reverse", |f: Frame| Frame(f.0.reverse()));
        },
    ),
    Record::new(
        "Frame.sample",
        &[
            "f.sample(n) -> Frame",
            "f.sample(n, seed) -> Frame",
            "f.shuffle() -> Frame",
            "f.shuffle(seed) -> Frame",
        ],
        "Random rows without replacement; all rows in random order",
        r#"frame(#{ x: [1, 2, 3, 4] }).sample(2, 0).len()"#,
        register_sample,
    )
    .doc(
        "The same seed gives the same rows on every machine, and where none is given it is the session's, `seed()`: the same call \
         gives the same rows again. Asking for more rows than there are is an error.",
    ),
    Record::new(
        "Frame.explode",
        &["f.explode(column) -> Frame", "f.explode(columns) -> Frame"],
        "A row for each item of a list column, or of several whose lists are equally long in each row",
        r#"frame([#{ id: 1, words: ["a", "b"], scores: [0.1, 0.9] }]).explode(["words", "scores"])"#,
        |engine, _| {
            engine.register_fn("explode", |context: NativeCallContext, f: Frame, names: Dynamic| {
                let names = known_names("explode", &f.0, &names);
                names.and_then(|names| explode(f.0, names)).map(Frame).at(&context)
            });
        },
    ),
    Record::new(
        "Frame.describe",
        &["f.describe() -> Frame", "f.null_count() -> Frame"],
        "Statistics of each column; missing values of each column",
        r#"frame(#{ x: [1, 2, 3] }).describe()"#,
        |engine, _| {
            engine.register_fn("describe", |context: NativeCallContext, f: Frame| {
                aside(move || describe::describe(&f.0)).map(Frame).at(&context)
            });
            engine.register_fn("null_count", |context: NativeCallContext, f: Frame| {
                describe::null_count(&f.0).map(Frame).at(&context)
            });
        },
    ),
];

/// Without a seed it is that of the session, so that a script that sets it once draws the same rows in every run.
fn register_sample(engine: &mut Engine, host: &Rc<Host>) {
    engine.register_fn("sample", |context: NativeCallContext, f: Frame, n: i64, seed: i64| {
        drawn(f.0, n, seed as u64).map(Frame).at(&context)
    });
    engine.register_fn("shuffle", |context: NativeCallContext, f: Frame, seed: i64| {
        aside(move || sample::shuffle(&f.0, seed as u64)).map(Frame).at(&context)
    });
    let session = host.clone();
    engine.register_fn("sample", move |context: NativeCallContext, f: Frame, n: i64| {
        drawn(f.0, n, session.seed.get()).map(Frame).at(&context)
    });
    let session = host.clone();
    engine.register_fn("shuffle", move |context: NativeCallContext, f: Frame| {
        let seed = session.seed.get();
        aside(move || sample::shuffle(&f.0, seed)).map(Frame).at(&context)
    });
}

fn drawn(frame: DataFrame, n: i64, seed: u64) -> Result<DataFrame> {
    let asked = usize::try_from(n)
        .map_err(|_| Error::invalid("sample", "a number of rows", n.to_string()))?;
    aside(move || sample::sample(&frame, asked, seed))
}

fn check_names(frame: &DataFrame, names: &[String]) -> Result<()> {
    names.iter().try_for_each(|name| query::known(frame, name))
}

fn known_names(operation: &str, frame: &DataFrame, given: &Dynamic) -> Result<Vec<String>> {
    let names = expr::names(operation, given)?;
    check_names(frame, &names)?;
    Ok(names)
}

fn explode(frame: DataFrame, names: Vec<String>) -> Result<DataFrame> {
    for name in &names {
        room::for_items(&frame, name)?;
    }
    let options = pl::ExplodeOptions { empty_as_null: true, keep_nulls: true };
    aside(move || frame.explode(names, options).during("explode"))
}

fn sort(frame: &DataFrame, by: &Dynamic, options: Options) -> Result<DataFrame> {
    let descending = options.boolean("descending")?.unwrap_or(false);
    let nulls_last = options.boolean("nulls_last")?.unwrap_or(false);
    options.finish()?;
    let by = expr::list("sort", by)?;
    let how = SortMultipleOptions::default()
        .with_order_descending(descending)
        .with_nulls_last(nulls_last)
        .with_maintain_order(true);
    query::run(frame, "sort", &by, |lazy, by| lazy.sort_by_exprs(&by, how))
}

/// All names at once, so that two columns can exchange theirs.
fn rename(frame: &DataFrame, names: &Map) -> Result<DataFrame> {
    let mut columns = frame.columns().to_vec();
    for (old, new) in names {
        query::known(frame, old)?;
        let new = new.clone().into_string().map_err(|_| {
            Error::invalid("rename", "new names that are strings", convert::describe(new))
        })?;
        let place = frame.get_column_index(old);
        if let Some(column) = place.and_then(|place| columns.get_mut(place)) {
            column.rename(new.into());
        }
    }
    DataFrame::new(frame.height(), columns).during("rename")
}

/// What `head` and `tail` keep: `n` rows, or all but `-n` when it is negative.
fn end_of(frame: &DataFrame, n: i64) -> usize {
    let height = frame.height() as i64;
    if n < 0 { (height + n).max(0) as usize } else { n as usize }
}

/// How many rows `slice` takes: a negative number leaves off as many at the end, counted as polars' Python front counts.
fn rows_to_take(height: usize, start: i64, n: i64) -> usize {
    if n >= 0 {
        return usize::try_from(n).unwrap_or(usize::MAX);
    }
    let taken = i128::try_from(height).unwrap_or(i128::MAX) - i128::from(start) + i128::from(n);
    usize::try_from(taken.max(0)).unwrap_or(usize::MAX)
}

fn unique(frame: &DataFrame, names: Option<Vec<String>>) -> Result<DataFrame> {
    let frame = frame.clone();
    aside(move || {
        frame.unique_stable(names.as_deref(), UniqueKeepStrategy::First, None).during("unique")
    })
}
