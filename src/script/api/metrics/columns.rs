//! Numbers, labels and names that a metric is given as an array, and scores of whole columns.

use polars::prelude::{
    self as pl, Column, DataFrame, DataType, Field, IntoColumn, NamedFrom, Series,
};
use rhai::{Array, Dynamic};

use crate::aside;
use crate::error::{Context, Error, Result};
use crate::frame::query;
use crate::script::api::expr::Expr;
use crate::script::convert;

/// A score of two whole columns.
pub type Score = fn(&Series, &Series) -> Result<f64>;

/// Two arrays give a number, and anything with an expression in it an expression with one value: for a frame, or for each
/// group of one.
pub fn of_two(name: &'static str, score: Score, a: &Dynamic, b: &Dynamic) -> Result<Dynamic> {
    if !a.is::<Expr>() && !b.is::<Expr>() {
        let (a, b) = (series(name, a)?, series(name, b)?);
        same_length(name, &a, &b)?;
        return aside::aside(move || score(&a, &b)).map(Dynamic::from);
    }
    let side = |given: &Dynamic| match given.clone().try_cast::<Expr>() {
        Some(expression) => Ok(expression.0),
        None => series(name, given).map(pl::lit),
    };
    let made = pl::apply_multiple(
        move |columns: &mut [Column]| whole(name, score, columns),
        [side(a)?, side(b)?],
        move |_, fields| {
            let first = fields.first().map_or(name.into(), |field| field.name().clone());
            Ok(Field::new(first, DataType::Float64))
        },
        true,
    );
    query::check_size(&made)?;
    Ok(Dynamic::from(Expr(made)))
}

fn whole(name: &'static str, score: Score, columns: &mut [Column]) -> pl::PolarsResult<Column> {
    let refuse = |error: Error| {
        let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        pl::PolarsError::ComputeError(format!("{error}{hint}").into())
    };
    let [a, b] = columns else {
        return Err(refuse(Error::failed(format!("{name} takes two columns"))));
    };
    let (first, second) = (a.as_materialized_series(), b.as_materialized_series());
    same_length(name, first, second).map_err(refuse)?;
    let score = score(first, second).map_err(refuse)?;
    Ok(Series::new(a.name().clone(), [score]).into_column())
}

fn same_length(name: &str, a: &Series, b: &Series) -> Result<()> {
    if a.len() == b.len() {
        return Ok(());
    }
    let expected = format!("two columns of one length ({} rows)", a.len());
    Err(Error::invalid(name, expected, format!("{} rows in the second", b.len())))
}

/// An array as a column.
pub fn series(name: &str, given: &Dynamic) -> Result<Series> {
    match given.clone().try_cast::<Array>() {
        Some(array) => convert::column(name, &array),
        None => Err(Error::invalid(name, "an array or an expression", convert::describe(given))),
    }
}

/// A column of a frame by its name or an expression, or an array as a column.
pub fn of_frame(name: &str, frame: Option<&DataFrame>, given: &Dynamic) -> Result<Series> {
    let Some(frame) = frame.filter(|_| !given.is_array()) else {
        return series(name, given);
    };
    let expression = match (given.clone().try_cast::<Expr>(), given.clone().into_string()) {
        (Some(expression), _) => expression.0,
        (None, Ok(column)) => {
            query::known(frame, &column)?;
            pl::col(column)
        }
        (None, Err(_)) => {
            let expected = "a column's name, an expression or an array";
            return Err(Error::invalid(name, expected, convert::describe(given)));
        }
    };
    let used = [expression.alias("column")];
    let made = query::run(frame, name, &used, |lazy, used| lazy.select(&used))?;
    Ok(made.column("column").during(name)?.as_materialized_series().clone())
}

/// A column's numbers, NaN where one is missing.
pub fn numbers(name: &str, column: &Series) -> Result<Vec<f64>> {
    if !column.dtype().is_primitive_numeric()
        && !column.dtype().is_null()
        && !column.dtype().is_bool()
    {
        return Err(Error::invalid(name, "numbers", format!("a column of {}", column.dtype())));
    }
    let column = column.cast(&DataType::Float64).during(name)?;
    let values = column.f64().during(name)?;
    Ok(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// The same, refused where one is missing.
pub fn every_number(name: &str, column: &Series) -> Result<Vec<f64>> {
    let values = numbers(name, column)?;
    match values.iter().filter(|value| value.is_nan()).count() {
        0 => Ok(values),
        missing => {
            Err(Error::invalid(name, "a number in every row", format!("{missing} rows without"))
                .with_hint("leave those rows out with `filter`, and say how many they are"))
        }
    }
}

/// Labels of two classes: true or false, or 1 and 0.
pub fn labels(name: &str, column: &Series) -> Result<Vec<bool>> {
    let values = every_number(name, column)?;
    check_binary(name, &values)?;
    Ok(values.into_iter().map(|value| value == 1.0).collect())
}

/// Refuses labels other than 0 and 1; NaN stands for a missing one.
pub fn check_binary(name: &str, values: &[f64]) -> Result<()> {
    let known = |value: &f64| *value == 0.0 || *value == 1.0 || value.is_nan();
    match values.iter().find(|value| !known(value)) {
        None => Ok(()),
        Some(odd) => {
            Err(Error::invalid(name, "labels of 0 and 1, or false and true", odd.to_string()))
        }
    }
}

/// What rows are told apart by: a name for each.
pub fn names(name: &str, column: &Series) -> Result<Vec<String>> {
    let missing = column.null_count();
    if missing > 0 {
        return Err(Error::invalid(
            name,
            "a value in every row",
            format!("{missing} rows without"),
        ));
    }
    let texts = column.cast(&DataType::String).during(name)?;
    let texts = texts.str().during(name)?;
    Ok(texts.iter().map(|text| text.unwrap_or_default().to_string()).collect())
}
