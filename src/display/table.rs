//! A table of texts, ready to be drawn by a terminal or a page.

/// A table as text cells, with what was left out said in `caption`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<Column>,
    /// One entry per shown row, one text per column; `None` is a missing value.
    pub rows: Vec<Vec<Option<String>>>,
    /// "240 rows × 5 columns; 8 rows shown".
    pub caption: String,
    /// Every column is wanted, also where they do not fit beside each other.
    pub all_columns: bool,
}

/// A table's column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    /// The column's type in a word: "text", "integer", "number", "boolean", "list", "struct". Empty where the table is no frame.
    pub kind: String,
    /// Numbers are set flush right.
    pub numeric: bool,
}
