//! The script functions, one file per noun. [`all`] is the whole surface.

pub mod expr;
pub mod frame;
pub mod generate;
pub mod metrics;
pub mod model;
pub mod notebook;
pub mod plot;
pub mod texts;
pub mod train;

use super::record::Record;

/// Every record of every noun.
pub fn all() -> impl Iterator<Item = &'static Record> {
    let others = [
        model::RECORDS,
        train::RECORDS,
        generate::RECORDS,
        metrics::RECORDS,
        plot::RECORDS,
        notebook::RECORDS,
    ];
    frame::records()
        .chain(expr::records())
        .chain(others.into_iter().flatten())
}
