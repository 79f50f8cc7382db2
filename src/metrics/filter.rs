//! How well a filter finds the unsafe rows.

use std::collections::BTreeMap;

/// Counts of a filter's decisions against the truth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub dropped_unsafe: usize,
    pub dropped_other: usize,
    pub kept_unsafe: usize,
    pub kept_other: usize,
}

impl Counts {
    /// Adds a row.
    pub fn add(&mut self, dropped: bool, harmful: bool) {
        *match (dropped, harmful) {
            (true, true) => &mut self.dropped_unsafe,
            (true, false) => &mut self.dropped_other,
            (false, true) => &mut self.kept_unsafe,
            (false, false) => &mut self.kept_other,
        } += 1;
    }

    /// Of what was dropped, the share that is unsafe. NaN where nothing was dropped.
    pub fn precision(&self) -> f64 {
        ratio(self.dropped_unsafe, self.dropped_unsafe + self.dropped_other)
    }

    /// Of what is unsafe, the share that was dropped.
    pub fn recall(&self) -> f64 {
        ratio(self.dropped_unsafe, self.dropped_unsafe + self.kept_unsafe)
    }

    /// The harmonic mean of precision and recall; 0 where nothing unsafe was dropped.
    pub fn f1(&self) -> f64 {
        let wrong = self.dropped_other + self.kept_unsafe;
        ratio(2 * self.dropped_unsafe, 2 * self.dropped_unsafe + wrong)
    }

    /// Of what is not unsafe, the share that was dropped.
    pub fn false_positive_rate(&self) -> f64 {
        ratio(self.dropped_other, self.dropped_other + self.kept_other)
    }

    /// Rows in all.
    pub fn rows(&self) -> usize {
        self.dropped_unsafe + self.dropped_other + self.kept_unsafe + self.kept_other
    }

    /// Rows dropped.
    pub fn dropped(&self) -> usize {
        self.dropped_unsafe + self.dropped_other
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// The counts of all rows, and of each kind. A row is (kind, dropped, harmful).
pub fn count<'a>(
    rows: impl Iterator<Item = (&'a str, bool, bool)>,
) -> (Counts, BTreeMap<String, Counts>) {
    let mut all = Counts::default();
    let mut kinds: BTreeMap<String, Counts> = BTreeMap::new();
    for (kind, dropped, harmful) in rows {
        all.add(dropped, harmful);
        kinds.entry(kind.to_string()).or_default().add(dropped, harmful);
    }
    (all, kinds)
}

/// What a row adds to the counts, in their order.
pub fn counted(dropped: bool, harmful: bool) -> [f64; 4] {
    let mut counts = Counts::default();
    counts.add(dropped, harmful);
    [counts.dropped_unsafe, counts.dropped_other, counts.kept_unsafe, counts.kept_other]
        .map(|count| count as f64)
}

/// The counts of summed rows.
pub fn of_sums(sums: &[f64; 4]) -> Counts {
    let [dropped_unsafe, dropped_other, kept_unsafe, kept_other] = sums.map(|sum| sum as usize);
    Counts { dropped_unsafe, dropped_other, kept_unsafe, kept_other }
}
