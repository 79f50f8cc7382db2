//! The encoder and its head: BERT (Devlin et al. 2018), and RoBERTa and ALBERT as they differ from it.
//!
//! The tokens of all texts of a batch lie in one row behind each other, so that no padding is computed; only attention
//! goes text by text. A text's arithmetic is the same whatever stands beside it.

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::{Device, Tensor};

use super::config::EncoderConfig;
use super::weights::{head_names, layer_names};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::ops::{self, AttentionSpan};

/// An affine map, or the gain and shift of a norm.
#[derive(Clone)]
struct Affine {
    weight: Tensor,
    bias: Tensor,
}

impl Affine {
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::linear(x, &self.weight, Some(&self.bias))?)
    }

    fn norm(&self, x: &Tensor, epsilon: f64) -> Result<Tensor> {
        Ok(ops::layer_norm(x, &self.weight, &self.bias, epsilon)?)
    }
}

#[derive(Clone)]
struct Layer {
    /// Queries, keys and values in one: (3 · hidden, hidden).
    inputs: Affine,
    attention: Affine,
    attention_norm: Affine,
    inner: Affine,
    outer: Affine,
    norm: Affine,
}

/// A classifier of texts.
pub struct Encoder {
    config: EncoderConfig,
    words: Tensor,
    positions: Tensor,
    types: Tensor,
    embedding_norm: Affine,
    /// From the embeddings' width to the hidden one: ALBERT's.
    mapping: Option<Affine>,
    layers: Vec<Layer>,
    pooler: Affine,
    classifier: Affine,
}

/// The tokens of one text.
#[derive(Clone, Debug, Default)]
pub struct TokenizedText {
    pub ids: Vec<u32>,
    /// The segment that each token is of.
    pub types: Vec<u32>,
}

/// Takes weights by their names.
struct Taken(BTreeMap<String, Tensor>);

impl Taken {
    fn tensor(&self, name: &str) -> Result<Tensor> {
        let found = self.0.get(name).cloned();
        found.ok_or_else(|| Error::failed(format!("there is no weight `{name}`")))
    }

    fn affine(&self, name: &str) -> Result<Affine> {
        let weight = self.tensor(&format!("{name}.weight"))?;
        Ok(Affine { weight, bias: self.tensor(&format!("{name}.bias"))? })
    }

    fn layer(&self, config: &EncoderConfig, start: &str) -> Result<Layer> {
        let names = layer_names(config.family);
        let part = |name: &str| self.affine(&format!("{start}{name}"));
        let inputs = names.inputs.into_iter().map(part).collect::<Result<Vec<Affine>>>()?;
        let weights: Vec<&Tensor> = inputs.iter().map(|input| &input.weight).collect();
        let biases: Vec<&Tensor> = inputs.iter().map(|input| &input.bias).collect();
        Ok(Layer {
            inputs: Affine { weight: Tensor::cat(&weights, 0)?, bias: Tensor::cat(&biases, 0)? },
            attention: part(names.attention)?,
            attention_norm: part(names.attention_norm)?,
            inner: part(names.inner)?,
            outer: part(names.outer)?,
            norm: part(names.norm)?,
        })
    }
}

impl Encoder {
    /// Puts the weights of [`super::weights::read`] together.
    pub fn new(config: EncoderConfig, weights: BTreeMap<String, Tensor>) -> Result<Self> {
        let mut taken = Taken(weights);
        let prefix = config.family.prefix();
        let embeddings =
            |name: &str| taken.tensor(&format!("{prefix}embeddings.{name}_embeddings.weight"));
        let (words, positions, types) =
            (embeddings("word")?, embeddings("position")?, embeddings("token_type")?);
        let embedding_norm = taken.affine(&format!("{prefix}embeddings.LayerNorm"))?;
        let mapping = taken.affine(&format!("{prefix}encoder.embedding_hidden_mapping_in")).ok();
        let [pooler, classifier] = head_names(config.family);
        let (pooler, classifier) = (taken.affine(pooler)?, taken.affine(classifier)?);
        // Layers that are named again share their weights.
        let mut made: BTreeMap<String, Layer> = BTreeMap::new();
        let mut layers = Vec::new();
        for start in config.layers() {
            if let Some(layer) = made.get(&start) {
                layers.push(layer.clone());
                continue;
            }
            let layer = taken.layer(&config, &start)?;
            // The three that were put together need not be kept twice.
            taken.0.retain(|name, _| !name.starts_with(&start));
            layers.push(layer.clone());
            made.insert(start, layer);
        }
        Ok(Self {
            config,
            words,
            positions,
            types,
            embedding_norm,
            mapping,
            layers,
            pooler,
            classifier,
        })
    }

    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    fn device(&self) -> &Device {
        self.words.device()
    }

    /// The outputs before the sigmoid, a row a text and a number a label. Every text has a token.
    pub fn logits(&self, texts: &[&TokenizedText], control: &Control) -> Result<Vec<Vec<f32>>> {
        let mut places = Vec::with_capacity(texts.len());
        let mut end = 0;
        for text in texts {
            places.push(end..end + text.ids.len());
            end += text.ids.len();
        }
        let mut x = self.embedded(texts)?;
        for (index, layer) in self.layers.iter().enumerate() {
            control.check()?;
            // The head looks at first tokens only, so the last layer makes no others.
            x = self.layer(layer, &x, &places, index + 1 == self.layers.len())?;
        }
        let pooled = self.pooler.apply(&x)?.tanh()?;
        Ok(self.classifier.apply(&pooled)?.to_vec2()?)
    }

    /// The embeddings of all tokens, (tokens, hidden).
    fn embedded(&self, texts: &[&TokenizedText]) -> Result<Tensor> {
        let ids: Vec<u32> = texts.iter().flat_map(|text| text.ids.iter().copied()).collect();
        let types: Vec<u32> = texts.iter().flat_map(|text| text.types.iter().copied()).collect();
        let positions: Vec<u32> =
            texts.iter().flat_map(|text| self.positions_of(&text.ids)).collect();
        let rows = |numbers: Vec<u32>, of: &Tensor| -> Result<Tensor> {
            let count = numbers.len();
            Ok(ops::embedding(&Tensor::from_vec(numbers, count, self.device())?, of)?)
        };
        let words = rows(ids, &self.words)?;
        let x = ((words + rows(types, &self.types)?)? + rows(positions, &self.positions)?)?;
        let x = self.embedding_norm.norm(&x, self.config.layer_norm_eps)?;
        match &self.mapping {
            Some(mapping) => mapping.apply(&x),
            None => Ok(x),
        }
    }

    /// RoBERTa gives padding tokens, also those that a text spells out, the position of padding and counts the others.
    fn positions_of(&self, ids: &[u32]) -> Vec<u32> {
        if !self.config.family.is_roberta() {
            return (0..ids.len() as u32).collect();
        }
        let pad = self.config.pad_token_id;
        let mut last = pad;
        let position = |id: &u32| {
            if *id == pad {
                pad
            } else {
                last += 1;
                last
            }
        };
        ids.iter().map(position).collect()
    }

    /// One layer over all tokens, or with `only_first` over the first token of each text.
    fn layer(
        &self,
        layer: &Layer,
        x: &Tensor,
        places: &[Range<usize>],
        only_first: bool,
    ) -> Result<Tensor> {
        let epsilon = self.config.layer_norm_eps;
        let context = self.attention(&layer.inputs.apply(x)?, places, only_first)?;
        let x = if only_first {
            let firsts: Vec<u32> = places.iter().map(|place| place.start as u32).collect();
            x.index_select(&Tensor::from_vec(firsts, places.len(), self.device())?, 0)?
        } else {
            x.clone()
        };
        let x = layer.attention_norm.norm(&(layer.attention.apply(&context)? + x)?, epsilon)?;
        let inner = ops::activation(&layer.inner.apply(&x)?, self.config.hidden_act)?;
        layer.norm.norm(&(layer.outer.apply(&inner)? + x)?, epsilon)
    }

    /// Attention within each text over (tokens, 3 · hidden) → (tokens, hidden).
    fn attention(
        &self,
        inputs: &Tensor,
        places: &[Range<usize>],
        only_first: bool,
    ) -> Result<Tensor> {
        let heads = self.config.num_attention_heads;
        let (tokens, width) = inputs.dims2()?;
        let head_dim = width / 3 / heads;
        let scale = 1.0 / (head_dim as f64).sqrt();
        let inputs = inputs.reshape((1, tokens, 3 * heads, head_dim))?;
        let mut parts = Vec::with_capacity(places.len());
        for place in places {
            let text = inputs.narrow(1, place.start, place.len())?;
            let part = |index: usize| text.narrow(2, index * heads, heads);
            let q = if only_first { part(0)?.narrow(1, 0, 1)? } else { part(0)? };
            let span = AttentionSpan { ends: vec![place.len()], ..AttentionSpan::default() };
            parts.push(ops::attention(&q, &part(1)?, &part(2)?, scale, &span)?);
        }
        let context = Tensor::cat(&parts, 1)?;
        Ok(context.reshape(((), heads * head_dim))?)
    }
}
