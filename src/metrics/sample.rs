//! A sample to be drawn from anew: its rows put together into units (rows or clusters), its units into strata, and the
//! statistics that are estimated from them.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::random::Stream;

/// What is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    Mean,
    Median,
    /// The standard deviation of a sample, with n − 1 below the line.
    StandardDeviation,
}

/// Up to this many units a draw takes 32 random bits: the chances of two units differ by less than one part in 60,000.
const FEW: usize = 1 << 16;

/// All rows of a unit.
#[derive(Clone, Debug)]
struct Unit {
    rows: Range<usize>,
    /// The sum of its values (paired: of the differences), and how many they are.
    sum: f64,
    count: f64,
}

/// The rows, by units and strata.
#[derive(Clone, Debug)]
pub struct Sample {
    values: Vec<f64>,
    /// What `values` is compared with, row by row.
    others: Option<Vec<f64>>,
    units: Vec<Unit>,
    strata: Vec<Range<usize>>,
}

/// By what rows are kept together and apart: a name for each row.
#[derive(Clone, Debug, Default)]
pub struct Grouping {
    pub clusters: Option<Vec<String>>,
    pub strata: Option<Vec<String>>,
}

impl Sample {
    /// A sample of values, or with `others` of pairs whose difference in the statistic is meant.
    pub fn new(values: &[f64], others: Option<&[f64]>, grouping: &Grouping) -> Result<Self> {
        let mut grouped: BTreeMap<&str, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        let mut clusters: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for row in 0..values.len() {
            let stratum = named(&grouping.strata, row).unwrap_or_default();
            let unit = match named(&grouping.clusters, row) {
                None => row,
                Some(cluster) => {
                    let (unit, known) = *clusters.entry(cluster).or_insert((row, stratum));
                    if known != stratum {
                        let got = format!("cluster {cluster} in the strata {known} and {stratum}");
                        return Err(Error::invalid(
                            "bootstrap",
                            "every cluster in one stratum",
                            got,
                        ));
                    }
                    unit
                }
            };
            grouped.entry(stratum).or_default().entry(unit).or_default().push(row);
        }
        let mut sample =
            Self { values: vec![], others: others.map(|_| vec![]), units: vec![], strata: vec![] };
        for units in grouped.into_values() {
            let first = sample.units.len();
            for rows in units.into_values() {
                sample.add(&rows, values, others);
            }
            sample.strata.push(first..sample.units.len());
        }
        if sample.units.len() < 2 {
            let what = if grouping.clusters.is_some() { "clusters" } else { "values" };
            let got = sample.units.len().to_string();
            return Err(Error::invalid(
                "bootstrap",
                format!("at least two {what} to draw from"),
                got,
            ));
        }
        Ok(sample)
    }

    fn add(&mut self, rows: &[usize], values: &[f64], others: Option<&[f64]>) {
        let first = self.values.len();
        let mut sum = 0.0;
        for row in rows {
            let value = values.get(*row).copied().unwrap_or_default();
            self.values.push(value);
            sum += value;
            if let Some(mine) = &mut self.others {
                let other = others.and_then(|others| others.get(*row)).copied().unwrap_or_default();
                mine.push(other);
                sum -= other;
            }
        }
        self.units.push(Unit { rows: first..self.values.len(), sum, count: rows.len() as f64 });
    }

    /// How many units there are.
    pub fn units(&self) -> usize {
        self.units.len()
    }

    /// The units of each stratum.
    pub fn strata(&self) -> &[Range<usize>] {
        &self.strata
    }

    /// How large the values are: the measure of what is rounding.
    pub fn scale(&self) -> f64 {
        let all = self.values.iter().chain(self.others.iter().flatten());
        all.map(|value| value.abs()).sum::<f64>() / self.values.len() as f64
    }

    /// As many units of every stratum as it has, drawn with replacement.
    pub fn draw(&self, stream: &Stream) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(self.units.len());
        let mut position = 0;
        for stratum in &self.strata {
            let n = stratum.len() as u64;
            let end = drawn.len() + stratum.len();
            while drawn.len() < end {
                if stratum.len() <= FEW {
                    let words = stream.words(position);
                    let places = words.map(|word| (u64::from(word) * n) >> 32);
                    let wanted = end - drawn.len();
                    drawn.extend(
                        places.iter().take(wanted).map(|place| stratum.start + *place as usize),
                    );
                } else {
                    drawn.push(stratum.start + stream.below(position, n) as usize);
                }
                position += 1;
            }
        }
        drawn
    }

    /// The statistic of some units; of pairs the difference.
    pub fn estimate(&self, statistic: Statistic, units: &[usize]) -> f64 {
        let units = units.iter().filter_map(|unit| self.units.get(*unit));
        if statistic == Statistic::Mean {
            let (sum, count) =
                units.fold((0.0, 0.0), |(sum, count), unit| (sum + unit.sum, count + unit.count));
            return sum / count;
        }
        let rows: Vec<Range<usize>> = units.map(|unit| unit.rows.clone()).collect();
        let of = |values: &[f64]| {
            let drawn = rows.iter().filter_map(|rows| values.get(rows.clone())).flatten();
            statistic_of(statistic, drawn.copied().collect())
        };
        of(&self.values) - self.others.as_deref().map_or(0.0, of)
    }

    /// The statistic of the first and the second of each pair.
    pub fn sides(&self, statistic: Statistic) -> (f64, f64) {
        let of = |values: &[f64]| statistic_of(statistic, values.to_vec());
        (of(&self.values), self.others.as_deref().map_or(f64::NAN, of))
    }

    /// The statistic with each unit of a range left out in turn.
    pub fn without_each(
        &self,
        statistic: Statistic,
        units: Range<usize>,
        control: &Control,
    ) -> Result<Vec<f64>> {
        let (sum, count) = self
            .units
            .iter()
            .fold((0.0, 0.0), |(sum, count), unit| (sum + unit.sum, count + unit.count));
        let without = |place: usize| {
            control.check()?;
            Ok(match (statistic, self.units.get(place)) {
                (Statistic::Mean, Some(unit)) => (sum - unit.sum) / (count - unit.count),
                _ => {
                    let rest: Vec<usize> =
                        (0..self.units.len()).filter(|unit| *unit != place).collect();
                    self.estimate(statistic, &rest)
                }
            })
        };
        units.into_par_iter().map(without).collect()
    }
}

fn statistic_of(statistic: Statistic, mut values: Vec<f64>) -> f64 {
    match statistic {
        Statistic::Mean => values.iter().sum::<f64>() / values.len() as f64,
        Statistic::Median => median(&mut values),
        Statistic::StandardDeviation => deviation(&values),
    }
}

/// The middle value, or the mean of the two in the middle; NaN where there is none.
fn median(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    if values.is_empty() {
        return f64::NAN;
    }
    let is_odd = values.len() % 2 == 1;
    let (lower, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    if is_odd {
        return *upper;
    }
    (lower.iter().copied().fold(f64::NEG_INFINITY, f64::max) + *upper) / 2.0
}

/// The standard deviation with n − 1 below the line; NaN for fewer than two values.
pub fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// The value below which a share of sorted values lies, between two of them by the straight line.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    low + (high - low) * place.fract()
}

fn named(names: &Option<Vec<String>>, row: usize) -> Option<&str> {
    names.as_ref().and_then(|names| names.get(row)).map(String::as_str)
}
