//! The types of a parquet file, as far as frames have no column for them: how such a column is read, and what becomes of it.
//!
//! Frames hold booleans, numbers, texts, bytes, dates, times, durations, lists and structs. Decimals, moments with a time
//! zone, half-precision numbers and identifiers are read in the form in which the file stores them, and made one of these.

use std::fmt::Debug;

use polars::prelude::*;

use super::forms;
use crate::frame::nested;

/// What parquet itself tells about a column without parts: how it is stored, and what that stands for.
///
/// The reader's own names for this are not exported by the crates that we use; their debugging form is.
pub struct Leaf {
    told: String,
}

impl Leaf {
    pub fn new(primitive: &impl Debug) -> Self {
        Self { told: format!("{primitive:?}") }
    }

    fn tells(&self, words: &str) -> bool {
        self.told.contains(words)
    }

    /// The bytes of each value, where all have the same number.
    fn width(&self) -> Option<usize> {
        let (_, rest) = self.told.split_once("FixedLenByteArray(")?;
        rest.split(')').next()?.parse().ok()
    }

    /// The form in which the values are stored, as a type that can be read as it is.
    fn stored(&self) -> Option<ArrowDataType> {
        match self.width() {
            Some(width) => Some(ArrowDataType::FixedSizeBinary(width)),
            None if self.tells("physical_type: Int32") => Some(ArrowDataType::Int32),
            None if self.tells("physical_type: Int64") => Some(ArrowDataType::Int64),
            None if self.tells("physical_type: ByteArray") => Some(ArrowDataType::BinaryView),
            None => None,
        }
    }

    /// The unit of times and moments, which may be finer than Arrow's note tells.
    fn unit(&self, noted: ArrowTimeUnit) -> ArrowTimeUnit {
        let units = [
            ("Millis", ArrowTimeUnit::Millisecond),
            ("Micros", ArrowTimeUnit::Microsecond),
            ("Nanos", ArrowTimeUnit::Nanosecond),
        ];
        let found = units.into_iter().find(|(name, _)| self.tells(name));
        found.map_or(noted, |(_, unit)| unit)
    }
}

/// How a column is read.
pub struct Plan {
    /// Its name and the type as which it is read.
    pub field: ArrowField,
    /// What becomes of it then.
    pub meaning: Meaning,
    /// The type that the file tells, for errors.
    pub told: String,
}

/// What becomes of a column that was read.
#[derive(Debug, PartialEq)]
pub enum Meaning {
    /// It stays as it is.
    Plain,
    /// Dates, times or durations, which must lie where they can be shown.
    Moment,
    /// Moments with a time zone: texts in universal time.
    Instant(u32),
    /// Whole numbers without a sign.
    Unsigned,
    /// A whole number and how many of its digits stand behind the point.
    Decimal(usize),
    /// Numbers of 16 bits.
    Half,
    /// Identifiers of 16 bytes.
    Uuid,
    /// Booleans in a byte each.
    Flag,
    List(Box<Meaning>),
    Struct(Vec<Meaning>),
}

/// How a column is read whose leaves are the next of `leaves`; or the rest of a sentence that refuses it.
pub fn plan(field: &ArrowField, leaves: &mut impl Iterator<Item = Leaf>) -> Result<Plan, String> {
    let told = name_of(&field.dtype);
    let (dtype, meaning) = reading(&field.dtype, leaves)?;
    let mut field = field.clone();
    field.dtype = dtype;
    field.metadata = None;
    Ok(Plan { field, meaning, told })
}

fn reading(
    dtype: &ArrowDataType,
    leaves: &mut impl Iterator<Item = Leaf>,
) -> Result<(ArrowDataType, Meaning), String> {
    use ArrowDataType as A;
    match dtype {
        A::List(item) | A::LargeList(item) | A::FixedSizeList(item, _) | A::Map(item, _) => {
            let (inner, meaning) = reading(&item.dtype, leaves)?;
            let mut item = ArrowField::clone(item);
            item.dtype = inner;
            item.metadata = None;
            let meaning = match meaning {
                Meaning::Plain => Meaning::Plain,
                other => Meaning::List(Box::new(other)),
            };
            Ok((A::LargeList(Box::new(item)), meaning))
        }
        A::Struct(fields) if fields.is_empty() => {
            Err(refused(dtype, "which holds nothing", "leave the column out"))
        }
        A::Struct(fields) => {
            let mut read = Vec::with_capacity(fields.len());
            let mut meanings = Vec::with_capacity(fields.len());
            for field in fields {
                let (inner, meaning) = reading(&field.dtype, leaves)?;
                let mut field = field.clone();
                field.dtype = inner;
                field.metadata = None;
                read.push(field);
                meanings.push(meaning);
            }
            let plain = meanings.iter().all(|meaning| *meaning == Meaning::Plain);
            let meaning = if plain { Meaning::Plain } else { Meaning::Struct(meanings) };
            Ok((A::Struct(read), meaning))
        }
        // Each distinct value stands once in the file: a matter of storage.
        A::Dictionary(_, values, _) => reading(values, leaves),
        A::Extension(extension) => match (extension.name.as_str(), &extension.inner) {
            ("arrow.bool8", inner) => {
                let (inner, _) = reading(inner, leaves)?;
                Ok((inner, Meaning::Flag))
            }
            ("arrow.uuid", inner) => {
                let (inner, _) = reading(inner, leaves)?;
                Ok((inner, Meaning::Uuid))
            }
            (_, inner) => reading(inner, leaves),
        },
        _ => {
            let leaf = leaves.next().ok_or_else(|| {
                refused(dtype, "for which the file has no values", "write the file anew")
            })?;
            leaf_reading(dtype, &leaf)
        }
    }
}

fn leaf_reading(dtype: &ArrowDataType, leaf: &Leaf) -> Result<(ArrowDataType, Meaning), String> {
    use ArrowDataType as A;
    let stored = || {
        let what = "which is stored in a form that is not known here";
        leaf.stored().ok_or_else(|| refused(dtype, what, "write it as a number or as text"))
    };
    Ok(match dtype {
        A::Decimal(_, scale)
        | A::Decimal32(_, scale)
        | A::Decimal64(_, scale)
        | A::Decimal256(_, scale) => (stored()?, Meaning::Decimal(*scale)),
        A::Float16 => (stored()?, Meaning::Half),
        A::UInt64 => (A::UInt64, Meaning::Unsigned),
        A::Date32 => (A::Date32, Meaning::Moment),
        A::Date64 if leaf.tells("physical_type: Int32") => (A::Date32, Meaning::Moment),
        A::Date64 => {
            let unit = leaf.unit(ArrowTimeUnit::Millisecond);
            (A::Timestamp(unit, None), Meaning::Moment)
        }
        A::Time32(_) => (A::Time32(ArrowTimeUnit::Millisecond), Meaning::Moment),
        A::Time64(unit) => (A::Time64(leaf.unit(*unit)), Meaning::Moment),
        A::Duration(unit) => (A::Duration(*unit), Meaning::Moment),
        A::Timestamp(unit, zone) => {
            let unit = leaf.unit(*unit);
            let meaning = match (zone, unit) {
                (None, _) => Meaning::Moment,
                (Some(_), ArrowTimeUnit::Nanosecond) => Meaning::Instant(9),
                (Some(_), ArrowTimeUnit::Microsecond) => Meaning::Instant(6),
                (Some(_), _) => Meaning::Instant(3),
            };
            (A::Timestamp(unit, None), meaning)
        }
        A::Binary | A::LargeBinary | A::BinaryView | A::FixedSizeBinary(_) => bytes(dtype, leaf),
        A::Utf8 | A::LargeUtf8 | A::Utf8View => (A::Utf8View, Meaning::Plain),
        A::Null | A::Boolean | A::Float32 | A::Float64 => (dtype.clone(), Meaning::Plain),
        A::Int8 | A::Int16 | A::Int32 | A::Int64 | A::UInt8 | A::UInt16 | A::UInt32 => {
            (dtype.clone(), Meaning::Plain)
        }
        _ => {
            let what = "which frames have no column for";
            return Err(refused(dtype, what, "write it as numbers or as text"));
        }
    })
}

/// Bytes may be texts by another name.
fn bytes(dtype: &ArrowDataType, leaf: &Leaf) -> (ArrowDataType, Meaning) {
    match (dtype, leaf.width()) {
        (_, Some(2)) if leaf.tells("Some(Float16)") => {
            (ArrowDataType::FixedSizeBinary(2), Meaning::Half)
        }
        (_, Some(16)) if leaf.tells("Some(Uuid)") => {
            (ArrowDataType::FixedSizeBinary(16), Meaning::Uuid)
        }
        (_, Some(width)) => (ArrowDataType::FixedSizeBinary(width), Meaning::Plain),
        (_, None) if leaf.tells("Some(Json)") || leaf.tells("Some(Enum)") => {
            (ArrowDataType::Utf8View, Meaning::Plain)
        }
        (_, None) => (ArrowDataType::BinaryView, Meaning::Plain),
    }
}

fn refused(dtype: &ArrowDataType, what: &str, hint: &str) -> String {
    format!("has the type {}, {what}; {hint}", name_of(dtype))
}

/// A type's name, without what its parts are called.
fn name_of(dtype: &ArrowDataType) -> String {
    use ArrowDataType as A;
    match dtype {
        A::List(item) | A::LargeList(item) | A::FixedSizeList(item, _) => {
            format!("list of {}", name_of(&item.dtype))
        }
        A::Map(..) => "map".to_string(),
        A::Struct(_) => "struct".to_string(),
        A::Dictionary(_, values, _) => format!("categories of {}", name_of(values)),
        A::Extension(extension) => extension.name.to_string(),
        other => format!("{other:?}").to_lowercase(),
    }
}

impl Meaning {
    /// The column that a column stands for, or the rest of a sentence about the value that has no form here.
    pub fn of(&self, column: Series) -> Result<Series, String> {
        let name = column.name().clone();
        let told = |error: PolarsError| error.to_string();
        let named = |mut column: Series| {
            column.rename(name.clone());
            column
        };
        match self {
            Meaning::Plain => Ok(column),
            Meaning::Moment => forms::checked(column),
            Meaning::Instant(digits) => forms::instants(&column, *digits).map(named),
            Meaning::Unsigned => forms::unsigned(column),
            Meaning::Decimal(scale) => forms::decimals(&column, *scale).map(named),
            Meaning::Half => forms::halves(&column).map(named),
            Meaning::Uuid => forms::identifiers(&column).map(named),
            Meaning::Flag => {
                let numbers = column.cast(&DataType::Int64).map_err(told)?;
                let flags = numbers.not_equal(0).map_err(told)?;
                Ok(named(flags.into_series()))
            }
            Meaning::List(item) => {
                let lists = column.list().map_err(told)?.rechunk();
                let items = item.of(lists.get_inner())?;
                let offsets = lists.downcast_as_array().offsets().as_slice().to_vec();
                let there = column.is_not_null().iter().flatten().collect();
                nested::lists(&name, &items, offsets, there).map_err(|error| error.to_string())
            }
            Meaning::Struct(parts) => {
                let fields = column.struct_().map_err(told)?.fields_as_series();
                let fields = fields
                    .into_iter()
                    .zip(parts)
                    .map(|(field, part)| {
                        let inside = format!("in `{}`, ", field.name());
                        part.of(field).map_err(|message| format!("{inside}{message}"))
                    })
                    .collect::<Result<Vec<Series>, String>>()?;
                let there = column.is_not_null().iter().flatten().collect();
                nested::structs(&name, &fields, there).map_err(|error| error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a column of a type that no file of our tests has.
    fn said(dtype: ArrowDataType) -> String {
        let leaf = Leaf::new(&"physical_type: FixedLenByteArray(16)");
        let field = ArrowField::new("x".into(), dtype, true);
        match plan(&field, &mut std::iter::once(leaf)) {
            Ok(plan) => format!("{:?}", plan.meaning),
            Err(message) => message,
        }
    }

    #[test]
    fn types_without_a_column_are_refused_by_name() {
        use ArrowDataType as A;
        for (dtype, name) in
            [(A::Int128, "int128"), (A::UInt128, "uint128"), (A::Struct(Vec::new()), "struct")]
        {
            let list = A::LargeList(Box::new(ArrowField::new("item".into(), dtype.clone(), true)));
            for dtype in [dtype, list] {
                let message = said(dtype);
                assert!(message.contains(&format!("has the type {name},")), "{message}");
            }
        }
    }
}
