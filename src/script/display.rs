//! What a script's value looks like: a frame is a table, a plot a chart, a model a summary, anything else its literal.

use rhai::{Array, Dynamic, FnPtr, Map};

use super::api::expr::Expr;
use super::api::frame::Frame;
use super::api::toxicity::Scorer;
use super::convert;
use crate::display::{Chart, Output};
use crate::error::Result;
use crate::frame::{nested, table};
use crate::model::Model;

/// Rows of a frame that are shown.
const ROWS: usize = 20;
/// Elements of an array that are shown, and characters that fit on a line.
const ELEMENTS: usize = 20;
const LINE: usize = 100;
/// Characters of a text inside an array or map that are shown.
const TEXT: usize = 400;

/// A cell's last value, for those who need not know what values are made of.
#[derive(Clone, Debug, Default)]
pub struct CellValue(Dynamic);

impl From<Dynamic> for CellValue {
    fn from(value: Dynamic) -> Self {
        Self(value)
    }
}

impl CellValue {
    /// What it looks like; nothing for `()`.
    pub fn output(&self) -> Result<Option<Output>> {
        output(&self.0)
    }

    pub fn to_json(&self) -> Result<serde_json::Value> {
        convert::to_json(&self.0)
    }
}

/// A value to show; `()` shows nothing.
pub fn output(value: &Dynamic) -> Result<Option<Output>> {
    if value.is_unit() {
        return Ok(None);
    }
    if let Some(frame) = value.read_lock::<Frame>() {
        return table::table(&frame.0, ROWS).map(|table| Some(Output::Table(table)));
    }
    if let Some(chart) = value.read_lock::<Chart>() {
        return Ok(Some(Output::Chart(chart.clone())));
    }
    if let Ok(text) = value.clone().into_string() {
        return Ok(Some(Output::Text(text)));
    }
    Ok(Some(Output::Text(literal(value, 0))))
}

/// A value within a line of prose: a text as it is, anything else as it is shown.
pub fn in_prose(value: &Dynamic) -> String {
    let value = value.flatten_clone();
    value.clone().into_string().unwrap_or_else(|_| literal(&value, 0))
}

/// A value as text for one who reads it, nested values on lines of their own where they do not fit on one.
fn literal(value: &Dynamic, indent: usize) -> String {
    if indent > 2 * nested::DEEPEST && (value.is_array() || value.is_map()) {
        return "…".to_string();
    }
    if let Some(array) = value.read_lock::<Array>() {
        let shown = array.iter().take(ELEMENTS);
        let mut parts: Vec<String> = shown.map(|item| literal(item, indent + 2)).collect();
        if array.len() > ELEMENTS {
            parts.push(format!("… {} more", array.len() - ELEMENTS));
        }
        return enclose("[", &parts, "]", indent);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map.iter();
        let parts: Vec<String> =
            entries.map(|(name, item)| format!("{name}: {}", literal(item, indent + 2))).collect();
        return enclose("#{ ", &parts, " }", indent);
    }
    if let Ok(text) = value.clone().into_string() {
        return quoted(&text);
    }
    if let Some(frame) = value.read_lock::<Frame>() {
        return format!("Frame({} × {})", frame.0.height(), frame.0.width());
    }
    if let Some(model) = value.read_lock::<Model>() {
        return summary(&model);
    }
    if let Some(scorer) = value.read_lock::<Scorer>() {
        return format!("Scorer({})", scorer.summary());
    }
    if let Some(chart) = value.read_lock::<Chart>() {
        return format!("Plot({})", chart.title);
    }
    if let Some(expression) = value.read_lock::<Expr>() {
        return expression.0.to_string();
    }
    match value.read_lock::<FnPtr>() {
        Some(closure) if closure.is_anonymous() => "a closure".to_string(),
        Some(function) => format!("the function {}", function.fn_name()),
        None if value.is_unit() => "()".to_string(),
        None => value.to_string(),
    }
}

fn enclose(open: &str, parts: &[String], close: &str, indent: usize) -> String {
    let flat = format!("{open}{}{close}", parts.join(", "));
    if flat.chars().count() + indent <= LINE && !flat.contains('\n') {
        return flat;
    }
    let inner = " ".repeat(indent + 2);
    let lines: String = parts.iter().map(|part| format!("{inner}{part},\n")).collect();
    format!("{}\n{lines}{}{}", open.trim_end(), " ".repeat(indent), close.trim_start())
}

/// A string as one would write it, cut where it is long.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(TEXT).collect();
    if short.len() == text.len() { format!("{text:?}") } else { format!("{short:?}…") }
}

/// "Model(llama, 1,049,600 parameters, from ebb/tiny, finetuned twice)".
fn summary(model: &Model) -> String {
    let lineage = model.lineage();
    let stages = match lineage.stages.len() {
        0 => String::new(),
        1 => ", finetuned once".to_string(),
        2 => ", finetuned twice".to_string(),
        count => format!(", finetuned {count} times"),
    };
    let adapter = match model.adapter() {
        Some(_) => ", with an adapter",
        None => "",
    };
    format!(
        "Model({} parameters, from {}{stages}{adapter})",
        grouped(model.parameter_count()),
        lineage.source
    )
}

/// 1049600 as "1,049,600".
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
