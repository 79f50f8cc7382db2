//! Where two frames first differ.

use polars::prelude::*;

use super::json;
use crate::error::Result;

/// A cell that is not the same in two frames.
#[derive(Clone, Debug, PartialEq)]
pub struct CellDifference {
    /// From 0.
    pub row: usize,
    pub column: String,
    pub before: serde_json::Value,
    pub after: serde_json::Value,
}

/// The first cell, row by row, that differs; `same` says whether two values count as equal. The frames have the same columns
/// and as many rows.
pub fn first_difference(
    before: &DataFrame,
    after: &DataFrame,
    same: impl Fn(&serde_json::Value, &serde_json::Value) -> bool,
) -> Result<Option<CellDifference>> {
    let mut found: Option<CellDifference> = None;
    for (one, other) in before.columns().iter().zip(after.columns()) {
        if one.equals_missing(other) {
            continue;
        }
        let ahead = found.as_ref().map_or(before.height(), |found| found.row);
        for row in 0..ahead.min(other.len()) {
            let (one_cell, other_cell) = (value(&one.get(row)?), value(&other.get(row)?));
            if !same(&one_cell, &other_cell) {
                let column = one.name().to_string();
                found = Some(CellDifference { row, column, before: one_cell, after: other_cell });
                break;
            }
        }
    }
    Ok(found)
}

/// A cell as data; NaN and infinities, which JSON has not, as texts.
fn value(cell: &AnyValue) -> serde_json::Value {
    let number = match cell {
        AnyValue::Float64(number) => *number,
        AnyValue::Float32(number) => f64::from(*number),
        other => return json::value(other),
    };
    if number.is_finite() { number.into() } else { number.to_string().into() }
}
