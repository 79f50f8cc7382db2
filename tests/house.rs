//! Rules of the house that a test can keep: files are opened through the doorway.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What opens, lists, resolves or probes files by their names.
const OPENERS: [&str; 21] = [
    "File::open",
    "File::options",
    "OpenOptions",
    "fs::read",
    "fs::copy",
    "fs::metadata",
    "fs::exists",
    "read_to_string(",
    ".read_dir(",
    ".read_link(",
    "canonicalize",
    "symlink_metadata",
    ".exists()",
    "try_exists",
    ".is_file()",
    ".is_dir()",
    "glob::glob",
    "glob(",
    "::from_file(",
    "load_history",
    "Mmap",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The files of the last table in the section "What opens files" of the map.
fn listed() -> BTreeSet<String> {
    let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/README.md");
    let map = std::fs::read_to_string(map).unwrap();
    let section = map.split("## What opens files").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let table = section.split("| file | ").nth(1).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_string).collect()
}

#[test]
fn files_are_opened_by_the_doorway_or_by_what_the_map_lists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 100);
    let listed = listed();
    let mut opening = BTreeSet::new();
    let mut strangers = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            if OPENERS.iter().any(|opener| code.contains(opener))
                && !code.contains("TensorFile::open")
            {
                opening.insert(name.clone());
                if !listed.contains(&name) {
                    strangers.push(format!("src/{name}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert!(
        strangers.is_empty(),
        "read through crate::doorway::Roots, or say in src/README.md, \"What opens files\", what stands in front:\n{}",
        strangers.join("\n")
    );
    let gone: Vec<&String> = listed.difference(&opening).collect();
    assert!(gone.is_empty(), "src/README.md lists files that open nothing: {gone:?}");
}
