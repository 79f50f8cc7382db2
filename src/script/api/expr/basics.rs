//! Where expressions begin: columns, literals, counts, choices and templates.

use std::rc::Rc;

use polars::prelude as pl;
use rhai::{Dynamic, Engine, NativeCallContext};

use super::given::{bounded, value};
use crate::error::{Error, Result};
use crate::frame::query;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::Host;
use crate::script::record::Record;
use crate::script::values::Expr;

pub const RECORDS: &[Record] = &[
    Record::new(
        "col",
        &["col(name) -> Expr"],
        "A column of the frame the expression is used on",
        r#"frame(#{ x: [1, 2] }).select((col("x") + 1).alias("y"))"#,
        |engine, _| {
            engine
                .register_type_with_name::<Expr>("Expr")
                .register_fn("to_string", |e: &mut Expr| e.0.to_string())
                .register_fn("to_debug", |e: &mut Expr| e.0.to_string())
                .register_fn("col", |name: &str| Expr(pl::col(name)));
        },
    ),
    Record::new(
        "lit",
        &["lit(value) -> Expr"],
        "A number, string, boolean or () as an expression",
        r#"frame(#{ x: [1, 2] }).with_columns(lit("a").alias("kind"))"#,
        |engine, _| {
            engine.register_fn("lit", |context: NativeCallContext, given: Dynamic| {
                value("lit", &given).map(Expr).at(&context)
            });
        },
    ),
    Record::new(
        "len",
        &["len() -> Expr"],
        "The number of rows, for instance of each group",
        r#"frame(#{ kind: ["a", "a", "b"] }).group_by("kind").agg(len().alias("rows"))"#,
        |engine, _| {
            engine.register_fn("len", || Expr(pl::len().cast(pl::DataType::Int64)));
        },
    ),
    Record::new(
        "when",
        &["when(condition).then(value).otherwise(value) -> Expr"],
        "A choice by row; `.when(…).then(…)` may be repeated before `otherwise`",
        r#"frame(#{ x: [1, -1] }).with_columns(when(col("x") > 0).then("plus").otherwise("minus").alias("sign"))"#,
        register_when,
    )
    .doc("A string is the text itself; write col(\"name\") for a column. Without `otherwise` nothing is chosen: end with it."),
    Record::new(
        "template",
        &["template(text) -> Expr"],
        "Text with the columns named in braces filled in, row by row",
        r#"frame(#{ que: ["2+2?"], ans: ["4"] }).with_columns(template("Q: {que} A: {ans}").alias("text"))"#,
        |engine, _| {
            engine.register_fn("template", |context: NativeCallContext, text: &str| {
                template(text).at(&context).and_then(bounded)
            });
        },
    )
    .doc("`{{` and `}}` stand for single braces. A missing value fills in as empty text."),
];

/// `when … then …` under way.
#[derive(Clone)]
struct Choice {
    branches: Vec<(pl::Expr, pl::Expr)>,
    condition: Option<pl::Expr>,
}

fn register_when(engine: &mut Engine, _host: &Rc<Host>) {
    engine.register_type_with_name::<Choice>("Choice");
    engine.register_fn("when", |context: NativeCallContext, condition: Dynamic| {
        let condition = value("when", &condition).at(&context)?;
        Ok::<_, Box<rhai::EvalAltResult>>(Choice {
            branches: Vec::new(),
            condition: Some(condition),
        })
    });
    engine.register_fn(
        "when",
        |context: NativeCallContext,
         mut choice: Choice,
         condition: Dynamic|
         -> ScriptResult<Choice> {
            choice.condition = Some(value("when", &condition).at(&context)?);
            Ok(choice)
        },
    );
    engine.register_fn(
        "then",
        |context: NativeCallContext, mut choice: Choice, given: Dynamic| -> ScriptResult<Choice> {
            if choice.branches.len() >= query::DEEPEST {
                return Err(query::too_large()).at(&context);
            }
            let missing = || Error::failed("`then` must follow a `when`");
            let condition = choice.condition.take().ok_or_else(missing).at(&context)?;
            choice.branches.push((condition, value("then", &given).at(&context)?));
            Ok(choice)
        },
    );
    engine.register_fn(
        "otherwise",
        |context: NativeCallContext, choice: Choice, given: Dynamic| -> ScriptResult<Expr> {
            let last = value("otherwise", &given).at(&context)?;
            if choice.condition.is_some() || choice.branches.is_empty() {
                return Err(Error::failed("`otherwise` must follow a `then`")).at(&context);
            }
            let nested =
                choice.branches.into_iter().rev().fold(last, |rest, (condition, chosen)| {
                    pl::when(condition).then(chosen).otherwise(rest)
                });
            bounded(nested)
        },
    );
}

/// "Q: {que}" → the text with columns filled in.
pub fn template(text: &str) -> Result<pl::Expr> {
    let mut parts: Vec<pl::Expr> = Vec::new();
    let mut plain = String::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '{' | '}' if rest.peek() == Some(&character) => {
                rest.next();
                plain.push(character);
            }
            '{' => {
                let mut name = String::new();
                loop {
                    match rest.next() {
                        Some('}') => break,
                        Some(other) => name.push(other),
                        None => return Err(unclosed(text)),
                    }
                }
                parts.push(pl::lit(std::mem::take(&mut plain)));
                parts.push(pl::col(name).cast(pl::DataType::String).fill_null(pl::lit("")));
            }
            '}' => return Err(unclosed(text)),
            other => plain.push(other),
        }
    }
    parts.push(pl::lit(plain));
    Ok(pl::concat_str(parts, "", false))
}

fn unclosed(text: &str) -> Error {
    Error::failed_with_hint(
        format!("the braces of the template {text:?} do not match"),
        "write {column} for a column, {{ and }} for braces",
    )
}
