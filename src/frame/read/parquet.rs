//! Parquet (<https://parquet.apache.org/docs/file-format/>), with a footer from a stranger checked before it is believed.
//!
//! A file is read group of rows by group of rows, and of each only the columns that are wanted: whole, or so that the rows of
//! one piece are forgotten before those of the next are read.

use std::io::SeekFrom;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use polars::prelude::{
    ArrowField, ArrowSchema, Column, DataFrame, DataType, FileMetadata, IntoColumn, ParquetReader,
    SerReader, Series,
};
use polars_io::mmap::MmapBytesReader;
use polars_io::parquet::read::_internal::to_deserializer;
use polars_io::parquet::read::infer_schema;
use rayon::prelude::*;

use super::arrow::{Leaf, Plan, plan};
use super::cost::LARGEST;
use super::options::ReadOptions;
use super::thrift;
use crate::error::{Context, Error, Result};
use crate::memory;

/// Rows that one byte of file may stand for: runs of one value pack far, but not without end.
const ROWS_A_BYTE: u64 = 1 << 16;
/// Bytes that one byte of file may unpack to, where they are more than are read at once.
const BYTES_A_BYTE: u64 = 256;
/// Bytes of a cell in memory, at the least.
const CELL: u64 = 8;
/// Under this name Arrow's writers leave the types that parquet has no word for.
const ARROW_SCHEMA: &str = "ARROW:schema";
/// What stands at both ends of a file.
const MAGIC: &[u8] = b"PAR1";

/// What a part of the work gives, or the rest of a sentence about the file.
type Told<T> = std::result::Result<T, String>;

/// A parquet file tells in its footer how much it unpacks to. One that promises what no such file can hold, or what there
/// is no memory for, is refused before anything is allocated; a reader that panics on nonsense does not take the run
/// with it. Only the wanted columns are read, and only the groups of the wanted rows.
pub fn read(path: &Path, reader: impl MmapBytesReader, options: &ReadOptions) -> Result<DataFrame> {
    let mut parquet = Parquet::open(path, reader, options.columns.as_deref())?;
    let groups = 0..parquet.groups_of(options.rows.unwrap_or(usize::MAX));
    if parquet.bytes_of_all(groups.clone()) > LARGEST {
        let message = "it unpacks to more than 4 GiB, the most that is read at once; read only some columns, or read it in pieces";
        return Err(parquet.malformed(message.to_string()));
    }
    parquet.require_room(groups.clone())?;
    let frame = options.applied(parquet.rows(groups)?)?;
    Ok(frame.head(Some(options.rows.unwrap_or(usize::MAX))))
}

/// A parquet file that is open.
pub struct Parquet<R> {
    path: PathBuf,
    reader: R,
    metadata: FileMetadata,
    plans: Vec<Plan>,
}

impl<R: MmapBytesReader> Parquet<R> {
    /// Reads what the file tells about itself. `path` is what errors call it.
    pub fn open(path: &Path, mut reader: R, columns: Option<&[String]>) -> Result<Self> {
        let malformed = |message: String| Error::malformed(path, None, message);
        let (metadata, schema) = caught(|| footer(&mut reader))
            .unwrap_or_else(|| Err("its footer is no parquet footer".to_string()))
            .map_err(malformed)?;
        let mut plans = plans(&metadata, &schema, columns).map_err(malformed)?;
        if let Some(columns) = columns {
            plans.sort_by_key(|plan| columns.iter().position(|name| *name == *plan.field.name));
        }
        Ok(Self { path: path.to_path_buf(), reader, metadata, plans })
    }

    fn malformed(&self, message: String) -> Error {
        Error::malformed(&self.path, None, message)
    }

    /// How many groups of rows there are.
    pub fn groups(&self) -> usize {
        self.metadata.row_groups.len()
    }

    /// How many of the groups have the first so many rows.
    fn groups_of(&self, rows: usize) -> usize {
        let mut left = rows;
        let groups = self.metadata.row_groups.iter().take_while(|group| {
            let is_wanted = left > 0;
            left = left.saturating_sub(group.num_rows());
            is_wanted
        });
        groups.count()
    }

    /// Bytes that the wanted columns of a group unpack to, as the footer tells.
    pub fn bytes_of(&self, group: usize) -> u64 {
        let Some(group) = self.metadata.row_groups.get(group) else {
            return 0;
        };
        let rows = group.num_rows() as u64;
        let chunks = self.plans.iter().filter_map(|plan| {
            let name = &plan.field.name;
            group.columns_under_root_iter(name)
        });
        chunks.flatten().fold(0, |sum: u64, chunk| {
            let unpacked = u64::try_from(chunk.uncompressed_size()).unwrap_or(u64::MAX);
            let values = u64::try_from(chunk.num_values()).unwrap_or(u64::MAX);
            sum.saturating_add(unpacked.max(values.max(rows).saturating_mul(CELL)))
        })
    }

    fn bytes_of_all(&self, groups: Range<usize>) -> u64 {
        groups.fold(0, |sum: u64, group| sum.saturating_add(self.bytes_of(group)))
    }

    /// Refuses to read groups of rows that there is no room for.
    pub fn require_room(&self, groups: Range<usize>) -> Result<()> {
        let unpacked = self.bytes_of_all(groups);
        let what = format!("reading {}, which unpacks to {unpacked} bytes,", self.path.display());
        // Pages are unpacked beside the columns that are made of them.
        memory::require_room(unpacked.saturating_mul(2), &what)
    }

    /// The rows of these groups.
    pub fn rows(&mut self, groups: Range<usize>) -> Result<DataFrame> {
        let empty = |plan: &Plan| {
            let dtype = DataType::from_arrow_field(&plan.field);
            Series::new_empty(plan.field.name.clone(), &dtype)
        };
        let mut whole: Vec<Series> = self.plans.iter().map(empty).collect();
        let mut height = 0;
        for index in groups {
            let parts = self.group(index).map_err(|message| self.malformed(message))?;
            let rows = self.metadata.row_groups.get(index).map_or(0, |group| group.num_rows());
            height += rows;
            for (whole, part) in whole.iter_mut().zip(parts) {
                if whole.is_empty() {
                    *whole = part;
                } else {
                    whole.append(&part).during(format!("reading {}", self.path.display()))?;
                }
            }
        }
        let columns: Told<Vec<Column>> = self
            .plans
            .par_iter()
            .zip(whole)
            .map(|(plan, column)| named(plan, || plan.meaning.of(column).map(Series::into_column)))
            .collect();
        let columns = columns.map_err(|message| self.malformed(message))?;
        DataFrame::new(height, columns).during(format!("reading {}", self.path.display()))
    }

    /// The columns of a group of rows.
    fn group(&mut self, index: usize) -> Told<Vec<Series>> {
        let Self { reader, metadata, plans, .. } = self;
        let group = metadata.row_groups.get(index).ok_or("a group of rows is missing")?;
        let mut parts = Vec::with_capacity(plans.len());
        for plan in plans.iter() {
            let chunks = group.columns_under_root_iter(&plan.field.name);
            let read = named(plan, || {
                chunks
                    .ok_or("a group of rows lacks it")?
                    .map(|chunk| Ok((chunk, part(reader, chunk.byte_range())?)))
                    .collect::<Told<Vec<_>>>()
            });
            parts.push((plan, read?));
        }
        let rows = group.num_rows();
        parts
            .into_par_iter()
            .map(|(plan, chunks)| {
                let chunks = chunks.into_iter().map(|(chunk, bytes)| (chunk, bytes.into()));
                let chunks = chunks.collect();
                named(plan, || {
                    let (arrays, _) = to_deserializer(chunks, plan.field.clone(), None)
                        .map_err(|error| error.to_string())?;
                    let part = Series::try_from((&plan.field, arrays))
                        .map_err(|error| error.to_string())?;
                    let found = part.len();
                    if found == rows {
                        Ok(part)
                    } else {
                        Err(format!("it holds {found} rows where its footer tells {rows}"))
                    }
                })
            })
            .collect()
    }
}

/// What `work` gives, or a sentence about the column.
fn named<T>(plan: &Plan, work: impl FnOnce() -> Told<T>) -> Told<T> {
    let nonsense = || Err("its bytes do not have the form that its footer tells".to_string());
    caught(work).unwrap_or_else(nonsense).map_err(|message| {
        let name = plan.field.name.as_str();
        format!("the column `{name}` ({}): {message}", plan.told)
    })
}

/// The bytes between two places of a file.
fn part(reader: &mut impl MmapBytesReader, range: Range<u64>) -> Told<Vec<u8>> {
    let ended = || "the file ends before it does".to_string();
    let length = reader.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    if range.end > length || range.start > range.end {
        return Err(ended());
    }
    reader.seek(SeekFrom::Start(range.start)).map_err(|error| error.to_string())?;
    let mut bytes = vec![0; (range.end - range.start) as usize];
    reader.read_exact(&mut bytes).map_err(|_| ended())?;
    Ok(bytes)
}

/// What the footer tells, once it is believed, and the types of the columns. Arrow's own note of the types may be newer
/// than we know; parquet's are read then.
fn footer(reader: &mut impl MmapBytesReader) -> Told<(FileMetadata, ArrowSchema)> {
    let size = reader.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    let tail = part(reader, size.saturating_sub(8)..size)?;
    let (length, magic) = tail.split_at_checked(4).unwrap_or_default();
    if magic != MAGIC {
        return Err(
            "it does not end as a parquet file does: it is cut off, or no parquet file".to_string()
        );
    }
    let length = u64::from(u32::from_le_bytes(length.try_into().unwrap_or_default()));
    let start =
        size.saturating_sub(8).checked_sub(length).ok_or("its footer is longer than the file")?;
    // The reader takes memory for as many entries as a list says that it has, before it looks for the first of them.
    thrift::check(&part(reader, start..size - 8)?)?;
    let mut parquet = ParquetReader::new(reader);
    let metadata = parquet.get_metadata().map_err(|error| error.to_string())?;
    believable(metadata, size)?;
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

/// How each wanted column is read. Where one of `columns` is not there, all are wanted, so that the error can name them.
fn plans(
    metadata: &FileMetadata,
    schema: &ArrowSchema,
    columns: Option<&[String]>,
) -> Told<Vec<Plan>> {
    let columns = columns.filter(|names| names.iter().all(|name| schema.contains(name.as_str())));
    let told = metadata.schema().columns();
    let is_wanted = |field: &&ArrowField| {
        columns.is_none_or(|names| names.iter().any(|name| *name == *field.name))
    };
    schema
        .iter_values()
        .filter(is_wanted)
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

/// Refuses a footer that promises more than a file of this size can hold.
fn believable(metadata: &FileMetadata, size: u64) -> Told<()> {
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
    let believed = LARGEST.max(size.saturating_mul(BYTES_A_BYTE));
    if bytes > believed || rows > size.saturating_mul(ROWS_A_BYTE) {
        return Err(format!(
            "its footer promises {rows} rows and {bytes} bytes, more than a file of {size} bytes may unpack to here"
        ));
    }
    Ok(())
}
