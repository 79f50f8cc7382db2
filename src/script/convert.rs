//! Values between rhai, frames and JSON.

use polars::prelude::{
    AnyValue, Column, DataFrame, DataType, Field, NamedFrom, PlSmallStr, Series,
};
use rhai::{Array, Dynamic, Map};
use serde_json::Value;

use crate::error::{Context, Error, Result};
use crate::frame::json;
use crate::script::api::frame::Frame;

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
        other => format!(
            "a value of type {}",
            other.rsplit("::").next().unwrap_or(other)
        ),
    }
}

/// A frame's cell as a script sees it: numbers, text, booleans, arrays, maps, and `()` for a missing value.
pub fn from_cell(cell: &AnyValue) -> Dynamic {
    match cell {
        AnyValue::Null => Dynamic::UNIT,
        AnyValue::Boolean(flag) => (*flag).into(),
        AnyValue::String(text) => Dynamic::from((*text).to_string()),
        AnyValue::StringOwned(text) => Dynamic::from(text.to_string()),
        AnyValue::List(series) => series
            .iter()
            .map(|item| from_cell(&item))
            .collect::<Array>()
            .into(),
        AnyValue::Struct(..) | AnyValue::StructOwned(_) => {
            let fields = json::fields(cell).into_iter();
            let map: Map = fields
                .map(|(name, item)| (name.into(), from_cell(&item)))
                .collect();
            map.into()
        }
        other if other.is_float() => other.extract::<f64>().map_or(Dynamic::UNIT, Dynamic::from),
        other => match other.extract::<i64>() {
            Some(number) if other.is_integer() => number.into(),
            _ => other.to_string().into(),
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
pub fn array_of(column: &Column) -> Array {
    column
        .as_materialized_series()
        .iter()
        .map(|cell| from_cell(&cell))
        .collect()
}

/// A column from a script's array. Whole numbers beside others become numbers; other mixtures are refused.
pub fn column(name: &str, values: &[Dynamic]) -> Result<Series> {
    let mut kinds: Vec<&'static str> = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let kind = kind_of(value).ok_or_else(|| {
            Error::invalid(
                format!("row {index} of column `{name}`"),
                "a number, string, boolean, array or map",
                describe(value),
            )
        })?;
        if kind != "nothing" && !kinds.contains(&kind) {
            kinds.push(kind);
        }
        if kinds.len() > 1
            && !kinds
                .iter()
                .all(|kind| ["integer", "number"].contains(kind))
        {
            return Err(Error::invalid(
                format!("row {index} of column `{name}`"),
                format!(
                    "one kind of value in a column ({})",
                    kinds.first().unwrap_or(&"")
                ),
                describe(value),
            ));
        }
    }
    let cells: Vec<AnyValue<'static>> = values.iter().map(cell).collect::<Result<_>>()?;
    match cells.is_empty() {
        true => Ok(Series::new_empty(name.into(), &DataType::Null)),
        false => Series::from_any_values(name.into(), &cells, false)
            .during(format!("building the column `{name}`")),
    }
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

/// A script's value as a cell.
fn cell(value: &Dynamic) -> Result<AnyValue<'static>> {
    if value.is_string() || value.is_char() {
        return Ok(AnyValue::StringOwned(PlSmallStr::from_string(
            value.to_string(),
        )));
    }
    if let Ok(number) = value.as_int() {
        return Ok(AnyValue::Int64(number));
    }
    if let Ok(number) = value.as_float() {
        return Ok(AnyValue::Float64(number));
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(AnyValue::Boolean(flag));
    }
    if let Some(array) = value.clone().try_cast::<Array>() {
        return Ok(AnyValue::List(column("", &array)?));
    }
    if let Some(map) = value.clone().try_cast::<Map>() {
        let mut cells = Vec::with_capacity(map.len());
        let mut fields = Vec::with_capacity(map.len());
        for (name, item) in &map {
            let item = cell(item)?;
            fields.push(Field::new(name.as_str().into(), item.dtype()));
            cells.push(item);
        }
        return Ok(AnyValue::StructOwned(Box::new((cells, fields))));
    }
    Ok(AnyValue::Null)
}

/// A frame from an array of maps. A column is there when any row has it; rows without it are missing it.
pub fn frame_of_rows(rows: &[Dynamic]) -> Result<DataFrame> {
    let mut names: Vec<String> = Vec::new();
    let mut maps: Vec<Map> = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let map = row.clone().try_cast::<Map>().ok_or_else(|| {
            Error::invalid(format!("row {index} of a frame"), "a map", describe(row))
        })?;
        for name in map.keys() {
            if !names.iter().any(|known| known == name.as_str()) {
                names.push(name.to_string());
            }
        }
        maps.push(map);
    }
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
            Error::invalid(
                format!("column `{name}` of a frame"),
                "an array",
                describe(values),
            )
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
    let texts: Option<Vec<String>> = values
        .iter()
        .map(|value| value.clone().into_string().ok())
        .collect();
    Some(Series::new("".into(), texts?))
}

/// A script's value as JSON: frames as arrays of row maps, NaN as null, anything that JSON has no form for as its text.
pub fn to_json(value: &Dynamic) -> Result<Value> {
    if let Some(frame) = value.clone().try_cast::<Frame>() {
        return json::rows(&frame.0).map(Value::Array);
    }
    if let Some(array) = value.clone().try_cast::<Array>() {
        return array
            .iter()
            .map(to_json)
            .collect::<Result<_>>()
            .map(Value::Array);
    }
    if let Some(map) = value.clone().try_cast::<Map>() {
        let entries = map
            .iter()
            .map(|(name, item)| Ok((name.to_string(), to_json(item)?)));
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
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.clone().into(),
        Value::Array(items) => items.iter().map(from_json).collect::<Array>().into(),
        Value::Object(map) => {
            let map: Map = map
                .iter()
                .map(|(name, item)| (name.as_str().into(), from_json(item)))
                .collect();
            map.into()
        }
    }
}
