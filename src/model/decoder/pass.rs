//! One run of a decoder: padding, positions, cache and dropout, and the rotary angles made from them.

use candle_core::{DType, Device, Tensor};

use crate::error::{Context, Error, Result};
use crate::model::config::Config;
use crate::model::config::rope::Rope;
use crate::ops;
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

/// A pass as the blocks see it.
pub struct Step<'a> {
    pub starts: &'a [usize],
    pub cache: Option<&'a mut Cache>,
    /// Positions (batch, time) counted from each row's first real token; padding stands at 0.
    pub positions: Tensor,
    pub dropout: Option<Stream>,
    rotary: Option<Angles>,
    local: Option<Angles>,
}

impl<'a> Step<'a> {
    pub fn new(
        config: &Config,
        (batch, time): (usize, usize),
        pass: &'a mut Pass,
        device: &Device,
    ) -> Result<Self> {
        let past = pass.cache.as_ref().map_or(0, |cache| cache.len());
        let starts = &pass.starts;
        let positions: Vec<u32> = (0..batch)
            .flat_map(|row| {
                let start = starts.get(row).copied().unwrap_or(0);
                (past..past + time).map(move |column| column.saturating_sub(start) as u32)
            })
            .collect();
        let angles = |rope: &Option<Rope>| match rope {
            Some(rope) => Angles::new(rope, &positions, (batch, time), device).map(Some),
            None => Ok(None),
        };
        Ok(Self {
            rotary: angles(&config.rope)?,
            local: angles(&config.local_rope)?,
            positions: Tensor::from_slice(&positions, (batch, time), device)?,
            starts: &pass.starts,
            cache: pass.cache.as_deref_mut(),
            dropout: pass.dropout,
        })
    }

    /// The angles that turn queries and keys of such a layer.
    pub fn angles(&self, positions: Positions) -> Option<&Angles> {
        match positions {
            Positions::Learned => None,
            Positions::Rotary => self.rotary.as_ref(),
            Positions::Local => self.local.as_ref(),
        }
    }
}

/// Which rotary angles turn queries and keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// None: positions were added to the embedding.
    Learned,
    Rotary,
    /// Those of layers with a window.
    Local,
}

/// cos and sin of position · frequency for the positions of a pass.
pub struct Angles {
    /// (positions from the first to the last that occurs, dims / 2) f32
    cos: Tensor,
    sin: Tensor,
    /// (batch, time), rows of the tables
    rows: Tensor,
}

impl Angles {
    fn new(
        rope: &Rope,
        positions: &[u32],
        (batch, time): (usize, usize),
        device: &Device,
    ) -> Result<Self> {
        // Frequencies are f32 before they are multiplied, as in transformers, so that far positions agree to the last bits.
        let frequencies = rope.scaling.frequencies(rope.theta, rope.dims);
        let first = positions.iter().min().copied().unwrap_or(0);
        let last = positions.iter().max().copied().unwrap_or(0);
        let angles: Vec<f32> = (first..=last)
            .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f))
            .collect();
        let factor = rope.scaling.attention_factor() as f32;
        let shape = ((last - first) as usize + 1, frequencies.len());
        let table = |f: fn(f32) -> f32| {
            let values: Vec<f32> = angles.iter().map(|angle| f(*angle) * factor).collect();
            Tensor::from_vec(values, shape, device)
        };
        let rows: Vec<u32> = positions.iter().map(|position| position - first).collect();
        Ok(Self {
            cos: table(f32::cos)?,
            sin: table(f32::sin)?,
            rows: Tensor::from_vec(rows, (batch, time), device)?,
        })
    }

    /// Turns each head's elements by its token's angles: x (batch, time, heads, head_dim).
    pub fn turn(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::rope(x, &self.cos, &self.sin, &self.rows)?)
    }
}

/// A row of a cache, and how many of its last tokens are dropped.
#[derive(Clone, Copy)]
pub struct Held {
    pub row: usize,
    pub dropped: usize,
}

/// Keys and values of each layer, preallocated as (batch, capacity, kv_heads, head_dim).
pub struct Cache {
    layers: Vec<(Tensor, Tensor)>,
    capacity: usize,
    len: usize,
}

impl Cache {
    /// An empty cache for `batch` rows of at most `capacity` tokens, padding included.
    pub fn new(
        config: &Config,
        batch: usize,
        capacity: usize,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let shape = (batch, capacity, config.num_key_value_heads, config.head_dim);
        let empty = || Tensor::zeros(shape, dtype, device);
        let layers = (0..config.num_hidden_layers)
            .map(|_| Ok((empty()?, empty()?)))
            .collect::<Result<_>>()?;
        Ok(Self { layers, capacity, len: 0 })
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One cache of `capacity` tokens from the named rows of several, of which `filled` at most are not padding: the last
    /// tokens of all rows stand side by side.
    pub fn join(parts: &[(&Cache, &[Held])], filled: usize, capacity: usize) -> Result<Self> {
        let mut joined = Vec::new();
        let layers = parts.first().map_or(0, |(cache, _)| cache.layers.len());
        for layer in 0..layers {
            let side = |pick: fn(&(Tensor, Tensor)) -> &Tensor| -> Result<Tensor> {
                let mut pieces = Vec::with_capacity(parts.len());
                for (cache, rows) in parts {
                    let Some(held) = cache.layers.get(layer) else {
                        return Err(Error::failed("caches of different models"));
                    };
                    pieces.push(cache.aligned(pick(held), rows, filled, capacity)?);
                }
                Tensor::cat(&pieces, 0).during("joining caches")
            };
            joined.push((side(|layer| &layer.0)?, side(|layer| &layer.1)?));
        }
        Ok(Self { layers: joined, capacity, len: filled })
    }

    /// Rows of keys or values with their last token at place `filled` of `capacity`.
    fn aligned(
        &self,
        held: &Tensor,
        rows: &[Held],
        filled: usize,
        capacity: usize,
    ) -> Result<Tensor> {
        let mut aligned = Vec::with_capacity(rows.len());
        for Held { row, dropped } in rows {
            // Of a longer cache the beginning is padding in all its rows.
            let end = self.len.saturating_sub(*dropped);
            let kept = end.min(filled);
            let kept_rows = held.narrow(0, *row, 1)?.narrow(1, end - kept, kept)?;
            aligned.push(kept_rows.pad_with_zeros(1, filled - kept, capacity - filled)?);
        }
        Ok(Tensor::cat(&aligned, 0)?.contiguous()?)
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
