//! Models kept whole in a folder of ours, to be the very same models again: base, adapter, lineage and log, whatever was
//! trained. [`super::save`] writes for others; this reads back what it wrote, to the last bit.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::lineage::Lineage;
use super::load::source::Files;
use super::load::{self, LoadOptions};
use super::weights::Tensors;
use super::{BaseSource, Model, Parts, Weights, blocks, peft, save};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::{aside, files};

const FACTS: &str = "facts.json";

/// Writes the model into a folder that holds nothing yet.
///
/// # Errors
/// Where the model would not come back as it is.
pub fn write(model: &Model, folder: &Path, options: &LoadOptions) -> Result<()> {
    let dense = Weights::dense(model.weights().dense.clone());
    let bare = Model(Arc::new(Parts { adapter: None, weights: dense, ..(*model.0).clone() }));
    save::to_folder(&bare, &folder.join("base"), model.dtype())?;
    let packed = &model.weights().packed;
    if !packed.is_empty() {
        blocks::write(packed, folder)?;
    }
    if model.adapter().is_some() {
        let adapted = Model(Arc::new(Parts { as_loaded: true, ..(*model.0).clone() }));
        save::to_folder(&adapted, &folder.join("adapter"), DType::F32)?;
    }
    let base = model.base_source();
    let facts = json!({
        "base": base.name, "base_sha256": base.sha256, "as_loaded": model.base_is_as_loaded(),
        "dtype": model.dtype().as_str(), "lineage": model.lineage(), "log": model.log(), "has_adapter": model.adapter().is_some(),
    });
    let path = folder.join(FACTS);
    files::write_bytes(&Roots::of([folder.to_path_buf()]), &path, facts.to_string().as_bytes())?;
    if fingerprint(&read(folder, options)?)? == fingerprint(model)? {
        Ok(())
    } else {
        Err(Error::failed("its folder does not give the same model again"))
    }
}

/// The model that [`write`] kept in a folder.
pub fn read(folder: &Path, options: &LoadOptions) -> Result<Model> {
    let path = folder.join(FACTS);
    let malformed = |error: serde_json::Error| Error::malformed(&path, None, error.to_string());
    let mut facts: Value = serde_json::from_str(&options.roots.text(&path)?).map_err(malformed)?;
    let mut fact = |key: &str| facts.get_mut(key).map(Value::take).unwrap_or_default();
    let base = BaseSource {
        name: serde_json::from_value(fact("base")).map_err(malformed)?,
        sha256: serde_json::from_value(fact("base_sha256")).map_err(malformed)?,
    };
    let lineage: Lineage = serde_json::from_value(fact("lineage")).map_err(malformed)?;
    let log = serde_json::from_value(fact("log")).map_err(malformed)?;
    let as_loaded = fact("as_loaded") == Value::Bool(true);
    let dtype = serde_json::from_value(fact("dtype")).map_err(malformed)?;
    let as_kept = LoadOptions { dtype, ..options.clone() };
    let packed = blocks::read(folder, options)?;
    let stored = load::with_packed(packed, &folder.join("base"), &as_kept)?;
    // The adapter knows its base by the hash of the file that it was loaded from.
    let as_it_was =
        Lineage { source: base.name.clone(), sha256: base.sha256.clone(), ..Lineage::default() };
    let stored = Model(Arc::new(Parts { lineage: as_it_was, ..(*stored.0).clone() }));
    let model = if fact("has_adapter") == Value::Bool(true) {
        peft::over(stored, &Files::of_folder(&folder.join("adapter"), &options.roots))?
    } else {
        stored
    };
    Ok(Model(Arc::new(Parts { base, as_loaded, lineage, log, ..(*model.0).clone() })))
}

/// A hash of all that a model computes with, and of how it came to be: equal only where every bit is.
pub fn fingerprint(model: &Model) -> Result<String> {
    let mut hasher = Sha256::new();
    let facts = json!({
        "config": model.config().to_json("float32"), "dtype": format!("{:?}", model.dtype()),
        "lineage": model.lineage(), "base": model.base_source().name,
        "base_sha256": model.base_source().sha256, "as_loaded": model.base_is_as_loaded(),
        "tokenizer": model.tokenizer().vocab_size(), "ends": model.tokenizer().end_ids(),
    });
    hasher.update(facts.to_string());
    hasher.update(model.tokenizer().content()?.concat());
    add(&mut hasher, &model.weights().dense)?;
    for (name, matrix) in &model.weights().packed {
        aside::check()?;
        let blocks = matrix.blocks()?;
        hasher.update(format!("\n{name} {} {}\n", blocks.kind, blocks.rows));
        hasher.update(blocks.bytes);
    }
    if let Some(adapter) = model.adapter() {
        let form = &adapter.form;
        let scales = adapter.weights.keys().filter_map(|name| {
            let module = name.split(".lora_").next()?;
            Some(format!("{module} {:?}", adapter.scale(module)))
        });
        let facts = json!({
            "rank": form.rank, "alpha": form.alpha, "dropout": form.dropout,
            "rank_stabilized": form.rank_stabilized, "scales": scales.collect::<Vec<_>>(),
            "brought": adapter.brought, "rows": adapter.rows,
        });
        hasher.update(facts.to_string());
        add(&mut hasher, &adapter.weights)?;
    }
    Ok(files::hex(&hasher.finalize()))
}

/// Adds tensors to a hash: names, shapes, types and values.
pub(crate) fn add(hasher: &mut Sha256, tensors: &Tensors) -> Result<()> {
    for (name, tensor) in tensors {
        aside::check()?;
        hasher.update(format!("\n{name} {:?} {:?}\n", tensor.shape(), tensor.dtype()));
        let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?.to_dtype(DType::F32)?;
        for value in flat.to_vec1::<f32>()? {
            hasher.update(value.to_le_bytes());
        }
    }
    Ok(())
}
