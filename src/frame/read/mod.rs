//! Reading tables by extension: jsonl, ndjson, json, csv, tsv, parquet, each also gzipped; one file, a folder or a glob.

mod arrow;
mod cells;
mod columns;
mod find;
mod forms;
mod json;
mod literals;
mod options;
mod parquet;
mod separated;
mod together;

use std::io::Read;
use std::path::Path;

use polars::prelude::DataFrame;

pub use self::find::{Files, files_of};
pub use self::options::{Kind, ReadOptions};
pub use self::together::concatenate;
use crate::doorway::Roots;
use crate::error::{Error, Result};

/// The extensions that can be read and written.
pub const FORMATS: [&str; 6] = ["jsonl", "ndjson", "json", "csv", "tsv", "parquet"];

/// What a file may unpack to. A gzip bomb or a parquet footer that promises more is refused.
const LARGEST: u64 = 4 << 30;

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
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
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
    let bytes = match gzipped {
        true => {
            unpacked = unpack(path, bytes)?;
            &unpacked
        }
        false => bytes,
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::malformed(path, None, "the file is empty"));
    }
    match format {
        Format::JsonLines => json::lines(path, bytes, options),
        Format::Json => json::whole(path, bytes, options),
        Format::Separated(separator) => separated::read(path, bytes, separator, options),
        Format::Parquet => options.applied(parquet::read(path, bytes)?),
    }
}

fn unpack(path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(LARGEST)
        .read_to_end(&mut unpacked)
        .map_err(|error| {
            Error::malformed(
                path,
                None,
                format!("this is not a whole gzip file: {error}"),
            )
        })?;
    match (unpacked.len() as u64) < LARGEST {
        true => Ok(unpacked),
        false => Err(Error::malformed(
            path,
            None,
            "it unpacks to more than 4 GiB",
        )),
    }
}
