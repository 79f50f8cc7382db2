//! Values between rhai, frames and JSON.

use std::collections::HashSet;

use polars::prelude::{
    AnyValue, BooleanChunked, Column, DataFrame, Float64Chunked, Int64Chunked, IntoSeries,
    NamedFrom, NewChunkedArray, Series, StringChunked,
};
use rhai::{Array, Dynamic, Identifier, Map};
use serde_json::Value;

use crate::aside;
use crate::error::{Context, Error, Result};
use crate::frame::{json, nested, room};
use crate::script::order;
use crate::script::values::Frame;

/// A value in a few words for an error message: `the string "abc"`, `a map`, `3`.
pub fn describe(value: &Dynamic) -> String {
    if let Ok(text) = value.clone().into_string() {
        let short: String = text.chars().take(40).collect();
        let dots = if short.len() < text.len() { "…" } else { "" };
        return format!("the string {short:?}{dots}");
    }
    match value.type_name() {
        "i64" | "f64" | "bool" => value.to_string(),
        "()" => "nothing".to_string(),
        "array" => "an array".to_string(),
        "map" => "a map".to_string(),
        "Fn" => "a closure".to_string(),
        other => format!("a value of type {}", other.rsplit("::").next().unwrap_or(other)),
    }
}

/// A frame's cell as a script sees it: numbers, text, booleans, arrays, maps, and `()` for a missing value. Whole numbers of
/// 64 bits without a sign, which a script's own cannot hold, are the text of their digits, all of a column alike.
pub fn from_cell(cell: &AnyValue) -> Dynamic {
    match cell {
        AnyValue::Null => Dynamic::UNIT,
        AnyValue::Boolean(flag) => (*flag).into(),
        AnyValue::String(text) => Dynamic::from((*text).to_string()),
        AnyValue::StringOwned(text) => Dynamic::from(text.to_string()),
        AnyValue::List(series) => {
            series.iter().map(|item| from_cell(&item)).collect::<Array>().into()
        }
        AnyValue::Struct(..) | AnyValue::StructOwned(_) => {
            let fields = json::fields(cell).into_iter();
            order::ordered(fields.map(|(name, item)| (name.into(), from_cell(&item))).collect())
        }
        AnyValue::UInt64(number) => number.to_string().into(),
        other if other.is_float() => other.extract::<f64>().map_or(Dynamic::UNIT, Dynamic::from),
        other => match other.extract::<i64>() {
            Some(number) if other.is_integer() => number.into(),
            _ => json::text(other).into(),
        },
    }
}

/// One row of a frame as a map.
pub fn row(frame: &DataFrame, index: usize) -> Result<Map> {
    let columns = frame.columns().iter();
    columns
        .map(|column| {
            let cell = column.get(index).during("reading a row")?;
            Ok((column.name().as_str().into(), from_cell(&cell)))
        })
        .collect()
}

/// A column as an array.
pub fn array_of(column: &Column) -> Result<Array> {
    let cells = column.as_materialized_series().iter();
    cells.map(|cell| aside::check().map(|()| from_cell(&cell))).collect()
}

/// A column from a script's array. Whole numbers beside others become numbers, within lists and maps as well; other
/// mixtures are refused.
pub fn column(name: &str, values: &[Dynamic]) -> Result<Series> {
    let rows: Vec<usize> = (0..values.len()).collect();
    build(name, name, values, &rows)
}

/// A column of `values`, which stand in the given rows of the script's array; errors call it `place`.
fn build(name: &str, place: &str, values: &[Dynamic], rows: &[usize]) -> Result<Series> {
    aside::check()?;
    Ok(match common_kind(place, values, rows)? {
        "integer" => {
            let cells = values.iter().map(|value| value.as_int().ok());
            Int64Chunked::from_iter_options(name.into(), cells).into_series()
        }
        "number" => {
            let cells = values.iter().map(number);
            Float64Chunked::from_iter_options(name.into(), cells).into_series()
        }
        "boolean" => {
            let cells = values.iter().map(|value| value.as_bool().ok());
            BooleanChunked::from_iter_options(name.into(), cells).into_series()
        }
        "string" => {
            let cells = values.iter().map(|value| (!value.is_unit()).then(|| value.to_string()));
            StringChunked::from_iter_options(name.into(), cells).into_series()
        }
        "array" => lists(name, place, values, rows)?,
        "map" => maps(name, place, values, rows)?,
        _ => Series::new_null(name.into(), values.len()),
    })
}

/// The kind of all values: "nothing" where there are none.
fn common_kind(place: &str, values: &[Dynamic], rows: &[usize]) -> Result<&'static str> {
    let mut common = "nothing";
    for (value, row) in values.iter().zip(rows) {
        let refuse = |expected: String| {
            let operation = format!("row {row} of column `{place}`");
            Err(Error::invalid(operation, expected, describe(value)))
        };
        common = match (common, kind_of(value)) {
            (_, None) => return refuse("a number, string, boolean, array or map".to_string()),
            (known, Some("nothing")) => known,
            ("nothing", Some(kind)) => kind,
            (known, Some(kind)) if known == kind => known,
            ("integer" | "number", Some("integer" | "number")) => "number",
            (known, Some(_)) => {
                return refuse(format!("one kind of value in a column ({known})"));
            }
        };
    }
    Ok(common)
}

fn kind_of(value: &Dynamic) -> Option<&'static str> {
    match value.type_name() {
        "i64" => Some("integer"),
        "f64" => Some("number"),
        "bool" => Some("boolean"),
        "()" => Some("nothing"),
        "array" => Some("array"),
        "map" => Some("map"),
        _ if value.is_string() || value.is_char() => Some("string"),
        _ => None,
    }
}

fn number(value: &Dynamic) -> Option<f64> {
    let whole = || value.as_int().ok().map(|whole| whole as f64);
    value.as_float().ok().or_else(whole)
}

/// All items below each other make one column, so that every row's items have its type.
fn lists(name: &str, place: &str, values: &[Dynamic], rows: &[usize]) -> Result<Series> {
    let mut items: Vec<Dynamic> = Vec::new();
    let mut item_rows: Vec<usize> = Vec::new();
    let mut offsets = vec![0_i64];
    for (value, row) in values.iter().zip(rows) {
        if let Some(array) = value.read_lock::<Array>() {
            items.extend(array.iter().cloned());
            item_rows.resize(items.len(), *row);
        }
        offsets.push(items.len() as i64);
    }
    let items = build("item", place, &items, &item_rows)?;
    let there = values.iter().map(|value| !value.is_unit()).collect();
    nested::lists(name, &items, offsets, there)
}

fn maps(name: &str, place: &str, values: &[Dynamic], rows: &[usize]) -> Result<Series> {
    let maps: Vec<Option<Map>> =
        values.iter().map(|value| value.read_lock::<Map>().map(|map| map.clone())).collect();
    let mut names: Vec<Identifier> = Vec::new();
    let mut seen: HashSet<Identifier> = HashSet::new();
    for (value, map) in values.iter().zip(&maps) {
        let entries = map.iter().flat_map(|map| order::entries(value, map));
        for (key, _) in entries {
            if seen.insert(key.clone()) {
                names.push(key.clone());
            }
        }
    }
    let mut fields = Vec::with_capacity(names.len());
    for field in &names {
        let inner: Vec<Dynamic> = maps
            .iter()
            .map(|map| {
                let value = map.as_ref().and_then(|map| map.get(field));
                value.cloned().unwrap_or(Dynamic::UNIT)
            })
            .collect();
        let place = format!("{place}.{field}");
        fields.push(build(field, &place, &inner, rows)?);
    }
    let there = maps.iter().map(Option::is_some).collect();
    nested::structs(name, &fields, there)
}

/// A frame from an array of maps. A column is there when any row has it; rows without it are missing it.
pub fn frame_of_rows(rows: &[Dynamic]) -> Result<DataFrame> {
    let mut names: Vec<Identifier> = Vec::new();
    let mut seen: HashSet<Identifier> = HashSet::new();
    let mut maps: Vec<Map> = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let map = row.clone().try_cast::<Map>().ok_or_else(|| {
            Error::invalid(format!("row {index} of a frame"), "a map", describe(row))
        })?;
        for name in map.keys() {
            if !seen.contains(name) {
                seen.insert(name.clone());
                names.push(name.clone());
            }
        }
        maps.push(map);
    }
    room::for_cells(maps.len(), names.len())?;
    let mut columns = Vec::with_capacity(names.len());
    for name in &names {
        let values: Vec<Dynamic> = maps
            .iter()
            .map(|map| map.get(name.as_str()).cloned().unwrap_or(Dynamic::UNIT))
            .collect();
        columns.push(column(name, &values)?.into());
    }
    DataFrame::new(maps.len(), columns).during("building a frame")
}

/// A frame from a map of arrays of one length.
pub fn frame_of_columns(map: &Map) -> Result<DataFrame> {
    let mut columns: Vec<Column> = Vec::with_capacity(map.len());
    for (name, values) in map {
        let values = values.clone().try_cast::<Array>().ok_or_else(|| {
            Error::invalid(format!("column `{name}` of a frame"), "an array", describe(values))
        })?;
        if let Some(first) = columns.first()
            && first.len() != values.len()
        {
            return Err(Error::invalid(
                format!("column `{name}` of a frame"),
                format!("{} values, as many as `{}` has", first.len(), first.name()),
                values.len().to_string(),
            ));
        }
        columns.push(column(name, &values)?.into());
    }
    let height = columns.first().map_or(0, Column::len);
    DataFrame::new(height, columns).during("building a frame")
}

/// An array of strings as a column of texts, for functions that take text.
pub fn texts(values: &[Dynamic]) -> Option<Series> {
    let texts: Option<Vec<String>> =
        values.iter().map(|value| value.clone().into_string().ok()).collect();
    Some(Series::new("".into(), texts?))
}

/// A script's value as JSON: frames as arrays of row maps, NaN as null, anything that JSON has no form for as its text.
///
/// # Errors
/// Where arrays and maps lie deeper in each other than those who read JSON allow.
pub fn to_json(value: &Dynamic) -> Result<Value> {
    json_at(value, 0)
}

fn json_at(value: &Dynamic, depth: usize) -> Result<Value> {
    aside::check()?;
    if depth > nested::DEEPEST {
        return Err(nested::too_deep("a value as JSON"));
    }
    if let Some(frame) = value.clone().try_cast::<Frame>() {
        return json::rows(&frame.0).map(Value::Array);
    }
    if let Some(array) = value.clone().try_cast::<Array>() {
        return array
            .iter()
            .map(|item| json_at(item, depth + 1))
            .collect::<Result<_>>()
            .map(Value::Array);
    }
    if let Some(map) = value.clone().try_cast::<Map>() {
        let entries = order::entries(value, &map).into_iter();
        let entries = entries.map(|(name, item)| Ok((name.to_string(), json_at(item, depth + 1)?)));
        return entries.collect::<Result<_>>().map(Value::Object);
    }
    Ok(match value.type_name() {
        "()" => Value::Null,
        "bool" => Value::Bool(value.as_bool().unwrap_or_default()),
        "i64" => value.as_int().map_or(Value::Null, Value::from),
        "f64" => value.as_float().map_or(Value::Null, Value::from),
        _ => Value::String(value.to_string()),
    })
}

/// JSON as a script's value.
pub fn from_json(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            // Beyond a script's whole numbers: its digits, rather than a number that is near.
            None if number.is_u64() => number.to_string().into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.clone().into(),
        Value::Array(items) => items.iter().map(from_json).collect::<Array>().into(),
        Value::Object(map) => {
            let map: Map =
                map.iter().map(|(name, item)| (name.as_str().into(), from_json(item))).collect();
            map.into()
        }
    }
}
