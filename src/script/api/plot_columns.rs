//! Columns as charts need them: numbers, names, and places along an axis.

use std::collections::{HashMap, HashSet};

use polars::prelude::{DataFrame, DataType};

use crate::error::{Context, Error, Result};
use crate::frame::table::kind;

/// Whether the values of a column are names along an axis.
pub fn is_named(dtype: &DataType) -> bool {
    matches!(dtype, DataType::String | DataType::Boolean)
        || dtype.is_categorical()
        || dtype.is_enum()
}

/// The values of a column as texts.
pub fn texts(frame: &DataFrame, name: &str) -> Result<Vec<String>> {
    let column = frame.column(name)?.cast(&DataType::String).during("plot")?;
    let texts = column.as_materialized_series().str().during("plot")?;
    Ok(texts.iter().map(|text| text.unwrap_or("(missing)").to_string()).collect())
}

/// The values of a column as numbers, NaN where one is missing.
pub fn numbers(frame: &DataFrame, name: &str) -> Result<Vec<f64>> {
    let column = frame.column(name)?;
    let drawable = column.dtype().is_primitive_numeric()
        || matches!(column.dtype(), DataType::Boolean | DataType::Null);
    if !drawable {
        return Err(Error::invalid(
            format!("plotting `{name}`"),
            "a column of numbers",
            kind(column.dtype()),
        ));
    }
    let column = column.cast(&DataType::Float64).during("plot")?;
    let numbers = column.as_materialized_series().f64().during("plot")?;
    Ok(numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}

/// Names, and the rows of each in their order.
pub type Groups = Vec<(String, Vec<usize>)>;

/// Rows by the values of a column, in order of appearance; nothing where there are more than `most`.
pub fn groups(frame: &DataFrame, name: &str, most: usize) -> Result<Option<Groups>> {
    let mut groups: Groups = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (row, value) in texts(frame, name)?.into_iter().enumerate() {
        let next = groups.len();
        let place = *known.entry(value.clone()).or_insert(next);
        match groups.get_mut(place) {
            Some((_, rows)) => rows.push(row),
            None if next < most => groups.push((value, vec![row])),
            None => return Ok(None),
        }
    }
    Ok(Some(groups))
}

/// The distinct values of a column as names, and the place of each row among them; none where a number is not known.
pub struct Places {
    pub names: Vec<String>,
    pub rows: Vec<Option<usize>>,
    /// Whether the names are numbers, in their order. Others stand in order of appearance.
    pub numbers: bool,
}

impl Places {
    pub fn of(frame: &DataFrame, name: &str) -> Result<Self> {
        if is_named(frame.column(name)?.dtype()) {
            return Ok(Self::named(texts(frame, name)?));
        }
        let values = numbers(frame, name)?;
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        // Minus zero is zero.
        sorted.dedup_by(|a, b| a == b);
        let place = |value: &f64| {
            let place = sorted.partition_point(|known| known < value);
            value.is_finite().then_some(place)
        };
        let rows = values.iter().map(place).collect();
        // The shortest text that is the number again: different numbers have different names.
        let name = |value: &f64| if *value == 0.0 { "0".to_string() } else { value.to_string() };
        Ok(Self { names: sorted.iter().map(name).collect(), rows, numbers: true })
    }

    /// The place of a row.
    pub fn at(&self, row: usize) -> Option<usize> {
        self.rows.get(row).copied().flatten()
    }

    fn named(texts: Vec<String>) -> Self {
        let mut names = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let place = |text: String| {
            let next = known.len();
            let place = *known.entry(text.clone()).or_insert(next);
            if place == next {
                names.push(text);
            }
            Some(place)
        };
        let rows = texts.into_iter().map(place).collect();
        Self { names, rows, numbers: false }
    }

    /// Two columns over the same names: those of the first, then what only the second has; numbers in their order.
    pub fn of_both(frame: &DataFrame, first: &str, second: &str) -> Result<(Self, Self)> {
        let (a, b) = (Self::of(frame, first)?, Self::of(frame, second)?);
        let mut names = a.names.clone();
        let known: HashSet<&String> = a.names.iter().collect();
        names.extend(b.names.iter().filter(|name| !known.contains(name)).cloned());
        let numbers = a.numbers && b.numbers;
        if numbers {
            let value = |name: &String| name.parse::<f64>().unwrap_or(f64::NAN);
            names.sort_by(|a, b| value(a).total_cmp(&value(b)));
        }
        let places: HashMap<&String, usize> =
            names.iter().enumerate().map(|(place, name)| (name, place)).collect();
        let moved = |column: &Self| -> Vec<Option<usize>> {
            let to = column.names.iter().map(|name| places.get(name).copied());
            let to: Vec<Option<usize>> = to.collect();
            column.rows.iter().map(|row| to.get((*row)?).copied().flatten()).collect()
        };
        let (rows_a, rows_b) = (moved(&a), moved(&b));
        let second = Self { names: names.clone(), rows: rows_b, numbers };
        Ok((Self { names, rows: rows_a, numbers }, second))
    }
}
