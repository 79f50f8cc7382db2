//! The script functions, one file per noun. [`all`] is the whole surface.

pub mod chat;
pub mod expr;
mod finetune_options;
pub mod frame;
pub mod generate;
pub mod metrics;
pub mod model;
pub mod notebook;
pub mod plot;
pub mod random;
pub mod texts;
pub mod train;

use super::record::Record;

/// Every record of every noun.
pub fn all() -> impl Iterator<Item = &'static Record> {
    let others = [
        model::RECORDS,
        train::RECORDS,
        generate::RECORDS,
        chat::RECORDS,
        plot::RECORDS,
        random::RECORDS,
        notebook::RECORDS,
    ];
    frame::records()
        .chain(expr::records())
        .chain(metrics::records())
        .chain(others.into_iter().flatten())
}
