//! Which runs a sweep is made of: lists and ranges of values as they are typed, their combinations, and the folder that
//! knows them all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;
use crate::random::Stream;
use crate::script::typed;

/// The most runs of a sweep.
const MOST: usize = 100_000;
/// Characters of a task's name in front of its hash.
const NAME: usize = 60;
/// The file that a sweep is known by, and the folder of its runs.
const PLAN: &str = "sweep.json";
const TASKS: &str = "tasks";

/// A parameter with the values that it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    pub name: String,
    /// As one types them.
    pub values: Vec<String>,
}

/// A run of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its folder below the sweep's `tasks`.
    pub name: String,
    pub parameters: Vec<(String, String)>,
}

/// All that a sweep's folder says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub script: String,
    pub script_sha256: String,
    pub axes: Vec<Axis>,
    /// What the script's parameters are where a task does not say.
    #[serde(default)]
    pub defaults: Vec<(String, String)>,
    pub tasks: Vec<Task>,
}

/// The values of a parameter: `0.05,0.1`, for whole numbers also `0..5` (0 to 4) and `0..=5`; `\,` is a comma.
pub fn values(name: &str, typed_values: &str, default: &Value) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for piece in pieces(typed_values) {
        match range(&piece).filter(|_| default.is_i64() || default.is_u64()) {
            Some(range) => {
                let count = range.1.saturating_sub(range.0);
                if count > MOST as i64 {
                    return Err(too_many(count as usize));
                }
                all.extend((range.0..range.1).map(|number| number.to_string()));
            }
            None => {
                // Refused here, before the first run begins; 00 and 0 are one value.
                all.push(as_typed(&typed::read_value(name, &piece, default)?));
            }
        }
    }
    if all.is_empty() {
        return Err(Error::invalid(
            format!("--{name}"),
            "at least one value",
            format!("{typed_values:?}"),
        ));
    }
    Ok(all)
}

/// A value as one types it.
pub fn as_typed(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn pieces(typed: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut characters = typed.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some(',')) => {
                characters.next();
                if let Some(piece) = pieces.last_mut() {
                    piece.push(',');
                }
            }
            (',', _) => pieces.push(String::new()),
            _ => {
                if let Some(piece) = pieces.last_mut() {
                    piece.push(character);
                }
            }
        }
    }
    pieces
}

/// `0..5` as its first number and the one behind its last.
fn range(text: &str) -> Option<(i64, i64)> {
    let (first, last) = text.split_once("..")?;
    let first = first.trim().parse().ok()?;
    match last.strip_prefix('=') {
        Some(last) => Some((first, last.trim().parse::<i64>().ok()?.checked_add(1)?)),
        None => Some((first, last.trim().parse().ok()?)),
    }
}

fn too_many(count: usize) -> Error {
    Error::failed_with_hint(
        format!("the sweep has {count} runs, and {MOST} are the most"),
        "take fewer values, or draw some of the combinations with --sample N",
    )
}

/// Every combination of the axes, or `sample` of them drawn under a seed of their own.
pub fn tasks(
    axes: &[Axis],
    defaults: &[(String, String)],
    sample: Option<usize>,
) -> Result<Vec<Task>> {
    let count =
        axes.iter().try_fold(1usize, |product, axis| product.checked_mul(axis.values.len()));
    let count = count.unwrap_or(usize::MAX);
    if sample.unwrap_or(count).min(count) > MOST {
        return Err(too_many(count));
    }
    let mut places: Vec<usize> = match sample {
        Some(sample) if sample < count => drawn(count, sample),
        _ => (0..count).collect(),
    };
    places.sort_unstable();
    let mut tasks: Vec<Task> = Vec::new();
    let mut known = BTreeSet::new();
    for place in places {
        let mut rest = place;
        // The last axis changes fastest.
        let mut parameters: Vec<(String, String)> = axes
            .iter()
            .rev()
            .filter_map(|axis| {
                let value = axis.values.get(rest % axis.values.len().max(1))?;
                rest /= axis.values.len().max(1);
                Some((axis.name.clone(), value.clone()))
            })
            .collect();
        parameters.reverse();
        let task = Task { name: name_of(&parameters, defaults), parameters };
        if known.insert(identity(&task.name).to_string()) {
            tasks.push(task);
        }
    }
    Ok(tasks)
}

/// So many different places of all, the same ones every time.
fn drawn(count: usize, sample: usize) -> Vec<usize> {
    let stream = Stream::new(0, "sweep");
    let mut chosen = BTreeSet::new();
    let mut position = 0;
    while chosen.len() < sample {
        chosen.insert(stream.below(position, count as u64) as usize);
        position += 1;
    }
    chosen.into_iter().collect()
}

/// What tells a task from every other one, whichever of its parameters were typed: the end of its name.
fn identity(name: &str) -> &str {
    name.rsplit('_').next().unwrap_or(name)
}

/// A folder's name that says the parameters that were typed, and at its end a hash of them all, defaults too.
fn name_of(parameters: &[(String, String)], defaults: &[(String, String)]) -> String {
    let told: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}-{value}")).collect();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let told: String =
        told.join("_").chars().map(|c| if is_plain(c) { c } else { '-' }).take(NAME).collect();
    let mut whole: BTreeMap<&String, &String> =
        defaults.iter().map(|(name, value)| (name, value)).collect();
    whole.extend(parameters.iter().map(|(name, value)| (name, value)));
    let whole = serde_json::to_string(&whole).unwrap_or_default();
    let hash: String = files::sha256(whole.as_bytes()).chars().take(16).collect();
    format!("{}_{hash}", told.trim_matches(['.', '-']))
}

impl Plan {
    /// The plan in a sweep's folder, if there is one.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let folder = &Roots::really(folder);
        let path = folder.join(PLAN);
        let text = match Roots::below(folder).text(&path) {
            Err(error) if error.is_missing() => return Ok(None),
            // The folder itself is not there.
            Err(_) if Roots::anywhere().find(folder).is_err() => return Ok(None),
            text => text?,
        };
        let malformed = |error: serde_json::Error| {
            Error::malformed(&path, Some(error.line()), error.to_string())
        };
        let plan: Self = serde_json::from_str(&text).map_err(malformed)?;
        // Names come from a file: they must be names and lead nowhere.
        let is_name = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                && !name.starts_with('.')
        };
        match plan.tasks.iter().find(|task| !is_name(&task.name)) {
            Some(task) => {
                let why = format!("{:?} is no name of a task", task.name);
                Err(Error::malformed(&path, None, why))
            }
            None => Ok(plan.into()),
        }
    }

    /// Writes the plan into the sweep's folder.
    pub fn write(&self, roots: &Roots, folder: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::failed(format!("the sweep cannot be written: {error}")))?;
        files::write_bytes(roots, &folder.join(PLAN), format!("{text}\n").as_bytes())
    }

    /// The plan with another one's axes and tasks among its own; both are of one script.
    pub fn with(mut self, other: Self) -> Self {
        for axis in other.axes {
            match self.axes.iter_mut().find(|known| known.name == axis.name) {
                Some(known) => {
                    for value in axis.values {
                        if !known.values.contains(&value) {
                            known.values.push(value);
                        }
                    }
                }
                None => self.axes.push(axis),
            }
        }
        let known: BTreeSet<String> =
            self.tasks.iter().map(|task| identity(&task.name).to_string()).collect();
        let is_new = |task: &Task| !known.contains(identity(&task.name));
        self.tasks.extend(other.tasks.into_iter().filter(is_new));
        self
    }
}

impl Plan {
    /// The task here that is the same as one of another plan, whichever of its parameters were typed there.
    pub fn same(&self, task: &Task) -> Option<&Task> {
        self.tasks.iter().find(|known| identity(&known.name) == identity(&task.name))
    }
}

/// The run folder of a task.
pub fn folder_of(sweep: &Path, task: &Task) -> PathBuf {
    sweep.join(TASKS).join(&task.name)
}

/// The folder of the runs.
pub fn tasks_folder(sweep: &Path) -> PathBuf {
    sweep.join(TASKS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_lists_and_ranges() {
        assert_eq!(values("phi", "0.05,0.1", &json!(0.1)).unwrap(), ["0.05", "0.1"]);
        assert_eq!(values("n", "0..3,7", &json!(1)).unwrap(), ["0", "1", "2", "7"]);
        assert_eq!(values("n", "-1..=1", &json!(1)).unwrap(), ["-1", "0", "1"]);
        assert_eq!(values("t", "a\\,b,c", &json!("x")).unwrap(), ["a,b", "c"]);
        assert_eq!(values("t", "0..3", &json!("x")).unwrap(), ["0..3"]);
        assert!(values("phi", "0.1,many", &json!(0.1)).is_err());
        assert!(values("n", "3..3", &json!(1)).is_err());
        assert!(values("n", "0..99999999999", &json!(1)).is_err());
    }

    #[test]
    fn tasks_are_every_combination_or_a_draw_that_is_the_same_every_time() {
        let axis = |name: &str, values: &[&str]| Axis {
            name: name.to_string(),
            values: values.iter().map(|value| value.to_string()).collect(),
        };
        let axes = [axis("phi", &["0.1", "0.2"]), axis("seed", &["0", "1", "2"])];
        let all = tasks(&axes, &[], None).unwrap();
        assert_eq!(all.len(), 6);
        assert_eq!(
            all[1].parameters,
            [("phi".to_string(), "0.1".to_string()), ("seed".to_string(), "1".to_string())]
        );
        assert!(all[1].name.starts_with("phi-0.1_seed-1_"), "{}", all[1].name);
        let some = tasks(&axes, &[], Some(4)).unwrap();
        assert_eq!(some.len(), 4);
        assert_eq!(some, tasks(&axes, &[], Some(4)).unwrap());
        assert!(some.iter().all(|task| all.contains(task)));
        assert_eq!(tasks(&axes, &[], Some(9)).unwrap(), all);
        // A value that stands twice is run once; odd ones have names that lead nowhere.
        assert_eq!(tasks(&[axis("a", &["1", "1"])], &[], None).unwrap().len(), 1);
        let odd = tasks(&[axis("a", &["../../x", ".."])], &[], None).unwrap();
        assert!(odd.iter().all(|task| !task.name.contains('/') && !task.name.starts_with('.')));
        let large = axis("n", &vec!["0"; 400]);
        assert!(tasks(&[large.clone(), large], &[], None).is_err());
    }
}
