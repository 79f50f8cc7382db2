//! A table of texts, ready to be drawn by a terminal or a page.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Result;

/// A table as text cells, with what was left out said in `caption`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub columns: Vec<Column>,
    /// One entry per shown row, one text per column; `None` is a missing value.
    pub rows: Vec<Vec<Option<String>>>,
    /// "240 rows × 5 columns; 8 rows shown".
    pub caption: String,
    /// All rows, for whoever keeps them.
    #[serde(skip)]
    pub whole: Whole,
    /// Where they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptRows>,
    /// Every column is wanted, also where they do not fit beside each other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_columns: bool,
}

/// A table's column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// The column's type in a word: "text", "integer", "number", "boolean", "list", "struct". Empty where the table is no frame.
    pub kind: String,
    /// Numbers are set flush right.
    pub numeric: bool,
}

/// The rows that a table shows some of.
pub trait Rows: Send + Sync {
    /// About how many bytes they take.
    fn size(&self) -> usize;

    /// A parquet file of them.
    ///
    /// # Errors
    /// Where a column has a type that parquet has not.
    fn parquet(&self) -> Result<Vec<u8>>;
}

/// All rows of a table, where they are at hand. It says nothing about the table's looks, so that all are equal.
#[derive(Clone, Default)]
pub struct Whole(pub Option<Arc<dyn Rows>>);

impl std::fmt::Debug for Whole {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.write_str(if self.0.is_some() { "Whole(at hand)" } else { "Whole(none)" })
    }
}

impl PartialEq for Whole {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What is kept of a table's rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptRows {
    /// A parquet file; none where the rows are too many to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Of the file, also where it is not kept.
    pub sha256: String,
}
