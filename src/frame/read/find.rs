//! The files that a path names: itself, the data files of a folder, or what a pattern matches, never outside the roots.
//!
//! A pattern is followed name by name (<https://docs.rs/glob>: `*`, `?`, `[…]`, and `**` for any folders), and each folder
//! goes through the doorway before it is listed, so that no name outside the roots is ever seen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use glob::Pattern;

use super::{FORMATS, format_of};
use crate::control::Control;
use crate::doorway::{Entry, EntryKind, Found, Roots};
use crate::error::{Error, Result};

/// The files that a path names.
pub struct Files {
    /// In the order of their names.
    pub files: Vec<PathBuf>,
    /// The folder below which they were looked for, where the path is that of a folder or a pattern.
    pub folder: Option<PathBuf>,
}

impl Files {
    /// What tells a file apart from the others: its path below the folder that they have in common.
    pub fn name_of(&self, file: &Path) -> Option<String> {
        let folder = self.folder.as_ref()?;
        let below = file.strip_prefix(folder).unwrap_or(file);
        Some(below.to_string_lossy().into_owned())
    }
}

/// The files that a path names: itself, a folder's data files (JSON lines before others, where they are mixed), or a
/// glob's matches. Relative paths start at `from`.
pub fn files_of(path: &str, from: &Path, roots: &Roots, control: &Control) -> Result<Files> {
    match roots.find(&from.join(path)) {
        Ok(Found::Folder(folder)) => {
            Ok(Files { files: files_in(path, &folder, roots)?, folder: Some(folder) })
        }
        Ok(Found::File(file)) => Ok(Files { files: vec![file], folder: None }),
        Err(_) if path.contains(['*', '?', '[']) => matches_of(path, from, roots, control),
        Err(error) => Err(error.about(path)),
    }
}

fn matches_of(path: &str, from: &Path, roots: &Roots, control: &Control) -> Result<Files> {
    let (folder, rest) = divided(path);
    let steps = steps(path, rest)?;
    let folder = match roots.find(&from.join(folder)) {
        Ok(found) => found.path().to_path_buf(),
        Err(error) => return Err(error.about(path)),
    };
    let mut search =
        Search { roots, control, steps: &steps, seen: BTreeSet::new(), files: BTreeSet::new() };
    search.follow(folder.clone())?;
    if search.files.is_empty() {
        return Err(Error::failed(format!("no file matches {path:?}")));
    }
    Ok(Files { files: search.files.into_iter().collect(), folder: Some(folder) })
}

/// The folder in front of a pattern's first wildcard, and the rest.
fn divided(pattern: &str) -> (&str, &str) {
    let fixed = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let slash = pattern.get(..fixed).and_then(|head| head.rfind('/'));
    let parts = slash.and_then(|slash| pattern.split_at_checked(slash + 1));
    parts.unwrap_or((".", pattern))
}

/// One name of a pattern.
enum Step {
    /// `**`: any number of folders.
    Folders,
    Name(Pattern),
}

fn steps(pattern: &str, rest: &str) -> Result<Vec<Step>> {
    let names: Vec<&str> = rest.split('/').filter(|name| !name.is_empty()).collect();
    if names.contains(&"..") {
        return Err(Error::failed(format!(
            "the pattern {pattern:?} may not climb out of its folder"
        )));
    }
    let step = |name: &str| match name {
        "**" => Ok(Step::Folders),
        name => Pattern::new(name)
            .map(Step::Name)
            .map_err(|error| Error::failed(format!("{pattern:?} is no pattern: {error}"))),
    };
    let names = names.into_iter().filter(|name| *name != ".");
    names.map(step).collect()
}

struct Search<'a> {
    roots: &'a Roots,
    /// Asked before each folder whether to stop.
    control: &'a Control,
    steps: &'a [Step],
    /// Folders with the step that was looked for in them.
    seen: BTreeSet<(PathBuf, usize)>,
    files: BTreeSet<PathBuf>,
}

impl Search<'_> {
    /// Looks for the pattern in a folder.
    fn follow(&mut self, folder: PathBuf) -> Result<()> {
        let mut ahead = vec![(folder, 0)];
        while let Some((folder, at)) = ahead.pop() {
            self.control.check()?;
            let Some(step) = self.steps.get(at) else {
                continue;
            };
            if !self.seen.insert((folder.clone(), at)) {
                continue;
            }
            let is_last = at + 1 == self.steps.len();
            if matches!(step, Step::Folders) && !is_last {
                ahead.push((folder.clone(), at + 1));
            }
            for entry in self.roots.list(&folder)? {
                match step {
                    // Links are not followed here: one to a folder above would be a circle.
                    Step::Folders if entry.kind == EntryKind::Folder => {
                        ahead.push((entry.path, at))
                    }
                    Step::Folders if is_last => self.take(&entry)?,
                    Step::Name(name) if name.matches(&entry.name) && is_last => {
                        self.take(&entry)?;
                    }
                    Step::Name(name) if name.matches(&entry.name) => {
                        ahead.extend(self.enter(entry)?.map(|folder| (folder, at + 1)));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// A matching name that is to be a folder.
    fn enter(&self, entry: Entry) -> Result<Option<PathBuf>> {
        match entry.kind {
            EntryKind::Folder => Ok(Some(entry.path)),
            EntryKind::Link => match self.roots.find(&entry.path) {
                Ok(Found::Folder(folder)) => Ok(Some(folder)),
                Err(error @ Error::NotAllowed { .. }) => Err(error),
                _ => Ok(None),
            },
            EntryKind::File | EntryKind::Other => Ok(None),
        }
    }

    /// A matching name that is to be a file.
    fn take(&mut self, entry: &Entry) -> Result<()> {
        if is_file(entry, self.roots)? {
            self.files.insert(entry.path.clone());
        }
        Ok(())
    }
}

/// Whether a name is to be read as a file. A link that leads outside, or something that is no file, is an error and not
/// passed over: rows would be missing without a word. A link that leads nowhere is what editors lock files with.
fn is_file(entry: &Entry, roots: &Roots) -> Result<bool> {
    match entry.kind {
        EntryKind::File => Ok(true),
        EntryKind::Folder => Ok(false),
        EntryKind::Link | EntryKind::Other => match roots.find(&entry.path) {
            Ok(found) => Ok(!found.is_folder()),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        },
    }
}

fn files_in(path: &str, folder: &Path, roots: &Roots) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in roots.list(folder)? {
        if format_of(&entry.path).is_ok() && is_file(&entry, roots)? {
            files.push(entry.path);
        }
    }
    // A folder of JSON lines often holds a table about them as well: they are not rows of the same kind.
    let first = FORMATS.iter().find(|format| files.iter().any(|path| is_of(path, format)));
    match first {
        Some(format) => files.retain(|path| is_of(path, format)),
        None => {
            return Err(Error::failed(format!("the folder {path} holds no data file"))
                .with_hint(format!("data files end in {}", FORMATS.join(", "))));
        }
    }
    Ok(files)
}

fn is_of(path: &Path, format: &str) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    name.ends_with(&format!(".{format}")) || name.ends_with(&format!(".{format}.gz"))
}
