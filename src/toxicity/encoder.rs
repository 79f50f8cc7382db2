//! The encoder and its head: BERT (Devlin et al. 2018), and RoBERTa and ALBERT as they differ from it.
//!
//! Where texts are scored, the tokens of all texts of a batch lie in one row behind each other, so that no padding is
//! computed; only attention goes text by text. A text's arithmetic is the same whatever stands beside it. Where a classifier
//! is trained, texts are padded to one length instead: attention's gradient then goes through all of them at once.

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::{Device, Tensor};

use super::config::EncoderConfig;
use super::weights::{head_names, layer_names};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::ops::{self, AttentionSpan};
use crate::random::Stream;

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

/// How the tokens of a batch lie.
enum Layout {
    /// Text behind text: where each is.
    Behind(Vec<Range<usize>>),
    /// Each text padded to `time` tokens; `ends` are their own lengths.
    Padded { time: usize, ends: Vec<usize> },
}

impl Layout {
    fn behind(texts: &[&TokenizedText]) -> Self {
        let mut end = 0;
        let place = |text: &&TokenizedText| {
            let start = end;
            end += text.ids.len();
            start..end
        };
        Self::Behind(texts.iter().map(place).collect())
    }

    fn padded(texts: &[&TokenizedText]) -> Self {
        let ends: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
        Self::Padded { time: ends.iter().max().copied().unwrap_or(0), ends }
    }

    /// Where the first token of each text is.
    fn firsts(&self) -> Vec<u32> {
        match self {
            Self::Behind(places) => places.iter().map(|place| place.start as u32).collect(),
            Self::Padded { time, ends } => {
                (0..ends.len()).map(|text| (text * time) as u32).collect()
            }
        }
    }

    /// A token's number each, `padding` where a text has no token any more.
    fn flat(&self, texts: Vec<Vec<u32>>, padding: u32) -> Vec<u32> {
        let mut all = Vec::new();
        for mut text in texts {
            if let Self::Padded { time, .. } = self {
                text.resize(*time, padding);
            }
            all.append(&mut text);
        }
        all
    }
}

/// Dropout while a classifier is trained: each application draws from a stream of its own.
pub struct Dropped {
    probability: f64,
    stream: Stream,
    applied: u64,
}

impl Dropped {
    pub fn new(probability: f64, stream: Stream) -> Self {
        Self { probability, stream, applied: 0 }
    }

    fn apply(&mut self, x: &Tensor) -> Result<Tensor> {
        self.applied += 1;
        Ok(ops::dropout(x, self.probability, &self.stream.child(self.applied))?)
    }
}

fn dropped(x: Tensor, dropout: &mut Option<Dropped>) -> Result<Tensor> {
    match dropout {
        Some(dropout) => dropout.apply(&x),
        None => Ok(x),
    }
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

    /// The weights by their names in transformers.
    pub fn weights(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut all = BTreeMap::new();
        let mut put = |name: &str, affine: &Affine| {
            all.insert(format!("{name}.weight"), affine.weight.clone());
            all.insert(format!("{name}.bias"), affine.bias.clone());
        };
        let prefix = self.config.family.prefix();
        put(&format!("{prefix}embeddings.LayerNorm"), &self.embedding_norm);
        if let Some(mapping) = &self.mapping {
            put(&format!("{prefix}encoder.embedding_hidden_mapping_in"), mapping);
        }
        let [pooler, classifier] = head_names(self.config.family);
        put(pooler, &self.pooler);
        put(classifier, &self.classifier);
        let names = layer_names(self.config.family);
        for (start, layer) in self.config.layers().iter().zip(&self.layers) {
            let width = self.config.hidden_size;
            for (place, input) in names.inputs.iter().enumerate() {
                let part = |x: &Tensor| x.narrow(0, place * width, width)?.copy();
                let (weight, bias) = (part(&layer.inputs.weight)?, part(&layer.inputs.bias)?);
                put(&format!("{start}{input}"), &Affine { weight, bias });
            }
            put(&format!("{start}{}", names.attention), &layer.attention);
            put(&format!("{start}{}", names.attention_norm), &layer.attention_norm);
            put(&format!("{start}{}", names.inner), &layer.inner);
            put(&format!("{start}{}", names.outer), &layer.outer);
            put(&format!("{start}{}", names.norm), &layer.norm);
        }
        for (name, weight) in
            [("word", &self.words), ("position", &self.positions), ("token_type", &self.types)]
        {
            all.insert(format!("{prefix}embeddings.{name}_embeddings.weight"), weight.clone());
        }
        Ok(all)
    }

    /// The outputs before the sigmoid, a row a text and a number a label. Every text has a token.
    pub fn logits(&self, texts: &[&TokenizedText], control: &Control) -> Result<Vec<Vec<f32>>> {
        let logits = self.forward(texts, &Layout::behind(texts), None, control)?;
        Ok(logits.to_vec2()?)
    }

    /// The same as a tensor (texts, labels) with a gradient to every weight.
    pub fn trained_logits(
        &self,
        texts: &[&TokenizedText],
        dropout: Option<Dropped>,
        control: &Control,
    ) -> Result<Tensor> {
        self.forward(texts, &Layout::padded(texts), dropout, control)
    }

    fn forward(
        &self,
        texts: &[&TokenizedText],
        layout: &Layout,
        mut dropout: Option<Dropped>,
        control: &Control,
    ) -> Result<Tensor> {
        let mut x = dropped(self.embedded(texts, layout)?, &mut dropout)?;
        for (index, layer) in self.layers.iter().enumerate() {
            control.check()?;
            // The head looks at first tokens only, so the last layer makes no others.
            let only_first = index + 1 == self.layers.len();
            x = self.layer(layer, &x, layout, only_first, &mut dropout)?;
        }
        let pooled = self.pooler.apply(&x)?.tanh()?;
        self.classifier.apply(&dropped(pooled, &mut dropout)?)
    }

    /// The embeddings of all tokens, (tokens, hidden).
    fn embedded(&self, texts: &[&TokenizedText], layout: &Layout) -> Result<Tensor> {
        let pad = self.config.pad_token_id;
        let ids = texts.iter().map(|text| text.ids.clone()).collect();
        let types = texts.iter().map(|text| text.types.clone()).collect();
        let positions = texts.iter().map(|text| self.positions_of(&text.ids)).collect();
        // A padding token's own position is any that there is: nothing looks at it.
        let rows = |numbers: Vec<Vec<u32>>, padding: u32, of: &Tensor| -> Result<Tensor> {
            let numbers = layout.flat(numbers, padding);
            let count = numbers.len();
            Ok(ops::embedding(&Tensor::from_vec(numbers, count, self.device())?, of)?)
        };
        let words = rows(ids, pad, &self.words)?;
        let x = ((words + rows(types, 0, &self.types)?)? + rows(positions, 0, &self.positions)?)?;
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
        layout: &Layout,
        only_first: bool,
        dropout: &mut Option<Dropped>,
    ) -> Result<Tensor> {
        let epsilon = self.config.layer_norm_eps;
        let context = self.attention(&layer.inputs.apply(x)?, layout, only_first)?;
        let x = if only_first {
            let firsts = layout.firsts();
            let count = firsts.len();
            x.index_select(&Tensor::from_vec(firsts, count, self.device())?, 0)?
        } else {
            x.clone()
        };
        let context = dropped(layer.attention.apply(&context)?, dropout)?;
        let x = layer.attention_norm.norm(&(context + x)?, epsilon)?;
        let inner = ops::activation(&layer.inner.apply(&x)?, self.config.hidden_act)?;
        let outer = dropped(layer.outer.apply(&inner)?, dropout)?;
        layer.norm.norm(&(outer + x)?, epsilon)
    }

    /// Attention within each text over (tokens, 3 · hidden) → (tokens, hidden), or (texts, hidden) for first tokens.
    fn attention(&self, inputs: &Tensor, layout: &Layout, only_first: bool) -> Result<Tensor> {
        let heads = self.config.num_attention_heads;
        let (tokens, width) = inputs.dims2()?;
        let head_dim = width / 3 / heads;
        let scale = 1.0 / (head_dim as f64).sqrt();
        let within = |texts: &Tensor, ends: Vec<usize>| -> Result<Tensor> {
            let part = |index: usize| texts.narrow(2, index * heads, heads);
            let q = if only_first { part(0)?.narrow(1, 0, 1)? } else { part(0)? };
            let span = AttentionSpan { ends, ..AttentionSpan::default() };
            Ok(ops::attention(&q, &part(1)?, &part(2)?, scale, &span)?)
        };
        let context = match layout {
            Layout::Behind(places) => {
                let inputs = inputs.reshape((1, tokens, 3 * heads, head_dim))?;
                let text = |place: &Range<usize>| {
                    within(&inputs.narrow(1, place.start, place.len())?, vec![place.len()])
                };
                Tensor::cat(&places.iter().map(text).collect::<Result<Vec<Tensor>>>()?, 1)?
            }
            Layout::Padded { time, ends } => {
                let inputs = inputs.reshape((ends.len(), *time, 3 * heads, head_dim))?;
                within(&inputs, ends.clone())?
            }
        };
        Ok(context.reshape(((), heads * head_dim))?)
    }
}
