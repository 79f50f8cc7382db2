//! Axes: ranges with a little room, round ticks (1, 2 or 5 times a power of ten), and their labels.

use super::Chart;

/// A numeric axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<f64>,
}

impl Axis {
    /// An axis over all finite values with about `count` ticks. Equal values get room on both sides.
    pub fn over(values: impl Iterator<Item = f64>, count: usize) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if high - low <= f64::EPSILON * high.abs().max(low.abs()).max(1e-300) {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.5 };
            (low, high) = (low - room, high + room);
        }
        let step = round_step((high - low) / count.max(1) as f64);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let ticks = (0..=(last - first).min(100.0) as usize)
            .map(|i| (first + i as f64) * step)
            .collect();
        Self {
            low: first * step,
            high: last * step,
            ticks,
        }
    }

    /// A tick as text, with as many decimals as the ticks need to differ.
    pub fn label(&self, tick: f64) -> String {
        let step = match self.ticks.as_slice() {
            [a, b, ..] => (b - a).abs(),
            _ => 1.0,
        };
        let largest = self.low.abs().max(self.high.abs());
        if !(1e-3..1e6).contains(&largest) {
            return match tick == 0.0 {
                true => "0".to_string(),
                false => format!("{tick:.1e}"),
            };
        }
        let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
        // Minus zero is zero.
        format!(
            "{:.decimals$}",
            if tick.abs() < step * 1e-9 { 0.0 } else { tick }
        )
    }
}

fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let part = rough / power;
    let round = if part <= 1.0 {
        1.0
    } else if part <= 2.0 {
        2.0
    } else if part <= 5.0 {
        5.0
    } else {
        10.0
    };
    round * power
}

/// The axis of a chart's x values.
pub fn x_axis(chart: &Chart, count: usize) -> Axis {
    Axis::over(
        chart
            .series
            .iter()
            .flat_map(|series| series.points.iter().map(|(x, _)| *x)),
        count,
    )
}

/// The axis of a chart's y values and bands; bars stand on zero.
pub fn y_axis(chart: &Chart, count: usize) -> Axis {
    let points = chart
        .series
        .iter()
        .flat_map(|series| series.points.iter().map(|(_, y)| *y));
    let bands = chart
        .series
        .iter()
        .flat_map(|series| series.band.iter().flat_map(|(low, high)| [*low, *high]));
    let base = chart.is_bars().then_some(0.0);
    Axis::over(points.chain(bands).chain(base), count)
}

/// At most about `most` points: the lowest and highest of each stretch, so that peaks stay.
pub fn thinned(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    if points.len() <= most {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil((most / 2).max(1));
    let mut kept = Vec::with_capacity(most + 2);
    for part in points.chunks(stretch) {
        let by_y = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let lowest = part.iter().min_by(by_y).copied();
        let highest = part.iter().max_by(by_y).copied();
        let mut pair: Vec<(f64, f64)> = lowest.into_iter().chain(highest).collect();
        pair.sort_by(|a, b| a.0.total_cmp(&b.0));
        pair.dedup();
        kept.extend(pair);
    }
    kept
}
