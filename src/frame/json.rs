//! Cells and rows as JSON values.

use polars::prelude::*;
use serde_json::{Map, Number, Value};

use crate::aside;
use crate::error::{Context, Result};

/// One map a row, in the frame's order of columns.
pub fn rows(frame: &DataFrame) -> Result<Vec<Value>> {
    (0..frame.height())
        .map(|index| {
            aside::check()?;
            row(frame, index).map(Value::Object)
        })
        .collect()
}

/// One row as a map.
pub fn row(frame: &DataFrame, index: usize) -> Result<Map<String, Value>> {
    let mut map = Map::new();
    for column in frame.columns() {
        let cell = column.get(index).during("reading a row")?;
        map.insert(column.name().to_string(), value(&cell));
    }
    Ok(map)
}

/// One cell. NaN and infinities are null, as JSON has none; dates are their text.
pub fn value(cell: &AnyValue) -> Value {
    match cell {
        AnyValue::Null => Value::Null,
        AnyValue::Boolean(flag) => Value::Bool(*flag),
        AnyValue::String(text) => Value::String((*text).to_string()),
        AnyValue::StringOwned(text) => Value::String(text.to_string()),
        AnyValue::List(series) => Value::Array(series.iter().map(|item| value(&item)).collect()),
        AnyValue::Struct(..) | AnyValue::StructOwned(_) => {
            let fields = fields(cell).into_iter();
            Value::Object(fields.map(|(name, item)| (name, value(&item))).collect())
        }
        other if other.is_float() => {
            let number = other.extract::<f64>().and_then(Number::from_f64);
            number.map_or(Value::Null, Value::Number)
        }
        AnyValue::UInt64(number) => Value::Number((*number).into()),
        other => match other.extract::<i64>() {
            Some(number) if other.is_integer() => Value::Number(number.into()),
            _ => Value::String(text(other)),
        },
    }
}

/// A cell as text where it is neither a number nor a truth value: dates as they are written, bytes as two hexadecimal
/// digits each.
pub fn text(cell: &AnyValue) -> String {
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match cell {
        AnyValue::Binary(bytes) => digits(bytes),
        AnyValue::BinaryOwned(bytes) => digits(bytes),
        other => other.to_string(),
    }
}

/// The fields of a struct cell, by name.
pub fn fields(cell: &AnyValue) -> Vec<(String, AnyValue<'static>)> {
    let names: Vec<String> = match cell.dtype() {
        DataType::Struct(fields) => fields.iter().map(|field| field.name().to_string()).collect(),
        _ => return Vec::new(),
    };
    let owned = cell.clone().into_static();
    match owned {
        AnyValue::StructOwned(parts) => names.into_iter().zip(parts.0).collect(),
        _ => Vec::new(),
    }
}
