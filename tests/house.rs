//! Rules of the house that a test can keep: files are opened through the doorway, arrows point down and never back, each
//! file says what it is for, and only the rooms meant for it know rhai, print or read the environment.

use std::collections::{BTreeMap, BTreeSet};
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

/// A file of the house: its module path, its name below `src`, and its code without remarks and unit tests.
struct Room {
    path: Vec<String>,
    name: String,
    code: String,
}

fn rooms() -> Vec<Room> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut rooms = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let mut path: Vec<String> =
            name.trim_end_matches(".rs").split('/').map(str::to_string).collect();
        if ["mod", "lib"].contains(&path.last().unwrap().as_str()) {
            path.pop();
        }
        if name != "main.rs" {
            rooms.push(Room { path, code: code(&std::fs::read_to_string(&file).unwrap()), name });
        }
    }
    rooms
}

/// What of a text is compiled into the program: no remarks, and no unit tests, which stand at the end.
fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\n#[allow").or(text.find("#[cfg(test)]\nmod tests {"));
    let text = &text[..tests.unwrap_or(text.len())];
    let bare = |line: &str| match line.find("//") {
        Some(0) => String::new(),
        Some(at) if line[..at].ends_with(' ') => line[..at].to_string(),
        _ => line.to_string(),
    };
    text.lines().map(bare).collect::<Vec<_>>().join("\n")
}

/// The paths of an import, its braces taken apart; each with the name that it brings.
fn paths(import: &str) -> Vec<(Vec<String>, String)> {
    let Some((head, rest)) = import.split_once('{') else {
        let (path, name) = import.split_once(" as ").unwrap_or((import, ""));
        let mut path: Vec<String> = path.split("::").map(|part| part.trim().to_string()).collect();
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let last = path.last().cloned().unwrap_or_default();
        return vec![(path, if name.is_empty() { last } else { name.trim().to_string() })];
    };
    let inner = rest.rsplit_once('}').unwrap().0;
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for character in inner.chars() {
        depth += match character {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        if character == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(character);
        }
    }
    let whole = |part: &String| format!("{}{}", head.trim(), part.trim());
    parts
        .iter()
        .filter(|part| !part.trim().is_empty())
        .map(whole)
        .flat_map(|it| paths(&it))
        .collect()
}

/// What is imported, and whether it is handed on by a `pub`; and the code without its imports.
fn uses_and_rest(code: &str) -> (Vec<(bool, String)>, String) {
    let (mut uses, mut rest) = (Vec::new(), String::new());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        let Some((visible, import)) = line.split_once("use ") else {
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        if !(visible.is_empty() || visible.starts_with("pub")) {
            rest.push_str(line);
            rest.push('\n');
            continue;
        }
        let mut import = import.to_string();
        while !import.ends_with(';') {
            import.push_str(lines.next().unwrap().trim());
        }
        uses.push((!visible.is_empty(), import.trim_end_matches(';').to_string()));
    }
    (uses, rest)
}

/// The paths that stand in code.
fn paths_within(code: &str) -> Vec<Vec<String>> {
    let words = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let words = words.map(|word| word.trim_end_matches(':')).filter(|word| word.contains("::"));
    words.map(|word| word.split("::").map(str::to_string).collect()).collect()
}

/// A path from a module, as one from the top; `None` where it leads out of the house.
fn from_the_top(
    path: &[String],
    at: &[String],
    known: &BTreeMap<Vec<String>, usize>,
) -> Option<Vec<String>> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([at, &path[1..]].concat()),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            Some([at.get(..at.len().checked_sub(up)?)?, &path[up..]].concat())
        }
        first => {
            let inner = [at, &[first.to_string()]].concat();
            known.contains_key(&inner).then(|| [at, path].concat())
        }
    }
}

/// Which file imports which: by number, with the path that says so. A name that a door hands on counts as imported from
/// the file that it stands in, and handing on a child's names is no import.
fn imports(rooms: &[Room]) -> Vec<BTreeMap<usize, String>> {
    let known: BTreeMap<Vec<String>, usize> =
        rooms.iter().enumerate().map(|(number, room)| (room.path.clone(), number)).collect();
    let mut handed_on: Vec<BTreeMap<String, Vec<String>>> = vec![BTreeMap::new(); rooms.len()];
    let mut found: Vec<Vec<Vec<String>>> = vec![Vec::new(); rooms.len()];
    for (number, room) in rooms.iter().enumerate() {
        let (uses, rest) = uses_and_rest(&room.code);
        for (passed_on, import) in uses {
            for (path, name) in paths(&import) {
                let Some(path) = from_the_top(&path, &room.path, &known) else { continue };
                if passed_on {
                    handed_on[number].insert(name, path.clone());
                    if path.starts_with(&room.path) {
                        continue;
                    }
                }
                found[number].push(path);
            }
        }
        for path in paths_within(&rest) {
            found[number].extend(from_the_top(&path, &room.path, &known));
        }
    }
    let home = |path: &Vec<String>| {
        let mut path = path.clone();
        for _ in 0..10 {
            let depth =
                (0..=path.len()).rev().find(|end| known.contains_key(&path[..*end])).unwrap();
            let file = known[&path[..depth]];
            match path.get(depth).and_then(|name| handed_on[file].get(name)) {
                Some(on) => path = [on, &path[depth + 1..]].concat(),
                None => return file,
            }
        }
        panic!("{path:?} is handed on in a circle");
    };
    let targets = |(number, paths): (usize, Vec<Vec<String>>)| {
        let homes = paths.iter().map(|path| (home(path), path.join("::")));
        homes.filter(|(home, _)| *home != number).collect()
    };
    found.into_iter().enumerate().map(targets).collect()
}

/// What is reached from a file by its imports.
fn reached(imports: &[BTreeMap<usize, String>], from: usize) -> BTreeSet<usize> {
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(file) = waiting.pop() {
        waiting.extend(imports[file].keys().filter(|next| seen.insert(**next)));
    }
    seen
}

#[test]
fn no_files_import_each_other_even_in_a_circle() {
    let rooms = rooms();
    let imports = imports(&rooms);
    // What is known to be imported is found, so that a circle would be.
    let count: usize = imports.iter().map(BTreeMap::len).sum();
    assert!(count > 1000, "{count} imports found");
    let reached: Vec<_> = (0..rooms.len()).map(|file| reached(&imports, file)).collect();
    let mut circles = Vec::new();
    for (file, room) in rooms.iter().enumerate().filter(|(file, _)| reached[*file].contains(file)) {
        let back = imports[file].iter().filter(|(next, _)| reached[**next].contains(&file));
        circles.extend(back.map(|(next, path)| {
            format!("src/{} uses {path} of src/{}, which leads back", room.name, rooms[*next].name)
        }));
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn arrows_point_down() {
    let height = |name: &str| match name.split('/').next().unwrap() {
        "lib.rs" => 5,
        "cli" => 4,
        "notebook" => 3,
        "script" => 2,
        "ops" => 0,
        _ => 1,
    };
    let rooms = rooms();
    let mut up = Vec::new();
    for (room, imports) in rooms.iter().zip(imports(&rooms)) {
        for (next, path) in imports {
            let next = &rooms[next].name;
            // What stands beside the rooms (errors, memory, random draws) is for all of them.
            let for_all = !next.contains('/') && next != "lib.rs";
            if height(next) > height(&room.name) && !for_all {
                up.push(format!("src/{} uses {path} of src/{next}", room.name));
            }
        }
    }
    assert!(up.is_empty(), "arrows that point up:\n{}", up.join("\n"));
}

/// Whether a line of code does what is meant for one room.
type Rule<'a> = &'a dyn Fn(&str) -> bool;

#[test]
fn only_script_knows_rhai_and_only_the_doors_print_or_read_the_environment() {
    let knows_rhai = |line: &str| line.contains("rhai::");
    let words = [
        "println!",
        "print!(",
        "eprint!(",
        "dbg!",
        "env::var",
        "env::args",
        "home_dir",
        "current_dir",
        "set_var(",
        "io::stdout",
        "io::stderr",
        "io::stdin",
    ];
    let is_a_door = |line: &str| words.iter().any(|word| line.contains(word));
    let rules: [(Rule, &str); 2] = [(&knows_rhai, "script/"), (&is_a_door, "cli/")];
    let mut strangers = Vec::new();
    let mut seen = [false; 2];
    for room in rooms() {
        for (number, line) in room.code.lines().enumerate() {
            for (place, (words, home)) in rules.iter().enumerate() {
                if words(line) {
                    seen[place] |= room.name.starts_with(*home);
                    if !room.name.starts_with(*home) {
                        strangers.push(format!(
                            "src/{}:{}: {}",
                            room.name,
                            number + 1,
                            line.trim()
                        ));
                    }
                }
            }
        }
    }
    assert!(strangers.is_empty(), "{}", strangers.join("\n"));
    assert_eq!(seen, [true; 2]);
}

#[test]
fn a_file_opens_with_what_it_is_for_and_is_short_enough_to_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        if !text.starts_with("//! ") {
            wrong.push(format!("{} does not say what it is for", file.display()));
        }
        if lines > 400 {
            wrong.push(format!("{} has {lines} lines, at most 400", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_has_its_row_in_the_map_and_every_row_its_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let map = std::fs::read_to_string(root.join("README.md")).unwrap();
    let files = map.split("## Files").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut rows = BTreeSet::new();
    for section in files.split("\n### ").skip(1) {
        let (folder, table) = section.split_once('\n').unwrap();
        let folder = if folder == "src" { String::new() } else { format!("{folder}/") };
        let names = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        rows.extend(
            names.filter(|name| name.ends_with(".rs")).map(|name| format!("{folder}{name}")),
        );
    }
    let mut there = Vec::new();
    sources(&root, &mut there);
    let name =
        |file: &PathBuf| file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
    let there: BTreeSet<String> = there.iter().map(name).collect();
    let (missing, gone): (Vec<_>, Vec<_>) =
        (there.difference(&rows).collect(), rows.difference(&there).collect());
    assert!(
        missing.is_empty() && gone.is_empty(),
        "without a row: {missing:?}; without a file: {gone:?}"
    );
}
