//! Models in GGUF files, as llama.cpp writes them: configuration, weights, tokenizer and chat template in one file.
//! Matrices stay in their blocks.

mod container;
mod names;
mod pre_tokenizers;
mod reader;
mod settings;
mod tokenizer;
mod values;

use std::collections::BTreeSet;
use std::sync::Arc;

use candle_core::{DType, Device};

use super::Model;
use super::config::Config;
use super::decoder;
use super::lineage::Lineage;
use super::load::source::Files;
use super::load::{LoadOptions, device_of, dtype_of, finish};
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::memory;
use crate::ops::Packed;
use container::{Container, Info};
use names::Change;
use values::{dense, quantized, reordered};

/// Loads the model in the file `name` of `files`.
pub(super) fn load(files: &Files, name: &str, options: &LoadOptions) -> Result<Model> {
    let what = format!("{name} of {}", files.source);
    let bytes = files.open(name)?;
    let bytes = bytes.ok_or_else(|| Error::failed(format!("there is no {what}")))?;
    let file = Container::open(bytes, &what)?;
    let config = Config::from_json(&settings::config(&file)?)?;
    let tokenizer = tokenizer::read(&file, &config)?;
    let device = device_of(&options.device)?;
    memory::require(
        file.tensors.values().map(|info| info.bytes as u64).sum(),
        &device,
        &format!("the model in {name}"),
        "take a file of smaller blocks, such as Q4_0",
    )?;
    let weights = weights(&file, &config, options, &device)?;
    let lineage = Lineage {
        source: files.path(name).map_or(what, |path| path.display().to_string()),
        sha256: Some(file.sha256()?),
        unused: unused(&file, &config)?,
        ..Lineage::default()
    };
    finish(config, tokenizer, weights, lineage, options)
}

/// The tensors that the decoder has no use for. Within a block there must be none: the model would compute something else
/// than its authors meant.
fn unused(file: &Container, config: &Config) -> Result<Vec<String>> {
    let shapes = decoder::shapes(config);
    let used: BTreeSet<String> =
        shapes.iter().filter_map(|(name, _)| names::stored(config, name)).collect();
    // The frequencies are read with the settings; llama.cpp leaves the others alone too.
    let known = |name: &str| name.contains("rope_freqs") || name.contains("attn_rot_embd");
    let names = file.tensors.keys().cloned();
    let unused: Vec<String> = names.filter(|name| !used.contains(name) && !known(name)).collect();
    match unused.iter().find(|name| name.starts_with("blk.")) {
        Some(name) => Err(Error::failed(format!(
            "the GGUF file holds the tensor `{name}`, which a {} has no use for",
            config.family.name()
        ))),
        None => Ok(unused),
    }
}

fn weights(
    file: &Container,
    config: &Config,
    options: &LoadOptions,
    device: &Device,
) -> Result<Weights> {
    let dtype = dtype_of(options)?;
    let shapes = decoder::shapes(config);
    let mut task = options.control.begin("loading", shapes.len() as u64, "weights");
    let interleaved = settings::architecture(file)? == "llama";
    let mut weights = Weights::default();
    for (done, (name, expected)) in shapes.into_iter().enumerate() {
        options.control.check()?;
        task.update(done as u64, "");
        let stored = names::stored(config, &name);
        let info = stored.as_ref().and_then(|stored| file.tensors.get(stored));
        let Some(info) = info else {
            return Err(Error::failed(format!(
                "the GGUF file lacks the tensor `{}`, which its architecture calls for",
                stored.unwrap_or(name)
            )));
        };
        if info.shape != expected {
            return Err(Error::invalid(
                format!("loading `{}` of the GGUF file", stored.unwrap_or(name)),
                format!("shape {expected:?}, as the metadata says"),
                format!("{:?}", info.shape),
            ));
        }
        let mut data = file.data(info)?;
        refuse_broken_blocks(&name, info, &data)?;
        let change = names::change(config, &name, interleaved);
        if let Change::Rows(order) = &change {
            data = reordered(&data, order, info)?;
        }
        let is_matrix = name.starts_with(config.block_prefix()) || name == config.head_name();
        let tied = name == config.embedding_name();
        if info.kind.block_size() > 1 && info.shape.len() == 2 && is_matrix && !tied {
            let packed = Packed::new(&quantized(&data, info, device)?)?;
            weights.packed.insert(name, Arc::new(packed));
            continue;
        }
        let mut values = dense(&data, info, device)?;
        if change == Change::MinusOne {
            values = (values.to_dtype(DType::F32)? - 1.0)?;
        }
        weights.dense.insert(name, values.to_dtype(dtype)?);
    }
    Ok(weights)
}

/// Refuses blocks whose scales are no finite numbers: all their values would be none.
fn refuse_broken_blocks(name: &str, info: &Info, data: &[u8]) -> Result<()> {
    let places = names::scales(info.kind);
    for block in data.chunks_exact(info.kind.type_size().max(1)) {
        for place in places {
            // The exponent of an f16 with all bits set is infinite or no number.
            let high = block.get(place + 1).copied().unwrap_or(0);
            if high & 0x7c == 0x7c {
                return Err(Error::failed_with_hint(
                    format!("the weight `{name}` holds values that are not finite numbers"),
                    "the file is broken: copy or download it again",
                ));
            }
        }
    }
    Ok(())
}
