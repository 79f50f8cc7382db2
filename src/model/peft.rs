//! Adapter folders as PEFT writes them: adapter_config.json and adapter_model.safetensors over a base.

use std::path::{Path, PathBuf};

use candle_core::DType;
use serde_json::Value;

use super::adapter::Adapter;
use super::load::source::Files;
use super::load::tensors::TensorFile;
use super::load::{LoadOptions, base_at, bundled};
use super::{BaseSource, Model};
use crate::doorway::Found;
use crate::error::{Error, Result};

/// A PEFT folder over the base that it names: a bundled one, a folder, or what `fetch` finds by that name.
pub(super) fn load(
    files: &Files,
    settings: &[u8],
    options: &LoadOptions,
    fetch: &dyn Fn(&str) -> Result<Model>,
) -> Result<Model> {
    let settings = parse(files, settings)?;
    let named = settings
        .get("base_model_name_or_path")
        .and_then(Value::as_str);
    let named = named.filter(|name| !name.is_empty()).ok_or_else(|| {
        Error::failed_with_hint(
            format!("the adapter {} names no base model", files.source),
            "load the base and give the adapter's folder with the option `adapter`",
        )
    })?;
    let base = match named.strip_prefix("ebb/") {
        Some(name) => bundled(name, options)?,
        None => match base_folder(files, named, options)? {
            Some(path) => base_at(&path, options)?,
            None => fetch(named)?,
        },
    };
    put_over(base, files, &settings)
}

/// The adapter of a PEFT folder over a base at hand, whatever base the folder names.
pub(super) fn over(base: Model, files: &Files) -> Result<Model> {
    let settings = files.read("adapter_config.json")?.ok_or_else(|| {
        Error::failed_with_hint(
            format!("{} has no adapter_config.json", files.source),
            "an adapter folder holds adapter_config.json and adapter_model.safetensors",
        )
    })?;
    put_over(base, files, &parse(files, &settings)?)
}

fn parse(files: &Files, settings: &[u8]) -> Result<Value> {
    serde_json::from_slice(settings).map_err(|error| {
        Error::failed(format!(
            "adapter_config.json of {} cannot be read: {error}",
            files.source
        ))
    })
}

/// The folder or `.gguf` file that an adapter names as its base, from the working folder or from its own; `None` where there
/// is none. An adapter comes from a stranger: a path to what may not be read is refused, whether something is there or not.
fn base_folder(files: &Files, named: &str, options: &LoadOptions) -> Result<Option<PathBuf>> {
    let path = Path::new(named);
    let from_here = options.roots.find(path);
    let from_adapter = files.find(path);
    let mut outside = false;
    for found in std::iter::once(from_here).chain(from_adapter) {
        match found {
            Ok(Found::Folder(folder)) => return Ok(Some(folder)),
            Ok(Found::File(file)) if file.extension().is_some_and(|end| end == "gguf") => {
                return Ok(Some(file));
            }
            Err(Error::NotAllowed { .. }) => outside = true,
            _ => {}
        }
    }
    // A name such as "org/name" may be one on the Hub; a path is none.
    let is_path = path.is_absolute() || named.starts_with('.') || named.contains("..");
    if outside && is_path {
        return Err(Error::failed_with_hint(
            format!(
                "the adapter {} names the base model {named:?}: reading outside of what the run may read is not allowed",
                files.source
            ),
            "load the base and give the adapter's folder with the option `adapter`, or add --allow-read PATH",
        ));
    }
    Ok(None)
}

/// Ranks beyond any adapter's.
const LARGEST_RANK: usize = 1 << 14;

/// Refuses adapters that compute something else than W x + (alpha / r) B A x.
fn refuse_other_kinds(settings: &Value) -> Result<()> {
    let told = |key: &str, expected: &str, got: &Value| {
        Err(Error::invalid(
            "reading adapter_config.json",
            format!("{key} to be {expected}, the only form this version computes"),
            got.to_string(),
        ))
    };
    for (key, usual) in [("peft_type", "LORA"), ("bias", "none")] {
        match settings.get(key) {
            Some(value) if value.as_str() != Some(usual) => return told(key, usual, value),
            _ => {}
        }
    }
    for key in ["use_dora", "use_rslora", "lora_bias"] {
        match settings.get(key) {
            Some(value) if value.as_bool() == Some(true) => return told(key, "false", value),
            _ => {}
        }
    }
    for key in ["lora_alpha", "lora_dropout"] {
        match settings.get(key) {
            Some(value) if !value.is_number() => return told(key, "a number", value),
            _ => {}
        }
    }
    for key in [
        "rank_pattern",
        "alpha_pattern",
        "modules_to_save",
        "layers_to_transform",
    ] {
        let given = settings.get(key).unwrap_or(&Value::Null);
        let empty = given.is_null()
            || given.as_object().is_some_and(serde_json::Map::is_empty)
            || given.as_array().is_some_and(Vec::is_empty);
        if !empty {
            return told(key, "empty", given);
        }
    }
    Ok(())
}

fn put_over(base: Model, files: &Files, settings: &Value) -> Result<Model> {
    if base.adapter().is_some() {
        return Err(Error::failed_with_hint(
            "the model has an adapter already",
            "merge it first: m.merge().save(folder)",
        ));
    }
    let text = |key: &str| settings.get(key).and_then(Value::as_str);
    let made_for = text("ebb_base_sha256");
    let at_hand = base.lineage().sha256.as_deref();
    if let (Some(made_for), Some(at_hand)) = (made_for, at_hand)
        && made_for != at_hand
    {
        return Err(Error::failed_with_hint(
            format!(
                "the adapter {} was made for other weights than those of {}",
                files.source,
                base.lineage().source
            ),
            "give it the base it was trained on: the hash of the weights differs",
        ));
    }
    let rank = settings.get("r").and_then(Value::as_u64).unwrap_or(0) as usize;
    let targets: Vec<String> = match settings.get("target_modules") {
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_string)
            .collect(),
        _ => Vec::new(),
    };
    let number =
        |key: &str, default: f64| settings.get(key).and_then(Value::as_f64).unwrap_or(default);
    if !(1..=LARGEST_RANK).contains(&rank) || targets.is_empty() {
        return Err(Error::invalid(
            "reading adapter_config.json",
            format!("r above 0 and at most {LARGEST_RANK}, and a list of target_modules"),
            format!("r {rank} and {} modules", targets.len()),
        ));
    }
    refuse_other_kinds(settings)?;
    let alpha = number("lora_alpha", rank as f64);
    let mut adapter = Adapter::new(
        rank,
        alpha,
        number("lora_dropout", 0.0),
        targets,
        base.weights(),
        0,
    )?;
    let (tensors, sha256) = adapter_file(files)?;
    for (name, weight) in adapter.weights.iter_mut() {
        let stored = format!("base_model.model.{name}");
        let Some(shape) = tensors.shape(&stored) else {
            return Err(Error::failed_with_hint(
                format!("the adapter lacks `{stored}`"),
                "is it an adapter for this base?",
            ));
        };
        if shape != weight.dims() {
            return Err(Error::invalid(
                format!("loading `{stored}`"),
                format!("shape {:?}, as the base and r call for", weight.dims()),
                format!("{shape:?}"),
            )
            .with_hint("is it an adapter for this base?"));
        }
        *weight = tensors
            .read(&stored, DType::F32)?
            .to_device(&base.device())?;
    }
    let mut lineage = base.lineage().clone();
    let base_source = BaseSource {
        name: std::mem::take(&mut lineage.source),
        sha256: lineage.sha256.take(),
    };
    lineage.source = format!("{} over {}", files.source, base_source.name);
    lineage.sha256 = Some(sha256);
    let (config, tokenizer) = (base.config().clone(), base.tokenizer().clone());
    let weights = base.weights().clone();
    let model = Model::new(config, tokenizer, weights, Some(adapter), lineage)?;
    Ok(model.over(base_source))
}

/// The adapter's tensors, and the hash of their file.
fn adapter_file(files: &Files) -> Result<(TensorFile, String)> {
    for name in ["adapter_model.safetensors", "adapter_model.bin"] {
        if let (Some(tensors), Some(bytes)) = (TensorFile::open(files, name)?, files.open(name)?) {
            return Ok((tensors, bytes.sha256()?));
        }
    }
    Err(Error::failed_with_hint(
        format!(
            "the adapter {} has no adapter_model.safetensors",
            files.source
        ),
        "an adapter folder holds adapter_config.json and adapter_model.safetensors",
    ))
}
