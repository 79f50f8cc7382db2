//! Scores that are made of sums over rows (an accuracy, a bias score, an F1), of rows that are drawn anew.

use super::units::{Drawn, Grouping, Units};
use crate::error::Result;

/// What is made of the sums of `K` numbers.
pub type Score<const K: usize> = fn(&[f64; K]) -> f64;

/// Rows of `K` numbers each, and the score of their sums.
#[derive(Clone, Debug)]
pub struct Sums<const K: usize> {
    units: Units,
    sums: Vec<[f64; K]>,
    all: [f64; K],
    score: Score<K>,
    scale: f64,
}

impl<const K: usize> Sums<K> {
    /// `scale` is how large scores are: 1, or 100 for percentages.
    pub fn new(
        rows: &[[f64; K]],
        grouping: &Grouping,
        score: Score<K>,
        scale: f64,
    ) -> Result<Self> {
        let units = Units::new(rows.len(), grouping)?;
        let of_unit = |members: &[usize]| total(members.iter().filter_map(|row| rows.get(*row)));
        let sums: Vec<[f64; K]> = units.each().map(of_unit).collect();
        let all = total(&sums);
        Ok(Self { units, sums, all, score, scale })
    }
}

/// The sums over rows.
pub fn total<'a, const K: usize>(rows: impl IntoIterator<Item = &'a [f64; K]>) -> [f64; K] {
    let mut sums = [0.0; K];
    rows.into_iter().for_each(|row| add(&mut sums, row, 1.0));
    sums
}

fn add<const K: usize>(sums: &mut [f64; K], more: &[f64; K], times: f64) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += times * more;
    }
}

impl<const K: usize> Drawn for Sums<K> {
    fn units(&self) -> &Units {
        &self.units
    }

    fn estimate(&self, weights: &[u32]) -> f64 {
        let mut sums = [0.0; K];
        for (unit, weight) in self.sums.iter().zip(weights) {
            add(&mut sums, unit, f64::from(*weight));
        }
        (self.score)(&sums)
    }

    fn without(&self, unit: usize) -> f64 {
        let mut sums = self.all;
        self.sums.iter().skip(unit).take(1).for_each(|unit| add(&mut sums, unit, -1.0));
        (self.score)(&sums)
    }

    fn scale(&self) -> f64 {
        self.scale
    }
}
