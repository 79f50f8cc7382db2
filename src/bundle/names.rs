//! Names of entries: relative, plain, and meaning one file on every system. Anything else is told, and not repaired.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::{place, plain};

/// Bytes of a whole name and of a part, and folders within each other.
const LONGEST: usize = 1024;
const LONGEST_PART: usize = 255;
const DEEPEST: usize = 64;

/// What Windows opens a device for, whatever ending follows.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
const NUMBERED: [&str; 2] = ["com", "lpt"];

/// What is wrong with a name, as the end of a sentence about it.
pub fn fault(name: &str) -> Option<String> {
    let is_drive = |name: &str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|c| c.is_ascii_alphabetic()) && letters.next() == Some(':')
    };
    let told = if name.is_empty() {
        "is empty"
    } else if name.len() > LONGEST {
        "is longer than 1024 bytes"
    } else if plain::one_line(name) != name {
        "has characters that cannot be seen"
    } else if name.starts_with('/') {
        "is an absolute path"
    } else if is_drive(name) {
        "begins with the letter of a drive"
    } else if name.contains('\\') {
        "has a backslash, which is a separator on Windows"
    } else if name.ends_with('/') {
        "is that of a folder"
    } else if name.split('/').count() > DEEPEST {
        "has more than 64 folders in it"
    } else {
        return name.split('/').find_map(part_fault);
    };
    Some(told.to_string())
}

fn part_fault(part: &str) -> Option<String> {
    let stem = part.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let told = if part == ".." {
        "leads out of its folder by `..`".to_string()
    } else if part.is_empty() || part == "." {
        "has a part without a name in it".to_string()
    } else if part.len() > LONGEST_PART {
        format!("has a part of more than {LONGEST_PART} bytes")
    } else if let Some(sign) = part.chars().find(|sign| "<>:\"|?*".contains(*sign)) {
        format!("has the sign {sign}, which Windows does not take")
    } else if part.ends_with(['.', ' ']) {
        format!("has the part {part:?}, whose end Windows takes away")
    } else if is_device(&stem) {
        format!("has the part {part:?}, which is a device on Windows")
    } else if part.to_lowercase().starts_with(place::OURS) {
        format!("has the part {part:?}, as what this program has under way is called")
    } else {
        return None;
    };
    Some(told)
}

/// `nul`, `com1`, and `com¹`, which Windows takes for the same.
fn is_device(stem: &str) -> bool {
    let is_digit = |rest: &str| {
        let mut signs = rest.chars();
        let digit = signs.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c));
        digit && signs.next().is_none()
    };
    let is_numbered = |name: &&str| stem.strip_prefix(*name).is_some_and(is_digit);
    DEVICES.contains(&stem) || NUMBERED.iter().any(is_numbered)
}

/// Refuses names of which one is wrong, or two are one on some system.
pub fn check<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for name in names {
        if let Some(fault) = fault(name) {
            return Err(Error::failed(format!("the name {} {fault}", shown(name))));
        }
        match seen.insert(name.to_lowercase(), name) {
            None => {}
            Some(before) if before == name => {
                return Err(Error::failed(format!("the name {} is there twice", shown(name))));
            }
            Some(before) => {
                return Err(Error::failed(format!(
                    "the names {} and {} differ only in their case: many systems have one file for both",
                    shown(before),
                    shown(name)
                )));
            }
        }
    }
    for (lower, name) in &seen {
        let above = lower.match_indices('/').filter_map(|(at, _)| lower.get(..at));
        if let Some(file) = above.filter_map(|folder| seen.get(folder)).next() {
            return Err(Error::failed(format!(
                "{} is a file and a folder at once, with {} in it",
                shown(file),
                shown(name)
            )));
        }
    }
    Ok(())
}

/// A name in a sentence, cut where it is long.
pub fn shown(name: &str) -> String {
    let cut: String = name.chars().take(80).collect();
    let more = if cut.len() < name.len() { "…" } else { "" };
    format!("`{}{more}`", plain::one_line(&cut))
}
