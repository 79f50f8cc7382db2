//! What functions over expressions are given: expressions, literals, and names of columns.

use polars::prelude as pl;
use rhai::{Array, Dynamic, Position};

use crate::error::{Error, Result};
use crate::frame::query;
use crate::script::convert;
use crate::script::failure::{ScriptResult, raise_at};
use crate::script::values::Expr;

/// What a function makes of expressions, if it is of a size that can still be worked with. rhai fills in the position.
pub fn bounded(made: pl::Expr) -> ScriptResult<Expr> {
    match query::check_size(&made) {
        Ok(()) => Ok(Expr(made)),
        Err(error) => Err(raise_at(Position::NONE, error)),
    }
}

/// A literal from a script's value.
pub fn literal(value: &Dynamic) -> Option<pl::Expr> {
    if value.is_string() || value.is_char() {
        return Some(pl::lit(value.to_string()));
    }
    if let Ok(number) = value.as_int() {
        return Some(pl::lit(number));
    }
    if let Ok(number) = value.as_float() {
        return Some(pl::lit(number));
    }
    if let Ok(flag) = value.as_bool() {
        return Some(pl::lit(flag));
    }
    value.is_unit().then(|| pl::lit(pl::NULL))
}

/// An expression, or a scalar as a literal. A string is the text itself, not a column.
pub fn value(operation: &str, given: &Dynamic) -> Result<pl::Expr> {
    match given.clone().try_cast::<Expr>() {
        Some(expression) => Ok(expression.0),
        None => literal(given).ok_or_else(|| {
            Error::invalid(
                operation,
                "an expression, number, string or boolean",
                convert::describe(given),
            )
        }),
    }
}

/// What `select`, `agg` and the like take: a column's name, an expression, or an array of these.
pub fn list(operation: &str, given: &Dynamic) -> Result<Vec<pl::Expr>> {
    if let Some(array) = given.clone().try_cast::<Array>() {
        let lists = array.iter().map(|item| list(operation, item));
        return Ok(lists.collect::<Result<Vec<_>>>()?.concat());
    }
    if let Ok(name) = given.clone().into_string() {
        return Ok(vec![pl::col(name)]);
    }
    match given.clone().try_cast::<Expr>() {
        Some(expression) => Ok(vec![expression.0]),
        None => Err(Error::invalid(
            operation,
            "a column name, an expression, or an array of these",
            convert::describe(given),
        )),
    }
}

/// Column names: a string or an array of strings.
pub fn names(operation: &str, given: &Dynamic) -> Result<Vec<String>> {
    let refuse = || {
        Error::invalid(
            operation,
            "a column name or an array of column names",
            convert::describe(given),
        )
    };
    if let Ok(name) = given.clone().into_string() {
        return Ok(vec![name]);
    }
    let array = given.clone().try_cast::<Array>().ok_or_else(refuse)?;
    array.into_iter().map(|item| item.into_string().map_err(|_| refuse())).collect()
}
