//! Scores of texts and answers. Pure functions of texts and numbers; the script surface spreads them over columns.

pub mod answers;
pub mod bbq;
pub mod bootstrap;
pub mod crows_pairs;
pub mod filter;
pub mod groups;
pub mod matching;
pub mod normal;
mod python;
pub mod ranked;
pub mod ranking;
pub mod rouge;
pub mod sample;
pub mod stemmer;
pub mod stereoset;
pub mod sums;
pub mod units;
