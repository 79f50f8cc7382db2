//! Script functions: model.

use crate::script::record::Record;

pub const RECORDS: &[Record] = &[];
