//! The bars of a histogram: how many values lie in each of equal bins.

/// Counts in equal bins, each from its lower edge on, the last with its upper one; a bar stands in the middle of its bin.
/// The bins lie over `all` values, of which these are some. Equal values lie in one bin; what is not finite is not counted.
pub fn counted_in_bins(values: &[f64], all: &[f64], bins: usize) -> Vec<(f64, f64)> {
    let mut values = values.to_vec();
    values.retain(|value| value.is_finite());
    if values.is_empty() {
        return Vec::new();
    }
    let all = || all.iter().copied().filter(|value| value.is_finite());
    let mut low = all().fold(f64::INFINITY, f64::min);
    let mut high = all().fold(f64::NEG_INFINITY, f64::max);
    let bins = if high > low { bins.max(1) } else { 1 };
    if high <= low {
        (low, high) = around(low);
    }
    // A quarter of each: the difference of the largest numbers is more than a float holds.
    let range = high / 4.0 - low / 4.0;
    let edge = |bin: f64| {
        let share = bin / bins as f64;
        if (high - low).is_finite() {
            low + (high - low) * share
        } else {
            low * (1.0 - share) + high * share
        }
    };
    let mut counts = vec![0usize; bins];
    for value in &values {
        let share = (value / 4.0 - low / 4.0) / range;
        let mut bin = ((share * bins as f64) as usize).min(bins - 1);
        // The division may have rounded over an edge.
        if bin > 0 && *value < edge(bin as f64) {
            bin -= 1;
        } else if bin + 1 < bins && *value >= edge((bin + 1) as f64) {
            bin += 1;
        }
        if let Some(count) = counts.get_mut(bin) {
            *count += 1;
        }
    }
    let bars = counts.iter().enumerate();
    bars.map(|(bin, count)| (edge(bin as f64 + 0.5), *count as f64)).collect()
}

/// A bin around a single value, wide enough not to be lost beside it.
fn around(value: f64) -> (f64, f64) {
    let half = if value.abs() < 1e15 { 0.5 } else { value.abs() / 20.0 };
    (value - half, (value + half).min(f64::MAX))
}
