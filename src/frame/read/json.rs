//! JSON lines (a map a line, <https://jsonlines.org>) and JSON (a list of maps, or one map, which is one row).
//!
//! Lines are parsed on all cores. serde_json reads them rather than polars' own reader, which panics on whole numbers of
//! more than 64 bits, overflows the stack on deep nesting and cannot tell the line of an error.

use std::path::Path;

use polars::prelude::DataFrame;
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::options::ReadOptions;
use super::{columns, literals};
use crate::error::{Error, Result};
use crate::memory;

type Row = Map<String, Value>;

/// A map a line; blank lines are passed over.
pub fn lines(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<DataFrame> {
    let lines: Vec<(usize, &[u8])> = without_mark(bytes)
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| (index + 1, line))
        .collect();
    let parsed: Vec<Result<Row>> =
        lines.par_iter().map(|(number, line)| row_of_line(path, *number, line)).collect();
    let rows = parsed.into_iter().collect::<Result<Vec<Row>>>()?;
    let line_of = |row: usize| lines.get(row).map(|(number, _)| *number);
    table(path, rows, line_of, options)
}

fn row_of_line(path: &Path, number: usize, line: &[u8]) -> Result<Row> {
    memory::check()?;
    let line = literals::with_long_numbers_as_text(line);
    match serde_json::from_slice::<Value>(&line) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(Error::malformed(
            path,
            Some(number),
            format!("expected a JSON map on each line, got {}", columns::name_of(&other)),
        )),
        Err(error) => Err(Error::malformed(path, Some(number), reason(&line, &error))),
    }
}

/// A list of maps, or one map. JSON lines under the name `.json` are read as what they are.
pub fn whole(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<DataFrame> {
    let bytes = without_mark(bytes);
    let written = literals::with_long_numbers_as_text(bytes);
    let value = match serde_json::from_slice::<Value>(&written) {
        Ok(value) => value,
        Err(error) if begins_with_a_row(bytes) && error.line() > 1 => {
            return lines(path, bytes, options);
        }
        Err(error) => {
            let line = error.line();
            let text = written.split(|byte| *byte == b'\n').nth(line.max(1) - 1);
            let reason = reason(text.unwrap_or_default(), &error);
            return Err(Error::malformed(path, Some(line), reason));
        }
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
    table(path, rows, |_| None, options)
}

fn table(
    path: &Path,
    mut rows: Vec<Row>,
    line_of: impl Fn(usize) -> Option<usize>,
    options: &ReadOptions,
) -> Result<DataFrame> {
    if !options.null_values.is_empty() {
        let cells = rows.iter_mut().flat_map(Row::values_mut);
        for cell in cells {
            if cell.as_str().is_some_and(|text| options.is_missing(text)) {
                *cell = Value::Null;
            }
        }
    }
    let frame = columns::frame(&rows, options).unwrap_or_else(|conflict| {
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

/// serde_json's reason without the line, which is ours to tell; `line` is that line.
fn reason(line: &[u8], error: &serde_json::Error) -> String {
    if let Some(word) = literals::not_json_at(line, error.column().saturating_sub(1)) {
        let column = error.column();
        return format!(
            "`{word}` is no JSON, which has no such number; write null, or a text (column {column})"
        );
    }
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or("it cannot be read");
    format!("malformed JSON: {reason} (column {})", error.column())
}

/// The bytes without a UTF-8 byte order mark.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}
