//! A frame as a table of texts: the first and last rows where there are many, numbers short, long texts cut.

use std::sync::Arc;

use polars::prelude::*;

use super::{json, write};
use crate::display::number::number;
use crate::display::table::{Rows, Whole};
use crate::display::{Column as Heading, Table};
use crate::error::Result;

/// Characters of a cell that are kept.
const WIDEST: usize = 120;

/// At most `limit` rows of a frame: the first ones, and where some are left out the last two as well.
pub fn table(frame: &DataFrame, limit: usize) -> Result<Table> {
    let height = frame.height();
    let shown: Vec<Option<usize>> = if height <= limit.max(3) {
        (0..height).map(Some).collect()
    } else {
        let head = limit.max(3) - 2;
        (0..head).map(Some).chain([None]).chain((height - 2..height).map(Some)).collect()
    };
    let columns = frame.columns().iter().map(|column| Heading {
        name: column.name().to_string(),
        kind: kind(column.dtype()),
        numeric: column.dtype().is_primitive_numeric(),
    });
    let mut rows = Vec::with_capacity(shown.len());
    for index in &shown {
        rows.push(match index {
            None => vec![Some("…".to_string()); frame.width()],
            Some(index) => {
                let cells = frame.columns().iter();
                cells.map(|column| Ok(cell(&column.get(*index)?))).collect::<Result<_>>()?
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
    Ok(Table { columns: columns.collect(), rows, caption, whole, kept: None })
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

fn cell(value: &AnyValue) -> Option<String> {
    let text = match value {
        AnyValue::Null => return None,
        AnyValue::Float32(x) => number(f64::from(*x)),
        AnyValue::Float64(x) => number(*x),
        other => match json::value(other) {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        },
    };
    Some(shorten(&text))
}

/// Cuts the middle out of a long text: beginnings and ends tell rows apart.
fn shorten(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= WIDEST {
        return text.to_string();
    }
    let (head, tail) = (WIDEST * 2 / 3, WIDEST / 3);
    let start: String = characters.iter().take(head).collect();
    let end: String = characters.iter().skip(characters.len() - tail).collect();
    format!("{start} … {end}")
}
