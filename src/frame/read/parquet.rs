//! Parquet (<https://parquet.apache.org/docs/file-format/>), with a footer from a stranger checked before it is believed.

use std::io::Cursor;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use polars::prelude::{
    ArrowField, ArrowSchema, Column, DataFrame, DataType, FileMetadata, IntoColumn, ParquetReader,
    SerReader, Series,
};
use polars_io::parquet::read::_internal::to_deserializer;
use polars_io::parquet::read::infer_schema;
use rayon::prelude::*;

use super::arrow::{Leaf, Plan, plan};
use super::cost::LARGEST;
use crate::error::{Context, Error, Result};
use crate::memory;

/// Rows that one byte of file may stand for: runs of one value pack far, but not without end.
const ROWS_A_BYTE: u64 = 1 << 16;
/// Bytes of a cell in memory, at the least.
const CELL: u64 = 8;
/// Under this name Arrow's writers leave the types that parquet has no word for.
const ARROW_SCHEMA: &str = "ARROW:schema";

/// A parquet file tells in its footer how much it unpacks to. One that promises what no such file can hold, or what there
/// is no memory for, is refused before anything is allocated; a reader that panics on nonsense does not take the run
/// with it.
pub fn read(path: &Path, bytes: &[u8]) -> Result<DataFrame> {
    let malformed = |message: String| Error::malformed(path, None, message);
    let (metadata, schema) = caught(|| footer(bytes))
        .unwrap_or_else(|| Err("its footer is no parquet footer".to_string()))
        .map_err(malformed)?;
    // Pages are unpacked beside the columns that are made of them.
    let unpacked = believable(&metadata, bytes.len() as u64).map_err(malformed)?;
    let what = format!("reading {}, which unpacks to {unpacked} bytes,", path.display());
    memory::require_room(unpacked.saturating_mul(2), &what)?;
    let plans = plans(&metadata, &schema).map_err(malformed)?;
    let columns: Vec<std::result::Result<Column, String>> = plans
        .par_iter()
        .map(|plan| {
            let read = caught(|| column(bytes, &metadata, plan)).unwrap_or_else(|| {
                Err("its bytes do not have the form that its footer tells".to_string())
            });
            read.map_err(|message| {
                let name = plan.field.name.as_str();
                format!("the column `{name}` ({}): {message}", plan.told)
            })
        })
        .collect();
    let columns: std::result::Result<Vec<Column>, String> = columns.into_iter().collect();
    let height = metadata.row_groups.iter().map(|group| group.num_rows()).sum();
    DataFrame::new(height, columns.map_err(malformed)?)
        .during(format!("reading {}", path.display()))
}

/// What the footer tells, once it is believed, and the types of the columns. Arrow's own note of the types may be newer
/// than we know; parquet's are read then.
fn footer(bytes: &[u8]) -> std::result::Result<(FileMetadata, ArrowSchema), String> {
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    let metadata = reader.get_metadata().map_err(|error| error.to_string())?;
    believable(metadata, bytes.len() as u64)?;
    let mut metadata = FileMetadata::clone(metadata);
    let schema = match caught(|| infer_schema(&metadata)) {
        Some(Ok(schema)) => schema,
        _ => {
            if let Some(notes) = &mut metadata.key_value_metadata {
                notes.retain(|note| note.key != ARROW_SCHEMA);
            }
            infer_schema(&metadata).map_err(|error| error.to_string())?
        }
    };
    Ok((metadata, schema))
}

/// How each column is read.
fn plans(metadata: &FileMetadata, schema: &ArrowSchema) -> std::result::Result<Vec<Plan>, String> {
    let told = metadata.schema().columns();
    schema
        .iter_values()
        .map(|field: &ArrowField| {
            let leaves = told
                .iter()
                .filter(|leaf| leaf.path_in_schema.first() == Some(&field.name))
                .map(|leaf| Leaf::new(&leaf.descriptor.primitive_type));
            plan(field, &mut leaves.collect::<Vec<Leaf>>().into_iter())
                .map_err(|message| format!("the column `{}` {message}", field.name))
        })
        .collect()
}

/// One column, out of all groups of rows.
fn column(
    bytes: &[u8],
    metadata: &FileMetadata,
    plan: &Plan,
) -> std::result::Result<Column, String> {
    let field = &plan.field;
    let mut whole = Series::new_empty(field.name.clone(), &DataType::from_arrow_field(field));
    for group in &metadata.row_groups {
        let rows = group.num_rows();
        let chunks = group
            .columns_under_root_iter(&field.name)
            .ok_or("a group of rows lacks it")?
            .map(|chunk| {
                let range = chunk.byte_range();
                let place = range.start as usize..range.end as usize;
                let part = bytes.get(place).ok_or("the file ends before it does")?;
                Ok((chunk, part.to_vec().into()))
            })
            .collect::<std::result::Result<Vec<_>, String>>()?;
        let (arrays, _) =
            to_deserializer(chunks, field.clone(), None).map_err(|error| error.to_string())?;
        let part = Series::try_from((field, arrays)).map_err(|error| error.to_string())?;
        if part.len() != rows {
            let found = part.len();
            return Err(format!("it holds {found} rows where its footer tells {rows}"));
        }
        if whole.is_empty() {
            whole = part;
        } else {
            whole.append(&part).map_err(|error| error.to_string())?;
        }
    }
    plan.meaning.of(whole).map(Series::into_column)
}

/// The result of `work`, or nothing when polars panicked in it, on whatever thread; such a panic is not printed.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    static READING: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let in_polars =
                panic.location().is_some_and(|location| location.file().contains("polars-"));
            if !(in_polars && READING.load(Ordering::SeqCst) > 0) {
                before(panic);
            }
        }));
    });
    READING.fetch_add(1, Ordering::SeqCst);
    // What the work changes is thrown away when it fails.
    let result = std::panic::catch_unwind(AssertUnwindSafe(work));
    READING.fetch_sub(1, Ordering::SeqCst);
    result.ok()
}

/// Bytes that the file unpacks to, as its footer tells.
fn believable(metadata: &FileMetadata, size: u64) -> std::result::Result<u64, String> {
    let mut rows = 0_u64;
    let mut bytes = 0_u64;
    for group in &metadata.row_groups {
        for column in group.parquet_columns() {
            let unpacked = u64::try_from(column.uncompressed_size()).unwrap_or(u64::MAX);
            let values = u64::try_from(column.num_values()).unwrap_or(u64::MAX);
            let cells = values.max(group.num_rows() as u64);
            bytes = bytes.saturating_add(unpacked.max(cells.saturating_mul(CELL)));
        }
        rows = rows.saturating_add(group.num_rows() as u64);
    }
    if bytes > LARGEST || rows > size.saturating_mul(ROWS_A_BYTE) {
        return Err(format!(
            "its footer promises {rows} rows and {bytes} bytes, more than a file of {size} bytes may unpack to here"
        ));
    }
    Ok(bytes)
}
