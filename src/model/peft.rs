//! Adapter folders as PEFT writes them: adapter_config.json and adapter_model.safetensors over a base.

use std::path::{Path, PathBuf};

use candle_core::DType;
use serde_json::Value;

use super::Model;
use super::adapter::Adapter;
use super::load::{Files, LoadOptions, assemble, bundled, parse, tensor_of};
use crate::error::{Error, Result};

/// A PEFT folder: the base it names, which must be a folder or bundled, and the adapter's tensors.
pub(super) fn load(
    files: &Files,
    folder: &Path,
    settings: &[u8],
    options: &LoadOptions,
) -> Result<Model> {
    let settings: Value = serde_json::from_slice(settings).map_err(|error| {
        Error::failed(format!(
            "adapter_config.json of {} cannot be read: {error}",
            files.source
        ))
    })?;
    let text = |key: &str| settings.get(key).and_then(Value::as_str);
    let base = text("base_model_name_or_path").unwrap_or_default();
    let base_folder = [PathBuf::from(base), folder.join(base)]
        .into_iter()
        .find(|path| path.is_dir());
    let base = match (base.strip_prefix("ebb/"), base_folder) {
        (Some(name), _) => bundled(name, options)?,
        (None, Some(path)) => assemble(&Files::of_folder(&path), options)?,
        (None, None) => {
            return Err(Error::failed_with_hint(
                format!("the adapter's base model `{base}` is not at hand"),
                "put the base beside the adapter, or set base_model_name_or_path to its folder",
            ));
        }
    };
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
    if rank == 0 || targets.is_empty() {
        return Err(Error::invalid(
            "reading adapter_config.json",
            "r above 0 and target_modules",
            "none",
        ));
    }
    let alpha = number("lora_alpha", rank as f64);
    let mut adapter = Adapter::new(
        rank,
        alpha,
        number("lora_dropout", 0.0),
        targets,
        base.weights(),
        0,
    )?;
    let bytes = files.required("adapter_model.safetensors")?;
    let tensors = parse("adapter_model.safetensors", &bytes, &files.source)?;
    for (name, weight) in adapter.weights.iter_mut() {
        let stored = format!("base_model.model.{name}");
        let view = tensors
            .tensor(&stored)
            .map_err(|_| Error::failed(format!("adapter_model.safetensors lacks `{stored}`")))?;
        if view.shape() != weight.dims() {
            return Err(Error::invalid(
                format!("loading `{stored}`"),
                format!("shape {:?}, as the base and r call for", weight.dims()),
                format!("{:?}", view.shape()),
            ));
        }
        *weight = tensor_of(name, &view, DType::F32, base.device())?;
    }
    let mut lineage = base.lineage().clone();
    lineage.source = format!("{} over {}", files.source, lineage.source);
    lineage.sha256 = Some(crate::files::sha256(&bytes));
    let (config, tokenizer) = (base.config().clone(), base.tokenizer().clone());
    Model::new(
        config,
        tokenizer,
        base.weights().clone(),
        Some(adapter),
        lineage,
    )
}
