//! Large files piece by piece: what a closure makes of each piece is kept, and the piece forgotten.

use std::path::PathBuf;
use std::rc::Rc;

use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Series};
use rhai::{Dynamic, Engine, FnPtr, Map, NativeCallContext};

use super::sources::{self, Part, Place, hashed};
use crate::aside::aside;
use crate::error::{Context, Error, Result};
use crate::frame::compact::compact;
use crate::frame::read::{self, Pieces, ReadOptions};
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::Host;
use crate::script::options::Options;
use crate::script::record::{Record, option};
use crate::script::values::Frame;

pub const RECORDS: &[Record] = &[Record::new(
    "read_pieces",
    &[
        "read_pieces(path, |piece| Frame) -> Frame",
        "read_pieces(path, |piece| Frame, opts) -> Frame",
    ],
    "What a closure keeps of each piece of a large file, below each other",
    r#"read_pieces("ebb/toxic-sample", |piece| piece.explode(["texts", "scores"]).filter(col("scores") > 0.9), #{ columns: ["texts", "scores"] })"#,
    register,
)
.doc(
    "The path is one of `read`. A parquet file is read group of rows by group of rows, small groups together, so that only \
     one piece and what the closures gave is in memory; files of other formats are read whole and handed over as one piece. \
     (Groups are made where the file is written: pyarrow's `row_group_size`. One group needs about twice what it unpacks \
     to.) A closure gives the rows to keep as a frame, or () to keep none.",
)
.options(&[
    &[
        option("columns", "string or array of strings", "", "Read only these columns"),
        option("row_index", "string", "", "The name of a first column with the row's number in the file or files"),
        option("rows", "whole number", "", "The most rows in a piece"),
    ],
])];

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let plain = host.clone();
    engine.register_fn(
        "read_pieces",
        move |context: NativeCallContext, path: &str, closure: FnPtr| {
            let options = Options::none("read_pieces");
            pieces(&context, &plain, path, &closure, options)
        },
    );
    let host = host.clone();
    engine.register_fn(
        "read_pieces",
        move |context: NativeCallContext, path: &str, closure: FnPtr, options: Map| {
            let options = Options::new("read_pieces", options);
            pieces(&context, &host, path, &closure, options)
        },
    );
}

/// How pieces are handed to a closure.
struct Manner {
    told: ReadOptions,
    row_index: Option<String>,
    rows: usize,
}

fn manner(options: Options) -> Result<Manner> {
    let told = ReadOptions { columns: options.texts("columns")?, ..ReadOptions::default() };
    let row_index = options.text("row_index")?;
    let rows = options.count("rows", 1)?.unwrap_or(usize::MAX);
    options.finish()?;
    Ok(Manner { told, row_index, rows })
}

fn pieces(
    context: &NativeCallContext,
    host: &Host,
    path: &str,
    closure: &FnPtr,
    options: Options,
) -> ScriptResult<Frame> {
    let manner = manner(options).at(context)?;
    let mut kept = Kept { context, closure, manner: &manner, rows_before: 0, frames: Vec::new() };
    for part in sources::parts(host, path).at(context)? {
        match &part.place {
            Place::Disk(file, roots) if part.is_parquet() => {
                let opened = roots.open(file).at(context)?;
                stream(&mut kept, host, &part, opened.file)?;
            }
            _ => {
                let whole = part.read(host, &manner.told).at(context)?;
                kept.hand_over(&part, whole)?;
            }
        }
    }
    let frames = kept.frames;
    match frames.as_slice() {
        [] => Ok(Frame(DataFrame::empty())),
        [one] => Ok(Frame(one.clone())),
        several => read::concatenate(several).map(Frame).at(context),
    }
}

/// A parquet file's pieces, one after another.
fn stream(kept: &mut Kept, host: &Host, part: &Part, file: std::fs::File) -> ScriptResult<()> {
    let context = kept.context;
    let (name, told) = (PathBuf::from(&part.name), kept.manner.told.clone());
    let opened = aside(move || {
        let (hash, file) = hashed(&name, file)?;
        Ok((hash, Pieces::open(&name, file, &told)))
    });
    let (hash, pieces) = opened.at(context)?;
    part.tell(host, hash);
    let mut pieces = pieces.at(context)?;
    loop {
        host.control.check().at(context)?;
        let read = aside(move || {
            let piece = pieces.read_next()?;
            Ok((pieces, piece))
        });
        let (rest, piece) = read.at(context)?;
        let Some(piece) = piece else {
            return Ok(());
        };
        pieces = rest;
        kept.hand_over(part, piece)?;
    }
}

/// What was kept so far.
struct Kept<'a> {
    context: &'a NativeCallContext<'a>,
    closure: &'a FnPtr,
    manner: &'a Manner,
    rows_before: usize,
    frames: Vec<DataFrame>,
}

impl Kept<'_> {
    /// Hands a piece to the closure, in parts of at most so many rows.
    fn hand_over(&mut self, part: &Part, piece: DataFrame) -> ScriptResult<()> {
        let piece = self.dressed(part, piece).at(self.context)?;
        let height = piece.height();
        let step = self.manner.rows.min(height.max(1));
        let mut from = 0;
        loop {
            let rows = piece.slice(from as i64, step);
            let given: Dynamic = self.closure.call_within_context(self.context, (Frame(rows),))?;
            self.keep(given).at(self.context)?;
            from += step;
            if from >= height {
                return Ok(());
            }
        }
    }

    fn keep(&mut self, given: Dynamic) -> Result<()> {
        if given.is_unit() {
            return Ok(());
        }
        let got = convert::describe(&given);
        let frame = given.try_cast::<Frame>().ok_or_else(|| {
            Error::invalid("the closure of read_pieces", "a frame, or () to keep nothing", got)
        })?;
        let frame = aside(move || compact(&frame.0))?;
        // Of pieces without rows one is enough to know the columns.
        let has_none = |frame: &DataFrame| frame.height() == 0;
        if has_none(&frame) && !self.frames.is_empty() {
            return Ok(());
        }
        if self.frames.last().is_some_and(has_none) {
            self.frames.pop();
        }
        self.frames.push(frame);
        Ok(())
    }

    /// The piece with the columns that were asked for, and no others.
    fn dressed(&mut self, part: &Part, mut piece: DataFrame) -> Result<DataFrame> {
        if let Some(columns) = &self.manner.told.columns {
            for name in columns {
                crate::frame::query::known(&piece, name)?;
            }
            piece = piece.select(columns).during("read_pieces")?;
        }
        let height = piece.height();
        if let Some(label) = &part.label {
            let column = Series::new("file".into(), vec![label.as_str(); height]);
            piece.with_column(column.into_column()).during("read_pieces")?;
        }
        if let Some(name) = &self.manner.row_index {
            if piece.column(name).is_ok() {
                return Err(Error::failed(format!("there is a column `{name}` already")));
            }
            let numbers: Vec<i64> =
                (self.rows_before..self.rows_before + height).map(|row| row as i64).collect();
            let column = Series::new(name.into(), numbers).into_column();
            piece.insert_column(0, column).during("read_pieces")?;
        }
        self.rows_before += height;
        Ok(piece)
    }
}
