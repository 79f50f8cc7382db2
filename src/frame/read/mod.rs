//! Reading tables by extension: jsonl, ndjson, json, csv, tsv, parquet, each also gzipped; one file, a folder or a glob.

mod columns;
mod json;
mod parquet;
mod separated;

use std::io::Read;
use std::path::{Path, PathBuf};

use polars::prelude::*;

use crate::error::{Context, Error, Result};

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

/// The files that a path names, in the order of their names, and whether it names a single one: itself, a folder's data
/// files (JSON lines before others, where they are mixed), or a glob's matches. `resolve` gives a path's full form, or
/// refuses it.
pub fn files_of(
    path: &str,
    resolve: impl Fn(&str) -> Result<PathBuf>,
) -> Result<(Vec<PathBuf>, bool)> {
    match resolve(path) {
        Ok(full) if full.is_dir() => Ok((files_in(path, &full)?, false)),
        Ok(full) => Ok((vec![full], true)),
        Err(_) if path.contains(['*', '?', '[']) => Ok((matches_of(path, resolve)?, false)),
        Err(error) => Err(error),
    }
}

fn matches_of(path: &str, resolve: impl Fn(&str) -> Result<PathBuf>) -> Result<Vec<PathBuf>> {
    let pattern = resolve_pattern(path, &resolve)?;
    let matches = glob::glob(&pattern.to_string_lossy())
        .map_err(|error| Error::failed(format!("{path:?} is no pattern: {error}")))?;
    let mut files: Vec<PathBuf> = matches
        .filter_map(|found| found.ok())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    match files.is_empty() {
        true => Err(Error::failed(format!("no file matches {path:?}"))),
        false => Ok(files),
    }
}

fn files_in(path: &str, full: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(full).map_err(|error| Error::io("read", full, error))?;
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
    let folder = glob::Pattern::escape(&resolve(folder)?.to_string_lossy());
    Ok(PathBuf::from(folder).join(rest))
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
        Format::JsonLines => json::lines(path, bytes),
        Format::Json => json::whole(path, bytes),
        Format::Separated(separator) => separated::read(path, bytes, separator),
        Format::Parquet => parquet::read(path, bytes),
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
