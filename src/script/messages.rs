//! Messages on their way from scripts and frames to a chat template: the order of keys, and keys without a value.
//!
//! A table gives every row the keys of all, so a key without a value in it may as well not have been there: within a message
//! such keys are left out, and told. A map that a script writes keeps no order of its keys: where a template writes it whole,
//! that is told too.

use polars::prelude::AnyValue;
use rhai::{Array, Dynamic, Map};
use serde_json::Value;

use super::{convert, order};
use crate::error::Result;
use crate::frame::json;
use crate::model::chat::{ChatTemplate, Message};

/// What is noted on the way.
#[derive(Default)]
pub struct Passage {
    /// The first key within a message that was left out, and how many were.
    left_out: Option<(String, usize)>,
    /// Whether there was a map of several keys whose order nobody knows.
    unordered: bool,
    /// Whether such a map was written whole.
    written_whole: bool,
}

impl Passage {
    /// A script's value.
    pub fn of_script(&mut self, value: &Dynamic) -> Result<Value> {
        self.script(value, 0)
    }

    /// A frame's cell.
    pub fn of_cell(&mut self, cell: &AnyValue) -> Value {
        let mut value = json::value(cell);
        self.cell(&mut value, 0);
        value
    }

    /// `depth` maps stand around the value.
    fn script(&mut self, value: &Dynamic, depth: usize) -> Result<Value> {
        if let Some(array) = value.clone().try_cast::<Array>() {
            let items = array.iter().map(|item| self.script(item, depth));
            return items.collect::<Result<_>>().map(Value::Array);
        }
        let Some(map) = value.clone().try_cast::<Map>() else {
            return convert::to_json(value);
        };
        let of_a_frame = order::is_remembered(value);
        self.unordered |= !of_a_frame && map.len() > 1;
        let mut out = serde_json::Map::new();
        for (key, item) in order::entries(value, &map) {
            if of_a_frame && depth > 0 && item.is_unit() {
                self.leave_out(key);
                continue;
            }
            out.insert(key.to_string(), self.script(item, depth + 1)?);
        }
        Ok(Value::Object(out))
    }

    fn cell(&mut self, value: &mut Value, depth: usize) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.cell(item, depth)),
            Value::Object(map) => {
                if depth > 0 {
                    map.retain(|key, value| {
                        if value.is_null() {
                            self.leave_out(key);
                        }
                        !value.is_null()
                    });
                }
                map.values_mut().for_each(|item| self.cell(item, depth + 1));
            }
            _ => {}
        }
    }

    fn leave_out(&mut self, key: &str) {
        match &mut self.left_out {
            Some((_, count)) => *count += 1,
            None => self.left_out = Some((key.to_string(), 1)),
        }
    }

    /// Notes whether the text of a conversation would be another one with the keys of its maps in another order.
    pub fn look_at(
        &mut self,
        template: &ChatTemplate,
        messages: &[Message],
        prompt: bool,
        text: &str,
    ) {
        if self.unordered && !self.written_whole {
            let reversed: Vec<Message> = messages.iter().map(Message::reversed).collect();
            let other = template.render(&reversed, prompt);
            self.written_whole = !other.is_ok_and(|other| other == text);
        }
    }

    /// What the user is told of the way, under the name of an operation.
    pub fn notes(&self, operation: &str) -> Vec<String> {
        let left_out = self.left_out.as_ref().map(|(key, count)| {
            let keys = match count {
                1 => format!("the key `{key}` within a message has no value and is left out"),
                _ => format!("{count} keys within messages have no value and are left out, the first is `{key}`"),
            };
            format!("{operation}: {keys}; a table cannot tell a null from a key that is not there")
        });
        let written = self.written_whole.then(|| {
            format!(
                "{operation}: the chat template writes a map of the script whole, its keys in the order of the alphabet, as a \
                 map in a script keeps no order; messages read from a file keep theirs"
            )
        });
        left_out.into_iter().chain(written).collect()
    }
}
