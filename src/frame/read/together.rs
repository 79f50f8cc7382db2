//! Frames below each other: a column takes a type that holds what each of them has in it.

use std::collections::HashSet;

use polars::prelude::*;

use super::cells::is_exact;
use crate::error::{Context, Result};
use crate::frame::{query, room};

/// Pieces of memory that a column may lie in. A frame that grows in a loop would else come to lie in a piece for each row,
/// and a piece's own description takes more room than a few rows.
const MOST_PIECES: usize = 64;

/// One frame below the other; a column that one lacks is filled with nulls.
pub fn concatenate(frames: &[DataFrame]) -> Result<DataFrame> {
    room::for_all(frames)?;
    let lazy: Vec<LazyFrame> = alike(frames)?.into_iter().map(|frame| frame.lazy()).collect();
    let options = UnionArgs { to_supertypes: true, diagonal: true, ..UnionArgs::default() };
    let operation = "putting frames below each other";
    let mut whole = query::collect(concat(lazy, options).during(operation)?, operation)?;
    if whole.max_n_chunks() > MOST_PIECES {
        whole.rechunk_mut();
    }
    Ok(whole)
}

/// Whole numbers that would lose digits beside the numbers of another frame, as texts everywhere.
fn alike(frames: &[DataFrame]) -> Result<Vec<DataFrame>> {
    let mut alike = frames.to_vec();
    let columns = frames.iter().flat_map(|frame| frame.columns());
    let names: HashSet<PlSmallStr> = columns
        .filter(|column| *column.dtype() == DataType::Int64)
        .map(|column| column.name().clone())
        .collect();
    for name in names {
        let columns: Vec<&Column> =
            frames.iter().filter_map(|frame| frame.column(&name).ok()).collect();
        if !loses(&columns) {
            continue;
        }
        for frame in &mut alike {
            if let Ok(column) = frame.column(&name) {
                let texts = column.cast(&DataType::String).during("reading as text")?;
                frame.with_column(texts).during("reading as text")?;
            }
        }
    }
    Ok(alike)
}

/// Whether numbers of these columns would be changed in a common one.
fn loses(columns: &[&Column]) -> bool {
    let fraction = columns.iter().any(|column| column.dtype().is_float());
    let mut whole = columns.iter().filter_map(|column| column.i64().ok());
    fraction
        && whole.any(|numbers| {
            let mut numbers = numbers.iter().flatten();
            numbers.any(|number| !is_exact(i128::from(number)))
        })
}
