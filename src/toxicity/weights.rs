//! The weights of a classifier: which there are, by transformers' names, and how they are found in a file.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Device, Tensor};

use super::config::{EncoderConfig, Family};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::load::names;
use crate::model::load::tensors::TensorFile;

/// The names of one layer's parts: attention's three inputs and its output, the norms, and the two of the feed-forward part.
pub struct LayerNames {
    pub inputs: [&'static str; 3],
    pub attention: &'static str,
    pub attention_norm: &'static str,
    pub inner: &'static str,
    pub outer: &'static str,
    pub norm: &'static str,
}

const BERT: LayerNames = LayerNames {
    inputs: ["attention.self.query", "attention.self.key", "attention.self.value"],
    attention: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    inner: "intermediate.dense",
    outer: "output.dense",
    norm: "output.LayerNorm",
};

const ALBERT: LayerNames = LayerNames {
    inputs: ["attention.query", "attention.key", "attention.value"],
    attention: "attention.dense",
    attention_norm: "attention.LayerNorm",
    inner: "ffn",
    outer: "ffn_output",
    norm: "full_layer_layer_norm",
};

/// The names of the parts of a family's layers.
pub fn layer_names(family: Family) -> &'static LayerNames {
    if family == Family::Albert { &ALBERT } else { &BERT }
}

/// The two affine maps over the first token's vector.
pub fn head_names(family: Family) -> [&'static str; 2] {
    match family {
        Family::Bert => ["bert.pooler.dense", "classifier"],
        Family::Roberta | Family::XlmRoberta => ["classifier.dense", "classifier.out_proj"],
        Family::Albert => ["albert.pooler", "classifier"],
    }
}

/// Every weight and its shape.
pub fn shapes(config: &EncoderConfig, labels: usize) -> BTreeMap<String, Vec<usize>> {
    let mut all = BTreeMap::new();
    let (hidden, inner, embedding) =
        (config.hidden_size, config.intermediate_size, config.embedding_size);
    let mut affine = |name: String, outputs: usize, inputs: usize| {
        all.insert(format!("{name}.weight"), vec![outputs, inputs]);
        all.insert(format!("{name}.bias"), vec![outputs]);
    };
    let names = layer_names(config.family);
    for layer in config.layers() {
        for input in names.inputs {
            affine(format!("{layer}{input}"), hidden, hidden);
        }
        affine(format!("{layer}{}", names.attention), hidden, hidden);
        affine(format!("{layer}{}", names.inner), inner, hidden);
        affine(format!("{layer}{}", names.outer), hidden, inner);
    }
    let prefix = config.family.prefix();
    let [pooler, classifier] = head_names(config.family);
    affine(pooler.to_string(), hidden, hidden);
    affine(classifier.to_string(), labels, hidden);
    if config.family == Family::Albert {
        affine(format!("{prefix}encoder.embedding_hidden_mapping_in"), hidden, embedding);
    }
    let mut norm = |name: String, width: usize| {
        all.insert(format!("{name}.weight"), vec![width]);
        all.insert(format!("{name}.bias"), vec![width]);
    };
    for layer in config.layers() {
        norm(format!("{layer}{}", names.attention_norm), hidden);
        norm(format!("{layer}{}", names.norm), hidden);
    }
    norm(format!("{prefix}embeddings.LayerNorm"), embedding);
    for (name, rows) in [
        ("word", config.vocab_size),
        ("position", config.max_position_embeddings),
        ("token_type", config.type_vocab_size),
    ] {
        all.insert(format!("{prefix}embeddings.{name}_embeddings.weight"), vec![rows, embedding]);
    }
    all
}

/// A classifier's weights out of files, and the names of what the files hold besides.
pub struct Found {
    pub tensors: BTreeMap<String, Tensor>,
    pub unused: BTreeSet<String>,
}

/// Reads the weights as f32. `source` names the files in errors.
pub fn read(
    config: &EncoderConfig,
    labels: usize,
    files: &[TensorFile],
    source: &str,
    device: &Device,
    control: &Control,
) -> Result<Found> {
    let stored = stored(files, source)?;
    let needed = shapes(config, labels);
    let unused = unused(config, &needed, &stored)?;
    let mut tensors = BTreeMap::new();
    let mut task = control.begin("loading", needed.len() as u64, "weights");
    for (name, expected) in needed {
        control.check()?;
        task.update(tensors.len() as u64, "");
        let found = stored.get(&name).and_then(|(file, stored)| Some((files.get(*file)?, stored)));
        let Some((file, stored)) = found else {
            return Err(Error::failed_with_hint(
                format!("{source} lacks the weight `{name}` of a {}", config.family.class()),
                "is it whole, and a classifier of this kind? Nothing is put in its place",
            ));
        };
        let shape = file.shape(stored).unwrap_or_default();
        if shape != expected {
            return Err(Error::invalid(
                format!("loading `{name}` of {source}"),
                format!("shape {expected:?}, as config.json and the labels say"),
                format!("{shape:?}"),
            ));
        }
        let tensor = file.read(stored, DType::F32)?;
        let sum = tensor.abs()?.sum_all()?.to_scalar::<f32>()?;
        if !sum.is_finite() {
            return Err(Error::failed_with_hint(
                format!("the weight `{name}` of {source} holds values that are not finite numbers"),
                "the file is broken, or its training diverged before it was saved",
            ));
        }
        tensors.insert(name, tensor.to_device(device)?);
    }
    Ok(Found { tensors, unused })
}

/// For each name without what training wraps it in, the file that has it and its name there.
fn stored(files: &[TensorFile], source: &str) -> Result<BTreeMap<String, (usize, String)>> {
    let mut all = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        for stored in file.names() {
            let name = names::unwrapped(&stored);
            // Lightning, which the package trains with, keeps the classifier as `model`.
            let name = name.strip_prefix("model.").unwrap_or(name).to_string();
            if all.insert(name.clone(), (index, stored)).is_some() {
                return Err(Error::failed_with_hint(
                    format!("{source} holds the weight `{name}` twice"),
                    "keep the one that is meant",
                ));
            }
        }
    }
    Ok(all)
}

/// What the files hold besides; refused where it lies within the encoder, which would then compute something else than its
/// authors meant.
fn unused(
    config: &EncoderConfig,
    needed: &BTreeMap<String, Vec<usize>>,
    stored: &BTreeMap<String, (usize, String)>,
) -> Result<BTreeSet<String>> {
    let prefix = config.family.prefix();
    // Buffers of older versions of transformers, and a pooler that RoBERTa's classifiers never used.
    let is_buffer = |name: &str| {
        name.ends_with(".position_ids")
            || name.ends_with(".token_type_ids")
            || (config.family.is_roberta() && name.starts_with("roberta.pooler."))
    };
    let others = stored.keys().filter(|name| !needed.contains_key(*name) && !is_buffer(name));
    let others: BTreeSet<String> = others.cloned().collect();
    match others.iter().find(|name| name.starts_with(prefix)) {
        Some(name) => Err(Error::failed_with_hint(
            format!(
                "the weights hold `{name}`, which a {} of this config.json has no use for",
                config.family.class()
            ),
            "is this the config.json of these weights?",
        )),
        None => Ok(others),
    }
}
