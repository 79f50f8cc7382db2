//! Statistics of one column, or of the difference between two, of rows that are drawn anew: mean, median and standard deviation.

use super::units::{Drawn, Grouping, Units, weight};
use crate::error::Result;

/// What is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    Mean,
    Median,
    /// The standard deviation of a sample, with n − 1 below the line.
    StandardDeviation,
}

/// A column, or two that are compared row by row.
#[derive(Clone, Debug)]
pub struct Sample {
    units: Units,
    side: Side,
    other: Option<Side>,
    scale: f64,
}

impl Sample {
    /// A sample of values, or with `others` of pairs whose difference in the statistic is meant.
    pub fn new(
        values: &[f64],
        others: Option<&[f64]>,
        grouping: &Grouping,
        statistic: Statistic,
    ) -> Result<Self> {
        let units = Units::new(values.len(), grouping)?;
        let all = values.iter().chain(others.unwrap_or_default());
        let scale = all.map(|value| value.abs()).sum::<f64>() / values.len() as f64;
        let side = Side::new(values, &units, statistic);
        let other = others.map(|others| Side::new(others, &units, statistic));
        Ok(Self { units, side, other, scale })
    }

    /// The statistic of the first and the second of each pair.
    pub fn sides(&self) -> (f64, f64) {
        let once = self.units.once();
        let other = self.other.as_ref().map_or(f64::NAN, |other| other.estimate(&once));
        (self.side.estimate(&once), other)
    }
}

impl Drawn for Sample {
    fn units(&self) -> &Units {
        &self.units
    }

    fn estimate(&self, weights: &[u32]) -> f64 {
        let other = self.other.as_ref().map_or(0.0, |other| other.estimate(weights));
        self.side.estimate(weights) - other
    }

    fn without(&self, unit: usize) -> f64 {
        let other = self.other.as_ref().map_or(0.0, |other| other.without(&self.units, unit));
        self.side.without(&self.units, unit) - other
    }

    fn scale(&self) -> f64 {
        self.scale
    }
}

/// A column by what its statistic needs.
#[derive(Clone, Debug)]
enum Side {
    Moments(Moments),
    Sorted(Sorted),
}

impl Side {
    fn new(values: &[f64], units: &Units, statistic: Statistic) -> Self {
        match statistic {
            Statistic::Median => Self::Sorted(Sorted::new(values, units)),
            Statistic::Mean => Self::Moments(Moments::new(values, units, false)),
            Statistic::StandardDeviation => Self::Moments(Moments::new(values, units, true)),
        }
    }

    fn estimate(&self, weights: &[u32]) -> f64 {
        match self {
            Self::Moments(moments) => moments.estimate(weights),
            Self::Sorted(sorted) => sorted.estimate(weights),
        }
    }

    fn without(&self, units: &Units, unit: usize) -> f64 {
        match self {
            Self::Moments(moments) => moments.without(unit),
            Self::Sorted(sorted) => sorted.without(units.rows(unit)),
        }
    }
}

/// For each unit how many values it has, their sum and the sum of their squares.
#[derive(Clone, Debug)]
struct Moments {
    units: Vec<[f64; 3]>,
    all: [f64; 3],
    /// For a deviation, what the values were divided by.
    spread: Option<f64>,
}

impl Moments {
    fn new(values: &[f64], units: &Units, is_deviation: bool) -> Self {
        // Squares about the mean: about 0 their sum would lose the digits that a small deviation is made of.
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let middle = if is_deviation { mean } else { 0.0 };
        // By the largest, so that no square is too large for a number.
        let largest = values.iter().fold(0.0, |most: f64, value| most.max((value - mean).abs()));
        let spread = is_deviation.then_some(if largest > 0.0 { largest } else { 1.0 });
        let of_unit = |rows: &[usize]| {
            let mut sums = [0.0; 3];
            for value in rows.iter().filter_map(|row| values.get(*row)) {
                let away = (value - middle) / spread.unwrap_or(1.0);
                add(&mut sums, &[1.0, away, away * away], 1.0);
            }
            sums
        };
        let units: Vec<[f64; 3]> = units.each().map(of_unit).collect();
        let mut all = [0.0; 3];
        units.iter().for_each(|unit| add(&mut all, unit, 1.0));
        Self { units, all, spread }
    }

    fn estimate(&self, weights: &[u32]) -> f64 {
        let mut sums = [0.0; 3];
        for (unit, weight) in self.units.iter().zip(weights) {
            add(&mut sums, unit, f64::from(*weight));
        }
        self.of(sums)
    }

    fn without(&self, unit: usize) -> f64 {
        let mut sums = self.all;
        self.units.iter().skip(unit).take(1).for_each(|unit| add(&mut sums, unit, -1.0));
        self.of(sums)
    }

    fn of(&self, [count, sum, squares]: [f64; 3]) -> f64 {
        let Some(spread) = self.spread else {
            return sum / count;
        };
        if count < 2.0 {
            return f64::NAN;
        }
        // Rounding may leave a little less than nothing where all values are equal.
        spread * ((squares - sum * sum / count).max(0.0) / (count - 1.0)).sqrt()
    }
}

fn add(sums: &mut [f64; 3], more: &[f64; 3], times: f64) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += times * more;
    }
}

/// The values in order with their units, and for each row its place in that order.
#[derive(Clone, Debug)]
struct Sorted {
    values: Vec<(f64, u32)>,
    places: Vec<usize>,
    /// How many values each unit has.
    counts: Vec<u32>,
}

impl Sorted {
    fn new(values: &[f64], units: &Units) -> Self {
        let mut order: Vec<(f64, usize)> = values.iter().copied().zip(0..).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut places = vec![0; values.len()];
        for (place, (_, row)) in order.iter().enumerate() {
            if let Some(slot) = places.get_mut(*row) {
                *slot = place;
            }
        }
        let of_rows = units.of_rows();
        let unit = |row: usize| of_rows.get(row).copied().unwrap_or_default();
        let values = order.into_iter().map(|(value, row)| (value, unit(row))).collect();
        Self { values, places, counts: units.each().map(|rows| rows.len() as u32).collect() }
    }

    /// The middle value, or the mean of the two in the middle.
    fn estimate(&self, weights: &[u32]) -> f64 {
        let counts = self.counts.iter().zip(weights);
        let total: u64 = counts.map(|(count, weight)| u64::from(*count) * u64::from(*weight)).sum();
        let (low, high) = (total.saturating_sub(1) / 2, total / 2);
        let (mut seen, mut lower) = (0, f64::NAN);
        for (value, unit) in &self.values {
            let before = seen;
            seen += u64::from(weight(weights, *unit));
            if before <= low && low < seen {
                lower = *value;
            }
            if high < seen {
                return lower / 2.0 + value / 2.0;
            }
        }
        f64::NAN
    }

    /// The median with some rows left out: a place moves up by one for each of them that stands at it or before.
    fn without(&self, rows: &[usize]) -> f64 {
        let mut gone: Vec<usize> =
            rows.iter().filter_map(|row| self.places.get(*row)).copied().collect();
        gone.sort_unstable();
        let total = self.values.len() - gone.len();
        let at = |mut place: usize| {
            for left_out in &gone {
                place += usize::from(*left_out <= place);
            }
            self.values.get(place).map_or(f64::NAN, |(value, _)| *value)
        };
        if total == 0 { f64::NAN } else { at((total - 1) / 2) / 2.0 + at(total / 2) / 2.0 }
    }
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
