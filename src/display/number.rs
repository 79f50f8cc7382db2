//! A number as a person wants to read it.

/// A number with four significant digits, and all digits before the point.
pub fn number(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return value.to_string();
    }
    let magnitude = value.abs();
    if !(1e-4..1e15).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let exponent = magnitude.log10().floor() as i32;
    let text = format!("{value:.*}", (3 - exponent).max(1) as usize);
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_string() }
}
