//! What a reader is told about a table: the types of columns, and the texts that stand for a missing value.

use polars::prelude::*;

use crate::error::{Context, Error, Result};

/// How a table is read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The columns that are wanted. Where the format allows it only these are read; a table that lacks one of them is read
    /// whole, and so is one of another format.
    pub columns: Option<Vec<String>>,
    /// The first so many rows alone.
    pub rows: Option<usize>,
    /// Columns whose type is not to be found from what they hold. A column that a file lacks is passed over.
    pub types: Vec<(String, Kind)>,
    /// Texts that stand for a missing value, such as `NA`.
    pub null_values: Vec<String>,
}

/// The types that a column may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Number,
    Text,
    Boolean,
}

impl Kind {
    /// The names are those of `cast`.
    pub fn of(name: &str) -> Result<Self> {
        match name {
            "int" | "integer" => Ok(Kind::Integer),
            "float" | "number" => Ok(Kind::Number),
            "str" | "string" | "text" => Ok(Kind::Text),
            "bool" | "boolean" => Ok(Kind::Boolean),
            other => {
                let known = ["int", "float", "str", "bool"];
                Err(Error::unknown("type", other, known))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Integer => "a whole number of 64 bits with its sign",
            Kind::Number => "a number",
            Kind::Text => "text",
            Kind::Boolean => "true or false",
        }
    }
}

impl ReadOptions {
    /// The type that is asked for a column.
    pub fn kind_of(&self, name: &str) -> Option<Kind> {
        let asked = self.types.iter().find(|(column, _)| column == name);
        asked.map(|(_, kind)| *kind)
    }

    pub fn is_missing(&self, text: &str) -> bool {
        self.null_values.iter().any(|missing| missing == text)
    }

    /// A column of texts without those that stand for a missing value.
    pub fn without_missing(&self, column: Series) -> Series {
        match column.str() {
            Ok(texts) if !self.null_values.is_empty() => {
                let kept = texts.iter().map(|text| text.filter(|text| !self.is_missing(text)));
                StringChunked::from_iter_options(texts.name().clone(), kept).into_series()
            }
            _ => column,
        }
    }

    /// A column with the type that is asked for it. A value that does not fit is told with its row.
    pub fn typed(&self, column: Series) -> Result<Series> {
        match self.kind_of(column.name()) {
            None => Ok(column),
            Some(kind) => convert(&column, kind),
        }
    }

    /// A whole frame, where the reader knew nothing of what it was told.
    pub fn applied(&self, frame: DataFrame) -> Result<DataFrame> {
        let columns = frame.columns().iter().map(|column| {
            let series = column.as_materialized_series().clone();
            let series = self.typed(self.without_missing(series))?;
            Ok(series.into_column())
        });
        let columns = columns.collect::<Result<Vec<Column>>>()?;
        DataFrame::new(frame.height(), columns).during("reading a table")
    }
}

fn convert(column: &Series, kind: Kind) -> Result<Series> {
    let refuse = |row: Option<usize>, got: String| {
        let name = column.name();
        let place = match row {
            Some(row) => format!("row {row} of the column `{name}`"),
            None => format!("the column `{name}`"),
        };
        Error::invalid(place, kind.name(), got)
    };
    if matches!(column.dtype(), DataType::List(_) | DataType::Struct(_)) {
        return Err(refuse(None, format!("a column of {}s", column.dtype())));
    }
    let texts = column.cast(&DataType::String).during("reading a column as text")?;
    let texts = texts.str().during("reading a column as text")?;
    let name = column.name().clone();
    let at = |row: usize, text: &str| refuse(Some(row), format!("{text:?}"));
    Ok(match kind {
        Kind::Text => texts.clone().into_series(),
        Kind::Integer => {
            let numbers = parsed(texts, at, |text| {
                let whole = text.strip_suffix(".0").unwrap_or(text);
                whole.parse::<i64>().ok()
            })?;
            Int64Chunked::from_iter_options(name, numbers.into_iter()).into_series()
        }
        Kind::Number => {
            let numbers = parsed(texts, at, |text| text.trim().parse::<f64>().ok())?;
            Float64Chunked::from_iter_options(name, numbers.into_iter()).into_series()
        }
        Kind::Boolean => {
            let flags = parsed(texts, at, |text| match text.to_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            })?;
            BooleanChunked::from_iter_options(name, flags.into_iter()).into_series()
        }
    })
}

fn parsed<T>(
    texts: &StringChunked,
    refuse: impl Fn(usize, &str) -> Error,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<Option<T>>> {
    texts
        .iter()
        .enumerate()
        .map(|(row, text)| match text {
            None => Ok(None),
            Some(text) => parse(text).map(Some).ok_or_else(|| refuse(row, text)),
        })
        .collect()
}
