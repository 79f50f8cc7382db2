//! Comma- and tab-separated values (RFC 4180), the first line naming the columns.
//!
//! polars reads the cells. Where it would lose digits of a long number, it gives the cells as texts, and what they hold is
//! found afterwards. It fills a short record up and takes a stray quote for the beginning of a long cell, so the records are
//! counted beforehand and whatever does not fit is told with its line.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use polars::prelude::*;
use rayon::prelude::*;

use super::cells;
use super::options::ReadOptions;
use crate::error::{Context, Error, Result};

/// Between this number and the one below zero every whole number is the same as a number with a fraction.
const EXACT: f64 = (1_u64 << 53) as f64;

pub fn read(path: &Path, bytes: &[u8], separator: u8, options: &ReadOptions) -> Result<DataFrame> {
    refuse_other_encodings(path, bytes)?;
    let found = records(bytes, separator)
        .map_err(|(line, message)| Error::malformed(path, Some(line), message))?;
    let file = File { path, bytes, separator, found };
    if options.types.is_empty() && options.null_values.is_empty() {
        // What fails here may be a number that is too long: as text it does not.
        if let Ok(frame) = file.polars(CsvReadOptions::default().with_infer_schema_length(None)) {
            file.check(&frame)?;
            return file.with_all_digits(frame);
        }
    }
    let texts = file.texts(None)?;
    let height = texts.height();
    // Each column's texts are given back as soon as its values are there.
    let columns: Vec<Result<Column>> = texts
        .into_columns()
        .into_par_iter()
        .map(|column| typed(column, options).map(Series::into_column))
        .collect();
    let columns = columns.into_iter().collect::<Result<Vec<Column>>>()?;
    DataFrame::new(height, columns).during(format!("reading {}", path.display()))
}

/// Refuses bytes that are no UTF-8, which polars would put another character in place of in the heading.
fn refuse_other_encodings(path: &Path, bytes: &[u8]) -> Result<()> {
    let Err(error) = std::str::from_utf8(bytes) else {
        return Ok(());
    };
    let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let message = "a byte that is no UTF-8; save the file as UTF-8";
    Err(Error::malformed(path, Some(line), message))
}

/// A column with the type that is asked for it, or that its cells have.
fn typed(column: Column, options: &ReadOptions) -> Result<Series> {
    let cells = options.without_missing(column.take_materialized_series());
    match (options.kind_of(cells.name()), cells.str()) {
        (None, Ok(texts)) => Ok(cells::found(texts)),
        _ => options.typed(cells),
    }
}

/// Whether a column has numbers that may have been whole ones, and longer.
fn may_have_lost(column: &Column) -> bool {
    let long = |number: f64| number.is_finite() && number.abs() >= EXACT;
    let numbers = column.f64();
    numbers.is_ok_and(|numbers| numbers.iter().flatten().any(long))
}

struct File<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    separator: u8,
    found: Records,
}

impl File<'_> {
    fn polars(&self, options: CsvReadOptions) -> PolarsResult<DataFrame> {
        options
            .with_has_header(true)
            .with_parse_options(CsvParseOptions::default().with_separator(self.separator))
            .into_reader_with_file_handle(Cursor::new(self.bytes))
            .finish()
    }

    /// The cells of these columns as texts, or of all.
    fn texts(&self, columns: Option<Arc<[PlSmallStr]>>) -> Result<DataFrame> {
        let options =
            CsvReadOptions::default().with_infer_schema_length(Some(0)).with_columns(columns);
        match (self.polars(options), self.found.stray_line) {
            (Ok(frame), _) => self.check(&frame).map(|()| frame),
            (Err(_), Some(line)) => Err(self.stray(line)),
            (Err(error), None) => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                Err(Error::malformed(self.path, None, first))
            }
        }
    }

    /// Whether the rows are those that were counted.
    fn check(&self, frame: &DataFrame) -> Result<()> {
        match self.found.stray_line {
            Some(line) if !self.found.blank && self.found.count != frame.height() + 1 => {
                Err(self.stray(line))
            }
            _ => Ok(()),
        }
    }

    fn stray(&self, line: usize) -> Error {
        let message = "a quote stands inside a cell that is not quoted; quote the cell and write \"\" for the quote";
        Error::malformed(self.path, Some(line), message)
    }

    /// The frame with the columns read again, as texts, that may have lost digits of long whole numbers beside fractions.
    fn with_all_digits(&self, mut frame: DataFrame) -> Result<DataFrame> {
        let columns = frame.columns().iter();
        let lost = columns.filter(|column| may_have_lost(column));
        let names: Vec<PlSmallStr> = lost.map(|column| column.name().clone()).collect();
        if names.is_empty() {
            return Ok(frame);
        }
        for column in self.texts(Some(names.into()))?.into_columns() {
            let column = typed(column, &ReadOptions::default())?.into_column();
            frame.with_column(column).during(format!("reading {}", self.path.display()))?;
        }
        Ok(frame)
    }
}

/// The records of a file, the heading among them. A record of another length than the heading and a quote that is never
/// closed are errors, told with their line.
fn records(bytes: &[u8], separator: u8) -> std::result::Result<Records, (usize, String)> {
    let mut records = Records::default();
    for byte in bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes) {
        records.take(*byte, separator)?;
    }
    if records.quoted {
        let message = "a quote that opens here is never closed".to_string();
        return Err((records.quote_line, message));
    }
    if records.any {
        records.end()?;
    }
    Ok(records)
}

/// Where the count stands.
struct Records {
    /// Records that ended, the heading among them, and cells of the heading.
    count: usize,
    width: usize,
    cells: usize,
    line: usize,
    first_line: usize,
    quote_line: usize,
    quoted: bool,
    /// The byte before this one closed a quote, so that another quote is a quote within the cell.
    closed: bool,
    at_start: bool,
    /// The record has any byte.
    any: bool,
    /// There was a blank line.
    blank: bool,
    /// The first line with a quote inside a cell that is not quoted.
    stray_line: Option<usize>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            count: 0,
            width: 0,
            cells: 1,
            line: 1,
            first_line: 1,
            quote_line: 1,
            quoted: false,
            closed: false,
            at_start: true,
            any: false,
            blank: false,
            stray_line: None,
        }
    }
}

impl Records {
    fn take(&mut self, byte: u8, separator: u8) -> std::result::Result<(), (usize, String)> {
        let (closed, at_start) = (self.closed, self.at_start);
        (self.closed, self.at_start) = (false, false);
        match byte {
            b'"' if self.quoted => {
                self.quoted = false;
                self.closed = true;
            }
            b'"' if closed || at_start => {
                self.quoted = true;
                self.any = true;
                if at_start {
                    self.quote_line = self.line;
                }
            }
            b'\n' if self.quoted => self.line += 1,
            _ if self.quoted => {}
            b'\n' => {
                if self.any {
                    self.end()?
                } else {
                    self.blank = true
                }
                self.line += 1;
                self.first_line = self.line;
                self.at_start = true;
            }
            // Part of the line's end, or of nothing that matters to the count.
            b'\r' => self.closed = closed,
            other => {
                self.any = true;
                if other == b'"' && self.stray_line.is_none() {
                    self.stray_line = Some(self.line);
                }
                if other == separator {
                    self.cells += 1;
                    self.at_start = true;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) -> std::result::Result<(), (usize, String)> {
        if self.count == 0 {
            self.width = self.cells;
        }
        if self.cells != self.width {
            let message = format!("expected {} cells, got {}", self.width, self.cells);
            return Err((self.first_line, message));
        }
        self.count += 1;
        self.cells = 1;
        self.any = false;
        Ok(())
    }
}
