//! A frame as a table of texts: the first and last rows where there are many, numbers short, long texts cut.

use std::sync::Arc;

use polars::prelude::*;

use super::{json, room, write};
use crate::aside;
use crate::display::number::number;
use crate::display::table::{Rows, Whole};
use crate::display::{Column as Heading, Table};
use crate::error::Result;

/// How much of a frame a table shows.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Rows at most.
    pub rows: usize,
    /// Characters of a cell that are kept.
    pub cell: usize,
    /// Every column is wanted, also where they do not fit beside each other.
    pub all_columns: bool,
}

impl Default for Extent {
    fn default() -> Self {
        Self { rows: 20, cell: 120, all_columns: false }
    }
}

/// The first rows of a frame, and where some are left out the last two as well.
pub fn table(frame: &DataFrame, extent: &Extent) -> Result<Table> {
    let height = frame.height();
    let limit = extent.rows.max(3);
    let shown: Vec<Option<usize>> = if height <= limit {
        (0..height).map(Some).collect()
    } else {
        let head = limit - 2;
        (0..head).map(Some).chain([None]).chain((height - 2..height).map(Some)).collect()
    };
    room::for_cells(shown.len(), frame.width())?;
    let columns = frame.columns().iter().map(|column| Heading {
        name: column.name().to_string(),
        kind: kind(column.dtype()),
        numeric: column.dtype().is_primitive_numeric(),
    });
    let mut rows = Vec::with_capacity(shown.len());
    for index in &shown {
        aside::check()?;
        rows.push(match index {
            None => vec![Some("…".to_string()); frame.width()],
            Some(index) => {
                let cells = frame.columns().iter();
                cells
                    .map(|column| Ok(cell(&column.get(*index)?, extent.cell)))
                    .collect::<Result<_>>()?
            }
        });
    }
    let plural = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    };
    let size = format!("{} × {}", plural(height, "row"), plural(frame.width(), "column"));
    let caption = match shown.iter().flatten().count() {
        all if all == height => size,
        some => format!("{size}; {some} shown"),
    };
    let whole = Whole(Some(Arc::new(Shown(frame.clone()))));
    let all_columns = extent.all_columns;
    Ok(Table { columns: columns.collect(), rows, caption, whole, kept: None, all_columns })
}

/// The frame behind a table.
struct Shown(DataFrame);

impl Rows for Shown {
    fn size(&self) -> usize {
        self.0.estimated_size()
    }

    fn parquet(&self) -> Result<Vec<u8>> {
        write::parquet(&self.0)
    }
}

/// A column's type in a word.
pub fn kind(dtype: &DataType) -> String {
    match dtype {
        DataType::Boolean => "boolean".to_string(),
        DataType::String => "text".to_string(),
        DataType::Null => "empty".to_string(),
        DataType::List(_) => "list".to_string(),
        DataType::Struct(_) => "struct".to_string(),
        dtype if dtype.is_integer() => "integer".to_string(),
        dtype if dtype.is_float() => "number".to_string(),
        other => other.to_string(),
    }
}

fn cell(value: &AnyValue, widest: usize) -> Option<String> {
    let text = match value {
        AnyValue::Null => return None,
        AnyValue::Float32(x) => number(f64::from(*x)),
        AnyValue::Float64(x) => number(*x),
        other => match json::value(other) {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        },
    };
    Some(shorten(&text, widest))
}

/// Cuts the middle out of a long text: beginnings and ends tell rows apart.
fn shorten(text: &str, widest: usize) -> String {
    let is_short = text.len() <= widest || text.chars().count() <= widest;
    if is_short {
        return text.to_string();
    }
    let characters: Vec<char> = text.chars().collect();
    let (head, tail) = (widest * 2 / 3, widest / 3);
    let start: String = characters.iter().take(head).collect();
    let end: String = characters.iter().skip(characters.len() - tail).collect();
    format!("{start} … {end}")
}
