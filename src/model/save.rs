//! Models to folders that transformers and peft can load.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde_json::json;

use super::adapter::Adapter;
use super::config::Family;
use super::weights::Tensors;
use super::{Model, decoder};
use crate::error::{Error, Result};
use crate::files;

/// Writes a folder: config.json, model.safetensors and the tokenizer's files; with an adapter, a PEFT folder of the adapter
/// alone. `dtype` is how the weights are stored ("f32", "f16", "bf16"). The folder appears whole or not at all; an older
/// model of that name is replaced, any other folder is refused.
pub fn to_folder(model: &Model, folder: &Path, dtype: DType) -> Result<()> {
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => Path::new(".").to_path_buf(),
    };
    std::fs::create_dir_all(&parent).map_err(|error| Error::io("create", &parent, error))?;
    let is_model = ["config.json", "adapter_config.json"]
        .iter()
        .any(|name| folder.join(name).is_file());
    let is_empty = || std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if folder.exists() && !is_model && !is_empty() {
        return Err(Error::failed_with_hint(
            format!("{} exists and is not a model", folder.display()),
            "save into a new folder",
        ));
    }
    let aside = tempfile::Builder::new()
        .prefix(".ebb-")
        .tempdir_in(&parent)
        .map_err(|error| Error::io("write", folder, error))?;
    match model.adapter() {
        Some(adapter) => write_adapter(model, adapter, aside.path())?,
        None => write_model(model, aside.path(), dtype)?,
    }
    if folder.exists() {
        // Renaming the old one away first means that a model is never half of each.
        let old = tempfile::Builder::new()
            .prefix(".ebb-old-")
            .tempdir_in(&parent)
            .map_err(|error| Error::io("write", folder, error))?;
        std::fs::rename(folder, old.path().join("model"))
            .map_err(|error| Error::io("replace", folder, error))?;
    }
    let written = aside.keep();
    share_permissions(&written);
    std::fs::rename(&written, folder).map_err(|error| Error::io("write", folder, error))
}

/// Temporary folders are private; a model is as readable as any other folder.
fn share_permissions(folder: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755));
    }
    #[cfg(not(unix))]
    let _ = folder;
}

fn write_model(model: &Model, folder: &Path, dtype: DType) -> Result<()> {
    let name = match dtype {
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        _ => "float32",
    };
    write_json(&folder.join("config.json"), &model.config().to_json(name))?;
    let config = model.config();
    let generation = json!({
        "bos_token_id": config.bos_token_id,
        "eos_token_id": model.tokenizer().end_ids(),
        "pad_token_id": model.tokenizer().pad_id(),
    });
    write_json(&folder.join("generation_config.json"), &generation)?;
    write_json(&folder.join("ebb.json"), &json!(model.lineage()))?;
    model.tokenizer().save(folder)?;
    let mut weights = model.weights().all_unpacked()?;
    for (name, weight) in weights.iter_mut() {
        if decoder::is_stored_transposed(config, name) {
            *weight = weight.t()?;
        }
    }
    write_tensors(&folder.join("model.safetensors"), &weights, "", dtype)
}

fn write_adapter(model: &Model, adapter: &Adapter, folder: &Path) -> Result<()> {
    if !model.base_is_as_loaded() {
        return Err(Error::failed_with_hint(
            "the weights under the adapter were finetuned too, so the adapter alone would not give this model again",
            "save the merged model: m.merge().save(folder)",
        ));
    }
    let base = model.base_source();
    let settings = json!({
        "base_model_name_or_path": base.name,
        "ebb_base_sha256": base.sha256,
        "bias": "none",
        "fan_in_fan_out": model.config().family == Family::Gpt2,
        "inference_mode": true,
        "lora_alpha": adapter.alpha,
        "lora_dropout": adapter.dropout,
        "peft_type": "LORA",
        "r": adapter.rank,
        "target_modules": adapter.targets,
        "task_type": "CAUSAL_LM",
    });
    write_json(&folder.join("adapter_config.json"), &settings)?;
    write_json(&folder.join("ebb.json"), &json!(model.lineage()))?;
    let path = folder.join("adapter_model.safetensors");
    write_tensors(&path, &adapter.weights, "base_model.model.", DType::F32)
}

fn write_tensors(path: &Path, weights: &Tensors, prefix: &str, dtype: DType) -> Result<()> {
    let mut stored: Vec<(String, Tensor)> = Vec::new();
    for (name, weight) in weights {
        let weight = weight
            .to_device(&Device::Cpu)?
            .to_dtype(dtype)?
            .contiguous()?;
        stored.push((format!("{prefix}{name}"), weight));
    }
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let views = stored.iter().map(|(name, tensor)| (name.as_str(), tensor));
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|error| Error::failed(format!("the weights cannot be written: {error}")))?;
    files::write_bytes(path, &bytes)
}

fn write_json(path: &Path, value: &serde_json::Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::failed(format!("{} cannot be written: {error}", path.display())))?;
    files::write_bytes(path, (text + "\n").as_bytes())
}
