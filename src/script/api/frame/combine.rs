//! Groups, joins, and frames below each other.

use polars::prelude::{self as pl, DataFrame, IntoLazy, JoinArgs, JoinType};
use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::Frame;
use super::files::frames_of;
use crate::error::{Context, Error, Result};
use crate::frame::{query, read};
use crate::script::api::expr;
use crate::script::failure::At;
use crate::script::options::Options;
use crate::script::record::Record;

/// `f.group_by(…)` waiting for its `agg`.
#[derive(Clone)]
struct Groups {
    frame: DataFrame,
    by: Vec<pl::Expr>,
}

pub const RECORDS: &[Record] = &[
    Record::new(
        "Frame.group_by",
        &["f.group_by(columns).agg(exprs) -> Frame"],
        "A row for each group, in the order in which the groups appear",
        r#"frame(#{ k: ["a", "b", "a"], x: [1, 2, 3] }).group_by("k").agg(col("x").mean())"#,
        |engine, _| {
            engine.register_type_with_name::<Groups>("Groups");
            engine.register_fn("group_by", |context: NativeCallContext, f: Frame, by: Dynamic| {
                let run = || {
                    let by = expr::list("group_by", &by)?;
                    query::check_columns(&f.0, &by)?;
                    Ok::<_, Error>(Groups { frame: f.0, by })
                };
                run().at(&context)
            });
            engine.register_fn("agg", |context: NativeCallContext, groups: Groups, exprs: Dynamic| {
                let run = || {
                    let exprs = expr::list("agg", &exprs)?;
                    query::run(&groups.frame, "agg", &exprs, |lazy, exprs| {
                        lazy.group_by_stable(&groups.by).agg(&exprs)
                    })
                };
                run().map(Frame).at(&context)
            });
        },
    ),
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
    .doc("Options: `how` (\"inner\", \"left\", \"full\", \"semi\", \"anti\", \"cross\"), `suffix` of the right frame's columns that both have (\"_right\"). Rows keep the left frame's order, then the right one's."),
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
    let suffix = options
        .text("suffix")?
        .unwrap_or_else(|| "_right".to_string());
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
    let on = if kind == JoinType::Cross {
        Vec::new()
    } else {
        expr::list("join", on)?
    };
    query::check_columns(left, &on)?;
    query::check_columns(right, &on)?;
    let mut args = JoinArgs::new(kind).with_suffix(Some(suffix.into()));
    args.maintain_order = pl::MaintainOrderJoin::LeftRight;
    left.clone()
        .lazy()
        .join(right.clone().lazy(), &on, &on, args)
        .collect()
        .during("join")
}
