//! Script functions: metrics.

use crate::script::record::Record;

pub const RECORDS: &[Record] = &[];
