//! Values as an entry keeps them: plain ones as JSON that says what each is, frames as parquet, models as folders.

use std::path::{Path, PathBuf};

use rhai::{Array, Dynamic, Map};
use serde_json::{Value, json};

use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::frame::{nested, read, write};
use crate::model::load::LoadOptions;
use crate::model::{Model, keep};
use crate::script::api::frame::Frame;
use crate::script::api::toxicity::Scorer;
use crate::script::{convert, order};
use crate::toxicity;

/// Writes what values are made of into a folder, numbered.
pub struct Writer<'a> {
    pub folder: &'a Path,
    pub options: &'a LoadOptions,
    pub parts: usize,
}

impl Writer<'_> {
    pub fn value(&mut self, value: &Dynamic, depth: usize) -> Result<Value> {
        if depth > nested::DEEPEST {
            return Err(nested::too_deep("the value of cached"));
        }
        let value = value.flatten_clone();
        if let Some(frame) = value.read_lock::<Frame>() {
            return self.frame(&frame);
        }
        if let Some(model) = value.read_lock::<Model>() {
            let name = self.next("model");
            keep::write(&model, &made(&self.folder.join(&name))?, self.options)?;
            return Ok(json!({ "model": name }));
        }
        if let Some(scorer) = value.read_lock::<Scorer>() {
            let name = self.next("classifier");
            let options = of_classifiers(self.options);
            toxicity::keep::write(&scorer, &made(&self.folder.join(&name))?, &options)?;
            return Ok(json!({ "classifier": name }));
        }
        if let Some(array) = value.read_lock::<Array>() {
            let items = array.iter().map(|item| self.value(item, depth + 1));
            return Ok(json!({ "array": items.collect::<Result<Vec<Value>>>()? }));
        }
        if let Some(map) = value.read_lock::<Map>() {
            let entries = order::entries(&value, &map).into_iter();
            let entries = entries
                .map(|(name, item)| Ok(json!([name.as_str(), self.value(item, depth + 1)?])));
            let entries = entries.collect::<Result<Vec<Value>>>()?;
            let kind = if order::is_remembered(&value) { "row" } else { "map" };
            return Ok(json!({ kind: entries }));
        }
        Ok(match value.type_name() {
            "()" => Value::Null,
            "bool" => json!({ "boolean": value.as_bool().unwrap_or_default() }),
            "i64" => json!({ "integer": value.as_int().unwrap_or_default() }),
            "f64" => json!({ "bits": value.as_float().unwrap_or_default().to_bits() }),
            "char" => json!({ "character": value.to_string() }),
            _ if value.is_string() => json!({ "text": value.to_string() }),
            _ => return Err(refused(&value)),
        })
    }

    fn frame(&mut self, frame: &Frame) -> Result<Value> {
        let name = format!("{}.parquet", self.next("frame"));
        let (path, roots) = (self.folder.join(&name), Roots::of([self.folder.to_path_buf()]));
        write::file(&frame.0, &roots, &path)?;
        let back = read::parse(&path, &roots.bytes(&path)?)?;
        if back.schema() != frame.0.schema() || !back.equals_missing(&frame.0) {
            return Err(Error::failed(
                "a frame in it has a column that parquet does not give back",
            ));
        }
        Ok(json!({ "frame": name }))
    }

    fn next(&mut self, kind: &str) -> String {
        self.parts += 1;
        format!("{kind}-{}", self.parts)
    }
}

fn of_classifiers(options: &LoadOptions) -> toxicity::LoadOptions {
    toxicity::LoadOptions {
        device: options.device.clone(),
        control: options.control.clone(),
        roots: options.roots.clone(),
        ..toxicity::LoadOptions::default()
    }
}

fn made(folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir(folder).map_err(|error| Error::io("create", folder, error))?;
    Ok(folder.to_path_buf())
}

/// What no entry holds, told before anything is written.
pub fn check(value: &Dynamic, depth: usize) -> Result<()> {
    let value = value.flatten_clone();
    if depth > nested::DEEPEST {
        return Err(nested::too_deep("the value of cached"));
    }
    if let Some(array) = value.read_lock::<Array>() {
        return array.iter().try_for_each(|item| check(item, depth + 1));
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.values().try_for_each(|item| check(item, depth + 1));
    }
    let is_plain = matches!(value.type_name(), "()" | "bool" | "i64" | "f64" | "char");
    let is_whole = value.is::<Frame>() || value.is::<Model>() || value.is::<Scorer>();
    if is_plain || value.is_string() || is_whole { Ok(()) } else { Err(refused(&value)) }
}

fn refused(value: &Dynamic) -> Error {
    Error::invalid(
        "the value of cached",
        "what can be kept: models, classifiers, frames, numbers, texts, and arrays and maps of these",
        convert::describe(value),
    )
    .with_hint("keep what it is made from, and make it outside of cached")
}

/// The value that a [`Writer`] wrote.
pub fn read(told: &Value, folder: &Path, options: &LoadOptions) -> Result<Dynamic> {
    let malformed = || Error::malformed(folder, None, "a value of no known kind");
    let Some(map) = told.as_object() else {
        return if told.is_null() { Ok(Dynamic::UNIT) } else { Err(malformed()) };
    };
    let (kind, inner) = map.iter().next().ok_or_else(malformed)?;
    let text = || inner.as_str().ok_or_else(malformed);
    Ok(match kind.as_str() {
        "boolean" => inner.as_bool().ok_or_else(malformed)?.into(),
        "integer" => inner.as_i64().ok_or_else(malformed)?.into(),
        "bits" => f64::from_bits(inner.as_u64().ok_or_else(malformed)?).into(),
        "character" => text()?.chars().next().ok_or_else(malformed)?.into(),
        "text" => text()?.to_string().into(),
        "frame" => {
            let path = folder.join(text()?);
            Dynamic::from(Frame(read::parse(&path, &options.roots.bytes(&path)?)?))
        }
        "model" => Dynamic::from(keep::read(&folder.join(text()?), options)?),
        "classifier" => {
            let kept = toxicity::keep::read(&folder.join(text()?), &of_classifiers(options))?;
            Dynamic::from(Scorer::new(kept))
        }
        "array" => {
            let items = inner.as_array().ok_or_else(malformed)?.iter();
            items.map(|item| read(item, folder, options)).collect::<Result<Array>>()?.into()
        }
        "row" | "map" => {
            let entries = inner.as_array().ok_or_else(malformed)?.iter().map(|entry| {
                let name = entry.get(0).and_then(Value::as_str).ok_or_else(malformed)?;
                let item = entry.get(1).ok_or_else(malformed)?;
                Ok((name.into(), read(item, folder, options)?))
            });
            let entries = entries.collect::<Result<Vec<_>>>()?;
            if kind == "row" {
                order::ordered(entries)
            } else {
                Dynamic::from(entries.into_iter().collect::<Map>())
            }
        }
        _ => return Err(malformed()),
    })
}
