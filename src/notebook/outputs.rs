//! What cells showed, kept in a run's folder as data: a line of `outputs.jsonl` for each cell that has ended, and the rows
//! behind each table in a parquet file of `outputs/`.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::outcome::{Item, Ran};
use super::report::cut::cut;
use crate::display::{KeptRows, Output, Table};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::{files, place, plain};

/// The file with a line a cell, and the folder of the tables' rows.
pub const FILE: &str = "outputs.jsonl";
pub const FOLDER: &str = "outputs";

/// Frames of more bytes than this in memory are not written out to be kept or hashed.
const LARGEST: usize = 256 << 20;
/// Parquet files of more bytes are hashed, not kept.
const KEPT: usize = 16 << 20;

/// Tables of a run whose rows are kept; those of further ones are hashed.
const TABLES: usize = 200;

/// A line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// The cell's place in the script, prose counted, from 0.
    pub cell: usize,
    pub seconds: f64,
    pub items: Vec<Item>,
}

/// The outputs of a run under way.
pub struct Outputs {
    folder: PathBuf,
    roots: Roots,
    /// Locked for as long as the run is under way.
    file: File,
    tables: usize,
}

impl Outputs {
    /// Those of the run in a folder, which lies below the roots.
    /// None where another run was quicker.
    pub fn new(folder: &Path, roots: &Roots) -> Result<Option<Self>> {
        let Some(file) = files::create_new(roots, &folder.join(FILE))? else {
            return Ok(None);
        };
        // Whoever looks whether a run is under way holds the lock for a moment. Where the file system has no locks, a run that
        // was killed is listed as one under way.
        let _ = file.lock();
        Ok(Some(Self { folder: folder.to_path_buf(), roots: roots.clone(), file, tables: 0 }))
    }

    /// Keeps all rows of a table. Rows that parquet cannot hold are not kept; the table is, as it was shown.
    pub fn keep_rows(&mut self, table: &mut Table) -> Result<()> {
        let Some(rows) = table.whole.0.take().filter(|rows| rows.size() <= LARGEST) else {
            return Ok(());
        };
        let Ok(bytes) = rows.parquet() else {
            return Ok(());
        };
        self.tables += 1;
        let name = format!("table-{}.parquet", self.tables);
        let is_kept = bytes.len() <= KEPT && self.tables <= TABLES;
        if is_kept {
            let folder = self.folder.join(FOLDER);
            place::folder(&self.roots, &folder)?;
            files::write_bytes(&self.roots, &folder.join(&name), &bytes)?;
        }
        let sha256 = files::sha256(&bytes);
        table.kept = Some(KeptRows { file: is_kept.then_some(name), sha256 });
        Ok(())
    }

    /// A line for a cell that has ended, on disk when this returns.
    pub fn cell(&mut self, cell: usize, ran: &Ran) -> Result<()> {
        let path = self.folder.join(FILE);
        let failed = |error| Error::io("write", &path, error);
        let line = Line { cell, seconds: ran.seconds, items: cut(&ran.items).into_owned() };
        let line = serde_json::to_value(line).map_err(|error| failed(error.into()))?;
        self.file.write_all(format!("{}\n", plain::json(&line)).as_bytes()).map_err(failed)
    }
}

/// Whether a run in a folder is under way: its file is locked. Where there are no locks it may be.
pub fn is_being_written(folder: &Path) -> bool {
    let folder = &Roots::really(folder);
    let Ok(opened) = Roots::below(folder).open(&folder.join(FILE)) else {
        return false;
    };
    match opened.file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => true,
    }
}

/// Whether an item shows a table whose rows are at hand.
pub fn shows_rows(item: &mut Item) -> Option<&mut Table> {
    match item {
        Item::Output(Output::Table(table)) if table.whole.0.is_some() => Some(table),
        _ => None,
    }
}
