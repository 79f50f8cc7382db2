//! The messages of a conversation, whole: what a template does with a name, tool calls or reasoning is the template's
//! business.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::python;
use crate::error::{Error, Result};

/// The names under which messages carry reasoning; transformers hands it to templates under the first two.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];
/// What a message must have one of, to say anything.
const SAYING: [&str; 5] = ["content", "tool_calls", "reasoning_content", "thinking", "reasoning"];

/// One turn of a conversation: a role ("system", "user", "assistant", "tool"), a content (a text, a list of parts, or
/// nothing), and whatever else the template knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Message(Map<String, Value>);

impl Message {
    /// A message that is a text.
    pub fn new(role: &str, content: &str) -> Self {
        let mut map = Map::new();
        map.insert("role".to_string(), role.into());
        map.insert("content".to_string(), content.into());
        Self(map)
    }

    /// A message from what data holds. A key of it without a value counts as absent, as in transformers, which drops such
    /// keys before it renders; those of maps within it stay.
    pub fn from_json(value: &Value) -> Result<Self> {
        let refuse = |expected: &str, got: String| Err(Error::invalid("a message", expected, got));
        let Some(map) = value.as_object() else {
            return refuse("a map #{ role, content }", python::shown(value));
        };
        let keys = || {
            let keys: Vec<&str> = map.keys().map(String::as_str).collect();
            format!("a map with the keys {}", keys.join(", "))
        };
        if !map.get("role").is_some_and(Value::is_string) {
            return refuse("a string under `role`", keys());
        }
        if !SAYING.iter().any(|key| map.contains_key(*key)) {
            return refuse("a string under `content`", keys());
        }
        if let Some(content) = map.get("content")
            && !(content.is_string() || content.is_array() || content.is_null())
        {
            return refuse(
                "a string under `content`, or a list of parts, or nothing",
                python::shown(content),
            );
        }
        let kept = map.iter().filter(|(_, value)| !value.is_null());
        let kept = kept.map(|(key, value)| (key.clone(), value.clone()));
        Ok(Self(kept.collect()))
    }

    /// The message with the keys of every map in it from the last to the first: what a template writes of it is another
    /// text where the order counts.
    pub fn reversed(&self) -> Self {
        Self(reversed(&self.0))
    }

    pub fn is_of_the_assistant(&self) -> bool {
        self.0.get("role").and_then(Value::as_str) == Some("assistant")
    }

    /// The content where it is a list of parts.
    pub fn parts(&self) -> Option<&Value> {
        self.0.get("content").filter(|content| content.is_array())
    }

    /// The message as a template sees it: reasoning also under the names that templates know.
    pub fn seen(&self) -> Value {
        let found = REASONING.iter().find_map(|key| self.0.get(*key));
        let Some(reasoning) = found.filter(|value| !value.is_null()).cloned() else {
            return Value::Object(self.0.clone());
        };
        let mut map = Map::new();
        map.insert("thinking".to_string(), reasoning.clone());
        map.extend(self.0.clone());
        map.insert("reasoning_content".to_string(), reasoning);
        Value::Object(map)
    }

    /// The message with the text of its parts in their place; nothing where one of them is no text.
    pub fn as_text(&self) -> Option<Self> {
        let Some(parts) = self.parts().and_then(Value::as_array) else {
            return Some(self.clone());
        };
        let text = |part: &Value| -> Option<String> {
            let text = part.as_str().or_else(|| part.get("text")?.as_str())?;
            Some(text.to_string())
        };
        let texts: Option<Vec<String>> = parts.iter().map(text).collect();
        let mut map = self.0.clone();
        map.insert("content".to_string(), Value::from(texts?.concat()));
        Some(Self(map))
    }
}

fn reversed(map: &Map<String, Value>) -> Map<String, Value> {
    let turned = map.iter().rev();
    turned.map(|(key, value)| (key.clone(), turned_around(value))).collect()
}

fn turned_around(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(reversed(map)),
        Value::Array(items) => Value::Array(items.iter().map(turned_around).collect()),
        other => other.clone(),
    }
}
