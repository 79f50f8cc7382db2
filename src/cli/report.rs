//! The report that `--report` asks for: its format is told by the ending of the file's name.

use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::notebook::outcome::Outcome;
use crate::notebook::report::markdown::markdown;
use crate::notebook::report::notebook::notebook;

/// A format that reports are written in.
enum Format {
    Page,
    Markdown,
    Notebook,
}

fn format(name: &str) -> Result<Format> {
    match Path::new(name).extension().and_then(|ending| ending.to_str()) {
        Some("html") => Ok(Format::Page),
        Some("md") => Ok(Format::Markdown),
        Some("ipynb") => Ok(Format::Notebook),
        _ => Err(Error::invalid(
            "--report",
            "a file name that ends in .html, .md or .ipynb",
            format!("{name:?}"),
        )),
    }
}

/// Refuses a report of an unknown format.
pub fn check(name: Option<&str>) -> Result<()> {
    name.map_or(Ok(()), |name| format(name).map(|_| ()))
}

/// The files of a report, images first: path and content. `page` is the report as HTML.
pub fn files(
    name: &str,
    outcome: &Outcome,
    facts: &Value,
    page: &str,
) -> Result<Vec<(String, Vec<u8>)>> {
    Ok(match format(name)? {
        Format::Page => vec![(name.to_string(), page.as_bytes().to_vec())],
        Format::Notebook => vec![(name.to_string(), notebook(outcome)?.into_bytes())],
        Format::Markdown => {
            let path = Path::new(name);
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let pages = markdown(outcome, facts, &stem);
            let beside = |name: &str| path.with_file_name(name).to_string_lossy().to_string();
            let images = pages.images.into_iter().map(|(image, bytes)| (beside(&image), bytes));
            images.chain([(name.to_string(), pages.text.into_bytes())]).collect()
        }
    })
}
