//! Which files of a repository are meant: the ones that are named, or else the one table that it holds.

use glob::{MatchOptions, Pattern};

use super::listed::Listed;
use crate::error::{Error, Result};

/// Files beside the data that look like data.
const NOTES: [&str; 4] =
    ["dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json"];
/// Files that an error lists.
const SHOWN: usize = 24;

/// The files that are meant of those that the Hub lists: the named one, those that a folder's name or a pattern stands for, or,
/// where none is named, the only data file, or all parts of the only one that came in parts. `is_data` says of a name
/// whether it is a table's.
pub fn chosen(
    listed: &[Listed],
    named: Option<&str>,
    repository: &str,
    is_data: fn(&str) -> bool,
) -> Result<Vec<Listed>> {
    let mut data: Vec<&Listed> = listed.iter().filter(|file| is_plain(&file.path)).collect();
    data.sort_by(|a, b| a.path.cmp(&b.path));
    let exact = |file: &&&Listed| Some(file.path.as_str()) == named;
    if let Some(file) = data.iter().find(exact) {
        return Ok(vec![Listed::clone(file)]);
    }
    data.retain(|file| is_data(&file.path) && !is_note(&file.path));
    let found = match named {
        Some(name) => matching(&data, name)?,
        None => data.clone(),
    };
    let shown = || shown(&data);
    match (named, found.first()) {
        (Some(name), None) => Err(Error::failed_with_hint(
            format!("{repository} has no file `{name}` that could be read"),
            format!("its data files: {}", shown()),
        )),
        (None, None) => Err(Error::failed_with_hint(
            format!("{repository} has no data file that could be read"),
            "name one after a colon where it has another ending",
        )),
        (None, Some(first)) if found.iter().any(|file| stem(&file.path) != stem(&first.path)) => {
            Err(Error::failed_with_hint(
                format!("{repository} has several data files, and none is named: {}", shown()),
                format!(
                    "name one, or several by a pattern: read(\"hf/{repository}:{}\")",
                    first.path
                ),
            ))
        }
        _ => Ok(found.into_iter().cloned().collect()),
    }
}

/// The files below a folder, or those that a pattern matches.
fn matching<'a>(data: &[&'a Listed], name: &str) -> Result<Vec<&'a Listed>> {
    let folder = format!("{}/", name.trim_end_matches('/'));
    let below: Vec<&Listed> =
        data.iter().filter(|file| file.path.starts_with(&folder)).copied().collect();
    if !below.is_empty() || !is_pattern(name) {
        return Ok(below);
    }
    let pattern = Pattern::new(name)
        .map_err(|error| Error::failed(format!("{name:?} is no pattern: {error}")))?;
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    let matches = |file: &&&Listed| pattern.matches_with(&file.path, options);
    Ok(data.iter().filter(matches).copied().collect())
}

/// Whether a name stands for all files that match it.
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// The files as a sentence lists them.
fn shown(data: &[&Listed]) -> String {
    if data.is_empty() {
        return "none".to_string();
    }
    let names: Vec<&str> = data.iter().take(SHOWN).map(|file| file.path.as_str()).collect();
    let more = data.len().saturating_sub(SHOWN);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{tail}", names.join(", "))
}

fn is_note(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    NOTES.contains(&name)
}

/// A path that leads nowhere else, whatever a server lists.
pub fn is_plain(path: &str) -> bool {
    let plain = |part: &str| {
        let strange = |c: char| c.is_control() || "\\:".contains(c);
        !part.is_empty() && !part.starts_with('.') && !part.contains(strange)
    };
    path.split('/').all(plain)
}

/// A path without what tells the parts of one table apart: `train-00000-of-00003.parquet`, and the hash that older files have
/// behind it, are `train.parquet`.
fn stem(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (first, ending) = name.split_once('.').unwrap_or((name, ""));
    let is_number = |part: &str| part.len() == 5 && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = first.split('-').collect();
    let at = parts.windows(3).position(|three| match three {
        [number, "of", count] => is_number(number) && is_number(count),
        _ => false,
    });
    let is_hash = |part: &&str| part.len() == 16 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let kept = at.filter(|at| match parts.get(at + 3..) {
        Some([]) => true,
        Some([last]) => is_hash(last),
        _ => false,
    });
    let stem = kept.and_then(|at| parts.get(..at)).map_or(first.to_string(), |kept| kept.join("-"));
    format!("{folder}/{stem}.{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen_of(paths: &[&str], named: Option<&str>) -> std::result::Result<Vec<String>, String> {
        let listed: Vec<Listed> =
            paths.iter().map(|path| Listed { path: path.to_string(), size: 1 }).collect();
        let is_data = |path: &str| path.ends_with(".json") || path.ends_with(".parquet");
        let files = chosen(&listed, named, "org/name", is_data);
        let names = |files: Vec<Listed>| files.into_iter().map(|file| file.path).collect();
        files.map(names).map_err(|error| error.to_string())
    }

    #[test]
    fn the_only_table_is_taken_whole_and_never_one_of_several() {
        let one = ["README.md", ".gitattributes", "data.json", "dataset_infos.json", "load.py"];
        assert_eq!(chosen_of(&one, None).unwrap(), ["data.json"]);
        let parts = ["data/train-00001-of-00002.parquet", "data/train-00000-of-00002.parquet"];
        let sorted = [parts[1], parts[0]];
        assert_eq!(chosen_of(&parts, None).unwrap(), sorted);
        let older = [
            "data/train-00000-of-00002-0123456789abcdef.parquet",
            "data/train-00001-of-00002-fedcba9876543210.parquet",
        ];
        assert_eq!(chosen_of(&older, None).unwrap(), older);
        for several in [
            ["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"],
            ["a/train.json", "b/train.json"],
            ["train.json", "train.parquet"],
            ["train-1.json", "train-2.json"],
        ] {
            let said = chosen_of(&several, None).unwrap_err();
            assert!(said.contains(several[0]) && said.contains(several[1]), "{said}");
        }
    }

    #[test]
    fn files_are_named_by_their_paths_folders_or_patterns() {
        let paths =
            ["a.json", "data/b.json", "data/c.json", "data/more/d.json", "x.bin", "../e.json"];
        let chosen = |name: &str| chosen_of(&paths, Some(name)).unwrap_or_default();
        assert_eq!(chosen("data/b.json"), ["data/b.json"]);
        assert_eq!(chosen("x.bin"), ["x.bin"]);
        assert_eq!(chosen("data"), ["data/b.json", "data/c.json", "data/more/d.json"]);
        assert_eq!(chosen("data/*.json"), ["data/b.json", "data/c.json"]);
        assert_eq!(chosen("**/*.json").len(), 4);
        assert!(chosen("../e.json").is_empty() && chosen("b.json").is_empty());
    }
}
