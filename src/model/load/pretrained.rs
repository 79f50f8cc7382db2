//! Models in save_pretrained layout: config.json, a tokenizer, and safetensors or torch weights.

use candle_core::Device;
use serde_json::Value;

use super::finish::finish;
use super::options::LoadOptions;
use super::place::{device_of, dtype_of, require_memory};
use super::source::Files;
use super::tensors::{self, TensorFile};
use super::{head, tokenizer};
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::model::lineage::Lineage;
use crate::model::weights::{Matrices, Tensors};
use crate::model::{Model, Weights, decoder};

/// The model in those files.
pub fn assemble(files: &Files, options: &LoadOptions) -> Result<Model> {
    assemble_with(Matrices::new(), files, options)
}

/// The model in those files, whose `packed` matrices were kept elsewhere.
pub fn assemble_with(packed: Matrices, files: &Files, options: &LoadOptions) -> Result<Model> {
    let config = files.required("config.json")?;
    let stored: Value = serde_json::from_slice(&config).map_err(|error| {
        Error::failed(format!("config.json of {} cannot be read: {error}", files.source))
    })?;
    let config = Config::from_json(&stored)?;
    let generation = match files.read("generation_config.json")? {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            Error::failed(format!(
                "generation_config.json of {} cannot be read: {error}",
                files.source
            ))
        })?,
        None => Value::Null,
    };
    let mut tokenizer = tokenizer::read(files, &stored, &config.ending_with(&generation)?)?;
    if let Some(template) = files.read("chat_template.jinja")? {
        let template = String::from_utf8(template);
        let template = template.map_err(|_| {
            Error::failed(format!("chat_template.jinja of {} is not UTF-8", files.source))
        })?;
        tokenizer.set_chat_template(template);
    }
    let device = device_of(&options.device)?;
    require_memory(&config, &packed, dtype_of(options)?, &device)?;
    let (config, dense, lineage) = read_weights(files, config, options, &device)?;
    let weights = Weights { dense, packed };
    finish(config, tokenizer, weights, lineage, options)
}

/// The weights that the configuration calls for, from one file or from the shards an index names; the configuration, its
/// head untied where the file holds another one; and the lineage, with the files' hash and the tensors that were left alone.
fn read_weights(
    files: &Files,
    config: Config,
    options: &LoadOptions,
    device: &Device,
) -> Result<(Config, Tensors, Lineage)> {
    let dtype = dtype_of(options)?;
    let (mut opened, mut hashes, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    for name in tensors::weight_files(files)? {
        let file = TensorFile::open(files, &name)?;
        let bytes = files.open(&name)?;
        if let (Some(file), Some(bytes)) = (file, bytes) {
            stored.extend(file.names());
            hashes.push(bytes.sha256()?);
            opened.push(file);
        }
    }
    refuse_doubles(&stored)?;
    let (config, names) = head::names(config, &opened, &stored)?;
    let config = &config;
    let needed = decoder::shapes(config);
    let mut weights = Tensors::new();
    let mut task = options.control.begin("loading", needed.len() as u64, "weights");
    for (done, (name, expected)) in needed.into_iter().enumerate() {
        options.control.check()?;
        task.update(done as u64, "");
        let Some(stored) = names.found.get(&name) else {
            continue;
        };
        let transposed = decoder::is_stored_transposed(config, &name);
        let holder = opened.iter().find_map(|file| Some((file, file.shape(stored)?)));
        let Some((file, mut shape)) = holder else {
            continue;
        };
        if transposed {
            shape.reverse();
        }
        if shape != expected {
            return Err(Error::invalid(
                format!("loading `{name}` of {}", files.source),
                format!("shape {expected:?}, as config.json says"),
                format!("{shape:?}"),
            ));
        }
        let tensor = file.read(stored, dtype)?;
        let tensor = if transposed { tensor.t()?.contiguous()? } else { tensor };
        weights.insert(name, tensor.to_device(device)?);
    }
    let sha256 = match hashes.as_slice() {
        [one] => one.clone(),
        several => crate::files::sha256(several.join(" ").as_bytes()),
    };
    let mut lineage = match files.read("ebb.json")? {
        // A model of ours remembers how it was made; a note that cannot be read is no reason to refuse the weights.
        Some(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        None => Lineage::default(),
    };
    lineage.source = files.source.clone();
    lineage.sha256 = Some(sha256);
    lineage.unused = names.unused;
    Ok((config.clone(), weights, lineage))
}

/// Refuses a name that two parts of the weights have.
fn refuse_doubles(stored: &[String]) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    match stored.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => Err(Error::failed_with_hint(
            format!("two of the weight files hold `{name}`"),
            "the index and its parts do not belong together: copy or download them again",
        )),
        None => Ok(()),
    }
}
