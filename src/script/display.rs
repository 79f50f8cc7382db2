//! What a script's value looks like: a frame is a table, a plot a chart, a model a summary, anything else its literal.

use rhai::{Array, Dynamic, FnPtr, Map};

use super::api::expr::Expr;
use super::api::frame::Frame;
use super::api::toxicity::Scorer;
use super::convert;
use super::options::Options;
use crate::display::{Chart, Output};
use crate::error::Result;
use crate::frame::nested;
use crate::frame::table::{self, Extent};
use crate::model::Model;

/// Characters that fit on a line.
const LINE: usize = 100;

/// How much of a value is shown.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Of a frame.
    pub extent: Extent,
    /// Elements of an array.
    pub elements: usize,
    /// Characters of a text inside an array or map.
    pub text: usize,
}

impl Default for Amount {
    fn default() -> Self {
        Self { extent: Extent::default(), elements: 20, text: 400 }
    }
}

impl Amount {
    /// The options of `show`.
    pub fn read(options: Options) -> Result<Self> {
        let mut amount = Self::default();
        if options.boolean("all")?.unwrap_or(false) {
            amount.extent = Extent { rows: usize::MAX, all_columns: true, ..amount.extent };
            amount.elements = usize::MAX;
        }
        if let Some(rows) = options.count("rows", 1)? {
            amount.extent.rows = rows;
            amount.elements = rows;
        }
        if !options.boolean("cut")?.unwrap_or(true) {
            amount.extent.cell = usize::MAX;
            amount.text = usize::MAX;
        }
        options.finish()?;
        Ok(amount)
    }
}

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
    output_of(value, &Amount::default())
}

/// So much of a value to show; `()` shows nothing.
pub fn output_of(value: &Dynamic, amount: &Amount) -> Result<Option<Output>> {
    if value.is_unit() {
        return Ok(None);
    }
    if let Some(frame) = value.read_lock::<Frame>() {
        return table::table(&frame.0, &amount.extent).map(|table| Some(Output::Table(table)));
    }
    if let Some(chart) = value.read_lock::<Chart>() {
        return Ok(Some(Output::Chart(chart.clone())));
    }
    if let Ok(text) = value.clone().into_string() {
        return Ok(Some(Output::Text(text)));
    }
    Ok(Some(Output::Text(literal(value, 0, amount))))
}

/// A value within a line of prose: a text as it is, anything else as it is shown.
pub fn in_prose(value: &Dynamic) -> String {
    let value = value.flatten_clone();
    value.clone().into_string().unwrap_or_else(|_| literal(&value, 0, &Amount::default()))
}

/// A value as text for one who reads it, nested values on lines of their own where they do not fit on one.
fn literal(value: &Dynamic, indent: usize, amount: &Amount) -> String {
    if indent > 2 * nested::DEEPEST && (value.is_array() || value.is_map()) {
        return "…".to_string();
    }
    if let Some(array) = value.read_lock::<Array>() {
        let shown = array.iter().take(amount.elements);
        let mut parts: Vec<String> = shown.map(|item| literal(item, indent + 2, amount)).collect();
        if array.len() > parts.len() {
            parts.push(format!("… {} more", array.len() - parts.len()));
        }
        return enclose("[", &parts, "]", indent);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map.iter();
        let parts: Vec<String> = entries
            .map(|(name, item)| format!("{name}: {}", literal(item, indent + 2, amount)))
            .collect();
        return enclose("#{ ", &parts, " }", indent);
    }
    if let Ok(text) = value.clone().into_string() {
        return quoted(&text, amount.text);
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
fn quoted(text: &str, most: usize) -> String {
    let short: String = text.chars().take(most).collect();
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
