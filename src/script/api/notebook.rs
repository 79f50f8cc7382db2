//! Script functions: notebook.

use crate::script::record::Record;

pub const RECORDS: &[Record] = &[];
