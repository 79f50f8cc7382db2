//! What a value looks like to a person, whoever shows it: a text, a table, a chart or prose.
//!
//! The script surface turns values into an [`Output`]; the terminal and the reports draw it.

pub mod chart;
mod gaps;
pub mod number;
pub mod table;

pub use chart::{Chart, ChartKind, Grid, Panel, Scale, Series};
pub use table::{Column, KeptRows, Table};

use serde::{Deserialize, Serialize};

/// Something to show.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Plain text, shown as it is (control characters escaped by whoever draws it).
    Text(String),
    Table(Table),
    Chart(Chart),
    /// Prose in Markdown.
    Markdown(String),
}
