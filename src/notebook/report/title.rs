//! What a report is called.

use serde_json::Value;

use crate::notebook::cells;
use crate::notebook::outcome::Outcome;

/// The first heading of the report's prose, or the script's name.
pub fn title(outcome: &Outcome, facts: &Value) -> String {
    let script = facts["script"].as_str().unwrap_or("script");
    let all: Vec<cells::Cell> = outcome.ran.iter().map(|ran| ran.cell.clone()).collect();
    match cells::introduction(&all) {
        Some((title, _)) if !title.is_empty() => title,
        _ => script.to_string(),
    }
}
