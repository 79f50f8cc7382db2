//! Running expressions over frames, with unknown columns told before polars sees them.

use polars::prelude::*;

use super::checked::checked;
use crate::error::{Context, Error, Result};

/// Refuses expressions that name a column the frame does not have.
pub fn check_columns(frame: &DataFrame, expressions: &[Expr]) -> Result<()> {
    for expression in expressions {
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
    frame
        .get_column_names()
        .into_iter()
        .map(|name| name.to_string())
        .collect()
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

/// `frame.lazy()`, something done to it with the expressions, collected; `operation` names it in errors.
pub fn run(
    frame: &DataFrame,
    operation: &str,
    expressions: &[Expr],
    then: impl FnOnce(LazyFrame, Vec<Expr>) -> LazyFrame,
) -> Result<DataFrame> {
    check_columns(frame, expressions)?;
    let expressions = checked(frame, expressions);
    let done = then(frame.clone().lazy(), expressions).collect();
    done.during(operation)
}
