//! Looking at a frame as a whole: its types, a glimpse of its values, and how often each value stands.

use polars::prelude::{DataFrame, IntoColumn};
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use crate::aside::aside;
use crate::error::{Context, Error, Result};
use crate::frame::look::{self, Counts};
use crate::script::api::expr;
use crate::script::convert;
use crate::script::failure::At;
use crate::script::options::Options;
use crate::script::record::{OptionDoc, Record, option};
use crate::script::values::Frame;

/// What an array's values are called where they become a column.
const VALUE: &str = "value";

pub const RECORDS: &[Record] = &[
    Record::new(
        "Frame.schema",
        &["f.schema() -> Frame"],
        "The columns and their types: a row a column",
        r#"frame(#{ que: ["2+2?"], tokens: [[17, 2]] }).schema()"#,
        |engine, _| {
            engine.register_fn("schema", |context: NativeCallContext, f: Frame| {
                look::schema(&f.0).map(Frame).at(&context)
            });
        },
    )
    .doc(
        "Columns: `column`, `type` in the words of scripts (text, integer, number, boolean, list, struct, empty), and \
         `polars_type`, which tells what a list holds and which fields a struct has.",
    ),
    Record::new(
        "Frame.glimpse",
        &["f.glimpse() -> Frame"],
        "Each column's type, missing values and first values: a row a column",
        r#"read("ebb/tasks-sample").glimpse()"#,
        |engine, _| {
            engine.register_fn("glimpse", |context: NativeCallContext, f: Frame| {
                aside(move || look::glimpse(&f.0)).map(Frame).at(&context)
            });
        },
    )
    .doc(
        "Columns: `column`, `type`, `missing` (how many values are; what is not a number is none of them), `first_values`, a text \
         with as many of the first values as fit, long ones cut. It shows every column of a frame that is too wide for the \
         screen. `f.describe()` gives statistics.",
    ),
    Record::new(
        "Frame.value_counts",
        &["f.value_counts(columns) -> Frame", "f.value_counts(columns, opts) -> Frame"],
        "How often each value of a column stands, the most frequent first",
        r#"frame(#{ kind: ["safe", "unsafe", "safe", ()] }).value_counts("kind")"#,
        |engine, _| register(engine),
    )
    .doc(
        "The frame has the column and `count`. Equally frequent values stand in their order; missing ones are counted too. \
         Several columns, as an array of names, count their combinations.",
    )
    .options(&[COUNTING]),
    Record::new(
        "Array.value_counts",
        &["array.value_counts() -> Frame", "array.value_counts(opts) -> Frame"],
        "How often each value of an array stands, the most frequent first",
        r#"["yes", "no", "yes"].value_counts()"#,
        |engine, _| {
            engine.register_fn("value_counts", |context: NativeCallContext, values: &mut Array| {
                of_values(values, Options::none("value_counts")).map(Frame).at(&context)
            });
            engine.register_fn(
                "value_counts",
                |context: NativeCallContext, values: &mut Array, opts: Map| {
                    of_values(values, Options::new("value_counts", opts)).map(Frame).at(&context)
                },
            );
        },
    )
    .doc(
        "The frame has the columns `value` and `count`. The values are of one kind, as a frame's column is.",
    )
    .options(&[COUNTING]),
];

const COUNTING: &[OptionDoc] = &[
    option(
        "normalize",
        "true or false",
        "false",
        "Shares of all, in a column `proportion`, instead of counts",
    ),
    option("name", "string", "", "Another name for the column of counts"),
];

fn register(engine: &mut Engine) {
    engine.register_fn("value_counts", |context: NativeCallContext, f: Frame, columns: Dynamic| {
        of_columns(f.0, &columns, Options::none("value_counts")).map(Frame).at(&context)
    });
    engine.register_fn(
        "value_counts",
        |context: NativeCallContext, f: Frame, columns: Dynamic, opts: Map| {
            of_columns(f.0, &columns, Options::new("value_counts", opts)).map(Frame).at(&context)
        },
    );
}

fn counts(options: Options) -> Result<Counts> {
    let shares = options.boolean("normalize")?.unwrap_or(false);
    let usual = if shares { "proportion" } else { "count" };
    let name = options.text("name")?.unwrap_or_else(|| usual.to_string());
    options.finish()?;
    Ok(Counts { name, shares })
}

fn of_columns(frame: DataFrame, columns: &Dynamic, options: Options) -> Result<DataFrame> {
    let names = expr::names("value_counts", columns)?;
    if names.is_empty() {
        return Err(Error::invalid("value_counts", "at least one column", "an empty array"));
    }
    let counts = counts(options)?;
    look::value_counts(&frame, &names, &counts)
}

fn of_values(values: &Array, options: Options) -> Result<DataFrame> {
    let counts = counts(options)?;
    let column = convert::column(VALUE, values)?.into_column();
    let frame = DataFrame::new(values.len(), vec![column]).during("value_counts")?;
    look::value_counts(&frame, &[VALUE.to_string()], &counts)
}
