//! Summary statistics of each column, in polars' order: count, null_count, mean, std, min, 25%, 50%, 75%, max.

use polars::prelude::*;

use crate::error::{Context, Result};

const STATISTICS: [&str; 9] = [
    "count",
    "null_count",
    "mean",
    "std",
    "min",
    "25%",
    "50%",
    "75%",
    "max",
];

/// A frame with a row a statistic and a column a column; texts and lists have counts only.
pub fn describe(frame: &DataFrame) -> Result<DataFrame> {
    let mut columns = vec![Column::new("statistic".into(), STATISTICS.as_slice())];
    for column in frame.columns() {
        columns.push(statistics(column)?);
    }
    DataFrame::new(STATISTICS.len(), columns).during("describe")
}

fn statistics(column: &Column) -> Result<Column> {
    let nulls = column.null_count() as f64;
    let mut values = vec![Some(column.len() as f64 - nulls), Some(nulls)];
    let numbers = match column.dtype() {
        DataType::Boolean => Some(column.cast(&DataType::Float64)),
        dtype if dtype.is_primitive_numeric() => Some(column.cast(&DataType::Float64)),
        _ => None,
    };
    match numbers.transpose().during("describe")? {
        None => values.resize(STATISTICS.len(), None),
        Some(numbers) => {
            let numbers = numbers
                .as_materialized_series()
                .f64()
                .during("describe")?
                .clone();
            let quantile = |q: f64| numbers.quantile(q, QuantileMethod::Linear).ok().flatten();
            values.extend([numbers.mean(), numbers.std(1), numbers.min()]);
            values.extend([quantile(0.25), quantile(0.5), quantile(0.75), numbers.max()]);
        }
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
