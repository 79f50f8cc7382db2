//! Script functions: plot.

use crate::script::record::Record;

pub const RECORDS: &[Record] = &[];
