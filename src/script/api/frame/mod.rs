//! Frames: tables as scripts hold them.

mod combine;
mod files;
mod rows;
mod verbs;

use polars::prelude::DataFrame;

use crate::script::record::Record;

/// A table as scripts hold it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Frame(pub DataFrame);

/// Records of every file of this folder.
pub fn records() -> impl Iterator<Item = &'static Record> {
    [files::RECORDS, rows::RECORDS, verbs::RECORDS, combine::RECORDS].into_iter().flatten()
}
