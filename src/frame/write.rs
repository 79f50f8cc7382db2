//! Writing tables by extension, whole or not at all.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use polars::prelude::*;

use super::read::{Format, format_of};
use crate::doorway::Roots;
use crate::error::{Context, Error, Result};
use crate::{aside, files};

/// Writes a frame below the roots, in the format of the path's extension, gzipped where it ends in `.gz`.
pub fn file(frame: &DataFrame, roots: &Roots, path: &Path) -> Result<()> {
    let (format, gzipped) = format_of(path)?;
    files::write_whole(roots, path, |out| {
        if gzipped {
            let mut packed = GzEncoder::new(out, Compression::default());
            table(frame, format, &mut packed, path)?;
            packed.finish().map_err(|error| Error::io("write", path, error))?;
        } else {
            table(frame, format, out, path)?;
        }
        // What was stopped meanwhile replaces nothing.
        aside::check()
    })
}

/// A parquet file of a frame.
pub fn parquet(frame: &DataFrame) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame.clone()).during("writing parquet")?;
    Ok(bytes)
}

fn table(frame: &DataFrame, format: Format, out: &mut impl Write, path: &Path) -> Result<()> {
    let operation = format!("writing {}", path.display());
    let mut frame = frame.clone();
    match format {
        Format::Parquet => {
            let mut bytes = Vec::new();
            ParquetWriter::new(&mut bytes).finish(&mut frame).during(operation)?;
            out.write_all(&bytes).map_err(|error| Error::io("write", path, error))
        }
        Format::Separated(separator) => CsvWriter::new(out)
            .with_separator(separator)
            .finish(&mut as_cells(&frame)?)
            .during(operation),
        Format::JsonLines => lines(&frame, out, path),
        Format::Json => {
            let rows = super::json::rows(&frame)?;
            serde_json::to_writer(out, &rows)
                .map_err(|error| Error::io("write", path, error.into()))
        }
    }
}

/// A JSON map a line; NaN and infinities are null, as JSON has none.
fn lines(frame: &DataFrame, out: &mut impl Write, path: &Path) -> Result<()> {
    for row in super::json::rows(frame)? {
        serde_json::to_writer(&mut *out, &row)
            .map_err(|error| Error::io("write", path, error.into()))?;
        out.write_all(b"\n").map_err(|error| Error::io("write", path, error))?;
    }
    Ok(())
}

/// Bytes, dates and times as the texts that scripts see; lists and structs have no such form.
fn as_cells(frame: &DataFrame) -> Result<DataFrame> {
    let columns = frame.columns().iter().map(|column| {
        let has_text = matches!(column.dtype(), DataType::Binary) || column.dtype().is_temporal();
        if !has_text {
            return column.clone();
        }
        let cells = column.as_materialized_series();
        let texts = cells.iter().map(|cell| (!cell.is_null()).then(|| super::json::text(&cell)));
        let texts: Vec<Option<String>> = texts.collect();
        Column::new(column.name().clone(), texts)
    });
    DataFrame::new(frame.height(), columns.collect()).during("writing a table")
}
