//! Column expressions: `col("x")` with operators, and polars' methods under polars' names.

mod basics;
mod given;
mod methods;
mod operators;
mod text;

use crate::script::record::Record;
pub use crate::script::values::Expr;
pub use given::{bounded, list, literal, names, value};
pub use methods::quantile_asked;

/// Records of every file of this folder.
pub fn records() -> impl Iterator<Item = &'static Record> {
    [basics::RECORDS, operators::RECORDS, methods::RECORDS, text::RECORDS].into_iter().flatten()
}
