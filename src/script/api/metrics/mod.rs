//! Scores of texts, answers and filters.

mod bbq;
mod filter;
mod texts;

use crate::script::record::Record;

/// Records of every file of this folder.
pub fn records() -> impl Iterator<Item = &'static Record> {
    [texts::RECORDS, bbq::RECORDS, filter::RECORDS].into_iter().flatten()
}
