//! What scripts hold of tables and their columns.

use polars::prelude as pl;

/// A table as scripts hold it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Frame(pub pl::DataFrame);

/// A column expression as scripts hold it.
#[derive(Clone, Debug)]
pub struct Expr(pub pl::Expr);
