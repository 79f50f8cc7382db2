//! Texts out of what scripts hand over: a column's name, a template, or a closure over the rows of a frame.

use polars::prelude::{Column, DataFrame, DataType};
use rhai::{Array, Dynamic, FnPtr, NativeCallContext};
use serde_json::Value;

use super::expr::Expr;
use crate::error::{Context, Error, Result};
use crate::frame::query;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::messages::Passage;

/// One text a row of `frame`: `how` is a column's name, an expression or template, or a closure over the row.
pub fn of_frame(
    context: &NativeCallContext,
    frame: &DataFrame,
    how: &Dynamic,
    operation: &str,
) -> ScriptResult<Vec<String>> {
    if let Some(closure) = how.clone().try_cast::<FnPtr>() {
        let mut texts = Vec::with_capacity(frame.height());
        for index in 0..frame.height() {
            let row = convert::row(frame, index).at(context)?;
            let made: Dynamic = closure.call_within_context(context, (row,))?;
            texts.push(text_of(&made, operation).at(context)?);
        }
        return Ok(texts);
    }
    by_expression(frame, how, operation).at(context)
}

/// One conversation a row of `frame`, by a column's name, an expression or a closure; keys keep the frame's order.
pub fn conversations_of_frame(
    context: &NativeCallContext,
    frame: &DataFrame,
    how: &Dynamic,
    operation: &str,
    passage: &mut Passage,
) -> ScriptResult<Vec<Value>> {
    if let Some(closure) = how.clone().try_cast::<FnPtr>() {
        let mut values = Vec::with_capacity(frame.height());
        for index in 0..frame.height() {
            let row = convert::row(frame, index).at(context)?;
            let made: Dynamic = closure.call_within_context(context, (row,))?;
            values.push(passage.of_script(&made).at(context)?);
        }
        return Ok(values);
    }
    let column = column_of(frame, how, operation).at(context)?;
    let cells = column.as_materialized_series().iter();
    Ok(cells.map(|cell| passage.of_cell(&cell)).collect())
}

fn column_of(frame: &DataFrame, how: &Dynamic, operation: &str) -> Result<Column> {
    let expression = match (how.clone().try_cast::<Expr>(), how.clone().into_string()) {
        (Some(expression), _) => expression.0,
        (None, Ok(name)) => {
            query::known(frame, &name)?;
            polars::prelude::col(name)
        }
        (None, Err(_)) => {
            return Err(Error::invalid(
                operation,
                "a column name, a template(\"…{column}…\") or a closure |row| text",
                convert::describe(how),
            ));
        }
    };
    let used = [expression.clone().alias("text")];
    let made = query::run(frame, operation, &used, |lazy, used| lazy.select(&used))?;
    made.column("text").during(operation).cloned()
}

fn by_expression(frame: &DataFrame, how: &Dynamic, operation: &str) -> Result<Vec<String>> {
    let column = column_of(frame, how, operation)?;
    if column.dtype() != &DataType::String {
        return Err(Error::invalid(operation, "texts", crate::frame::table::kind(column.dtype())));
    }
    let texts = column.as_materialized_series().str().during(operation)?;
    let text = |(row, text): (usize, Option<&str>)| {
        text.map(str::to_string).ok_or_else(|| {
            Error::invalid(operation, "a text in every row", format!("nothing in row {row}"))
        })
    };
    texts.iter().enumerate().map(text).collect()
}

fn text_of(value: &Dynamic, operation: &str) -> Result<String> {
    value.clone().into_string().map_err(|_| {
        Error::invalid(operation, "a closure that gives a text", convert::describe(value))
    })
}

/// The strings of an array.
pub fn of_array(values: &Array, operation: &str) -> Result<Vec<String>> {
    values.iter().map(|value| text_of(value, operation)).collect()
}
