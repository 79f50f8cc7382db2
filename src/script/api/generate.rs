//! Script functions: generate.

use crate::script::record::Record;

pub const RECORDS: &[Record] = &[];
