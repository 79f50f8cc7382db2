//! Axes: ranges with a little room, ticks at round numbers (1, 2 or 5 times a power of ten) or at the bars themselves, and
//! their labels. Values near the end of what floats hold are drawn divided by a power of ten that the labels put back.

use crate::display::number::number;
use crate::display::{Chart, ChartKind};

/// Bars that are named one by one; more get round ticks.
const MOST_NAMED: usize = 24;

/// An axis, in the numbers that are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<f64>,
    /// The text of each tick.
    pub labels: Vec<String>,
}

/// A chart whose points can be drawn without going over what floats hold, and its axes of about so many ticks.
pub fn fitted(chart: &Chart, x_ticks: usize, y_ticks: usize) -> (Chart, Axis, Axis) {
    let mut fitted = chart.clone();
    let xs = || chart.series.iter().flat_map(|s| s.points.iter().map(|p| p.0));
    let ys = || chart.series.iter().flat_map(|s| s.points.iter().map(|p| p.1));
    let bands = || {
        let bands = chart.series.iter().flat_map(|s| &s.band);
        bands.flat_map(|(low, high)| [*low, *high])
    };
    let (x_exponent, y_exponent) = (exponent(xs()), exponent(ys().chain(bands())));
    let (x_unit, y_unit) = (10f64.powi(x_exponent), 10f64.powi(y_exponent));
    for series in &mut fitted.series {
        for point in &mut series.points {
            *point = (point.0 / x_unit, point.1 / y_unit);
        }
        for band in &mut series.band {
            *band = (band.0 / y_unit, band.1 / y_unit);
        }
    }
    let x = x_axis(&fitted, x_ticks, x_exponent);
    let base = chart.is_bars().then_some(0.0);
    let values = ys().chain(bands()).map(|y| y / y_unit).chain(base);
    let y = Axis::over(values, y_ticks, y_exponent);
    (fitted, x, y)
}

/// The power of ten that values are divided by: none, unless their differences could not be computed.
fn exponent(values: impl Iterator<Item = f64>) -> i32 {
    let sizes = values.filter(|value| value.is_finite()).map(f64::abs);
    let largest = sizes.fold(0.0, f64::max);
    if largest == 0.0 || (1e-100..1e100).contains(&largest) {
        return 0;
    }
    (largest.log10().floor() as i32).clamp(-300, 308)
}

fn x_axis(chart: &Chart, count: usize, exponent: i32) -> Axis {
    let points = chart.series.iter().flat_map(|series| &series.points);
    let xs = points.map(|(x, _)| *x).filter(|x| x.is_finite());
    if !chart.categories.is_empty() {
        return Axis::of_names(&chart.categories);
    }
    if !chart.is_bars() {
        return Axis::over(xs, count, exponent);
    }
    let mut places: Vec<f64> = xs.collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return Axis::over(std::iter::empty(), count, exponent);
    };
    let half = bar_width(chart) / 2.0;
    let (low, high) = (first - half, last + half);
    if chart.kind == ChartKind::Histogram || places.len() > MOST_NAMED || exponent != 0 {
        return Axis::within(low, high, count, exponent);
    }
    Axis { low, high, labels: places.iter().map(|place| bar_name(*place)).collect(), ticks: places }
}

/// A bar's number: whole numbers without a fraction.
pub fn bar_name(x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < 1e15 { format!("{x:.0}") } else { number(x) }
}

/// The distance between neighbouring places of bars, over all series.
pub fn bar_width(chart: &Chart) -> f64 {
    if !chart.categories.is_empty() {
        return 1.0;
    }
    let points = chart.series.iter().flat_map(|series| &series.points);
    let mut places: Vec<f64> = points.map(|(x, _)| *x).filter(|x| x.is_finite()).collect();
    places.sort_by(f64::total_cmp);
    let gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
    let smallest = gaps.filter(|gap| *gap > 0.0).fold(f64::INFINITY, f64::min);
    if smallest.is_finite() {
        return smallest;
    }
    // One place only: a width that is not lost beside the number itself.
    let only = places.first().map_or(0.0, |x| x.abs());
    if only < 1e15 { 1.0 } else { only / 10.0 }
}

impl Axis {
    /// An axis over all finite values with about `count` ticks, from tick to tick. Equal values get room on both sides.
    fn over(values: impl Iterator<Item = f64>, count: usize, exponent: i32) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        (low, high) = with_room(low, high);
        let step = round_step((high - low) / count.max(1) as f64);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        Self::of_steps(first * step, last * step, first, last, step, exponent)
    }

    /// An axis of exactly that range, with the round ticks that lie in it.
    fn within(low: f64, high: f64, count: usize, exponent: i32) -> Self {
        let (low, high) = with_room(low, high);
        let step = round_step((high - low) / count.max(1) as f64);
        let (first, last) = ((low / step).ceil(), (high / step).floor());
        Self::of_steps(low, high, first, last, step, exponent)
    }

    fn of_steps(low: f64, high: f64, first: f64, last: f64, step: f64, exponent: i32) -> Self {
        let ticks: Vec<f64> = (0..=(last - first).clamp(0.0, 100.0) as usize)
            .map(|i| (first + i as f64) * step)
            .collect();
        let largest = low.abs().max(high.abs());
        let labels = ticks.iter().map(|tick| label(*tick, step, largest, exponent)).collect();
        Self { low, high, ticks, labels }
    }

    /// Names at 0, 1, 2, …; where there are many, every so many-th.
    fn of_names(names: &[String]) -> Self {
        let every = names.len().div_ceil(MOST_NAMED).max(1);
        let named = names.iter().enumerate().step_by(every);
        let (ticks, labels) = named.map(|(place, name)| (place as f64, name.clone())).unzip();
        Self { low: -0.5, high: names.len() as f64 - 0.5, ticks, labels }
    }

    /// The label of the tick at a place.
    pub fn label(&self, place: f64) -> String {
        let distance = |tick: &f64| (tick - place).abs();
        let nearest = (0..self.ticks.len())
            .min_by(|a, b| distance(&self.ticks[*a]).total_cmp(&distance(&self.ticks[*b])));
        let label = nearest.and_then(|tick| self.labels.get(tick));
        label.cloned().unwrap_or_default()
    }
}

fn with_room(low: f64, high: f64) -> (f64, f64) {
    if high - low > f64::EPSILON * 4.0 * high.abs().max(low.abs()).max(1e-300) {
        return (low, high);
    }
    let room = if low == 0.0 { 1.0 } else { low.abs() * 0.5 };
    (low - room, high + room)
}

/// A tick as text, with as many decimals as the ticks need to differ.
fn label(tick: f64, step: f64, largest: f64, exponent: i32) -> String {
    // Minus zero is zero.
    let tick = if tick.abs() < step * 1e-9 { 0.0 } else { tick };
    if exponent == 0 && (1e-3..1e6).contains(&largest) {
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        return format!("{tick:.decimals$}");
    }
    if tick == 0.0 {
        return "0".to_string();
    }
    let digits = (tick.abs().log10().floor() - step.log10().floor()).clamp(1.0, 15.0) as usize;
    let text = format!("{tick:.digits$e}");
    match text.split_once('e') {
        Some((digits, power)) => {
            format!("{digits}e{}", power.parse::<i32>().unwrap_or(0) + exponent)
        }
        None => text,
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
