//! Parquet files in pieces: groups of rows one after another, so that no more than one piece is in memory at a time.

use std::fs::File;
use std::path::Path;

use polars::prelude::DataFrame;

use super::options::ReadOptions;
use super::parquet::Parquet;
use crate::error::Result;

/// Bytes that the groups of a piece unpack to together, where the groups are smaller.
const PIECE: u64 = 1 << 25;

/// A parquet file of which one piece after another is read.
pub struct Pieces {
    parquet: Parquet<File>,
    options: ReadOptions,
    /// The group that comes next.
    next: usize,
    /// A file without any group gives one piece without rows, which has the columns.
    begun: bool,
}

impl Pieces {
    /// `path` is what errors call the file.
    pub fn open(path: &Path, file: File, options: &ReadOptions) -> Result<Self> {
        let parquet = Parquet::open(path, file, options.columns.as_deref())?;
        Ok(Self { parquet, options: options.clone(), next: 0, begun: false })
    }

    /// The next rows: those of a group, or of several small ones.
    pub fn read_next(&mut self) -> Result<Option<DataFrame>> {
        let (from, groups) = (self.next, self.parquet.groups());
        if from == groups && self.begun {
            return Ok(None);
        }
        self.begun = true;
        let mut bytes = 0_u64;
        while self.next < groups {
            bytes = bytes.saturating_add(self.parquet.bytes_of(self.next));
            if bytes > PIECE && self.next > from {
                break;
            }
            self.next += 1;
        }
        self.parquet.require_room(from..self.next)?;
        let rows = self.parquet.rows(from..self.next)?;
        self.options.applied(rows).map(Some)
    }
}
