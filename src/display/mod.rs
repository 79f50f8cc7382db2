//! What a value looks like to a person, whoever shows it: a text, a table, a chart or prose.
//!
//! The script surface turns values into an [`Output`]; the terminal and the reports draw it.

pub mod chart;
pub mod number;
pub mod table;

pub use chart::{Chart, ChartKind, Grid, Panel, Scale, Series};
pub use table::{Column, Table};

/// Something to show.
#[derive(Clone, Debug)]
pub enum Output {
    /// Plain text, shown as it is (control characters escaped by whoever draws it).
    Text(String),
    Table(Table),
    Chart(Chart),
    /// Prose in Markdown.
    Markdown(String),
}
