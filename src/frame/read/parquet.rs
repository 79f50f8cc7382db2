//! Parquet (<https://parquet.apache.org/docs/file-format/>), with a footer from a stranger checked before it is believed.

use std::io::Cursor;
use std::panic::UnwindSafe;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use polars::prelude::{DataFrame, FileMetadata, ParquetReader, SerReader};

use super::LARGEST;
use crate::error::{Error, Result};

/// Rows that one byte of file may stand for: runs of one value pack far, but not without end.
const ROWS_A_BYTE: u64 = 1 << 16;
/// Bytes of a cell in memory, at the least.
const CELL: u64 = 8;

/// A parquet file tells in its footer how much it unpacks to. One that promises what no such file can hold, or what there
/// is no memory for, is refused before anything is allocated; a reader that panics on nonsense does not take the run
/// with it.
pub fn read(path: &Path, bytes: &[u8]) -> Result<DataFrame> {
    let owned = bytes.to_vec();
    let read = caught(move || -> std::result::Result<DataFrame, String> {
        let size = owned.len() as u64;
        let mut reader = ParquetReader::new(Cursor::new(owned));
        let metadata = reader.get_metadata().map_err(|error| error.to_string())?;
        believable(metadata, size)?;
        reader.finish().map_err(|error| error.to_string())
    });
    match read {
        Ok(Ok(frame)) => Ok(frame),
        Ok(Err(message)) => Err(Error::malformed(path, None, message)),
        Err(_) => Err(Error::malformed(
            path,
            None,
            "this is not a well-formed parquet file",
        )),
    }
}

/// The result of `work`, or nothing when polars panicked in it, on whatever thread; such a panic is not printed.
fn caught<T>(work: impl FnOnce() -> T + UnwindSafe) -> std::thread::Result<T> {
    static READING: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let in_polars = panic
                .location()
                .is_some_and(|location| location.file().contains("polars-"));
            if !(in_polars && READING.load(Ordering::SeqCst) > 0) {
                before(panic);
            }
        }));
    });
    READING.fetch_add(1, Ordering::SeqCst);
    let result = std::panic::catch_unwind(work);
    READING.fetch_sub(1, Ordering::SeqCst);
    result
}

fn believable(metadata: &FileMetadata, size: u64) -> std::result::Result<(), String> {
    let mut rows = 0_u64;
    let mut bytes = 0_u64;
    for group in &metadata.row_groups {
        let columns = group.parquet_columns();
        let cells = (columns.len() as u64).saturating_mul(group.num_rows() as u64);
        let unpacked = columns
            .iter()
            .map(|column| u64::try_from(column.uncompressed_size()).unwrap_or(u64::MAX))
            .fold(0, u64::saturating_add);
        rows = rows.saturating_add(group.num_rows() as u64);
        bytes = bytes.saturating_add(unpacked.max(cells.saturating_mul(CELL)));
    }
    if bytes > LARGEST || rows > size.saturating_mul(ROWS_A_BYTE) {
        return Err(format!(
            "its footer promises {rows} rows and {bytes} bytes, more than a file of {size} bytes may unpack to here"
        ));
    }
    // The reader aborts where memory is refused; asking first makes it an error.
    let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
    Vec::<u8>::new()
        .try_reserve_exact(wanted)
        .map_err(|_| format!("it unpacks to {bytes} bytes, and there is not that much memory"))
}
