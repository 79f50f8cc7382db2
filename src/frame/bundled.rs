//! Data sets that the program ships, by name: `ebb/bbq-sample` is `data/bbq-sample.jsonl`.

use include_dir::{Dir, include_dir};

use crate::error::{Error, Result};

static DATA: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/data");

/// The file name and bytes of a bundled data set.
pub fn find(name: &str) -> Result<(String, &'static [u8])> {
    let found = DATA.files().find(|file| stem(file.path()).as_deref() == Some(name));
    match found {
        Some(file) => Ok((file.path().display().to_string(), file.contents())),
        None => Err(Error::unknown("bundled data set", format!("ebb/{name}"), names())),
    }
}

/// "ebb/bbq-sample", …
pub fn names() -> Vec<String> {
    let stems = DATA.files().filter_map(|file| stem(file.path()));
    stems.map(|stem| format!("ebb/{stem}")).collect()
}

/// The name before the extensions of a data file; other files have none.
fn stem(path: &std::path::Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let (stem, extension) = name.split_once('.')?;
    (extension.starts_with("json") || extension == "parquet").then(|| stem.to_string())
}
