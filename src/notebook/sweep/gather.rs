//! What came of a sweep: the record of each of its runs, as it is now.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::plan::{Plan, Task, folder_of};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::frame::{DataFrame, read};
use crate::notebook::kept;

/// A run of the sweep.
pub struct Row {
    pub task: Task,
    /// "done", "failed", "stopped", "killed", "running", or "missing" where it has not begun.
    pub status: String,
    /// What run.json says; null where there is none.
    pub facts: Value,
    /// The script's defaults.
    defaults: Vec<(String, String)>,
}

/// A sweep with its runs, in the order of the plan.
pub struct Gathered {
    pub folder: PathBuf,
    pub plan: Plan,
    pub rows: Vec<Row>,
}

/// Reads what is in a sweep's folder.
///
/// # Errors
/// Where it is none.
pub fn read_all(folder: &Path) -> Result<Gathered> {
    let plan = Plan::read(folder)?.ok_or_else(|| {
        Error::failed_with_hint(
            format!("{} holds no sweep", folder.display()),
            "a sweep is a folder with sweep.json in it, such as `ebb sweep SCRIPT` makes in `sweeps`",
        )
    })?;
    let rows = plan.tasks.iter().map(|task| row(folder, task, &plan.defaults)).collect();
    Ok(Gathered { folder: folder.to_path_buf(), plan, rows })
}

fn row(sweep: &Path, task: &Task, defaults: &[(String, String)]) -> Row {
    let folder = folder_of(sweep, task);
    let is_there = Roots::anywhere().find(&folder).is_ok();
    let (status, facts) = match kept::facts(&folder) {
        Ok(facts) if is_there => (kept::status(&folder, &facts), facts),
        _ => ("missing".to_string(), Value::Null),
    };
    Row { task: task.clone(), status, facts, defaults: defaults.to_vec() }
}

impl Row {
    /// The last values of the metrics that are numbers.
    pub fn metrics(&self) -> impl Iterator<Item = (&String, f64)> {
        let metrics = self.facts["metrics"].as_object().into_iter().flatten();
        metrics.filter_map(|(name, metric)| Some((name, metric["last"].as_f64()?)))
    }

    /// Whether the run logged a metric, a number or not.
    pub fn logged(&self, name: &str) -> bool {
        !self.facts["metrics"][name].is_null()
    }

    pub fn metric(&self, name: &str) -> Option<f64> {
        self.facts["metrics"][name]["last"].as_f64()
    }

    /// The value of a parameter, as typed, or its default.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let all = self.task.parameters.iter().chain(&self.defaults);
        all.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Gathered {
    /// The names of all metrics, in the order in which they are met.
    pub fn metrics(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in self.rows.iter().flat_map(Row::metrics) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// All runs as a frame: `run`, the parameters, `status` and the metrics. Where names clash, the later one says what it is:
    /// "metric phi".
    pub fn frame(&self) -> Result<DataFrame> {
        let metrics = self.metrics();
        let lines = self.rows.iter().map(|row| {
            let mut line = Map::new();
            line.insert("run".to_string(), row.task.name.clone().into());
            line.insert("status".to_string(), row.status.clone().into());
            for axis in &self.plan.axes {
                let value = row.parameter(&axis.name).map_or(Value::Null, number_or_text);
                line.insert(free(&line, "parameter", &axis.name), value);
            }
            for name in &metrics {
                let value = row.metric(name).map_or(Value::Null, |value| json!(value));
                line.insert(free(&line, "metric", name), value);
            }
            format!("{}\n", Value::Object(line))
        });
        read::parse(Path::new("results.jsonl"), lines.collect::<String>().as_bytes())
    }
}

/// A name that no column has yet.
fn free(line: &Map<String, Value>, what: &str, name: &str) -> String {
    let mut free = name.to_string();
    while line.contains_key(&free) {
        free = format!("{what} {free}");
    }
    free
}

/// A parameter's value as data.
pub fn number_or_text(typed: &str) -> Value {
    let whole = typed.parse::<i64>().ok().map(Value::from);
    let number = || typed.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from);
    whole.or_else(number).unwrap_or_else(|| typed.into())
}
