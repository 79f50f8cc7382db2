//! JSON lines (a map a line, <https://jsonlines.org>) and JSON (a list of maps, or one map, which is one row).
//!
//! Lines are parsed on all cores. serde_json reads them rather than polars' own reader, which panics on whole numbers of
//! more than 64 bits, overflows the stack on deep nesting and cannot tell the line of an error.

use std::path::Path;

use polars::prelude::DataFrame;
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::columns;
use crate::error::{Error, Result};

type Row = Map<String, Value>;

/// A map a line; blank lines are passed over.
pub fn lines(path: &Path, bytes: &[u8]) -> Result<DataFrame> {
    let lines: Vec<(usize, &[u8])> = without_mark(bytes)
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| (index + 1, line))
        .collect();
    let parsed: Vec<Result<Row>> = lines
        .par_iter()
        .map(|(number, line)| row_of_line(path, *number, line))
        .collect();
    let rows = parsed.into_iter().collect::<Result<Vec<Row>>>()?;
    let line_of = |row: usize| lines.get(row).map(|(number, _)| *number);
    table(path, rows, line_of)
}

fn row_of_line(path: &Path, number: usize, line: &[u8]) -> Result<Row> {
    match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(Error::malformed(
            path,
            Some(number),
            format!(
                "expected a JSON map on each line, got {}",
                columns::name_of(&other)
            ),
        )),
        Err(error) => Err(Error::malformed(path, Some(number), reason(&error))),
    }
}

/// A list of maps, or one map. JSON lines under the name `.json` are read as what they are.
pub fn whole(path: &Path, bytes: &[u8]) -> Result<DataFrame> {
    let bytes = without_mark(bytes);
    let value = match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => value,
        Err(error) if begins_with_a_row(bytes) && error.line() > 1 => {
            return lines(path, bytes);
        }
        Err(error) => return Err(Error::malformed(path, Some(error.line()), reason(&error))),
    };
    let items = match value {
        Value::Array(items) => items,
        map @ Value::Object(_) => vec![map],
        other => {
            let got = columns::name_of(&other);
            let message = format!("expected a list of maps, one a row, got {got}");
            return Err(Error::malformed(path, None, message));
        }
    };
    let mut rows = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Value::Object(map) => rows.push(map),
            other => {
                let got = columns::name_of(&other);
                let message = format!("row {index}: expected a map, got {got}");
                return Err(Error::malformed(path, None, message));
            }
        }
    }
    table(path, rows, |_| None)
}

fn table(
    path: &Path,
    rows: Vec<Row>,
    line_of: impl Fn(usize) -> Option<usize>,
) -> Result<DataFrame> {
    let frame = columns::frame(&rows).unwrap_or_else(|conflict| {
        let line = line_of(conflict.row);
        let row = match line {
            Some(_) => String::new(),
            None => format!("row {}: ", conflict.row),
        };
        let message = format!(
            "{row}the column `{}` holds {} in earlier rows and {} here, which no column can hold together",
            conflict.place, conflict.before, conflict.here
        );
        Err(Error::malformed(path, line, message))
    });
    // Millions of small allocations: giving them back on all cores takes a fraction of the time.
    rows.into_par_iter().for_each(drop);
    frame
}

fn begins_with_a_row(bytes: &[u8]) -> bool {
    let first = bytes.split(|byte| *byte == b'\n').next();
    first.is_some_and(|line| serde_json::from_slice::<Row>(line).is_ok())
}

/// serde_json's reason without the line, which is ours to tell.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text
        .split(" at line ")
        .next()
        .unwrap_or("it cannot be read");
    format!("malformed JSON: {reason} (column {})", error.column())
}

/// The bytes without a UTF-8 byte order mark.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}
