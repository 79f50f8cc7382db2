//! How long something took, as a person reads it.

/// "12 ms", "1.20 s", "3 min 20 s".
pub fn duration(seconds: f64) -> String {
    match seconds {
        tiny if tiny < 0.1 => format!("{:.0} ms", tiny * 1e3),
        short if short < 10.0 => format!("{short:.2} s"),
        medium if medium < 120.0 => format!("{medium:.0} s"),
        long => format!("{} min {:.0} s", (long / 60.0).floor(), long % 60.0),
    }
}
