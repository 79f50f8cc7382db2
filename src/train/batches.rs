//! Batches: which rows, in which order, padded to the right, and the positions that give a loss.

use candle_core::{Device, Tensor};

use super::examples::{Example, IGNORED};
use super::options::Options;
use crate::error::Result;
use crate::random::Stream;

/// Which rows each update takes. An epoch is every row once, in an order of its own where rows are shuffled: its last batch
/// may be short, and so may the last group of batches that are accumulated.
pub struct Order {
    rows: usize,
    batch_size: usize,
    accumulation: usize,
    shuffle: bool,
    stream: Stream,
    epoch: Option<(u64, Vec<usize>)>,
}

impl Order {
    pub fn new(rows: usize, options: &Options) -> Self {
        Self {
            rows,
            batch_size: options.batch_size,
            accumulation: options.gradient_accumulation,
            shuffle: options.shuffle,
            stream: Stream::new(options.seed, "order"),
            epoch: None,
        }
    }

    /// The batches of an update (counted from 1): each with its number since the beginning, and its rows.
    pub fn update(&mut self, step: usize) -> Vec<(u64, Vec<usize>)> {
        let batches = self.rows.div_ceil(self.batch_size);
        let (epoch, place) = self.place(step);
        let first = place * self.accumulation;
        (first..batches.min(first + self.accumulation))
            .map(|batch| {
                let start = batch * self.batch_size;
                let end = self.rows.min(start + self.batch_size);
                let rows = (start..end).map(|position| self.row(epoch, position));
                ((epoch * batches + batch) as u64, rows.collect())
            })
            .collect()
    }

    /// How often the data has been gone through after an update.
    pub fn epochs_after(&self, step: usize) -> f64 {
        let (epoch, place) = self.place(step);
        let seen = (place + 1) * self.accumulation * self.batch_size;
        epoch as f64 + seen.min(self.rows) as f64 / self.rows as f64
    }

    /// The epoch of an update, and its number within it, both from 0.
    fn place(&self, step: usize) -> (usize, usize) {
        let updates = self.rows.div_ceil(self.batch_size);
        let updates = updates.div_ceil(self.accumulation).max(1);
        let before = step.saturating_sub(1);
        (before / updates, before % updates)
    }

    fn row(&mut self, epoch: usize, position: usize) -> usize {
        if !self.shuffle {
            return position;
        }
        let epoch = epoch as u64;
        if self.epoch.as_ref().is_none_or(|(known, _)| *known != epoch) {
            self.epoch = Some((epoch, self.stream.child(epoch).permutation(self.rows)));
        }
        match &self.epoch {
            Some((_, order)) => order.get(position).copied().unwrap_or(position),
            None => position,
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
