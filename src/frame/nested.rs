//! Columns of lists and of structs, put together from the columns of what they hold.

use polars::prelude::*;

use crate::error::{Context, Error, Result};

/// How deep lists and structs may lie in each other: honest data has a handful of levels, JSON readers allow some 128, and
/// polars takes a time that grows with the third power.
pub const DEEPEST: usize = 64;

/// Refuses a column whose values lie deeper in each other than any honest ones.
pub fn check_depth(name: &str, dtype: &DataType) -> Result<()> {
    let mut level: Vec<&DataType> = vec![dtype];
    for _ in 0..=DEEPEST {
        let inner = level.iter().flat_map(|dtype| match dtype {
            DataType::List(item) => vec![item.as_ref()],
            DataType::Struct(fields) => fields.iter().map(Field::dtype).collect(),
            _ => Vec::new(),
        });
        level = inner.collect();
        if level.is_empty() {
            return Ok(());
        }
    }
    Err(too_deep(&format!("the column `{name}`")))
}

/// `what` holds values that lie too deep in each other.
pub fn too_deep(what: &str) -> Error {
    Error::invalid(
        what,
        format!("lists and maps at most {DEEPEST} deep in each other"),
        "deeper ones",
    )
}

/// A column of lists: row `i` holds `items[offsets[i]..offsets[i + 1]]`, or is missing where `there[i]` is false.
/// `offsets` has an entry more than there are rows.
pub fn lists(name: &str, items: &Series, offsets: Vec<i64>, there: Vec<bool>) -> Result<Series> {
    check_depth(name, &DataType::List(Box::new(items.dtype().clone())))?;
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
    for field in fields {
        check_depth(name, &DataType::List(Box::new(field.dtype().clone())))?;
    }
    let column = StructChunked::from_series(name.into(), there.len(), fields.iter())
        .during(format!("building the column `{name}` of maps"))?;
    let there = there.into_iter().collect();
    Ok(column.with_outer_validity(Some(there)).into_series())
}
