//! Scores of texts and answers. Pure functions of texts and numbers; the script surface spreads them over columns.

pub mod answers;
pub mod bbq;
pub mod filter;
pub mod groups;
mod python;
pub mod rouge;
pub mod stemmer;
