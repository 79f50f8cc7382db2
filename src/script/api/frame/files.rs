//! Reading, making and writing frames.

use std::rc::Rc;

use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Series};
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::sources;
use crate::aside::aside;
use crate::error::{Context, Error, Result};
use crate::frame::read::{Kind, ReadOptions};
use crate::frame::table::Extent;
use crate::frame::{read, table, write};
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::host::Host;
use crate::script::options::Options;
use crate::script::record::{Record, option};
use crate::script::values::Frame;

pub const RECORDS: &[Record] = &[
    Record::new(
        "read",
        &["read(path) -> Frame", "read(path, opts) -> Frame"],
        "A frame from a file, folder, glob or bundled data set",
        r#"read("ebb/tasks-sample").head(3)"#,
        register_read,
    )
    .doc(
        "By extension: jsonl, ndjson, json, csv, tsv, parquet, each also with .gz. A folder or glob puts its files below each \
         other and adds the column `file`, the path below their folder; of a folder of mixed formats, the first in this \
         order is read. `ebb/NAME` is bundled. `hf/org/name` is a data set of the Hub, in the cache that its Python libraries \
         share: `hf/org/name@revision:file`, where the revision is a branch, a tag or a commit, and the file a path, a folder or a \
         pattern; where no file is named, the only table is read, and of several an error lists the files. In JSON, numbers, texts and booleans in one column become text, and a list \
         beside something else is an error; a file of one map is one row. No whole number loses a digit: beyond 2^63, or \
         beside fractions that could not hold it, it is text. In parquet, moments with a time zone are text in \
         universal time, and decimals numbers where these are exact. Of parquet, nothing but the columns and rows that the options ask for is read.",
    )
    .options(&[
        &[
            option("columns", "string or array of strings", "", "Keep only these columns"),
            option("rows", "whole number", "", "Read only the first so many rows of each file"),
            option("types", "map", "#{}", r#"What is in a column, from its name to "str", "int", "float" or "bool"; "str" keeps leading zeros"#),
            option("null_values", "string or array of strings", "[]", r#"Texts that stand for a missing value, such as "NA"; not inside the lists and maps of JSON"#),
        ],
    ]),
    Record::new(
        "frame",
        &["frame(rows) -> Frame", "frame(#{ column: values }) -> Frame"],
        "A frame from an array of maps or a map of arrays",
        r#"frame([#{ name: "a", n: 1 }, #{ name: "b", n: 2 }])"#,
        |engine, _| {
            engine
                .register_type_with_name::<Frame>("Frame")
                .register_fn("to_string", |f: &mut Frame| text(&f.0))
                .register_fn("to_debug", |f: &mut Frame| text(&f.0))
                .register_fn("==", |a: Frame, b: Frame| a.0.equals_missing(&b.0))
                .register_fn("!=", |a: Frame, b: Frame| !a.0.equals_missing(&b.0));
            engine.register_fn("frame", |context: NativeCallContext, rows: Array| {
                convert::frame_of_rows(&rows).map(Frame).at(&context)
            });
            engine.register_fn("frame", |context: NativeCallContext, columns: Map| {
                convert::frame_of_columns(&columns).map(Frame).at(&context)
            });
        },
    ),
    Record::new(
        "exists",
        &["exists(path) -> boolean"],
        "Whether there is such a file or folder that the script may read",
        r#"exists("no-such-file.jsonl")"#,
        |engine, host| {
            let host = host.clone();
            engine.register_fn("exists", move |path: &str| host.readable(path).is_ok());
        },
    ),
    Record::new(
        "Frame.write",
        &["f.write(path) -> Frame"],
        "Writes the frame by extension, whole or not at all, and returns it",
        r#"frame(#{ x: [1, 2] }).write("numbers.jsonl.gz")"#,
        |engine, host| {
            let host = host.clone();
            engine.register_fn("write", move |context: NativeCallContext, f: Frame, path: &str| {
                let (frame, roots) = (f.0.clone(), host.write_roots());
                let written = host
                    .writable(path)
                    .and_then(|full| aside(move || write::file(&frame, &roots, &full)));
                written.map(|()| f).at(&context)
            });
        },
    ),
];

fn register_read(engine: &mut Engine, host: &Rc<Host>) {
    let plain = host.clone();
    engine.register_fn("read", move |context: NativeCallContext, path: &str| {
        open(&plain, path, Options::none("read")).map(Frame).at(&context)
    });
    let host = host.clone();
    engine.register_fn(
        "read",
        move |context: NativeCallContext, path: &str, options: Map| -> ScriptResult<Frame> {
            open(&host, path, Options::new("read", options)).map(Frame).at(&context)
        },
    );
}

fn open(host: &Host, path: &str, options: Options) -> Result<DataFrame> {
    let columns = options.texts("columns")?;
    let types = types(&options)?;
    let typed = types.iter().map(|(name, _)| name.clone());
    let told = ReadOptions {
        columns: columns.clone().map(|names| names.into_iter().chain(typed).collect()),
        types,
        rows: options.count("rows", 0)?,
        null_values: options.texts("null_values")?.unwrap_or_default(),
    };
    options.finish()?;
    let frame = whole(host, path, &told)?;
    for (name, _) in &told.types {
        crate::frame::query::known(&frame, name)?;
    }
    match columns {
        None => Ok(frame),
        Some(names) => {
            for name in &names {
                crate::frame::query::known(&frame, name)?;
            }
            frame.select(names).during("read")
        }
    }
}

/// The option `types`: a map from columns to the names of types.
fn types(options: &Options) -> Result<Vec<(String, Kind)>> {
    let Some(given) = options.value("types") else {
        return Ok(Vec::new());
    };
    let refuse = |got: &Dynamic| {
        let expected = "a map from columns to types, such as #{ id: \"str\" }";
        Error::invalid("option `types` of read", expected, convert::describe(got))
    };
    let map = given.clone().try_cast::<Map>().ok_or_else(|| refuse(&given))?;
    map.into_iter()
        .map(|(column, kind)| {
            let name = kind.clone().into_string().map_err(|_| refuse(&kind))?;
            Ok((column.to_string(), Kind::of(&name)?))
        })
        .collect()
}

/// All files that a path stands for, below each other.
fn whole(host: &Host, path: &str, told: &ReadOptions) -> Result<DataFrame> {
    let parts = sources::parts(host, path)?;
    let mut frames = Vec::with_capacity(parts.len());
    for part in &parts {
        let mut frame = part.read(host, told)?;
        if let Some(label) = &part.label {
            let column = Series::new("file".into(), vec![label.as_str(); frame.height()]);
            frame.with_column(column.into_column()).during("read")?;
        }
        frames.push(frame);
    }
    match frames.as_slice() {
        [one] => Ok(one.clone()),
        several => read::concatenate(several),
    }
}

/// A frame as plain lines of text, for `print` and string interpolation.
fn text(frame: &DataFrame) -> String {
    let Ok(table) = table::table(frame, &Extent { rows: 10, ..Extent::default() }) else {
        return "Frame".to_string();
    };
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let mut lines = vec![names.join(" | ")];
    for row in &table.rows {
        let cells: Vec<&str> = row.iter().map(|cell| cell.as_deref().unwrap_or("—")).collect();
        lines.push(cells.join(" | "));
    }
    lines.push(table.caption);
    lines.join("\n")
}

/// An array of frames, for functions that combine several.
pub fn frames_of(operation: &str, given: &Array) -> Result<Vec<DataFrame>> {
    given
        .iter()
        .map(|item: &Dynamic| match item.clone().try_cast::<Frame>() {
            Some(frame) => Ok(frame.0),
            None => Err(Error::invalid(operation, "an array of frames", convert::describe(item))),
        })
        .collect()
}
