//! Axes: ranges with a little room, ticks at round numbers (1, 2 or 5 times a power of ten) or at names, and their labels.

/// Names that stand one by one below an axis; of more, every so many-th does.
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

impl Axis {
    /// An axis over all finite values with about `count` ticks, from tick to tick. Equal values get room on both sides.
    pub fn over(values: impl Iterator<Item = f64>, count: usize, exponent: i32) -> Self {
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
    pub fn within(low: f64, high: f64, count: usize, exponent: i32) -> Self {
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
    pub fn of_names(names: &[String]) -> Self {
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

pub fn round_step(rough: f64) -> f64 {
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
