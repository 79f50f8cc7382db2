//! Groups, joins, and frames below each other.

use polars::prelude::{self as pl, DataFrame, IntoLazy, JoinArgs, JoinType};
use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::files::frames_of;
use crate::error::{Context, Error, Result};
use crate::frame::{json, query, read, room};
use crate::script::api::{expr, several};
use crate::script::failure::At;
use crate::script::options::Options;
use crate::script::record::{Record, option};
use crate::script::values::Frame;

/// `f.group_by(…)` waiting for its `agg`.
#[derive(Clone)]
struct Groups {
    frame: DataFrame,
    by: Vec<pl::Expr>,
}

pub const RECORDS: &[Record] = &[
    Record::new(
        "Frame.group_by",
        &[
            "f.group_by(columns).agg(exprs) -> Frame",
            "f.group_by(column, column, …).agg(expr, expr, …) -> Frame",
        ],
        "A row for each group, in the order in which the groups appear",
        r#"frame(#{ k: ["a", "b", "a"], x: [1, 2, 3] }).group_by("k").agg(col("x").mean())"#,
        |engine, _| {
            engine.register_type_with_name::<Groups>("Groups");
            several::register(engine, "group_by", expr::list, |f: Frame, by| {
                query::check_columns(&f.0, &by)?;
                Ok(Groups { frame: f.0, by })
            });
            several::register(engine, "agg", expr::list, |groups: Groups, exprs| {
                let by = &groups.by;
                let made = query::run(&groups.frame, "agg", &exprs, |lazy, exprs| {
                    lazy.group_by_stable(by).agg(&exprs)
                });
                made.map(Frame)
            });
        },
    )
    .doc("Columns and expressions stand in an array each, or up to 8 of them one after another."),
    Record::new(
        "Frame.join",
        &["f.join(g, on) -> Frame", "f.join(g, on, opts) -> Frame"],
        "Rows of two frames that agree in the columns `on`",
        r#"frame(#{ id: [1, 2] }).join(frame(#{ id: [2], x: ["b"] }), "id", #{ how: "left" })"#,
        |engine, _| {
            engine.register_fn("join", |context: NativeCallContext, f: Frame, g: Frame, on: Dynamic| {
                join(&f.0, &g.0, &on, Options::none("join")).map(Frame).at(&context)
            });
            engine.register_fn(
                "join",
                |context: NativeCallContext, f: Frame, g: Frame, on: Dynamic, opts: Map| {
                    join(&f.0, &g.0, &on, Options::new("join", opts)).map(Frame).at(&context)
                },
            );
        },
    )
    .doc("Rows keep the left frame's order, then the right one's. Missing keys match nothing.")
    .options(&[
        &[
            option("how", "string", r#""inner""#, r#"Which rows come back: "inner", "left", "full", "semi", "anti" or "cross""#),
            option("suffix", "string", r#""_right""#, "What is put behind the names of the right frame's columns that both have"),
            option("validate", "string", r#""m:m""#, r#"Which frame must hold each key once only, for inner, left and full joins: neither, "m:1" the right one, "1:m" the left one, "1:1" both"#),
        ],
    ]),
    Record::new(
        "concat",
        &["concat(frames) -> Frame"],
        "Frames below each other; a column that one lacks is missing there",
        r#"concat([frame(#{ x: [1] }), frame(#{ x: [2], y: ["b"] })])"#,
        |engine, _| {
            engine.register_fn("concat", |context: NativeCallContext, frames: Array| {
                let run = || match frames_of("concat", &frames)?.as_slice() {
                    [] => Err(Error::invalid("concat", "at least one frame", "none")),
                    frames => read::concatenate(frames),
                };
                run().map(Frame).at(&context)
            });
        },
    ),
];

fn join(left: &DataFrame, right: &DataFrame, on: &Dynamic, options: Options) -> Result<DataFrame> {
    let how = options.text("how")?.unwrap_or_else(|| "inner".to_string());
    let suffix = options.text("suffix")?.unwrap_or_else(|| "_right".to_string());
    let validate = options.text("validate")?;
    options.finish()?;
    let kind = match how.as_str() {
        "inner" => JoinType::Inner,
        "left" => JoinType::Left,
        "full" => JoinType::Full,
        "semi" => JoinType::Semi,
        "anti" => JoinType::Anti,
        "cross" => JoinType::Cross,
        other => {
            let known = ["inner", "left", "full", "semi", "anti", "cross"];
            return Err(Error::unknown("kind of join", other, known));
        }
    };
    let on = if kind == JoinType::Cross { Vec::new() } else { expr::list("join", on)? };
    query::check_columns(left, &on)?;
    query::check_columns(right, &on)?;
    if let Some(validate) = validate {
        check_keys(left, right, &on, &how, &validate)?;
    }
    room::for_join(left, right, &on, &kind)?;
    let mut args = JoinArgs::new(kind).with_suffix(Some(suffix.into()));
    args.maintain_order = pl::MaintainOrderJoin::LeftRight;
    let joined = left.clone().lazy().join(right.clone().lazy(), &on, &on, args);
    query::collect(joined, "join")
}

/// Refuses a join in which a key stands more often than `validate` says.
fn check_keys(
    left: &DataFrame,
    right: &DataFrame,
    on: &[pl::Expr],
    how: &str,
    validate: &str,
) -> Result<()> {
    let (left_once, right_once) = match validate {
        "m:m" => return Ok(()),
        "m:1" => (false, true),
        "1:m" => (true, false),
        "1:1" => (true, true),
        other => {
            let known = ["m:m", "m:1", "1:m", "1:1"];
            return Err(Error::unknown("validation of a join", other, known));
        }
    };
    if !["inner", "left", "full"].contains(&how) {
        return Err(Error::invalid(
            format!("join with validate: \"{validate}\""),
            "how: \"inner\", \"left\" or \"full\"",
            format!("\"{how}\""),
        ));
    }
    for (frame, side, once) in [(left, "left", left_once), (right, "right", right_once)] {
        if once {
            check_once(frame, side, on, validate)?;
        }
    }
    Ok(())
}

/// Refuses a frame in which a key stands in several rows. Rows that miss a part of their key match nothing, and are none.
fn check_once(frame: &DataFrame, side: &str, on: &[pl::Expr], validate: &str) -> Result<()> {
    const ROWS: &str = "(rows of this key)";
    let keys = query::collect(frame.clone().lazy().select(on), "join")?;
    let by: Vec<pl::Expr> = query::names(&keys).into_iter().map(pl::col).collect();
    let keys = keys.drop_nulls::<String>(None).during("join")?;
    let repeated = keys
        .lazy()
        .group_by_stable(by)
        .agg([pl::len().alias(ROWS)])
        .filter(pl::col(ROWS).gt(pl::lit(1)));
    let repeated = query::collect(repeated, "join")?;
    if repeated.height() == 0 {
        return Ok(());
    }
    let row = json::row(&repeated, 0)?;
    let part = |name: &String| {
        let value = row.get(name).map(ToString::to_string).unwrap_or_default();
        format!("{name} {}", value.chars().take(80).collect::<String>())
    };
    let names = query::names(&repeated);
    let parts = names.iter().filter(|name| *name != ROWS).map(part);
    let (keys, stand) = match repeated.height() {
        1 => ("1 key".to_string(), "stands"),
        several => (format!("{several} keys"), "stand"),
    };
    Err(Error::failed_with_hint(
        format!(
            "join with validate: \"{validate}\": {keys} of the {side} frame {stand} more than once; the first is {}, in {} rows",
            parts.collect::<Vec<_>>().join(", "),
            row.get(ROWS).map(ToString::to_string).unwrap_or_default(),
        ),
        "`unique(columns)` keeps the first row of each key; `validate: \"m:m\"` allows that a row is joined to several",
    ))
}
