//! Batches: which rows, in which order, padded to the right, and the positions that give a loss.

use candle_core::{Device, Tensor};

use super::examples::{Example, IGNORED};
use crate::error::Result;
use crate::random::Stream;

/// The rows of each batch, for as many batches as asked: every epoch is a permutation of its own, and batches are cut in
/// order across epochs, so none is short.
pub struct Order {
    rows: usize,
    shuffle: bool,
    stream: Stream,
    epoch: Option<(u64, Vec<usize>)>,
}

impl Order {
    pub fn new(rows: usize, shuffle: bool, seed: u64) -> Self {
        Self {
            rows,
            shuffle,
            stream: Stream::new(seed, "order"),
            epoch: None,
        }
    }

    /// The `size` rows of batch `index` (from 0).
    pub fn batch(&mut self, index: usize, size: usize) -> Vec<usize> {
        (index * size..(index + 1) * size)
            .map(|position| self.row(position))
            .collect()
    }

    fn row(&mut self, position: usize) -> usize {
        let within = position % self.rows;
        if !self.shuffle {
            return within;
        }
        let epoch = (position / self.rows) as u64;
        if self.epoch.as_ref().is_none_or(|(known, _)| *known != epoch) {
            self.epoch = Some((epoch, self.stream.child(epoch).permutation(self.rows)));
        }
        match &self.epoch {
            Some((_, order)) => order.get(within).copied().unwrap_or(within),
            None => within,
        }
    }
}

/// A batch ready for the decoder.
pub struct Batch {
    /// (batch, time) u32, padded to the right. Attention is causal, so no real token sees the padding.
    pub ids: Tensor,
    /// Positions in (batch · time) whose next token is trained on: (trained) u32.
    pub positions: Tensor,
    /// The next tokens at these positions: (trained) u32.
    pub targets: Tensor,
    /// Length of `targets`.
    pub trained: usize,
    /// Tokens without padding.
    pub tokens: usize,
}

/// Puts rows together. Only positions that give a loss go through the head.
pub fn collate(rows: &[&Example], pad_id: u32, device: &Device) -> Result<Batch> {
    let time = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
    let mut ids = Vec::with_capacity(rows.len() * time);
    let (mut positions, mut targets) = (Vec::new(), Vec::new());
    for (index, row) in rows.iter().enumerate() {
        ids.extend_from_slice(&row.ids);
        ids.resize((index + 1) * time, pad_id);
        for (place, label) in row.labels.iter().enumerate().skip(1) {
            if *label != IGNORED {
                positions.push((index * time + place - 1) as u32);
                targets.push(*label as u32);
            }
        }
    }
    let trained = targets.len();
    Ok(Batch {
        ids: Tensor::from_vec(ids, (rows.len(), time), device)?,
        positions: Tensor::from_vec(positions, trained, device)?,
        targets: Tensor::from_vec(targets, trained, device)?,
        trained,
        tokens: rows.iter().map(|row| row.ids.len()).sum(),
    })
}
