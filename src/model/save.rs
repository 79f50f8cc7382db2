//! Models to folders that transformers and peft can load.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde_json::{Map, Value, json};

use super::adapter::{Adapter, Biases, Start, module_of, rows_name};
use super::config::Family;
use super::lineage::Lineage;
use super::targets::Modules;
use super::weights::Tensors;
use super::{Model, decoder, manifest};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::folders::{self, Aside};
use crate::{files, place};

/// What the names of model folders that are put together aside begin with, behind `.ebb-`.
const KIND: &str = "save";

/// Writes a folder: config.json, model.safetensors and the tokenizer's files; with an adapter, a PEFT folder of the adapter
/// alone. `dtype` is how the weights are stored ("f32", "f16", "bf16"). The folder appears whole or not at all; an older
/// model of that name is replaced if every file in it is as this program saved it, any other folder is refused.
pub fn to_folder(model: &Model, folder: &Path, dtype: DType) -> Result<()> {
    let roots = Roots::anywhere();
    put_at(model, &place_of(&roots, folder)?, dtype, &roots)
}

/// [`to_folder`] strictly inside one of `roots`, the real folders that may be written in: none of them is replaced, nor is
/// one of `kept`, nor a folder above any of these. Where the model is put together is inside the same root.
pub fn to_folder_within(
    model: &Model,
    folder: &Path,
    dtype: DType,
    roots: &[PathBuf],
    kept: &[PathBuf],
) -> Result<()> {
    let (target, allowed) = target_within(folder, roots, kept)?;
    put_at(model, &target, dtype, &allowed)
}

/// A folder of ours for what `write` puts into it, under the rules of [`to_folder_within`]; `lineage` goes into its note.
pub fn put_within(
    folder: &Path,
    roots: &[PathBuf],
    kept: &[PathBuf],
    lineage: &Lineage,
    write: impl FnOnce(&Aside) -> Result<()>,
) -> Result<()> {
    let (target, allowed) = target_within(folder, roots, kept)?;
    put(&target, &allowed, lineage, write)
}

/// Where a folder really is to stand inside one of `roots`, and the roots.
fn target_within(folder: &Path, roots: &[PathBuf], kept: &[PathBuf]) -> Result<(PathBuf, Roots)> {
    let refuse_kept = |place: &Path| {
        if roots.iter().chain(kept).any(|root| root.starts_with(place)) {
            Err(Error::failed_with_hint(
                format!(
                    "{} is a folder that the run works in, and is not replaced by a model",
                    folder.display()
                ),
                "save into a folder inside it",
            ))
        } else {
            Ok(())
        }
    };
    refuse_kept(folder)?;
    let allowed = Roots::of(roots.iter().cloned());
    let target = place_of(&allowed, folder)?;
    refuse_kept(&target)?;
    if roots.iter().any(|root| target.starts_with(root)) {
        Ok((target, allowed))
    } else {
        Err(Error::NotAllowed { operation: "write", path: folder.to_path_buf() })
    }
}

/// Where a folder really is to stand: links are followed, and missing folders above it are made.
fn place_of(roots: &Roots, folder: &Path) -> Result<PathBuf> {
    let failed = |error| Error::io("write", folder, error);
    place::check_name(folder)?;
    if std::fs::symlink_metadata(folder).is_ok() {
        return folder.canonicalize().map_err(failed);
    }
    let Some(name) = folder.file_name() else {
        return Err(Error::invalid("save", "the name of a folder", folder.display().to_string()));
    };
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    place::refuse_ours(Path::new(name))?;
    Ok(place::folder(roots, parent)?.path().join(name))
}

/// Puts the model together beside its place, then in its place at once.
fn put_at(model: &Model, target: &Path, dtype: DType, roots: &Roots) -> Result<()> {
    put(target, roots, model.lineage(), |aside| match model.adapter() {
        Some(adapter) => write_adapter(model, adapter, aside),
        None => write_model(model, aside, dtype),
    })
}

fn put(
    target: &Path,
    roots: &Roots,
    lineage: &Lineage,
    write: impl FnOnce(&Aside) -> Result<()>,
) -> Result<()> {
    let Some(parent) = target.parent() else {
        return Err(Error::failed(format!("{} is no place for a model", target.display())));
    };
    folders::recover(target, &manifest::owned)?;
    folders::check(target, &manifest::owned)?;
    folders::sweep(roots, parent, KIND, &manifest::NAMES)?;
    let aside = Aside::new(roots, parent, KIND)?;
    write(&aside)?;
    let note = manifest::note(lineage, aside.path())?;
    write_json(&aside, manifest::NOTE, &note)?;
    aside.put(target, &manifest::owned)
}

fn write_model(model: &Model, folder: &Aside, dtype: DType) -> Result<()> {
    let name = match dtype {
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        _ => "float32",
    };
    write_json(folder, "config.json", &model.config().to_json(name))?;
    let config = model.config();
    let generation = json!({
        "bos_token_id": config.bos_token_id,
        "eos_token_id": model.tokenizer().end_ids(),
        "pad_token_id": model.tokenizer().pad_id(),
    });
    write_json(folder, "generation_config.json", &generation)?;
    model.tokenizer().save(&folder.roots(), folder.path())?;
    let mut weights = model.weights().all_unpacked()?;
    for (name, weight) in weights.iter_mut() {
        if decoder::is_stored_transposed(config, name) {
            *weight = weight.t()?;
        }
    }
    write_tensors(folder, "model.safetensors", &weights, "", dtype)
}

fn write_adapter(model: &Model, adapter: &Adapter, folder: &Aside) -> Result<()> {
    if !model.base_is_as_loaded() {
        return Err(Error::failed_with_hint(
            "the weights under the adapter were finetuned too, so the adapter alone would not give this model again",
            "save the merged model: m.merge().save(folder)",
        ));
    }
    write_json(folder, "adapter_config.json", &adapter_settings(model, adapter))?;
    let mut tensors = adapter.weights.clone();
    for name in &adapter.brought {
        let Some(weight) = model.weights().unpacked(name)? else {
            continue;
        };
        let weight =
            if decoder::is_stored_transposed(model.config(), name) { weight.t()? } else { weight };
        // A module with low-rank matrices is within another one in PEFT.
        let stored = match name.rsplit_once('.') {
            Some((module, part)) if adapter.scale(module).is_some() => {
                format!("{module}.base_layer.{part}")
            }
            _ => name.clone(),
        };
        tensors.insert(stored, weight);
    }
    for (name, rows) in adapter.trained_in(model.weights())? {
        if adapter.rows.keys().any(|weight| rows_name(weight) == name) {
            tensors.insert(name, rows);
        }
    }
    write_tensors(folder, "adapter_model.safetensors", &tensors, "base_model.model.", DType::F32)
}

/// The adapter_config.json from which PEFT makes the same adapter.
fn adapter_settings(model: &Model, adapter: &Adapter) -> Value {
    let (base, form) = (model.base_source(), &adapter.form);
    let targets = &form.targets;
    let modules = |modules: &Modules| match modules {
        Modules::Names(names) => json!(names),
        Modules::Pattern(pattern) => json!(pattern),
    };
    let mut settings = json!({
        "base_model_name_or_path": base.name,
        "ebb_base_sha256": base.sha256,
        "bias": match form.biases {
            Biases::None => "none",
            Biases::All => "all",
            Biases::Adapted => "lora_only",
        },
        "fan_in_fan_out": model.config().family == Family::Gpt2,
        "inference_mode": true,
        "lora_alpha": form.alpha,
        "lora_dropout": form.dropout,
        "peft_type": "LORA",
        "r": form.rank,
        "target_modules": modules(&targets.modules),
        "task_type": "CAUSAL_LM",
    });
    let mut set = |key: &str, value: Value| {
        if let Some(map) = settings.as_object_mut() {
            map.insert(key.to_string(), value);
        }
    };
    if let Some(excluded) = &targets.excluded {
        set("exclude_modules", modules(excluded));
    }
    if let Some(layers) = &targets.layers {
        set("layers_to_transform", json!(layers));
    }
    if !targets.layers_names.is_empty() {
        set("layers_pattern", json!(targets.layers_names));
    }
    if !targets.saved.is_empty() {
        set("modules_to_save", json!(targets.saved));
    }
    if !adapter.rows.is_empty() {
        let last = |name: &str| module_of(name).rsplit('.').next().map(str::to_string);
        let rows = adapter.rows.iter();
        let ids: Map<String, Value> =
            rows.filter_map(|(name, ids)| Some((last(name)?, json!(ids)))).collect();
        set("trainable_token_indices", Value::Object(ids));
    }
    if form.rank_stabilized {
        set("use_rslora", json!(true));
    }
    let patterns: Map<String, Value> = by_pattern(&form.ranks);
    if !patterns.is_empty() {
        set("rank_pattern", Value::Object(patterns));
    }
    let patterns: Map<String, Value> = by_pattern(&form.alphas);
    if !patterns.is_empty() {
        set("alpha_pattern", Value::Object(patterns));
    }
    match form.start {
        Start::Plain => {}
        Start::Pissa => set("init_lora_weights", json!("pissa")),
        Start::Olora => set("init_lora_weights", json!("olora")),
    }
    settings
}

fn by_pattern<T: serde::Serialize>(patterns: &[(String, T)]) -> Map<String, Value> {
    let pairs = patterns.iter();
    pairs.map(|(pattern, value)| (pattern.clone(), json!(value))).collect()
}

/// A safetensors file of `weights` as `dtype`, their names behind `prefix`.
pub fn write_tensors(
    folder: &Aside,
    file: &str,
    weights: &Tensors,
    prefix: &str,
    dtype: DType,
) -> Result<()> {
    let mut stored: Vec<(String, Tensor)> = Vec::new();
    for (name, weight) in weights {
        let weight = weight.to_device(&Device::Cpu)?.to_dtype(dtype)?.contiguous()?;
        stored.push((format!("{prefix}{name}"), weight));
    }
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let views = stored.iter().map(|(name, tensor)| (name.as_str(), tensor));
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|error| Error::failed(format!("the weights cannot be written: {error}")))?;
    files::write_bytes(&folder.roots(), &folder.path().join(file), &bytes)
}

/// A JSON file.
pub fn write_json(folder: &Aside, file: &str, value: &serde_json::Value) -> Result<()> {
    let path = folder.path().join(file);
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::failed(format!("{} cannot be written: {error}", path.display())))?;
    files::write_bytes(&folder.roots(), &path, (text + "\n").as_bytes())
}
