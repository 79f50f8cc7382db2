//! Single fields of a `config.json`, with their types and bounds checked.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Sizes beyond this are no model that fits a machine; they come from a broken or hostile file.
const LARGEST: usize = 1 << 24;

/// What a value is, for errors.
pub fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_string(),
        Value::Array(_) => "a list".to_string(),
        Value::Object(_) => "a map".to_string(),
        other => other.to_string(),
    }
}

fn wrong(key: &str, expected: impl Into<String>, got: impl Into<String>) -> Error {
    Error::invalid(format!("reading `{key}` of config.json"), expected.into(), got.into())
}

/// A size from 1 up; absent or null takes the default, or is an error where there is none.
pub fn size(map: &Map<String, Value>, key: &str, default: Option<usize>) -> Result<usize> {
    let refuse = |got: String| Err(wrong(key, format!("a whole number from 1 to {LARGEST}"), got));
    let number = match map.get(key) {
        None | Some(Value::Null) => match default {
            Some(number) => number,
            None => return refuse("nothing".to_string()),
        },
        Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(number) => number,
            None => return refuse(kind_of(value)),
        },
    };
    if (1..=LARGEST).contains(&number) { Ok(number) } else { refuse(number.to_string()) }
}

pub fn number(map: &Map<String, Value>, key: &str, default: f64) -> Result<f64> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value.as_f64().ok_or_else(|| wrong(key, "a number", kind_of(value))),
    }
}

pub fn flag(map: &Map<String, Value>, key: &str, default: bool) -> Result<bool> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(value)) => Ok(*value),
        Some(value) => Err(wrong(key, "true or false", kind_of(value))),
    }
}

/// One id, a list of ids, or none.
pub fn token_ids(map: &Map<String, Value>, key: &str) -> Result<Vec<u32>> {
    let one = |value: &Value| {
        value
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| wrong(key, "a token id", kind_of(value)))
    };
    match map.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(one).collect(),
        // Some published files have −1 for "none".
        Some(value) if value.as_i64() == Some(-1) => Ok(Vec::new()),
        Some(value) => Ok(vec![one(value)?]),
    }
}

/// Refuses a setting that changes what is computed and that this program does not compute.
pub fn require(holds: bool, key: &str, supported: &str, got: impl Into<String>) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::invalid(
            "reading config.json",
            format!("{key} to be {supported}, the only form this version computes"),
            got.into(),
        ))
    }
}
