//! The metrics of all runs in one long frame, as other tools read them: a row for each number that a run logged.
//!
//! Plain parquet by run, since every tool reads it and its meaning needs no program of ours: the tables of Trackio and the files
//! of other trackers change with their versions.

use std::path::Path;

use serde_json::{Value, json};

use super::listing::Line;
use super::record::METRICS;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::frame::{DataFrame, read};

/// What a line of metrics may call its place in the run.
const STEPS: [&str; 3] = ["step", "epoch", "round"];

/// The frame: `run`, `script`, `started`, `line` (of the metrics, from 0), `step` (what the line calls so, else its number),
/// `metric` and `value`. Values that are no numbers are left out.
///
/// # Errors
/// Where metrics cannot be read, and where no run logged a number.
pub fn history(lines: &[Line]) -> Result<DataFrame> {
    let mut rows = String::new();
    for run in lines {
        for (number, logged) in logged(&run.folder)?.iter().enumerate() {
            let step = STEPS.iter().find_map(|name| logged[*name].as_f64());
            for (metric, value) in logged.as_object().into_iter().flatten() {
                if STEPS.contains(&metric.as_str()) || !value.is_number() {
                    continue;
                }
                let row = json!({
                    "run": run.name, "script": run.facts["script"], "started": run.facts["started"],
                    "line": number, "step": step.unwrap_or(number as f64), "metric": metric,
                    "value": value.as_f64(),
                });
                rows.push_str(&format!("{row}\n"));
            }
        }
    }
    if rows.is_empty() {
        return Err(Error::failed_with_hint(
            "none of the runs logged a number",
            "a script logs with log(#{ loss: 0.5 })",
        ));
    }
    read::parse(Path::new("metrics.jsonl"), rows.as_bytes())
}

/// The lines that a run logged; one that a kill cut short is left out.
fn logged(folder: &Path) -> Result<Vec<Value>> {
    let text = match Roots::below(folder).text(&folder.join(METRICS)) {
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        text => text?,
    };
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    Ok(whole.filter_map(|line| serde_json::from_str(line).ok()).collect())
}
