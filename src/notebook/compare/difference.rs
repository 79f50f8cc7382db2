//! What came of a comparison: what was compared, and where it differs.

use crate::plain;

/// Something that is not the same in two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where: "cell 3 (training), table 1, row 5 of `loss`".
    pub place: String,
    pub before: String,
    pub after: String,
    /// For numbers: how far apart they are, as a share of the larger.
    pub relative: Option<f64>,
}

impl Difference {
    /// A line about it.
    pub fn told(&self) -> String {
        let share = self.relative.filter(|share| share.is_finite());
        let share =
            share.map_or(String::new(), |share| format!(" (relative difference {share:.2e})"));
        let line = format!("{}: {} before, {} now{share}", self.place, self.before, self.after);
        format!("  {}\n", plain::one_line(&line))
    }
}

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub cells: usize,
    pub tables: usize,
    pub charts: usize,
    pub texts: usize,
    pub metrics: usize,
    pub finetunings: usize,
    /// Tables of which only the shown rows are known.
    pub shown_only: usize,
}

/// What came of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub counts: Counts,
    /// In the order of the script: the first of each cell, of the metrics and of the finetunings.
    pub differences: Vec<Difference>,
}

/// A path within a value, as the end of a place.
pub fn named(path: &str) -> String {
    match path.strip_prefix('.').unwrap_or(path) {
        "" => String::new(),
        path => format!(", {path}"),
    }
}
