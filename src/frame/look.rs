//! Looking at a frame as a whole: the types of its columns, a glimpse of their values, and how often each value stands.

use polars::prelude::*;

use super::table::kind;
use super::{json, query};
use crate::aside;
use crate::display::number::number;
use crate::error::{Context, Error, Result};

/// First values of a column that a glimpse shows, and the characters that they may take together.
const VALUES: usize = 8;
const WIDTH: usize = 50;
/// Characters of a text, and items of a list or map, within a glimpse.
const TEXT: usize = 20;
const ITEMS: usize = 3;

/// A row a column: its name, its type in the words of scripts, and polars' type.
pub fn schema(frame: &DataFrame) -> Result<DataFrame> {
    let columns = frame.columns();
    let kinds: Vec<String> = columns.iter().map(|column| kind(column.dtype())).collect();
    let types: Vec<String> = columns.iter().map(|column| exact(column.dtype())).collect();
    let made = vec![
        Column::new("column".into(), query::names(frame)),
        Column::new("type".into(), kinds),
        Column::new("polars_type".into(), types),
    ];
    DataFrame::new(frame.width(), made).during("schema")
}

/// polars' name of a type, with the fields of a struct, which polars only counts.
fn exact(dtype: &DataType) -> String {
    match dtype {
        DataType::List(inner) => format!("list[{}]", exact(inner)),
        DataType::Struct(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|field| format!("{}: {}", field.name(), exact(field.dtype())));
            format!("struct[{}]", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A row a column: its name, its type in the words of scripts, how many values are missing, and the first values.
pub fn glimpse(frame: &DataFrame) -> Result<DataFrame> {
    let columns = frame.columns();
    let kinds: Vec<String> = columns.iter().map(|column| kind(column.dtype())).collect();
    let missing: Vec<i64> = columns.iter().map(|column| column.null_count() as i64).collect();
    let first: Vec<String> = columns.iter().map(first_values).collect::<Result<_>>()?;
    let made = vec![
        Column::new("column".into(), query::names(frame)),
        Column::new("type".into(), kinds),
        Column::new("missing".into(), missing),
        Column::new("first_values".into(), first),
    ];
    DataFrame::new(frame.width(), made).during("glimpse")
}

/// "1, 2, –, …": as many as fit, and the beginning of the first one always.
fn first_values(column: &Column) -> Result<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut taken = 0;
    for row in 0..column.len().min(VALUES) {
        aside::check()?;
        let part = cut(&brief(&column.get(row).during("glimpse")?, 0), WIDTH);
        taken += part.chars().count() + 2;
        if taken > WIDTH && !parts.is_empty() {
            break;
        }
        parts.push(part);
    }
    if parts.len() < column.len() {
        parts.push("…".to_string());
    }
    Ok(parts.join(", "))
}

/// A cell in a few characters.
fn brief(value: &AnyValue, depth: usize) -> String {
    match value {
        AnyValue::Null => "–".to_string(),
        AnyValue::Float32(x) => number(f64::from(*x)),
        AnyValue::Float64(x) => number(*x),
        AnyValue::String(text) => quoted(text),
        AnyValue::StringOwned(text) => quoted(text),
        AnyValue::List(items) => {
            let first = items.iter().take(ITEMS).map(|item| brief(&item, depth + 1));
            enclosed("[", first, items.len(), "]", depth)
        }
        AnyValue::Struct(..) | AnyValue::StructOwned(_) => {
            let fields = json::fields(value);
            let first = fields.iter().take(ITEMS);
            let first = first.map(|(name, item)| format!("{name}: {}", brief(item, depth + 1)));
            enclosed("{", first, fields.len(), "}", depth)
        }
        other => match json::value(other) {
            serde_json::Value::String(text) => cut(&text, TEXT),
            plain => plain.to_string(),
        },
    }
}

fn enclosed(
    open: &str,
    first: impl Iterator<Item = String>,
    count: usize,
    close: &str,
    depth: usize,
) -> String {
    if depth > 1 && count > 0 {
        return format!("{open}…{close}");
    }
    let mut parts: Vec<String> = first.collect();
    if count > parts.len() {
        parts.push("…".to_string());
    }
    format!("{open}{}{close}", parts.join(", "))
}

/// A text as a script would write it, its end cut off where it is long.
fn quoted(text: &str) -> String {
    format!("{:?}", cut(text, TEXT))
}

fn cut(text: &str, most: usize) -> String {
    let short: String = text.chars().take(most).collect();
    if short.len() == text.len() { short } else { short + "…" }
}

/// How the counts of `value_counts` are told.
pub struct Counts {
    /// What the column of counts is called.
    pub name: String,
    /// Shares of all rows instead of counts.
    pub shares: bool,
}

/// How often each value, or each combination of values, stands in these columns: the most frequent first, equally frequent
/// ones in the order of their values, missing ones behind. Lists and maps have no order and stay in that of their rows.
pub fn value_counts(frame: &DataFrame, by: &[String], counts: &Counts) -> Result<DataFrame> {
    let operation = "value_counts";
    let mut keys = vec![col(counts.name.as_str())];
    for (place, name) in by.iter().enumerate() {
        query::known(frame, name)?;
        if by.iter().take(place).any(|earlier| earlier == name) {
            return Err(Error::failed(format!("{operation}: the column `{name}` is named twice")));
        }
        let dtype = frame.column(name).during(operation)?.dtype();
        if !dtype.is_nested() && dtype != &DataType::Null {
            keys.push(col(name.as_str()));
        }
    }
    if by.contains(&counts.name) {
        return Err(Error::failed_with_hint(
            format!("{operation}: the column of counts would be called `{}` too", counts.name),
            "give it another name: #{ name: \"rows\" }",
        ));
    }
    let counted = if counts.shares {
        len().cast(DataType::Float64) / lit(frame.height() as f64)
    } else {
        len().cast(DataType::Int64)
    };
    let descending: Vec<bool> = (0..keys.len()).map(|place| place == 0).collect();
    let how = SortMultipleOptions::default()
        .with_order_descending_multi(descending)
        .with_nulls_last(true)
        .with_maintain_order(true);
    let by: Vec<Expr> = by.iter().map(|name| col(name.as_str())).collect();
    let plan = frame.clone().lazy().group_by_stable(by).agg([counted.alias(counts.name.as_str())]);
    query::collect(plan.sort_by_exprs(keys, how), operation)
}
