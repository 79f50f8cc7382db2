//! The script functions, one file per noun. [`all`] is the whole surface.

mod arrays;
mod cached;
pub mod chat;
mod checkpoints;
mod classify;
pub mod comparisons;
mod conversation;
pub mod expr;
mod finetune_options;
pub mod frame;
pub mod generate;
pub mod in_place;
mod mathematics;
pub mod metrics;
pub mod model;
pub mod notebook;
pub mod numbers;
mod parts;
pub mod plot;
mod plot_columns;
mod plot_grid;
mod plot_notes;
mod plot_options;
pub mod random;
mod rows;
mod several;
pub mod texts;
pub mod tokenizer;
mod tokens;
mod told;
pub mod toxicity;
mod train;

use rhai::Dynamic;

use super::record::Record;

/// Every record of every noun.
pub fn all() -> impl Iterator<Item = &'static Record> {
    let others = [
        model::RECORDS,
        train::RECORDS,
        generate::RECORDS,
        cached::RECORDS,
        toxicity::RECORDS,
        classify::RECORDS,
        chat::RECORDS,
        conversation::RECORDS,
        plot::RECORDS,
        random::RECORDS,
        numbers::RECORDS,
        comparisons::RECORDS,
        mathematics::RECORDS,
        arrays::RECORDS,
        parts::RECORDS,
        in_place::RECORDS,
        notebook::RECORDS,
    ];
    frame::records()
        .chain(expr::records())
        .chain(metrics::records())
        .chain(others.into_iter().flatten())
}

/// Whether a value is a frame, a model, a classifier, an expression or a chart: what never changes once it is made.
pub fn is_record(value: &Dynamic) -> bool {
    value.is::<frame::Frame>()
        || value.is::<expr::Expr>()
        || value.is::<crate::model::Model>()
        || value.is::<crate::display::Chart>()
        || value.is::<toxicity::Scorer>()
}
