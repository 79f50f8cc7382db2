//! Whether there is room for what an operation on frames makes, told before it is begun.
//!
//! Counts are bounds (pairs of rows that agree and, where they are kept, all others; items of lists). Bytes are what rows of
//! a frame take when they are put together anew: polars keeps each text once however often its row is repeated, so that a
//! text costs its place and not its length.

use polars::prelude::*;

use crate::error::{Context, Error, Result};
use crate::memory;

/// Bytes of a text's place in a column, and of the number of a row.
const PLACE: f64 = 16.0;
const NUMBER: f64 = 8.0;
/// Rows that polars can count.
const MOST_ROWS: u64 = u32::MAX as u64 - 1;
/// Bytes of a cell while a column is made: where its value stands, and its place.
const CELL: u64 = 24;
/// Cells for which nothing is asked.
const FEW: u64 = 1 << 20;
/// Bytes for which nothing is asked: asking takes longer than to take them.
const LITTLE: f64 = (1 << 24) as f64;

/// Refuses to put frames below each other where there is no room for the whole.
pub fn for_all(frames: &[DataFrame]) -> Result<()> {
    let rows = frames.iter().map(|frame| frame.height() as u64).sum();
    let bytes = frames.iter().map(|frame| frame.height() as f64 * row(frame));
    ask(rows, bytes.sum(), "a frame of all rows")
}

/// Refuses a join with more rows than there is room for: each row of the left with each of the right that agrees with it.
pub fn for_join(left: &DataFrame, right: &DataFrame, on: &[Expr], kind: &JoinType) -> Result<()> {
    if matches!(kind, JoinType::Semi | JoinType::Anti) {
        return Ok(());
    }
    let each = row(left) + row(right) + 2.0 * NUMBER;
    let (lefts, rights) = (left.height() as u64, right.height() as u64);
    let most = lefts.saturating_mul(rights).saturating_add(lefts).saturating_add(rights);
    if most <= MOST_ROWS && most as f64 * each < LITTLE {
        return Ok(());
    }
    let rows = match on {
        [] => lefts.saturating_mul(rights),
        on => pairs(left, right, on)?.saturating_add(match kind {
            JoinType::Inner => 0,
            JoinType::Left => lefts,
            JoinType::Right => rights,
            _ => lefts.saturating_add(rights),
        }),
    };
    ask(rows, rows as f64 * each, "the join")
}

/// How many pairs of rows agree: over all keys, the rows that the left has times those that the right has. Missing keys
/// agree with none.
fn pairs(left: &DataFrame, right: &DataFrame, on: &[Expr]) -> Result<u64> {
    let keys: Vec<Expr> = on
        .iter()
        .enumerate()
        .map(|(place, key)| key.clone().alias(format!("key {place}")))
        .collect();
    let counted = |frame: &DataFrame, name: &str| {
        let names: Vec<Expr> = (0..keys.len()).map(|place| col(format!("key {place}"))).collect();
        let present = names.iter().cloned().map(Expr::is_not_null);
        let present = present.reduce(Expr::and).unwrap_or_else(|| lit(true));
        frame
            .clone()
            .lazy()
            .select(&keys)
            .filter(present)
            .group_by(&names)
            .agg([len().cast(DataType::Float64).alias(name)])
    };
    let names: Vec<Expr> = (0..keys.len()).map(|place| col(format!("key {place}"))).collect();
    let pairs = counted(left, "left")
        .join(counted(right, "right"), &names, &names, JoinArgs::new(JoinType::Inner))
        .select([(col("left") * col("right")).sum().alias("pairs")])
        .collect()
        .during("counting the rows of a join")?;
    let pairs = pairs
        .column("pairs")
        .and_then(|column| column.get(0).map(|cell| cell.try_extract::<f64>()));
    let pairs = pairs.during("counting the rows of a join")?;
    Ok(pairs.map_or(u64::MAX, |pairs| pairs as u64))
}

/// Refuses to give each item of a column of lists a row of its own where there is no room for them.
pub fn for_items(frame: &DataFrame, name: &str) -> Result<()> {
    let column = frame.column(name).during("explode")?;
    let DataType::List(_) = column.dtype() else {
        return Ok(());
    };
    let lists = column.list().during("explode")?;
    let items: u64 = lists.lst_lengths().iter().flatten().map(|n| u64::from(n).max(1)).sum();
    let others = frame.drop(name).during("explode")?;
    ask(items, items as f64 * (row(&others) + 2.0 * PLACE), "exploding the lists")
}

/// Refuses a table with more cells than there is room for: rows that all have other names make as many columns.
pub fn for_cells(rows: usize, columns: usize) -> Result<()> {
    let cells = (rows as u64).saturating_mul(columns as u64);
    if cells < FEW {
        return Ok(());
    }
    let what = format!("a table of {columns} columns and {cells} cells");
    memory::require_room(cells.saturating_mul(CELL), &what)
}

fn ask(rows: u64, bytes: f64, what: &str) -> Result<()> {
    if rows > MOST_ROWS {
        return Err(Error::failed_with_hint(
            format!("{what} would have up to {rows} rows, and a frame can have {MOST_ROWS}"),
            "filter or aggregate before",
        ));
    }
    if bytes < LITTLE {
        return Ok(());
    }
    memory::require_room(bytes as u64, &format!("{what}, of {rows} rows,"))
}

/// Bytes that a row takes on average.
fn row(frame: &DataFrame) -> f64 {
    frame.columns().iter().map(cell).sum()
}

/// Bytes that a cell takes on average.
fn cell(column: &Column) -> f64 {
    match (column.dtype(), column) {
        (DataType::String | DataType::Binary, _) => PLACE,
        (DataType::Null, _) => 1.0,
        (DataType::Boolean, _) => 0.25,
        (_, Column::Series(values)) => values.estimated_size() as f64 / column.len().max(1) as f64,
        (_, Column::Scalar(one)) => one.as_single_value_series().estimated_size() as f64,
    }
}
