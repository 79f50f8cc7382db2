//! Summary statistics of each column, in polars' order: count, null_count, mean, std, min, 25%, 50%, 75%, max.

use polars::prelude::*;

use crate::error::{Context, Result};

const STATISTICS: [&str; 9] =
    ["count", "null_count", "mean", "std", "min", "25%", "50%", "75%", "max"];

/// A frame with a row a statistic and a column a column, as polars' Python front has it: booleans have no deviation and no
/// quartiles, a column of texts is told in texts (counts, the first and the last in order), lists have counts only.
pub fn describe(frame: &DataFrame) -> Result<DataFrame> {
    let mut columns = vec![Column::new("statistic".into(), STATISTICS.as_slice())];
    for column in frame.columns() {
        columns.push(statistics(column)?);
    }
    DataFrame::new(STATISTICS.len(), columns).during("describe")
}

fn statistics(column: &Column) -> Result<Column> {
    let nulls = column.null_count();
    let mut values = vec![Some(column.len().saturating_sub(nulls) as f64), Some(nulls as f64)];
    if column.dtype() == &DataType::String {
        return texts(column, nulls);
    }
    let is_boolean = column.dtype() == &DataType::Boolean;
    let numbers = match column.dtype() {
        DataType::Boolean => Some(column.cast(&DataType::Float64)),
        dtype if dtype.is_primitive_numeric() => Some(column.cast(&DataType::Float64)),
        _ => None,
    };
    match numbers.transpose().during("describe")? {
        None => values.resize(STATISTICS.len(), None),
        Some(numbers) => {
            let numbers = numbers.as_materialized_series().f64().during("describe")?.clone();
            let ordered = |value: Option<f64>| value.filter(|_| !is_boolean);
            let quantile = |q: f64| {
                let found = numbers.quantile(q, QuantileMethod::Nearest);
                ordered(found.ok().flatten())
            };
            values.extend([numbers.mean(), ordered(numbers.std(1)), numbers.min()]);
            values.extend([quantile(0.25), quantile(0.5), quantile(0.75), numbers.max()]);
        }
    }
    Ok(Column::new(column.name().clone(), values))
}

fn texts(column: &Column, nulls: usize) -> Result<Column> {
    let cells = column.as_materialized_series().str().during("describe")?;
    let first = cells.iter().flatten().min();
    let last = cells.iter().flatten().max();
    let mut values = vec![None; STATISTICS.len()];
    for (value, name) in values.iter_mut().zip(STATISTICS) {
        *value = match name {
            "count" => Some(column.len().saturating_sub(nulls).to_string()),
            "null_count" => Some(nulls.to_string()),
            "min" => first.map(str::to_string),
            "max" => last.map(str::to_string),
            _ => None,
        };
    }
    Ok(Column::new(column.name().clone(), values))
}

/// Nulls of each column: one row.
pub fn null_count(frame: &DataFrame) -> Result<DataFrame> {
    let counts = frame
        .columns()
        .iter()
        .map(|column| Column::new(column.name().clone(), [column.null_count() as i64]));
    DataFrame::new(1, counts.collect()).during("null_count")
}
