//! A parameter's value: its default in the script, and what was typed for it.

use rhai::Dynamic;
use serde_json::Value;

use super::convert;
use crate::error::{Error, Result};

/// A default as JSON, if it is of a kind that a command line can give.
pub fn default_value(default: &Dynamic) -> Option<Value> {
    let value = convert::to_json(default).ok()?;
    matches!(value, Value::String(_) | Value::Bool(_) | Value::Number(_)).then_some(value)
}

/// What a value of the default's kind is called.
pub fn kind(default: &Value) -> &'static str {
    match default {
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "a whole number",
        _ => "a text",
    }
}

/// Reads what was typed as a value of the default's kind.
pub fn read_value(name: &str, typed: &str, default: &Value) -> Result<Value> {
    let read = match default {
        Value::Bool(_) => typed.parse::<bool>().ok().map(Value::from),
        Value::Number(number) if number.is_f64() => {
            typed.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from)
        }
        Value::Number(_) => typed.replace('_', "").parse::<i64>().ok().map(Value::from),
        _ => Some(Value::from(typed)),
    };
    read.ok_or_else(|| {
        Error::invalid(format!("parameter `{name}`"), kind(default), format!("{typed:?}"))
    })
}
