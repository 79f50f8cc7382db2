//! Columns out of JSON values: one kind of value a column, found over all rows before anything is built.
//!
//! Whole numbers beside others become numbers, and scalars of different kinds become text (as polars does), so nothing is
//! lost. A list or a map beside something else has no common form and is refused.

use polars::polars_utils::aliases::PlIndexMap;
use polars::prelude::*;
use rayon::prelude::*;
use serde_json::{Map, Number, Value};

use super::cells::is_exact;
use super::options::{Kind as Asked, ReadOptions};
use crate::error::{Context, Result};
use crate::frame::{nested, room};

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Nothing,
    Boolean,
    /// With whether there is one that no number with a fraction is equal to.
    Integer {
        inexact: bool,
    },
    Number,
    Text,
    List(Box<Kind>),
    Map(Fields),
}

type Fields = PlIndexMap<String, Kind>;

/// A value that does not fit a column: `place` is the column's name, with the fields below it.
pub struct Conflict {
    pub row: usize,
    pub place: String,
    pub before: &'static str,
    pub here: &'static str,
}

/// A frame with a column for each name that any row has, in the order in which they first appear.
pub fn frame(
    rows: &[Map<String, Value>],
    options: &ReadOptions,
) -> std::result::Result<Result<DataFrame>, Conflict> {
    let mut fields = Fields::default();
    for (index, row) in rows.iter().enumerate() {
        widen_fields(&mut fields, row).map_err(|conflict| Conflict { row: index, ..conflict })?;
    }
    for (name, kind) in &mut fields {
        // Numbers have their own digits still, which a detour over their type would change.
        if options.kind_of(name) == Some(Asked::Text)
            && !matches!(kind, Kind::List(_) | Kind::Map(_))
        {
            *kind = Kind::Text;
        }
    }
    if let Err(error) = room::for_cells(rows.len(), fields.len()) {
        return Ok(Err(error));
    }
    let cells = spread(&fields, rows.iter().map(Some));
    let columns: Vec<(&String, &Kind, Cells)> =
        fields.iter().zip(cells).map(|((name, kind), cells)| (name, kind, cells)).collect();
    let columns: Vec<Result<Column>> = columns
        .par_iter()
        .map(|(name, kind, cells)| {
            let column = build(name, kind, cells)?;
            options.typed(column).map(Series::into_column)
        })
        .collect();
    let columns: Result<Vec<Column>> = columns.into_iter().collect();
    Ok(columns.and_then(|columns| DataFrame::new(rows.len(), columns).during("building a frame")))
}

/// One column's values, a row each; null and a missing name are `None`.
type Cells<'a> = Vec<Option<&'a Value>>;

/// The values of each field, row by row.
fn spread<'a>(
    fields: &Fields,
    rows: impl ExactSizeIterator<Item = Option<&'a Map<String, Value>>>,
) -> Vec<Cells<'a>> {
    let mut cells = vec![vec![None; rows.len()]; fields.len()];
    for (row, map) in rows.enumerate() {
        for (index, (name, value)) in map.into_iter().flatten().enumerate() {
            let cell = place_of(fields, index, name)
                .and_then(|place| cells.get_mut(place))
                .and_then(|column: &mut Cells| column.get_mut(row));
            if let Some(cell) = cell {
                *cell = Some(value).filter(|value| !value.is_null());
            }
        }
    }
    cells
}

/// Where a name stands among the fields. Rows mostly have the same names in the same order, so its own place in the row is
/// tried first.
fn place_of(fields: &Fields, index: usize, name: &str) -> Option<usize> {
    match fields.get_index(index) {
        Some((known, _)) if known == name => Some(index),
        _ => fields.get_index_of(name),
    }
}

fn widen_fields(
    fields: &mut Fields,
    row: &Map<String, Value>,
) -> std::result::Result<(), Conflict> {
    for (index, (name, value)) in row.iter().enumerate() {
        let place = match place_of(fields, index, name) {
            Some(place) => place,
            None => fields.insert_full(name.clone(), Kind::Nothing).0,
        };
        if let Some((_, kind)) = fields.get_index_mut(place) {
            kind.widen(value).map_err(|conflict| Conflict {
                place: if conflict.place.is_empty() {
                    name.clone()
                } else {
                    format!("{name}.{}", conflict.place)
                },
                ..conflict
            })?;
        }
    }
    Ok(())
}

impl Kind {
    /// Makes room for a value.
    fn widen(&mut self, value: &Value) -> std::result::Result<(), Conflict> {
        let conflict = |before: &Kind, here| Conflict {
            row: 0,
            place: String::new(),
            before: before.name(),
            here,
        };
        match (&mut *self, value) {
            (_, Value::Null) | (Kind::Text, Value::String(_)) => Ok(()),
            (Kind::Nothing, Value::Array(_)) => {
                *self = Kind::List(Box::new(Kind::Nothing));
                self.widen(value)
            }
            (Kind::Nothing, Value::Object(_)) => {
                *self = Kind::Map(Fields::default());
                self.widen(value)
            }
            (Kind::List(item), Value::Array(values)) => {
                values.iter().try_for_each(|value| item.widen(value))
            }
            (Kind::Map(fields), Value::Object(map)) => widen_fields(fields, map),
            (Kind::List(_) | Kind::Map(_), _) => Err(conflict(self, name_of(value))),
            (_, Value::Array(_) | Value::Object(_)) => Err(conflict(self, name_of(value))),
            (_, scalar) => {
                *self = match (self.clone(), scalar_kind(scalar)) {
                    (Kind::Nothing, kind) => kind,
                    (known, kind) if known == kind => kind,
                    (Kind::Integer { inexact: known }, Kind::Integer { inexact }) => {
                        Kind::Integer { inexact: known || inexact }
                    }
                    // A whole number that would lose digits beside a fraction makes the column text.
                    (Kind::Integer { inexact }, Kind::Number)
                    | (Kind::Number, Kind::Integer { inexact }) => {
                        if inexact {
                            Kind::Text
                        } else {
                            Kind::Number
                        }
                    }
                    _ => Kind::Text,
                };
                Ok(())
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Kind::Nothing => "nothing",
            Kind::Boolean => "a boolean",
            Kind::Integer { .. } => "a whole number",
            Kind::Number => "a number",
            Kind::Text => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

fn scalar_kind(value: &Value) -> Kind {
    match value {
        Value::Bool(_) => Kind::Boolean,
        Value::Number(number) => whole_kind(number).unwrap_or(Kind::Number),
        _ => Kind::Text,
    }
}

/// Whole numbers that a script's own cannot hold are text: they are names, and every digit of them counts.
fn whole_kind(number: &Number) -> Option<Kind> {
    match number.as_i64() {
        Some(whole) => Some(Kind::Integer { inexact: !is_exact(i128::from(whole)) }),
        None => number.is_u64().then_some(Kind::Text),
    }
}

/// What a JSON value is called in a sentence.
pub fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
        scalar => scalar_kind(scalar).name(),
    }
}

fn build(name: &str, kind: &Kind, values: &[Option<&Value>]) -> Result<Series> {
    Ok(match kind {
        Kind::Nothing => Series::new_null(name.into(), values.len()),
        Kind::Boolean => {
            let cells = values.iter().map(|value| value.and_then(Value::as_bool));
            BooleanChunked::from_iter_options(name.into(), cells).into_series()
        }
        Kind::Integer { .. } => {
            let cells = values.iter().map(|value| value.and_then(Value::as_i64));
            Int64Chunked::from_iter_options(name.into(), cells).into_series()
        }
        Kind::Number => {
            let cells = values.iter().map(|value| value.and_then(Value::as_f64));
            Float64Chunked::from_iter_options(name.into(), cells).into_series()
        }
        Kind::Text => texts(name.into(), values),
        Kind::List(item) => lists(name, item, values)?,
        Kind::Map(fields) => maps(name, fields, values)?,
    })
}

fn texts(name: PlSmallStr, values: &[Option<&Value>]) -> Series {
    let mut column = StringChunkedBuilder::new(name, values.len());
    for value in values {
        match value {
            None => column.append_null(),
            Some(Value::String(text)) => column.append_value(text),
            Some(other) => column.append_value(other.to_string()),
        }
    }
    column.finish().into_series()
}

/// All items below each other, and where each row's begin.
fn lists(name: &str, item: &Kind, values: &[Option<&Value>]) -> Result<Series> {
    let mut items: Vec<Option<&Value>> = Vec::new();
    let mut offsets: Vec<i64> = Vec::with_capacity(values.len() + 1);
    offsets.push(0);
    for value in values {
        if let Some(Value::Array(list)) = value {
            items.extend(list.iter().map(|item| Some(item).filter(|v| !v.is_null())));
        }
        offsets.push(items.len() as i64);
    }
    let there = values.iter().map(Option::is_some).collect();
    nested::lists(name, &build("item", item, &items)?, offsets, there)
}

fn maps(name: &str, fields: &Fields, values: &[Option<&Value>]) -> Result<Series> {
    room::for_cells(values.len(), fields.len())?;
    let maps = values.iter().map(|value| value.and_then(Value::as_object));
    let columns: Vec<Series> = fields
        .iter()
        .zip(spread(fields, maps))
        .map(|((field, kind), cells)| build(field, kind, &cells))
        .collect::<Result<_>>()?;
    nested::structs(name, &columns, values.iter().map(Option::is_some).collect())
}
