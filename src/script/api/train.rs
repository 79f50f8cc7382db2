//! Script functions: train.

use crate::script::record::Record;

pub const RECORDS: &[Record] = &[];
