//! From a chart's values to the numbers that are drawn, and the axes they need: logarithms where the chart asks for them.
//! Values near the end of what floats hold are drawn divided by a power of ten that the labels put back.

use super::axis::Axis;
use super::logarithmic::{logarithmic, power};
use crate::display::number::number;
use crate::display::{Chart, ChartKind, Scale, Series};

/// Bars that are named one by one; more get round ticks.
const MOST_NAMED: usize = 24;

/// A chart in the numbers that are drawn, and the axes that all its panels share.
pub struct Fitted {
    /// The panels as charts, or the one chart.
    pub parts: Vec<Chart>,
    pub x: Axis,
    pub y: Axis,
    /// What values along y are divided by on an axis that is not logarithmic.
    pub y_unit: f64,
    /// The distance between neighbouring places of bars.
    pub bar_width: f64,
    /// Where bars begin: at zero, or at the lower edge of a logarithmic axis.
    pub base: f64,
}

/// A chart whose points can be drawn without going over what floats hold, and its axes of about so many ticks.
pub fn fitted(chart: &Chart, x_ticks: usize, y_ticks: usize) -> Fitted {
    let xs = || chart.series.iter().flat_map(|s| s.points.iter().map(|p| p.0));
    let ys = || chart.series.iter().flat_map(|s| s.points.iter().map(|p| p.1));
    let bands = || {
        let bands = chart.series.iter().flat_map(|s| &s.band);
        bands.flat_map(|(low, high)| [*low, *high])
    };
    let across = Drawn::new(chart.x_scale, xs());
    let up = Drawn::new(chart.y_scale, ys().chain(bands()));
    let whole = Chart {
        series: chart.series.iter().map(|series| moved(series, &across, &up)).collect(),
        panels: Vec::new(),
        ..chart.clone()
    };
    let parts = chart.panels.iter().map(|panel| Chart {
        title: panel.title.clone(),
        series: panel.series.iter().map(|series| moved(series, &across, &up)).collect(),
        panels: Vec::new(),
        ..chart.clone()
    });
    let parts: Vec<Chart> = parts.collect();
    let x = x_axis(&whole, x_ticks, &across);
    let values = ys().chain(bands()).map(|y| up.place(y));
    let y = match (up.scale, chart.is_bars()) {
        (Scale::Linear, true) => Axis::over(values.chain([0.0]), y_ticks, up.exponent),
        (Scale::Linear, false) => Axis::over(values, y_ticks, up.exponent),
        (Scale::Log, bars) => log_axis(values, y_ticks, bars),
    };
    let base = if up.scale == Scale::Log { y.low } else { 0.0 };
    let bar_width = bar_width(&whole);
    let parts = if parts.is_empty() { vec![whole] } else { parts };
    let y_unit = 10f64.powi(up.exponent);
    Fitted { parts, x, y, y_unit, bar_width, base }
}

/// How the values of an axis become the numbers that are drawn: their logarithms, or themselves, divided by a power of ten
/// where they lie at the end of what floats hold.
struct Drawn {
    scale: Scale,
    exponent: i32,
}

impl Drawn {
    fn new(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let exponent = if scale == Scale::Log { 0 } else { exponent(values) };
        Self { scale, exponent }
    }

    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value / 10f64.powi(self.exponent),
            Scale::Log if value > 0.0 => value.log10(),
            Scale::Log => f64::NAN,
        }
    }

    /// The lower end of a band. One that is not above zero lies below all that a logarithmic axis shows.
    fn lower_end(&self, low: f64) -> f64 {
        if self.scale == Scale::Log && low <= 0.0 { f64::NEG_INFINITY } else { self.finite(low) }
    }

    fn finite(&self, value: f64) -> f64 {
        if value.is_finite() { self.place(value) } else { f64::NAN }
    }
}

fn moved(series: &Series, across: &Drawn, up: &Drawn) -> Series {
    let point = |(x, y): &(f64, f64)| (across.place(*x), up.place(*y));
    let band = |(low, high): &(f64, f64)| (up.lower_end(*low), up.finite(*high));
    Series {
        name: series.name.clone(),
        points: series.points.iter().map(point).collect(),
        band: series.band.iter().map(band).collect(),
    }
}

/// An axis over logarithms that are known. Bars begin below the smallest, so that it is seen.
fn log_axis(values: impl Iterator<Item = f64>, count: usize, bars: bool) -> Axis {
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return logarithmic(0.0, 1.0, count, true);
    }
    logarithmic(if bars { low - 0.31 } else { low }, high, count, true)
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

fn x_axis(chart: &Chart, count: usize, drawn: &Drawn) -> Axis {
    let (log, exponent) = (drawn.scale == Scale::Log, drawn.exponent);
    let points = chart.series.iter().flat_map(|series| &series.points);
    let xs = points.map(|(x, _)| *x).filter(|x| x.is_finite());
    if !chart.categories.is_empty() {
        return Axis::of_names(&chart.categories);
    }
    if !chart.is_bars() {
        return if log { log_axis(xs, count, false) } else { Axis::over(xs, count, exponent) };
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
        return if log {
            logarithmic(low, high, count, false)
        } else {
            Axis::within(low, high, count, exponent)
        };
    }
    let name = |place: &f64| bar_name(if log { power(*place) } else { *place });
    Axis { low, high, labels: places.iter().map(name).collect(), ticks: places }
}

/// A bar's number: whole numbers without a fraction.
pub fn bar_name(x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < 1e15 { format!("{x:.0}") } else { number(x) }
}

/// The distance between neighbouring places of bars, over all series.
fn bar_width(chart: &Chart) -> f64 {
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
