//! Logarithmic axes, in the decimal logarithms that are drawn: ticks at powers of ten, at 1, 2 and 5 times them where there
//! are few powers, and at round steps within less than a decade.

use super::axis::{Axis, round_step};

/// The number that has this decimal logarithm, less what rounding added.
pub fn power(logarithm: f64) -> f64 {
    let value = 10f64.powf(logarithm).min(f64::MAX);
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// An axis over these logarithms with about `count` ticks; where it may reach `outward`, from tick to tick.
pub fn logarithmic(low: f64, high: f64, count: usize, outward: bool) -> Axis {
    let (low, high) = if high - low > 1e-9 { (low, high) } else { (low - 0.31, high + 0.31) };
    let mut ticks = if high - low < 0.7 { steps(low, high, count) } else { Vec::new() };
    if ticks.len() < 2 {
        ticks = powers(low, high, count);
    }
    let first = ticks.iter().rposition(|(place, _)| *place <= low + 1e-9).unwrap_or(0);
    let last = ticks.iter().position(|(place, _)| *place >= high - 1e-9);
    let last = last.unwrap_or(ticks.len().saturating_sub(1));
    let around = ticks.get(first..=last).unwrap_or(&[]).to_vec();
    if outward {
        let ends =
            (around.first().map_or(low, |tick| tick.0), around.last().map_or(high, |tick| tick.0));
        return axis(low.min(ends.0), high.max(ends.1), around);
    }
    axis(low, high, around.into_iter().filter(|(place, _)| (low..=high).contains(place)).collect())
}

fn axis(low: f64, high: f64, ticks: Vec<(f64, String)>) -> Axis {
    let (ticks, labels) = ticks.into_iter().unzip();
    Axis { low, high, ticks, labels }
}

/// Powers of ten from below `low` to above `high`, with twice and five times each where few powers lie between.
fn powers(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    let decades = (last - first).max(1) as usize;
    let every = decades.div_ceil(count.max(1)).max(1);
    let parts: &[u32] = if decades * 3 <= count.max(3) + 2 { &[1, 2, 5] } else { &[1] };
    let exponents = (first..=last + every as i32 - 1).step_by(every);
    let ticks = exponents.flat_map(|exponent| {
        parts.iter().map(move |part| {
            (f64::from(*part).log10() + f64::from(exponent), label(*part, exponent))
        })
    });
    ticks.collect()
}

fn label(part: u32, exponent: i32) -> String {
    match exponent {
        -4..=-1 => format!(
            "{:.*}",
            exponent.unsigned_abs() as usize,
            f64::from(part) * 10f64.powi(exponent)
        ),
        0..=5 => format!("{}", u64::from(part) * 10u64.pow(exponent.unsigned_abs())),
        _ => format!("{part}e{exponent}"),
    }
}

/// Round numbers in equal steps, each at its logarithm.
fn steps(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let (from, to) = (10f64.powf(low), 10f64.powf(high));
    let step = round_step((to - from) / count.max(1) as f64);
    let usable =
        step.is_finite() && step > 0.0 && from > step * 1e-9 && (1e-4..1e6).contains(&from);
    if !usable {
        return Vec::new();
    }
    let (first, last) = ((from / step).floor(), (to / step).ceil());
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    let numbers =
        (0..=(last - first).clamp(0.0, 100.0) as usize).map(|i| (first + i as f64) * step);
    let above = numbers.filter(|number| *number > 0.0);
    above.map(|number| (number.log10(), format!("{number:.decimals$}"))).collect()
}
