//! Reading tables by extension: jsonl, ndjson, json, csv, tsv, parquet, each also gzipped; one file, a folder or a glob.

use std::io::{Cursor, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use polars::prelude::*;

use crate::error::{Context, Error, Result};

/// The extensions that can be read and written.
pub const FORMATS: [&str; 6] = ["jsonl", "ndjson", "json", "csv", "tsv", "parquet"];

/// What a file may unpack to. A gzip bomb or a parquet footer that promises more is refused.
const LARGEST: u64 = 16 << 30;

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

/// The files that a path names: itself, a folder's data files (JSON lines before others, where they are mixed), or a
/// glob's matches, in the order of their names.
pub fn files_of(path: &str, resolve: impl Fn(&str) -> Result<PathBuf>) -> Result<Vec<PathBuf>> {
    if path.contains(['*', '?', '[']) {
        let pattern = resolve_pattern(path, &resolve)?;
        let matches = glob::glob(&pattern.to_string_lossy())
            .map_err(|error| Error::failed(format!("{path:?} is no pattern: {error}")))?;
        let mut files: Vec<PathBuf> = matches
            .filter_map(|found| found.ok())
            .filter(|p| p.is_file())
            .collect();
        files.sort();
        return match files.is_empty() {
            true => Err(Error::failed(format!("no file matches {path:?}"))),
            false => Ok(files),
        };
    }
    let full = resolve(path)?;
    if !full.is_dir() {
        return Ok(vec![full]);
    }
    let entries = std::fs::read_dir(&full).map_err(|error| Error::io("read", &full, error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file() && format_of(path).is_ok())
        .collect();
    files.sort();
    // A folder of JSON lines often holds a table about them as well: they are not rows of the same kind.
    let first = FORMATS
        .iter()
        .find(|format| files.iter().any(|path| is_of(path, format)));
    match first {
        Some(format) => files.retain(|path| is_of(path, format)),
        None => {
            return Err(
                Error::failed(format!("the folder {path} holds no data file"))
                    .with_hint(format!("data files end in {}", FORMATS.join(", "))),
            );
        }
    }
    Ok(files)
}

fn is_of(path: &Path, format: &str) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    name.ends_with(&format!(".{format}")) || name.ends_with(&format!(".{format}.gz"))
}

/// The part of a pattern before its first wildcard decides whether it may be read.
fn resolve_pattern(pattern: &str, resolve: &impl Fn(&str) -> Result<PathBuf>) -> Result<PathBuf> {
    let fixed = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let (folder, rest) = match pattern.get(..fixed).and_then(|head| head.rfind('/')) {
        Some(slash) => (
            pattern.get(..=slash).unwrap_or("."),
            pattern.get(slash + 1..).unwrap_or(""),
        ),
        None => (".", pattern),
    };
    if rest.contains("..") {
        return Err(Error::failed(format!(
            "the pattern {pattern:?} may not climb out of its folder"
        )));
    }
    Ok(resolve(folder)?.join(rest))
}

/// Reads one file.
pub fn file(path: &Path) -> Result<DataFrame> {
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    parse(path, &bytes)
}

/// Parses a file's bytes; `path` tells the format and is named in errors.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<DataFrame> {
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
        Format::JsonLines => json(path, bytes, JsonFormat::JsonLines),
        Format::Json => json(path, bytes, JsonFormat::Json),
        Format::Separated(separator) => separated(path, bytes, separator),
        Format::Parquet => parquet(path, bytes),
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
            "it unpacks to more than 16 GiB",
        )),
    }
}

fn json(path: &Path, bytes: &[u8], format: JsonFormat) -> Result<DataFrame> {
    let lines = matches!(format, JsonFormat::JsonLines);
    let read = JsonReader::new(Cursor::new(bytes))
        .with_json_format(format)
        .infer_schema_len(None::<NonZeroUsize>)
        .finish();
    match read {
        Ok(frame) => Ok(frame),
        Err(_) if lines => Err(first_bad_line(path, bytes)),
        Err(error) => Err(bad_json(path, bytes, &error.to_string())),
    }
}

/// The first line that is no JSON map, found by reading the lines again one by one.
fn first_bad_line(path: &Path, bytes: &[u8]) -> Error {
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice::<serde_json::Value>(line) {
            Ok(serde_json::Value::Object(_)) => {}
            Ok(_) => {
                return Error::malformed(
                    path,
                    Some(index + 1),
                    "expected a JSON map, got another value",
                );
            }
            Err(error) => return malformed_json(path, index + 1, &error),
        }
    }
    Error::malformed(
        path,
        None,
        "the rows do not fit into one table: a column changes its kind of value",
    )
}

fn bad_json(path: &Path, bytes: &[u8], fallback: &str) -> Error {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Err(error) => malformed_json(path, error.line(), &error),
        Ok(serde_json::Value::Array(_)) => Error::malformed(path, None, fallback),
        Ok(_) => Error::malformed(path, None, "expected a list of maps, one a row"),
    }
}

fn malformed_json(path: &Path, line: usize, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or("malformed");
    let message = format!("malformed JSON: {reason} (column {})", error.column());
    Error::malformed(path, Some(line), message)
}

fn separated(path: &Path, bytes: &[u8], separator: u8) -> Result<DataFrame> {
    let options = CsvReadOptions::default()
        .with_has_header(true)
        .with_infer_schema_length(None)
        .with_parse_options(CsvParseOptions::default().with_separator(separator));
    options
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()
        .map_err(|error| Error::malformed(path, None, error.to_string()))
}

/// A parquet file tells in its footer how much it unpacks to. One that promises what no machine has is refused before
/// anything is allocated, and a reader that panics on nonsense does not take the run with it.
fn parquet(path: &Path, bytes: &[u8]) -> Result<DataFrame> {
    let owned: Vec<u8> = bytes.to_vec();
    let size = bytes.len() as u64;
    let read = std::panic::catch_unwind(move || -> std::result::Result<DataFrame, String> {
        let mut reader = ParquetReader::new(Cursor::new(owned));
        let metadata = reader.get_metadata().map_err(|error| error.to_string())?;
        let promised: u64 = metadata
            .row_groups
            .iter()
            .flat_map(|group| group.parquet_columns())
            .map(|column| column.uncompressed_size().max(0) as u64)
            .fold(0, u64::saturating_add);
        if promised > LARGEST || metadata.num_rows as u64 > size.saturating_mul(1 << 16) {
            return Err(format!(
                "its footer promises {promised} bytes in {} rows, more than such a file can hold",
                metadata.num_rows
            ));
        }
        reader.finish().map_err(|error| error.to_string())
    });
    match read {
        Ok(Ok(frame)) => Ok(frame),
        Ok(Err(message)) => Err(Error::malformed(path, None, message)),
        Err(_) => Err(Error::malformed(
            path,
            None,
            "this is not a well-formed parquet file",
        )),
    }
}

/// One frame below the other; a column that one lacks is filled with nulls.
pub fn concatenate(frames: &[DataFrame]) -> Result<DataFrame> {
    let lazy: Vec<LazyFrame> = frames.iter().map(|frame| frame.clone().lazy()).collect();
    let options = UnionArgs {
        to_supertypes: true,
        diagonal: true,
        ..UnionArgs::default()
    };
    concat(lazy, options)
        .and_then(LazyFrame::collect)
        .during("putting frames below each other")
}
