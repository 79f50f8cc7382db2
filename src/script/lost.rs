//! Where a file that a script asks for is not: which folder was searched, and what stands there under a near name.

use std::path::{Path, PathBuf};

use super::host::Host;
use crate::error::{Error, Result, nearest};

/// Names shown of a folder.
const SHOWN: usize = 8;

/// An error about a path that leads nowhere, with what stands near it.
pub fn file<T>(host: &Host, path: &str, result: Result<T>) -> Result<T> {
    result.map_err(|error| {
        if error.is_missing() {
            Error::failed_with_hint(error.to_string(), near(host, path))
        } else {
            error
        }
    })
}

/// An error about a model's name that is no name on the Hub either, with what stands near it.
pub fn model<T>(host: &Host, source: &str, result: Result<T>) -> Result<T> {
    result.map_err(|error| match &error {
        Error::Failed { message, hint: Some(hint) } if message.starts_with("there is no model") => {
            Error::failed_with_hint(message, format!("{hint}; {}", near(host, source)))
        }
        _ => error,
    })
}

/// What stands near a path that leads nowhere: a name in its folder, or as far as its folders exist.
pub fn near(host: &Host, path: &str) -> String {
    let full = host.absolute(path);
    let mut sought: &Path = &full;
    while let (Some(folder), Some(name)) = (sought.parent(), sought.file_name()) {
        if let Some(names) = names_in(host, path, folder) {
            return told(folder, &name.to_string_lossy(), &names);
        }
        sought = folder;
    }
    format!("it was looked for at {}", full.display())
}

/// The names in a folder that the script may read; none where there is no such folder.
fn names_in(host: &Host, path: &str, folder: &Path) -> Option<Vec<String>> {
    let entries = host.roots(path).list(folder).ok()?;
    Some(
        entries.into_iter().map(|entry| entry.name).filter(|name| !name.starts_with('.')).collect(),
    )
}

fn told(folder: &Path, name: &str, names: &[String]) -> String {
    let searched = format!("{} was searched", folder.display());
    if let Some(near) = nearest(name, names.iter().map(String::as_str)) {
        return format!("{searched}: did you mean {near}?");
    }
    // The same name with another ending.
    let stem = |name: &str| {
        PathBuf::from(name).file_stem().map(|stem| stem.to_string_lossy().into_owned())
    };
    let alike: Vec<&str> =
        names.iter().filter(|known| stem(known) == stem(name)).map(String::as_str).collect();
    if !alike.is_empty() {
        return format!("{searched}: it has {}", alike.join(", "));
    }
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len() {
        0 => format!("{searched}: it is empty"),
        count if count > SHOWN => {
            format!("{searched}: it has {} and {} more", shown.join(", "), count - SHOWN)
        }
        _ => format!("{searched}: it has {}", shown.join(", ")),
    }
}
