//! The standard normal distribution: what lies below a value, and the value that a share lies below.

/// Beyond this many standard deviations nothing lies that 64 bits could tell from 0 or 1.
const END: f64 = 8.5;

/// The share below `x`, to about 15 decimal places (the series of Marsaglia, "Evaluating the Normal Distribution", 2004).
pub fn below(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() > END {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut before, mut term, mut odd) = (x, 0.0, x, 1.0);
    while sum != before {
        odd += 2.0;
        term *= x * x / odd;
        before = sum;
        sum += term;
    }
    let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    (0.5 + sum * density).clamp(0.0, 1.0)
}

/// The value that the share `p` lies below, for `p` between 0 and 1, by halving.
pub fn quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-END, END);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if below(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}
