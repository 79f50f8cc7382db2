//! Random rows: without replacement, from the named streams of a seed.

use polars::prelude::*;

use crate::error::{Context, Error, Result};
use crate::random::Stream;

/// `n` distinct rows in random order.
pub fn sample(frame: &DataFrame, n: usize, seed: u64) -> Result<DataFrame> {
    if n > frame.height() {
        return Err(Error::invalid(
            "sample",
            format!("at most {} rows, as many as there are", frame.height()),
            n.to_string(),
        )
        .with_hint("ask for fewer rows, or add more data"));
    }
    pick(frame, &Stream::new(seed, "sample").sample(frame.height(), n))
}

/// All rows in random order.
pub fn shuffle(frame: &DataFrame, seed: u64) -> Result<DataFrame> {
    pick(frame, &Stream::new(seed, "shuffle").permutation(frame.height()))
}

fn pick(frame: &DataFrame, rows: &[usize]) -> Result<DataFrame> {
    let index: Vec<IdxSize> = rows.iter().map(|row| *row as IdxSize).collect();
    frame.take(&IdxCa::from_vec("".into(), index)).during("taking rows")
}
