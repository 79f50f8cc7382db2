//! How well one column ranks the rows of another, of rows that are drawn anew: [`ranking`](super::ranking)'s measures with a weight
//! for each unit. The rows are sorted once; a resample only counts.

use super::ranking;
use super::units::{Drawn, Grouping, Units, weight};
use crate::error::Result;

/// What is estimated of labels and scores, or of two columns of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Auroc,
    Auprc,
    Spearman,
}

/// Two columns, by what the measure needs of them.
#[derive(Clone, Debug)]
pub struct Ranked {
    units: Units,
    columns: Columns,
}

#[derive(Clone, Debug)]
enum Columns {
    /// Rows from the highest score down, and whether precision counts rather than the share of pairs.
    Scores {
        rows: Vec<Scored>,
        is_precision: bool,
    },
    Ranks {
        first: Order,
        second: Order,
    },
}

/// A row among the scores.
#[derive(Clone, Copy, Debug)]
struct Scored {
    unit: u32,
    /// 1 for a row of the class, else 0.
    positive: f64,
    /// Whether the next row has another score.
    ends: bool,
}

/// The rows in the order of their values.
#[derive(Clone, Debug)]
struct Order {
    rows: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    row: usize,
    unit: u32,
    ends: bool,
}

impl Ranked {
    /// Labels and scores for `Auroc` and `Auprc`, two columns of numbers for `Spearman`.
    pub fn new(
        first: &[f64],
        second: &[f64],
        grouping: &Grouping,
        measure: Measure,
    ) -> Result<Self> {
        let labels: Vec<bool> = first.iter().map(|label| *label == 1.0).collect();
        // What has no such measure is refused where the measure is.
        match measure {
            Measure::Auroc => ranking::auroc(&labels, second)?,
            Measure::Auprc => ranking::auprc(&labels, second)?,
            Measure::Spearman => ranking::spearman(first, second)?,
        };
        let units = Units::new(first.len(), grouping)?;
        let second = Order::new(second, &units);
        let columns = if measure == Measure::Spearman {
            Columns::Ranks { first: Order::new(first, &units), second }
        } else {
            let rows = second.descending(&labels);
            Columns::Scores { rows, is_precision: measure == Measure::Auprc }
        };
        Ok(Self { units, columns })
    }
}

impl Drawn for Ranked {
    fn units(&self) -> &Units {
        &self.units
    }

    fn estimate(&self, weights: &[u32]) -> f64 {
        match &self.columns {
            Columns::Scores { rows, is_precision: false } => share_of_pairs(rows, weights),
            Columns::Scores { rows, is_precision: true } => average_precision(rows, weights),
            Columns::Ranks { first, second } => rank_correlation(first, second, weights),
        }
    }

    fn scale(&self) -> f64 {
        1.0
    }
}

/// Calls `take` with the weight of rows of the class and of others at each score, from the highest down.
fn at_each_score(rows: &[Scored], weights: &[u32], mut take: impl FnMut(f64, f64)) {
    let (mut positives, mut all) = (0.0, 0.0);
    for row in rows {
        let weight = f64::from(weight(weights, row.unit));
        positives += weight * row.positive;
        all += weight;
        if row.ends {
            take(positives, all - positives);
            (positives, all) = (0.0, 0.0);
        }
    }
}

fn share_of_pairs(rows: &[Scored], weights: &[u32]) -> f64 {
    let (mut found, mut passed, mut won) = (0.0, 0.0, 0.0);
    at_each_score(rows, weights, |positives, negatives| {
        won += negatives * (found + positives / 2.0);
        found += positives;
        passed += negatives;
    });
    won / (found * passed)
}

fn average_precision(rows: &[Scored], weights: &[u32]) -> f64 {
    let (mut found, mut taken, mut area) = (0.0, 0.0, 0.0);
    at_each_score(rows, weights, |positives, negatives| {
        found += positives;
        taken += positives + negatives;
        if positives > 0.0 {
            area += positives * (found / taken);
        }
    });
    area / found
}

fn rank_correlation(first: &Order, second: &Order, weights: &[u32]) -> f64 {
    let total: f64 = weights_of(first, weights).sum();
    let middle = (total + 1.0) / 2.0;
    let mut ranks = vec![0.0; first.rows.len()];
    let mut squares = [0.0; 2];
    first.with_ranks(weights, |row, weight, rank| {
        if let Some(slot) = ranks.get_mut(row) {
            *slot = rank - middle;
        }
        squares[0] += weight * (rank - middle) * (rank - middle);
    });
    let mut products = 0.0;
    second.with_ranks(weights, |row, weight, rank| {
        let other = ranks.get(row).copied().unwrap_or_default();
        products += weight * other * (rank - middle);
        squares[1] += weight * (rank - middle) * (rank - middle);
    });
    let [a, b] = squares;
    (products / (a.sqrt() * b.sqrt())).clamp(-1.0, 1.0)
}

fn weights_of<'a>(order: &'a Order, weights: &'a [u32]) -> impl Iterator<Item = f64> + 'a {
    order.rows.iter().map(|place| f64::from(weight(weights, place.unit)))
}

impl Order {
    fn new(values: &[f64], units: &Units) -> Self {
        let of_rows = units.of_rows();
        // Zeros of both signs are equal, as they are to the measures themselves.
        let mut order: Vec<(f64, usize)> =
            values.iter().map(|value| value + 0.0).zip(0..).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let next = order.iter().skip(1).map(|(value, _)| Some(*value)).chain([None]);
        let place = |((value, row), next): (&(f64, usize), Option<f64>)| Place {
            row: *row,
            unit: of_rows.get(*row).copied().unwrap_or_default(),
            ends: next != Some(*value),
        };
        Self { rows: order.iter().zip(next).map(place).collect() }
    }

    /// The same from the highest value down, with labels.
    fn descending(&self, labels: &[bool]) -> Vec<Scored> {
        let positive = |row: usize| labels.get(row).copied().unwrap_or_default();
        let before = [true].into_iter().chain(self.rows.iter().map(|place| place.ends));
        let rows = self.rows.iter().zip(before).map(|(place, ends)| Scored {
            unit: place.unit,
            positive: f64::from(u8::from(positive(place.row))),
            ends,
        });
        let mut rows: Vec<Scored> = rows.collect();
        rows.reverse();
        rows
    }

    /// Calls `take` with each row, its weight and its rank; equal values share the mean of theirs.
    fn with_ranks(&self, weights: &[u32], mut take: impl FnMut(usize, f64, f64)) {
        let mut before = 0.0;
        for group in self.rows.chunk_by(|place, _| !place.ends) {
            let own = |place: &Place| f64::from(weight(weights, place.unit));
            let count: f64 = group.iter().map(own).sum();
            let rank = before + (count + 1.0) / 2.0;
            group.iter().for_each(|place| take(place.row, own(place), rank));
            before += count;
        }
    }
}
