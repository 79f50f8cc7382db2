//! How rows are drawn anew: rows put together into units (a row, or all rows of a cluster), the units into strata.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::random::Stream;

/// Up to this many units a draw takes 32 random bits: the chances of two units differ by less than one part in 60,000.
const FEW: usize = 1 << 16;

/// By what rows are kept together and apart: a name for each row.
#[derive(Clone, Debug, Default)]
pub struct Grouping {
    pub clusters: Option<Vec<String>>,
    pub strata: Option<Vec<String>>,
}

/// What a bootstrap draws from, and what it estimates of what was drawn.
pub trait Drawn: Sync {
    fn units(&self) -> &Units;

    /// The statistic where each unit was drawn as often as its weight says; NaN where it is not defined.
    fn estimate(&self, weights: &[u32]) -> f64;

    /// The statistic with one unit left out.
    fn without(&self, unit: usize) -> f64 {
        let mut weights = self.units().once();
        weights.iter_mut().skip(unit).take(1).for_each(|weight| *weight = 0);
        self.estimate(&weights)
    }

    /// How large the numbers behind the statistic are: the measure of what is rounding.
    fn scale(&self) -> f64;
}

/// Rows by units, units by strata.
#[derive(Clone, Debug)]
pub struct Units {
    /// The rows, those of a unit beside each other.
    rows: Vec<usize>,
    units: Vec<Range<usize>>,
    strata: Vec<Range<usize>>,
    is_clustered: bool,
}

impl Units {
    pub fn new(rows: usize, grouping: &Grouping) -> Result<Self> {
        let mut grouped: BTreeMap<&str, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        let mut clusters: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for row in 0..rows {
            let stratum = named(&grouping.strata, row).unwrap_or_default();
            let unit = match named(&grouping.clusters, row) {
                None => row,
                Some(cluster) => {
                    let (unit, known) = *clusters.entry(cluster).or_insert((row, stratum));
                    if known != stratum {
                        let got = format!("cluster {cluster} in the strata {known} and {stratum}");
                        let expected = "every cluster in one stratum";
                        return Err(Error::invalid("bootstrap", expected, got));
                    }
                    unit
                }
            };
            grouped.entry(stratum).or_default().entry(unit).or_default().push(row);
        }
        let mut made = Self {
            rows: Vec::with_capacity(rows),
            units: vec![],
            strata: vec![],
            is_clustered: grouping.clusters.is_some(),
        };
        for units in grouped.into_values() {
            let first = made.units.len();
            for rows in units.into_values() {
                let begin = made.rows.len();
                made.rows.extend(rows);
                made.units.push(begin..made.rows.len());
            }
            made.strata.push(first..made.units.len());
        }
        Ok(made)
    }

    /// Refuses what nothing can be drawn from.
    pub fn check(&self) -> Result<()> {
        if self.count() >= 2 {
            return Ok(());
        }
        let what = if self.is_clustered { "clusters" } else { "values" };
        let expected = format!("at least two {what} to draw from");
        Err(Error::invalid("bootstrap", expected, self.count().to_string()))
    }

    /// How many units there are.
    pub fn count(&self) -> usize {
        self.units.len()
    }

    /// The units of each stratum.
    pub fn strata(&self) -> &[Range<usize>] {
        &self.strata
    }

    /// The rows of a unit.
    pub fn rows(&self, unit: usize) -> &[usize] {
        let range = self.units.get(unit).cloned().unwrap_or_default();
        self.rows.get(range).unwrap_or_default()
    }

    /// The rows of every unit.
    pub fn each(&self) -> impl Iterator<Item = &[usize]> {
        (0..self.count()).map(|unit| self.rows(unit))
    }

    /// The unit of each row.
    pub fn of_rows(&self) -> Vec<u32> {
        let mut found = vec![0; self.rows.len()];
        for (unit, rows) in self.each().enumerate() {
            for row in rows {
                if let Some(slot) = found.get_mut(*row) {
                    *slot = unit as u32;
                }
            }
        }
        found
    }

    /// Every unit once.
    pub fn once(&self) -> Vec<u32> {
        vec![1; self.count()]
    }

    /// As many units of every stratum as it has, drawn with replacement: how often each was drawn.
    pub fn draw(&self, stream: &Stream, weights: &mut [u32]) {
        weights.fill(0);
        let mut position = 0;
        for stratum in &self.strata {
            let n = stratum.len();
            let Some(weights) = weights.get_mut(stratum.clone()) else {
                continue;
            };
            let mut hit = |place: u64| {
                if let Some(weight) = weights.get_mut(place as usize) {
                    *weight += 1;
                }
            };
            let mut left = n;
            while left > 0 {
                if n <= FEW {
                    let words = stream.words(position);
                    words
                        .iter()
                        .take(left)
                        .for_each(|word| hit((u64::from(*word) * n as u64) >> 32));
                    left = left.saturating_sub(words.len());
                } else {
                    hit(stream.below(position, n as u64));
                    left -= 1;
                }
                position += 1;
            }
        }
    }
}

/// How often a unit was drawn.
pub fn weight(weights: &[u32], unit: u32) -> u32 {
    weights.get(unit as usize).copied().unwrap_or(0)
}

fn named(names: &Option<Vec<String>>, row: usize) -> Option<&str> {
    names.as_ref().and_then(|names| names.get(row)).map(String::as_str)
}
