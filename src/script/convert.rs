//! Values between rhai and the rest of the house.

use rhai::Dynamic;

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
        other => format!("a value of type {other}"),
    }
}
