//! What a run's record says, as HTML: logged metrics, the settings of finetunings, and with what the script was run.

use serde_json::Value;

use crate::display::{Column, Table, number::number};
use crate::notebook::report::escape::escape;

use super::tables::table;

/// A value as one reads it: texts without quotes, numbers short.
fn readable(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(of) if of.is_f64() => of.as_f64().map_or(of.to_string(), number),
        Value::Null => "–".to_string(),
        other => other.to_string(),
    }
}

fn column(name: &str, numeric: bool) -> Column {
    Column { name: name.to_string(), kind: String::new(), numeric }
}

/// The last value of each metric that the script logged, and how many there were.
pub fn metrics(facts: &Value) -> String {
    let Some(metrics) = facts["metrics"].as_object().filter(|metrics| !metrics.is_empty()) else {
        return String::new();
    };
    let row = |(name, metric): (&String, &Value)| {
        vec![Some(name.clone()), Some(readable(&metric["last"])), Some(metric["count"].to_string())]
    };
    let shown = Table {
        columns: vec![column("metric", false), column("last value", true), column("logged", true)],
        rows: metrics.iter().map(row).collect(),
        caption: String::new(),
        ..Table::default()
    };
    format!("<section id=\"metrics\">\n<h2>Logged metrics</h2>\n{}</section>\n", table(&shown, ""))
}

/// With what settings models were finetuned: a column for each finetuning.
pub fn finetunings(facts: &Value) -> String {
    let all: Vec<&Value> = facts["finetunings"].as_array().into_iter().flatten().collect();
    if all.is_empty() {
        return String::new();
    }
    let mut names: Vec<(&str, &str)> =
        ["model", "stage", "rows", "seed"].map(|name| ("", name)).to_vec();
    for name in all.iter().filter_map(|one| one["options"].as_object()).flat_map(|map| map.keys()) {
        if !names.contains(&("options", name)) {
            names.push(("options", name));
        }
    }
    let value = |one: &Value, (place, name): (&str, &str)| {
        let found = if place.is_empty() { &one[name] } else { &one[place][name] };
        (!found.is_null()).then(|| readable(found))
    };
    let row = |name: &(&str, &str)| {
        let label = std::iter::once(Some(name.1.to_string()));
        label.chain(all.iter().map(|one| value(one, *name))).collect()
    };
    let numbers = (1..=all.len()).map(|number| column(&format!("finetuning {number}"), false));
    let shown = Table {
        columns: std::iter::once(column("setting", false)).chain(numbers).collect(),
        rows: names.iter().map(row).collect(),
        caption: String::new(),
        ..Table::default()
    };
    format!("<section id=\"finetunings\">\n<h2>Finetunings</h2>\n{}</section>\n", table(&shown, ""))
}

/// The facts of the run as a table of names and values, folded.
pub fn record(facts: &Value) -> String {
    let mut rows = String::new();
    for name in [
        "command",
        "seed",
        "device",
        "threads",
        "memory",
        "offline",
        "ebb",
        "system",
        "started",
        "ended",
        "script_sha256",
    ] {
        let text = match &facts[name] {
            Value::Null => continue,
            Value::Array(words) => {
                words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            other => readable(other),
        };
        rows.push_str(&fact(name, &text));
    }
    for (name, value) in facts["parameters"].as_object().into_iter().flatten() {
        rows.push_str(&fact(&format!("--{name}"), &value.to_string()));
    }
    for input in facts["inputs"].as_array().into_iter().flatten() {
        let name = input["name"].as_str().unwrap_or_default();
        let hash =
            input["sha256"].as_str().map_or("no hash".to_string(), |hash| format!("sha256 {hash}"));
        rows.push_str(&fact(name, &hash));
    }
    format!(
        "<footer>\n<details>\n<summary>This run: the command, the seed, the machine and what was read</summary>\n\
         <div class=\"scroll\"><table class=\"facts-table\"><tbody>\n{rows}</tbody></table></div>\n</details>\n</footer>\n"
    )
}

fn fact(name: &str, value: &str) -> String {
    format!("<tr><td>{}</td><td>{}</td></tr>\n", escape(name), escape(value))
}
