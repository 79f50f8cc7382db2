//! Running expressions over frames, with unknown columns told before polars sees them.

use polars::prelude::*;

use super::checked::checked;
use super::nested;
use crate::aside::aside;
use crate::error::{Context, Error, Result};

/// How deep expressions may lie in each other, and of how many parts one may be made: polars goes down into them on threads
/// with small stacks, some of its passes take a time that grows with the square, and parts that stand for each other
/// (`e + e`, again and again) are unfolded.
pub const DEEPEST: usize = 256;
const MOST_PARTS: usize = 4096;

/// Refuses an expression that is larger than any honest one.
pub fn check_size(expression: &Expr) -> Result<()> {
    let mut waiting = vec![(expression, 1)];
    let mut parts = 0;
    while let Some((part, depth)) = waiting.pop() {
        parts += 1;
        if depth > DEEPEST || parts > MOST_PARTS {
            return Err(too_large());
        }
        let mut inner = Default::default();
        part.nodes(&mut inner);
        waiting.extend(inner.iter().map(|inner| (*inner, depth + 1)));
    }
    Ok(())
}

/// The error about an expression that is too large.
pub fn too_large() -> Error {
    Error::invalid(
        "building an expression",
        format!("operations at most {DEEPEST} deep in each other, of at most {MOST_PARTS} parts"),
        "more of them",
    )
    .with_hint("make a column of a part with `with_columns`, and go on from that column")
}

/// Refuses expressions that name a column the frame does not have.
pub fn check_columns(frame: &DataFrame, expressions: &[Expr]) -> Result<()> {
    for expression in expressions {
        check_size(expression)?;
        for name in roots(expression) {
            known(frame, &name)?;
        }
    }
    Ok(())
}

/// Refuses a name that is no column of the frame.
pub fn known(frame: &DataFrame, name: &str) -> Result<()> {
    match frame.column(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::unknown("column", name, names(frame))),
    }
}

/// The frame's columns.
pub fn names(frame: &DataFrame) -> Vec<String> {
    frame.get_column_names().into_iter().map(|name| name.to_string()).collect()
}

/// The columns that an expression reads.
fn roots(expression: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    for part in expression {
        if let Expr::Column(name) = part {
            found.push(name.to_string());
        }
    }
    found
}

/// `frame.lazy()`, something done to it with the expressions, collected aside; `operation` names it in errors.
pub fn run(
    frame: &DataFrame,
    operation: &str,
    expressions: &[Expr],
    then: impl FnOnce(LazyFrame, Vec<Expr>) -> LazyFrame,
) -> Result<DataFrame> {
    check_columns(frame, expressions)?;
    let expressions = checked(frame, expressions);
    collect(then(frame.clone().lazy(), expressions), operation)
}

/// Collects a plan aside, so that the user can stop waiting for it.
pub fn collect(plan: LazyFrame, operation: &str) -> Result<DataFrame> {
    let name = operation.to_string();
    let made = aside(move || plan.collect().during(name))?;
    for column in made.columns() {
        nested::check_depth(column.name(), column.dtype())?;
    }
    Ok(made)
}
