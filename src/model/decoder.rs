//! Running a decoder: token ids in, hidden states and logits out.

use candle_core::Tensor;

use crate::error::Result;
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
pub struct Cache {}

impl Cache {
    /// Tokens held.
    pub fn len(&self) -> usize {
        unimplemented!()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Keeps only the given rows, in that order: finished rows leave the batch.
    pub fn keep_rows(&mut self, rows: &[usize]) -> Result<()> {
        let _ = rows;
        unimplemented!()
    }
}

/// A decoder ready to run.
pub struct Decoder {}

impl Decoder {
    /// ids (batch, time) u32 → final hidden states (batch, time, width), normed, ready for [`Decoder::logits`].
    pub fn hidden(&self, ids: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let _ = (ids, pass);
        unimplemented!()
    }
    /// hidden (…, width) → logits (…, vocabulary) in f32.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let _ = hidden;
        unimplemented!()
    }
    /// An empty cache for `batch` rows of at most `capacity` tokens.
    pub fn cache(&self, batch: usize, capacity: usize) -> Result<Cache> {
        let _ = (batch, capacity);
        unimplemented!()
    }
}
