//! Script functions: expr.

use crate::script::record::Record;

pub const RECORDS: &[Record] = &[];

/// A column expression as scripts hold it.
#[derive(Clone, Debug)]
pub struct Expr(pub polars::prelude::Expr);
