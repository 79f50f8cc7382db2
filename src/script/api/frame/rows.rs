//! Looking into frames: counts, rows, columns, and closures over rows.

use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Series};
use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext};

use crate::aside;
use crate::error::{Context, Error, Result};
use crate::frame::query;
use crate::script::convert;
use crate::script::failure::{At, ScriptResult};
use crate::script::record::Record;
use crate::script::values::Frame;

pub const RECORDS: &[Record] = &[
    Record::new(
        "Frame.len",
        &["f.len() -> integer", "f.columns() -> array"],
        "The number of rows; the names of the columns",
        r#"frame(#{ x: [1, 2] }).len()"#,
        |engine, _| {
            engine.register_fn("len", |f: &mut Frame| f.0.height() as i64);
            engine.register_fn("columns", |f: &mut Frame| -> Array {
                query::names(&f.0).into_iter().map(Dynamic::from).collect()
            });
        },
    ),
    Record::new(
        "Frame.rows",
        &["f.rows() -> array", "f.row(i) -> map"],
        "All rows as an array of maps; one row as a map (from the end when negative)",
        r#"frame(#{ x: [1, 2] }).row(-1).x"#,
        |engine, _| {
            engine.register_fn("rows", |context: NativeCallContext, f: Frame| {
                let rows = (0..f.0.height()).map(|index| {
                    aside::check()?;
                    convert::row(&f.0, index).map(Dynamic::from)
                });
                rows.collect::<Result<Array>>().at(&context)
            });
            engine.register_fn("row", |context: NativeCallContext, f: Frame, index: i64| {
                row(&f.0, index).at(&context)
            });
        },
    ),
    Record::new(
        "Frame.column",
        &["f.column(name) -> array", "f[name] -> array"],
        "A column as an array",
        r#"frame(#{ x: [1, 2] })["x"]"#,
        |engine, _| {
            engine.register_fn("column", |context: NativeCallContext, f: Frame, name: &str| {
                column(&f.0, name).at(&context)
            });
            engine.register_indexer_get(|context: NativeCallContext, f: &mut Frame, name: &str| {
                column(&f.0, name).at(&context)
            });
        },
    ),
    Record::new(
        "Frame.with_column",
        &["f.with_column(name, values) -> Frame"],
        "Sets a column to the values of an array, one a row",
        r#"frame(#{ x: [1, 2] }).with_column("y", ["a", "b"])"#,
        |engine, _| {
            engine.register_fn(
                "with_column",
                |context: NativeCallContext, f: Frame, name: &str, values: Array| {
                    set_column(f.0, name, &values).map(Frame).at(&context)
                },
            );
        },
    ),
    Record::new(
        "Frame.with_row_index",
        &["f.with_row_index(name) -> Frame"],
        "Numbers the rows from 0 in a first column",
        r#"frame(#{ x: ["a", "b"] }).with_row_index("id")"#,
        |engine, _| {
            engine.register_fn(
                "with_row_index",
                |context: NativeCallContext, f: Frame, name: &str| {
                    number_rows(&f.0, name).map(Frame).at(&context)
                },
            );
        },
    ),
    Record::new(
        "Frame.map",
        &["f.map(name, |row| value) -> Frame"],
        "Sets a column to what a closure makes of each row",
        r#"frame(#{ x: [1, 2] }).map("double", |row| row.x * 2)"#,
        |engine, _| {
            engine.register_fn(
                "map",
                |context: NativeCallContext,
                 f: Frame,
                 name: &str,
                 closure: FnPtr|
                 -> ScriptResult<Frame> {
                    let values = each(&context, &f.0, &closure)?;
                    with_values(f.0, name, &values).map(Frame).at(&context)
                },
            );
        },
    )
    .doc("Expressions are faster; closures are for what they cannot say."),
    Record::new(
        "Frame.filter_rows",
        &["f.filter_rows(|row| condition) -> Frame"],
        "Keeps the rows for which a closure says true",
        r#"frame(#{ x: [1, 2, 3] }).filter_rows(|row| row.x % 2 == 1)"#,
        |engine, _| {
            engine.register_fn(
                "filter_rows",
                |context: NativeCallContext, f: Frame, closure: FnPtr| -> ScriptResult<Frame> {
                    let values = each(&context, &f.0, &closure)?;
                    keep(&f.0, &values).map(Frame).at(&context)
                },
            );
        },
    ),
];

fn row(frame: &DataFrame, index: i64) -> Result<Map> {
    let height = frame.height() as i64;
    let place = if index < 0 { index + height } else { index };
    if (0..height).contains(&place) {
        convert::row(frame, place as usize)
    } else {
        Err(Error::invalid("row", format!("an index below {height}"), index.to_string()))
    }
}

fn column(frame: &DataFrame, name: &str) -> Result<Array> {
    query::known(frame, name)?;
    convert::array_of(frame.column(name).during("column")?)
}

/// What the closure makes of each row. Its own errors keep their place in the script.
fn each(context: &NativeCallContext, frame: &DataFrame, closure: &FnPtr) -> ScriptResult<Array> {
    let mut values = Array::with_capacity(frame.height());
    for index in 0..frame.height() {
        let row = convert::row(frame, index).at(context)?;
        values.push(closure.call_within_context(context, (row,))?);
    }
    Ok(values)
}

fn set_column(frame: DataFrame, name: &str, values: &[Dynamic]) -> Result<DataFrame> {
    if values.len() != frame.height() {
        return Err(Error::invalid(
            "with_column",
            format!("{} values, one a row", frame.height()),
            values.len().to_string(),
        ));
    }
    with_values(frame, name, values)
}

fn number_rows(frame: &DataFrame, name: &str) -> Result<DataFrame> {
    if frame.column(name).is_ok() {
        return Err(Error::failed(format!("there is a column `{name}` already")));
    }
    let numbers: Vec<i64> = (0..frame.height() as i64).collect();
    let mut numbered = frame.clone();
    let column = Series::new(name.into(), numbers).into_column();
    numbered.insert_column(0, column).during("with_row_index")?;
    Ok(numbered)
}

fn with_values(mut frame: DataFrame, name: &str, values: &[Dynamic]) -> Result<DataFrame> {
    let series = convert::column(name, values)?;
    frame.with_column(series.into_column()).during("map")?;
    Ok(frame)
}

fn keep(frame: &DataFrame, values: &[Dynamic]) -> Result<DataFrame> {
    let mask: Result<Vec<bool>> = values
        .iter()
        .map(|value| {
            value.as_bool().map_err(|_| {
                Error::invalid(
                    "filter_rows",
                    "a closure that gives true or false",
                    convert::describe(value),
                )
            })
        })
        .collect();
    let mask = polars::prelude::BooleanChunked::from_iter(mask?.into_iter().map(Some));
    let frame = frame.clone();
    aside::aside(move || frame.filter(&mask).during("filter_rows"))
}
