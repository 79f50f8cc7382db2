//! Script functions: frame.

use crate::script::record::Record;

pub const RECORDS: &[Record] = &[];

/// A table as scripts hold it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Frame(pub polars::prelude::DataFrame);
