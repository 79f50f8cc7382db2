//! Which texts each update of a training takes: in an order of its own every epoch, with texts of about one length beside
//! each other, so that little of a batch is padding.

use super::encoder::TokenizedText;
use crate::random::Stream;

/// Batches that are sorted by length together: few enough that an epoch's order stays one of chance.
const SORTED: usize = 32;

/// The order of a training. An epoch is every text once; its last batch may be short.
pub struct Order {
    lengths: Vec<usize>,
    batch_size: usize,
    shuffle: bool,
    stream: Stream,
    epoch: Option<(usize, Vec<Vec<usize>>)>,
}

impl Order {
    pub fn new<'a>(
        texts: impl Iterator<Item = &'a TokenizedText>,
        batch_size: usize,
        shuffle: bool,
        seed: u64,
    ) -> Self {
        let lengths = texts.map(|text| text.ids.len()).collect();
        Self { lengths, batch_size, shuffle, stream: Stream::new(seed, "order"), epoch: None }
    }

    /// The rows of an update, counted from 1.
    pub fn update(&mut self, step: usize) -> Vec<usize> {
        let before = step.saturating_sub(1);
        let batches = self.lengths.len().div_ceil(self.batch_size).max(1);
        let (epoch, place) = (before / batches, before % batches);
        if self.epoch.as_ref().is_none_or(|(known, _)| *known != epoch) {
            self.epoch = Some((epoch, self.batches(epoch)));
        }
        let made = self.epoch.as_ref().and_then(|(_, batches)| batches.get(place));
        made.cloned().unwrap_or_default()
    }

    /// How often the data has been gone through after an update, as far as whole batches tell.
    pub fn epochs_after(&self, step: usize) -> f64 {
        step as f64 / self.lengths.len().div_ceil(self.batch_size).max(1) as f64
    }

    fn batches(&self, epoch: usize) -> Vec<Vec<usize>> {
        let rows = self.lengths.len();
        if !self.shuffle {
            let rows: Vec<usize> = (0..rows).collect();
            return rows.chunks(self.batch_size).map(<[usize]>::to_vec).collect();
        }
        let stream = self.stream.child(epoch as u64);
        let mut order = stream.permutation(rows);
        for together in order.chunks_mut(SORTED.saturating_mul(self.batch_size)) {
            together.sort_by_key(|row| self.lengths.get(*row).copied());
        }
        let batches: Vec<&[usize]> = order.chunks(self.batch_size).collect();
        let turn = stream.child(0).permutation(batches.len());
        turn.iter().filter_map(|place| batches.get(*place)).map(|rows| rows.to_vec()).collect()
    }
}
