//! Frames whose texts lie in memory of their own: a few rows that were filtered out of many otherwise keep the texts of all of
//! them.

use polars::prelude::*;

use super::nested;
use crate::error::{Context, Error, Result};

/// The same rows, and no memory that other rows share.
pub fn compact(frame: &DataFrame) -> Result<DataFrame> {
    let columns = frame.columns().iter().map(|column| {
        let series = column.as_materialized_series();
        own(series).map(Series::into_column)
    });
    let columns = columns.collect::<Result<Vec<Column>>>()?;
    DataFrame::new(frame.height(), columns).during("keeping rows of a piece")
}

fn own(column: &Series) -> Result<Series> {
    let failed = |error: PolarsError| Error::Frame {
        operation: "keeping rows of a piece".to_string(),
        source: error,
    };
    let name = column.name().clone();
    match column.dtype() {
        DataType::String => {
            let texts = column.str().map_err(failed)?;
            Ok(StringChunked::from_iter_options(name, texts.iter()).into_series())
        }
        DataType::Binary => {
            let values = column.binary().map_err(failed)?;
            Ok(BinaryChunked::from_iter_options(name, values.iter()).into_series())
        }
        DataType::List(_) => {
            let trimmed = column.trim_lists_to_normalized_offsets();
            let column = trimmed.as_ref().unwrap_or(column);
            let lists = column.list().map_err(failed)?.rechunk();
            let items = own(&lists.get_inner())?;
            let offsets = lists.downcast_as_array().offsets().as_slice().to_vec();
            let there = column.is_not_null().iter().flatten().collect();
            nested::lists(&name, &items, offsets, there)
        }
        DataType::Struct(_) => {
            let fields = column.struct_().map_err(failed)?.fields_as_series();
            let fields = fields.iter().map(own).collect::<Result<Vec<Series>>>()?;
            let there = column.is_not_null().iter().flatten().collect();
            nested::structs(&name, &fields, there)
        }
        _ => Ok(column.clone()),
    }
}
