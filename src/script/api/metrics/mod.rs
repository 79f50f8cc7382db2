//! Scores of texts, answers, rankings and filters, and their intervals.

mod asked;
mod bbq;
mod bootstrap;
mod columns;
mod crows_pairs;
mod filter;
mod interval;
mod ranking;
mod sentences;
mod squad;
mod stereoset;
mod texts;

use crate::script::record::Record;

/// Records of every file of this folder.
pub fn records() -> impl Iterator<Item = &'static Record> {
    let files = [
        texts::RECORDS,
        squad::RECORDS,
        bbq::RECORDS,
        filter::RECORDS,
        ranking::RECORDS,
        bootstrap::RECORDS,
        interval::RECORDS,
        crows_pairs::RECORDS,
        stereoset::RECORDS,
    ];
    files.into_iter().flatten()
}
