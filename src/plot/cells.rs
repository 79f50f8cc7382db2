//! What the cells of a heat map say: where a value lies between the lowest and the highest, and what is written in a cell.

use super::axis::Axis;
use crate::display::chart::{Chart, Grid};
use crate::display::number::number;

/// The values that colours stand for, the same in all panels.
pub struct Range {
    low: f64,
    high: f64,
    /// Values are drawn as parts of this, so that differences can be computed.
    unit: f64,
    percent: bool,
}

impl Range {
    /// From the lowest to the highest value; of shares from none to all.
    pub fn of(chart: &Chart) -> Self {
        if chart.grids().any(|grid| !grid.counts.is_empty()) {
            return Self { low: 0.0, high: 1.0, unit: 1.0, percent: true };
        }
        let values = chart.grids().flat_map(|grid| &grid.values).flatten().copied();
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let largest = values.iter().copied().map(f64::abs).fold(0.0, f64::max);
        let unit = if (1e-100..1e100).contains(&largest) || largest == 0.0 { 1.0 } else { largest };
        let parts = values.iter().map(|value| value / unit);
        let low = parts.clone().fold(f64::INFINITY, f64::min);
        let high = parts.fold(f64::NEG_INFINITY, f64::max);
        Self { low, high, unit, percent: false }
    }

    /// Where between the lowest (0) and the highest (1) a value lies. One value only is in the middle.
    pub fn share(&self, value: f64) -> f64 {
        self.share_drawn(value / self.unit)
    }

    /// The same of a number of [`Self::axis`].
    pub fn share_drawn(&self, value: f64) -> f64 {
        if self.high > self.low { (value - self.low) / (self.high - self.low) } else { 0.5 }
    }

    /// The value at such a share.
    pub fn value(&self, share: f64) -> f64 {
        (self.low + (self.high - self.low) * share) * self.unit
    }

    /// The axis of the scale of colours.
    pub fn axis(&self) -> Axis {
        if self.percent {
            let ticks = vec![0.0, 0.25, 0.5, 0.75, 1.0];
            let labels = ticks.iter().map(|tick| percent(*tick)).collect();
            return Axis { low: 0.0, high: 1.0, ticks, labels };
        }
        if self.high > self.low && self.unit == 1.0 {
            return Axis::within(self.low, self.high, 5, 0);
        }
        let ticks = if self.high > self.low { vec![self.low, self.high] } else { vec![self.low] };
        let labels = ticks.iter().map(|tick| number(tick * self.unit)).collect();
        Axis { low: self.low, high: self.high, ticks, labels }
    }

    /// A value of the scale as text.
    pub fn label(&self, value: f64) -> String {
        if self.percent { percent(value) } else { number(value) }
    }
}

pub fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// The lines that are written in each cell: its value, or a count and its share of the row.
pub fn texts(grid: &Grid) -> Vec<Vec<Vec<String>>> {
    let row = |(row, values): (usize, &Vec<f64>)| {
        let counts = grid.counts.get(row);
        let cell = |(column, value): (usize, &f64)| match counts.and_then(|row| row.get(column)) {
            Some(count) if value.is_finite() => vec![whole(*count), percent(*value)],
            _ if value.is_finite() => vec![whole(*value)],
            _ => Vec::new(),
        };
        values.iter().enumerate().map(cell).collect()
    };
    grid.values.iter().enumerate().map(row).collect()
}

/// A number; a whole one without a fraction.
fn whole(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { number(value) }
}
