//! Reading tables by extension: jsonl, ndjson, json, csv, tsv, parquet, each also gzipped; one file, a folder or a glob.

mod arrow;
mod cells;
mod columns;
mod cost;
mod find;
mod forms;
mod json;
mod literals;
mod options;
mod parquet;
mod pieces;
mod separated;
mod thrift;
mod together;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use polars::prelude::DataFrame;

use self::cost::LARGEST;
pub use self::find::{Files, files_of};
pub use self::options::{Kind, ReadOptions};
pub use self::pieces::Pieces;
pub use self::together::concatenate;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::memory;

/// The extensions that can be read and written.
pub const FORMATS: [&str; 6] = ["jsonl", "ndjson", "json", "csv", "tsv", "parquet"];
/// Bytes of memory for a byte of a text file at the most: a row with one short cell.
const LARGEST_CELL: u64 = 400;

/// A file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    JsonLines,
    Json,
    /// Separated by this byte.
    Separated(u8),
    Parquet,
}

/// The format and whether it is gzipped, from a file's name.
pub fn format_of(path: &Path) -> Result<(Format, bool)> {
    let name =
        path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let (name, gzipped) = match name.strip_suffix(".gz") {
        Some(inner) => (inner.to_string(), true),
        None => (name, false),
    };
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let format = match extension {
        "jsonl" | "ndjson" => Format::JsonLines,
        "json" => Format::Json,
        "csv" => Format::Separated(b','),
        "tsv" => Format::Separated(b'\t'),
        "parquet" => Format::Parquet,
        other => {
            return Err(Error::unknown("file format", other, FORMATS)
                .with_hint("the extension tells the format"));
        }
    };
    Ok((format, gzipped))
}

/// Reads one file.
pub fn file(path: &Path) -> Result<DataFrame> {
    parse(path, &Roots::anywhere().bytes(path)?)
}

/// Parses a file's bytes; `path` tells the format and is named in errors.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<DataFrame> {
    parse_as(path, bytes, &ReadOptions::default())
}

/// Parses a file's bytes as the options tell.
pub fn parse_as(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<DataFrame> {
    let (format, gzipped) = format_of(path)?;
    let unpacked;
    let bytes = if gzipped {
        unpacked = unpack(path, bytes)?;
        &unpacked
    } else {
        bytes
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::malformed(path, None, "the file is empty"));
    }
    require_room(path, format, bytes)?;
    let frame = match format {
        Format::JsonLines => json::lines(path, bytes, options)?,
        Format::Json => json::whole(path, bytes, options)?,
        Format::Separated(separator) => separated::read(path, bytes, separator, options)?,
        Format::Parquet => parquet::read(path, Cursor::new(bytes), options)?,
    };
    Ok(match options.rows {
        Some(rows) => frame.head(Some(rows)),
        None => frame,
    })
}

/// Reads a parquet file by its handle, so that nothing of it is taken into memory but what is wanted; `path` is named in errors.
pub fn parquet_as(path: &Path, file: File, options: &ReadOptions) -> Result<DataFrame> {
    parquet::read(path, file, options)
}

/// Refuses a text file whose values have no room beside it. They are counted only where the file is not small beside what
/// there is.
fn require_room(path: &Path, format: Format, bytes: &[u8]) -> Result<()> {
    let length = bytes.len() as u64;
    let is_small = |room: u64| length.saturating_mul(LARGEST_CELL) < room;
    if format == Format::Parquet || memory::room().is_none_or(is_small) {
        return Ok(());
    }
    let cost = match format {
        Format::Separated(separator) => cost::of_separated(bytes, separator),
        _ => cost::of_json(bytes),
    };
    let (bytes, rows) = (cost.bytes, cost.rows);
    let what = format!("reading {}, of about {rows} rows,", path.display());
    memory::require_room(bytes, &what)
}

/// The bytes of a gzip file, as far as there is room for them and for what is made of them.
fn unpack(path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let room = memory::room().map_or(LARGEST, |room| (room / 3).min(LARGEST));
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).take(room).read_to_end(&mut unpacked).map_err(
        |error| Error::malformed(path, None, format!("this is not a whole gzip file: {error}")),
    )?;
    if (unpacked.len() as u64) < room {
        return Ok(unpacked);
    }
    if room == LARGEST {
        return Err(Error::malformed(path, None, "it unpacks to more than 4 GiB"));
    }
    Err(memory::exceeded(&format!(
        "reading {}, which unpacks to more than {},",
        path.display(),
        memory::shown(room)
    )))
}
