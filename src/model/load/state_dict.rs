//! What pickles of weights hold: a state_dict by itself or in a checkpoint with its settings, and lists of names.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::pickle::{Described, Id, Machine, Object, Why};

/// Settings beside weights that hold more values, or lie deeper in each other, than any honest ones.
const MOST_SETTINGS: usize = 1 << 16;
const DEEPEST_SETTINGS: usize = 32;

/// A pickled state_dict.
pub struct State {
    /// The tensors, by name.
    pub tensors: Vec<(String, Described)>,
    /// The kinds of the storages, by their names.
    pub kinds: HashMap<String, String>,
    /// The settings that a checkpoint has under "config" beside its "state_dict".
    pub config: Option<Value>,
    /// Bytes of the pickle.
    pub length: usize,
}

/// Reads the state_dict at the beginning of `bytes`, or the one that a checkpoint has under that name.
pub fn state(bytes: &[u8]) -> Why<State> {
    let mut machine = Machine::over(bytes);
    let last = machine.run()?;
    let Object::Dict(entries) = machine.object(last)? else {
        return Err("it holds no map of names to tensors".to_string());
    };
    let named = |wanted: &str| {
        let is_wanted = |(key, _): &&(Id, Id)| machine.read_text(*key).is_ok_and(|k| k == wanted);
        entries.iter().find(is_wanted).map(|(_, value)| *value)
    };
    let inner = named("state_dict").map(|id| machine.object(id)).transpose()?;
    let entries = match inner {
        Some(Object::Dict(inner)) => inner,
        _ => entries,
    };
    let mut left = MOST_SETTINGS;
    let config = named("config").map(|id| json(&machine, id, DEEPEST_SETTINGS, &mut left));
    let mut tensors = Vec::new();
    for (key, value) in entries {
        if let (Object::Text(name), Object::Tensor(tensor)) =
            (machine.object(*key)?, machine.object(*value)?)
        {
            tensors.push((name.clone(), tensor.clone()));
        }
    }
    let kinds = machine.objects.iter().filter_map(|object| match object {
        Object::Storage { kind, key } => Some((key.clone(), kind.clone())),
        _ => None,
    });
    let (kinds, config) = (kinds.collect(), config.transpose()?);
    Ok(State { tensors, kinds, config, length: machine.source.position })
}

/// The texts of the pickled list at the beginning of `bytes`, and the bytes of the pickle.
pub fn texts(bytes: &[u8]) -> Why<(Vec<String>, usize)> {
    let mut machine = Machine::over(bytes);
    let last = machine.run()?;
    let Object::List(items) = machine.object(last)? else {
        return Err("it has something else where a list belongs".to_string());
    };
    let texts = items.iter().map(|item| machine.read_text(*item));
    Ok((texts.collect::<Why<_>>()?, machine.source.position))
}

/// The bytes of the pickle at the beginning of `bytes`.
pub fn length(bytes: &[u8]) -> Why<usize> {
    let mut machine = Machine::over(bytes);
    machine.run()?;
    Ok(machine.source.position)
}

/// A value as JSON. One that many share is written out for each, so values are counted.
fn json(machine: &Machine, id: Id, depth: usize, left: &mut usize) -> Why<Value> {
    *left = left.checked_sub(1).ok_or("it has settings beyond all measure")?;
    let depth = depth.checked_sub(1).ok_or("it has settings too deep in each other")?;
    Ok(match machine.object(id)? {
        Object::Int(number) => Value::from(*number),
        Object::Text(text) => Value::from(text.as_str()),
        Object::List(items) | Object::Tuple(items) => {
            let items = items.iter().map(|item| json(machine, *item, depth, left));
            Value::Array(items.collect::<Why<_>>()?)
        }
        Object::Dict(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                if let Object::Text(key) = machine.object(*key)? {
                    map.insert(key.clone(), json(machine, *value, depth, left)?);
                }
            }
            Value::Object(map)
        }
        _ => Value::Null,
    })
}
