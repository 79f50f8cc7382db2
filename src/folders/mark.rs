//! The mark of a folder aside: what says that it is ours.

use std::path::Path;

use super::entries::{entries, is_plain_file, name_of};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;

/// The file that says of a folder aside that it is one.
pub const MARK: &str = ".ebb-mark";

/// What the mark in a folder of a name says.
pub fn mark(name: &str) -> String {
    let hash = files::sha256(format!("a folder aside named {name}").as_bytes());
    format!("ebb writes {name} and removes it\n{hash}\n")
}

/// The name that the mark in a folder says, if there is a whole one.
pub fn marked(folder: &Path) -> Option<String> {
    let text = Roots::below(folder).text(&folder.join(MARK)).ok()?;
    let name = text.strip_prefix("ebb writes ")?.split(' ').next()?;
    (is_plain_file(&folder.join(MARK)) && mark(name) == text).then(|| name.to_string())
}

/// Whether a name in a folder is that of a mark of ours, or of one that a process was killed over.
pub fn is_mark(folder: &Path, name: &str) -> bool {
    let path = folder.join(MARK);
    let text = || Roots::below(folder).text(&path);
    name == MARK && is_plain_file(&path) && text().is_ok_and(|text| begins_a_mark(&text))
}

/// Whether a text is a mark, or what was written of one.
pub fn begins_a_mark(text: &str) -> bool {
    const BEGINNING: &str = "ebb writes ";
    let Some(rest) = text.strip_prefix(BEGINNING) else {
        return BEGINNING.starts_with(text);
    };
    let (name, _) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_a_name = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    is_a_name && mark(name).starts_with(text)
}

/// The names of a folder's entries where all are plain files with names that are known or of files written aside.
pub fn known_entries(folder: &Path, known: &[&str]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for path in entries(folder)? {
        let name = name_of(&path);
        let is_known = known.contains(&name.as_str()) || files::is_aside(&path);
        if !(is_known || is_mark(folder, &name)) || !is_plain_file(&path) {
            return Err(Error::failed(format!(
                "{} holds `{name}`, which this program did not write",
                folder.display()
            )));
        }
        names.push(name);
    }
    Ok(names)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_known_by_what_was_written_of_it() {
        let whole = mark(".ebb-save-abcdefghijklmnop");
        for length in 0..=whole.len() {
            assert!(begins_a_mark(&whole[..length]), "{:?}", &whole[..length]);
        }
        for other in ["mine", "ebb writes x and keeps it", "ebb writes a\nb", "\n"] {
            assert!(!begins_a_mark(other), "{other:?}");
        }
    }
}
