//! Two runs of one script side by side: whether what their cells showed and what they logged is the same, where it first
//! differs, and what may be why.

mod causes;
mod cells;
mod difference;
mod values;

use serde_json::Value;

use super::kept::Kept;
use crate::error::Result;

use self::difference::named;

pub use self::causes::causes;
pub use self::difference::{Counts, Difference, Verdict};
pub use self::values::{first, same};

/// Compares two runs; numbers may differ by `within` as a share of themselves.
///
/// # Errors
/// Where rows that were kept cannot be read.
pub fn runs(before: &Kept, after: &Kept, within: f64) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    cells::compare(before, after, within, &mut verdict)?;
    let list = |kept: &Kept, name: &str| -> Vec<Value> {
        let values = kept.facts[name].as_array().into_iter().flatten();
        values.map(|value| kept.value_without_place(value)).collect()
    };
    let logged = |kept: &Kept| -> Vec<Value> {
        kept.metrics.iter().map(|line| kept.value_without_place(line)).collect()
    };
    verdict.counts.metrics = before.metrics.len().max(after.metrics.len());
    let metrics = lists("metrics line", &logged(before), &logged(after), within);
    let (one, other) = (list(before, "finetunings"), list(after, "finetunings"));
    verdict.counts.finetunings = one.len().max(other.len());
    let finetunings = lists("finetuning", &one, &other, within);
    verdict.differences.extend(metrics.into_iter().chain(finetunings));
    Ok(verdict)
}

/// The first difference of two lists, counted from 1.
fn lists(what: &str, before: &[Value], after: &[Value], within: f64) -> Option<Difference> {
    (0..before.len().max(after.len())).find_map(|place| {
        let at = |list: &[Value]| list.get(place).cloned().unwrap_or(Value::Null);
        let found = first(&at(before), &at(after), within)?;
        Some(Difference {
            place: format!("{what} {}{}", place + 1, named(&found.path)),
            before: found.before,
            after: found.after,
            relative: found.relative,
        })
    })
}
