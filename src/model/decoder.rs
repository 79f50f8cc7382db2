//! Running a decoder: token ids in, hidden states and logits out, with a cache of keys and values.

use candle_core::{DType, Device, Tensor};

use super::Weights;
use super::adapter::Adapter;
use super::config::Config;
use super::llama::Llama;
use crate::error::{Error, Result};
use crate::random::Stream;

/// One forward pass's circumstances.
#[derive(Default)]
pub struct Pass<'a> {
    /// First real token of each row of a left-padded batch; empty when no row is padded. Positions count from there.
    pub starts: Vec<usize>,
    /// Keys and values of earlier tokens; the ids given are appended to them.
    pub cache: Option<&'a mut Cache>,
    /// Where dropout draws from while training; `None` when not training.
    pub dropout: Option<Stream>,
}

/// Keys and values of each layer, preallocated as (batch, capacity, kv_heads, head_dim).
pub struct Cache {
    layers: Vec<(Tensor, Tensor)>,
    capacity: usize,
    len: usize,
}

impl Cache {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keeps only the given rows, in that order: finished rows leave the batch.
    pub fn keep_rows(&mut self, rows: &[usize]) -> Result<()> {
        let Some((first, _)) = self.layers.first() else {
            return Ok(());
        };
        let index: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let index = Tensor::from_vec(index, rows.len(), first.device())?;
        for (keys, values) in &mut self.layers {
            *keys = keys.index_select(&index, 0)?;
            *values = values.index_select(&index, 0)?;
        }
        Ok(())
    }

    /// Writes keys and values (batch, time, kv_heads, head_dim) behind those of `layer`, and returns all of them.
    /// Every layer writes at the same place; [`Cache::advance`] moves it on when the pass is done.
    pub(super) fn append(
        &mut self,
        layer: usize,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let time = k.dim(1)?;
        let end = self.len + time;
        if end > self.capacity {
            return Err(Error::invalid(
                "decoding",
                format!("at most {} tokens", self.capacity),
                end.to_string(),
            ));
        }
        let Some((keys, values)) = self.layers.get(layer) else {
            return Err(Error::failed(format!("the cache has no layer {layer}")));
        };
        keys.slice_set(&k.contiguous()?, 1, self.len)?;
        values.slice_set(&v.contiguous()?, 1, self.len)?;
        Ok((keys.narrow(1, 0, end)?, values.narrow(1, 0, end)?))
    }

    pub(super) fn advance(&mut self, time: usize) {
        self.len += time;
    }
}

/// A decoder ready to run.
pub struct Decoder {
    family: Family,
    config: Config,
    device: Device,
    dtype: DType,
}

/// One variant a family; each is a file of its own.
enum Family {
    Llama(Llama),
}

impl Decoder {
    pub(super) fn new(
        config: &Config,
        weights: &Weights,
        adapter: Option<&Adapter>,
    ) -> Result<Self> {
        let Some(any) = weights.values().next() else {
            return Err(Error::failed("the model has no weights"));
        };
        Ok(Self {
            family: Family::Llama(Llama::new(config, weights, adapter)?),
            config: config.clone(),
            device: any.device().clone(),
            dtype: any.dtype(),
        })
    }

    /// ids (batch, time) u32 → final hidden states (batch, time, width), normed, ready for [`Decoder::logits`].
    pub fn hidden(&self, ids: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let past = pass.cache.as_ref().map_or(0, |cache| cache.len());
        let padding = pass.starts.iter().min().copied().unwrap_or(0);
        let tokens = (past + ids.dim(1)?).saturating_sub(padding);
        if tokens > self.config.max_position_embeddings {
            return Err(Error::invalid(
                "running the model",
                format!("at most {} tokens", self.config.max_position_embeddings),
                tokens.to_string(),
            )
            .with_hint("lower max_length, or use a model with a longer context"));
        }
        match &self.family {
            Family::Llama(llama) => llama.hidden(ids, pass),
        }
    }

    /// hidden (…, width) → logits (…, vocabulary) in f32.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        match &self.family {
            Family::Llama(llama) => llama.logits(hidden),
        }
    }

    /// An empty cache for `batch` rows of at most `capacity` tokens, padding included.
    pub fn cache(&self, batch: usize, capacity: usize) -> Result<Cache> {
        let shape = (
            batch,
            capacity,
            self.config.num_key_value_heads,
            self.config.head_dim,
        );
        let empty = || Tensor::zeros(shape, self.dtype, &self.device);
        let layers = (0..self.config.num_hidden_layers)
            .map(|_| Ok((empty()?, empty()?)))
            .collect::<Result<_>>()?;
        Ok(Cache {
            layers,
            capacity,
            len: 0,
        })
    }
}
