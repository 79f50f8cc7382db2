//! Columns of lists and of structs, put together from the columns of what they hold.

use polars::prelude::*;

use crate::error::{Context, Result};

/// A column of lists: row `i` holds `items[offsets[i]..offsets[i + 1]]`, or is missing where `there[i]` is false.
/// `offsets` has an entry more than there are rows.
pub fn lists(name: &str, items: &Series, offsets: Vec<i64>, there: Vec<bool>) -> Result<Series> {
    let items = items.rechunk().to_arrow(0, CompatLevel::newest());
    let column = || -> PolarsResult<Series> {
        let dtype = LargeListArray::default_datatype(items.dtype().clone());
        let there = there.into_iter().collect();
        let array = LargeListArray::try_new(dtype, offsets.try_into()?, items, Some(there))?;
        Series::from_arrow(name.into(), Box::new(array))
    };
    column().during(format!("building the column `{name}` of lists"))
}

/// A column of structs from the columns of its fields; a row is missing where `there` is false. Structs without fields
/// hold nothing that a column could show: all rows are missing.
pub fn structs(name: &str, fields: &[Series], there: Vec<bool>) -> Result<Series> {
    if fields.is_empty() {
        return Ok(Series::new_null(name.into(), there.len()));
    }
    let column = StructChunked::from_series(name.into(), there.len(), fields.iter())
        .during(format!("building the column `{name}` of maps"))?;
    let there = there.into_iter().collect();
    Ok(column.with_outer_validity(Some(there)).into_series())
}
