//! Frames: tables as scripts hold them.

mod combine;
mod files;
mod look;
mod pieces;
mod rows;
mod sources;
mod verbs;

use crate::script::record::Record;
pub use crate::script::values::Frame;

/// Records of every file of this folder.
pub fn records() -> impl Iterator<Item = &'static Record> {
    [
        files::RECORDS,
        pieces::RECORDS,
        look::RECORDS,
        rows::RECORDS,
        verbs::RECORDS,
        combine::RECORDS,
    ]
    .into_iter()
    .flatten()
}
