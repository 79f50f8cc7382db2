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
    let sought = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut way: &Path = &full;
    while let (Some(folder), Some(name)) = (way.parent(), way.file_name()) {
        if let Some(names) = names_in(host, path, folder) {
            return told(folder, &sought, &name.to_string_lossy(), &names);
        }
        way = folder;
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

fn told(folder: &Path, sought: &str, name: &str, names: &[String]) -> String {
    let searched = format!("{} was searched", folder.display());
    // The name itself in a folder above, or the same one with another ending.
    let stem = |name: &str| PathBuf::from(name).file_stem().map(|stem| stem.to_os_string());
    let mut alike = names.iter().filter(|known| stem(known) == stem(sought));
    let near = || nearest(name, names.iter().map(String::as_str));
    if let Some(near) = alike.next().map(String::as_str).or_else(near) {
        return format!("{searched}: did you mean {near}?");
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
