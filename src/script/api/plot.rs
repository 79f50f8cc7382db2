//! Charts from frames.

use std::rc::Rc;

use polars::prelude::{DataFrame, DataType};
use rhai::{Engine, Map, NativeCallContext};

use super::frame::Frame;
use crate::error::{Context, Error, Result};
use crate::frame::query;
use crate::frame::table::kind;
use crate::plot::{Chart, ChartKind, Series};
use crate::script::failure::At;
use crate::script::host::Host;
use crate::script::options::Options;
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[
    Record::new(
        "plot",
        &["plot(frame, opts) -> Plot"],
        "A chart of a frame's columns",
        r#"plot(frame(#{ step: [1, 2, 3], loss: [2.0, 1.0, 0.5] }), #{ x: "step", y: "loss" })"#,
        |engine, _| {
            engine
                .register_type_with_name::<Chart>("Plot")
                .register_fn("to_string", |chart: &mut Chart| format!("Plot {:?}", chart.title))
                .register_fn("plot", |context: NativeCallContext, f: Frame, opts: Map| {
                    chart(&f.0, Options::new("plot", opts)).at(&context)
                });
        },
    )
    .doc(
        "Options: `x`, `y` (a column, for `y` also several), `by` (a series for each value of this column), `kind` (\"line\", \
         \"scatter\", \"bar\", \"histogram\"), `title`, `x_label`, `y_label` (with units), `band` ([low, high], two columns), \
         `bins` (of a histogram, 20). A text column as `x` makes bars.",
    ),
    Record::new(
        "Plot.save",
        &["p.save(path) -> Plot"],
        "Writes the chart as an image, .svg or .png",
        r#"plot(frame(#{ x: [1, 2], y: [3, 4] }), #{ x: "x", y: "y" }).save("chart.svg")"#,
        register_save,
    ),
];

fn register_save(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine.register_fn(
        "save",
        move |context: NativeCallContext, chart: Chart, path: &str| {
            let saved = host.writable(path).and_then(|full| chart.save(&full));
            saved.map(|()| chart).at(&context)
        },
    );
}

fn chart(frame: &DataFrame, options: Options) -> Result<Chart> {
    let kind_name = options.text("kind")?;
    let (x, y, by) = (options.text("x")?, options.texts("y")?, options.text("by")?);
    let band = options.texts("band")?;
    let bins = options.count("bins", 1)?.unwrap_or(20);
    let text = |key: &'static str| options.text(key);
    let (title, x_label, y_label) = (text("title")?, text("x_label")?, text("y_label")?);
    options.finish()?;
    let used = x
        .iter()
        .chain(y.iter().flatten())
        .chain(&by)
        .chain(band.iter().flatten());
    for name in used {
        query::known(frame, name)?;
    }
    let named = match kind_name.as_deref() {
        None => None,
        Some("line") => Some(ChartKind::Line),
        Some("scatter") => Some(ChartKind::Scatter),
        Some("bar") => Some(ChartKind::Bar),
        Some("histogram") => Some(ChartKind::Histogram),
        Some(other) => {
            return Err(Error::unknown(
                "kind of chart",
                other,
                ["line", "scatter", "bar", "histogram"],
            ));
        }
    };
    let mut chart = Chart {
        title: title.unwrap_or_default(),
        x_label: x_label.or_else(|| x.clone()).unwrap_or_default(),
        ..Chart::default()
    };
    if named == Some(ChartKind::Histogram) {
        let column = x.or_else(|| y.and_then(|names| names.first().cloned()));
        let column =
            column.ok_or_else(|| Error::failed("a histogram needs `x`, the column to count"))?;
        chart.x_label = if chart.x_label.is_empty() {
            column.clone()
        } else {
            chart.x_label
        };
        chart.y_label = y_label.unwrap_or_else(|| "rows".to_string());
        return histogram(frame, chart, &column, bins);
    }
    let names = y.ok_or_else(|| Error::failed("plot needs `y`, the column or columns to draw"))?;
    chart.y_label = y_label.unwrap_or_else(|| names.join(", "));
    let places = places(frame, x.as_deref(), &mut chart)?;
    chart.kind = named.unwrap_or(if chart.categories.is_empty() {
        ChartKind::Line
    } else {
        ChartKind::Bar
    });
    let band = match band.as_deref() {
        None => None,
        Some([low, high]) => Some((numbers(frame, low)?, numbers(frame, high)?)),
        Some(other) => {
            return Err(Error::invalid(
                "option `band` of plot",
                "two columns, low and high",
                other.len().to_string(),
            ));
        }
    };
    for name in &names {
        let values = numbers(frame, name)?;
        let groups = match &by {
            None => vec![(name.clone(), (0..frame.height()).collect())],
            Some(by) => groups(frame, by, &names, name)?,
        };
        for (name, rows) in groups {
            chart
                .series
                .push(series(name, &rows, &places, &values, band.as_ref()));
        }
    }
    Ok(chart)
}

type Band = (Vec<f64>, Vec<f64>);

fn series(name: String, rows: &[usize], x: &[f64], y: &[f64], band: Option<&Band>) -> Series {
    let at = |values: &[f64], row: usize| values.get(row).copied().unwrap_or(f64::NAN);
    let mut order = rows.to_vec();
    order.sort_by(|a, b| at(x, *a).total_cmp(&at(x, *b)));
    Series {
        name,
        points: order.iter().map(|row| (at(x, *row), at(y, *row))).collect(),
        band: match band {
            Some((low, high)) => order
                .iter()
                .map(|row| (at(low, *row), at(high, *row)))
                .collect(),
            None => Vec::new(),
        },
    }
}

/// A name and its rows for each value of `by`, in order of appearance.
fn groups(
    frame: &DataFrame,
    by: &str,
    all: &[String],
    name: &str,
) -> Result<Vec<(String, Vec<usize>)>> {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (row, value) in texts(frame, by)?.into_iter().enumerate() {
        let label = if all.len() > 1 {
            format!("{value} {name}")
        } else {
            value
        };
        match groups.iter_mut().find(|(known, _)| *known == label) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((label, vec![row])),
        }
    }
    Ok(groups)
}

/// Where each row stands along x: its number, the place of its text among the categories, or its index.
fn places(frame: &DataFrame, x: Option<&str>, chart: &mut Chart) -> Result<Vec<f64>> {
    let Some(name) = x else {
        return Ok((0..frame.height()).map(|row| row as f64).collect());
    };
    if frame.column(name)?.dtype() != &DataType::String {
        return numbers(frame, name);
    }
    let place = |text: String| match chart.categories.iter().position(|known| *known == text) {
        Some(place) => place as f64,
        None => {
            chart.categories.push(text);
            (chart.categories.len() - 1) as f64
        }
    };
    Ok(texts(frame, name)?.into_iter().map(place).collect())
}

fn texts(frame: &DataFrame, name: &str) -> Result<Vec<String>> {
    let column = frame.column(name)?.cast(&DataType::String).during("plot")?;
    let texts = column.as_materialized_series().str().during("plot")?;
    Ok(texts
        .iter()
        .map(|text| text.unwrap_or("(missing)").to_string())
        .collect())
}

fn numbers(frame: &DataFrame, name: &str) -> Result<Vec<f64>> {
    let column = frame.column(name)?;
    let drawable = column.dtype().is_primitive_numeric()
        || matches!(column.dtype(), DataType::Boolean | DataType::Null);
    if !drawable {
        return Err(Error::invalid(
            format!("plotting `{name}`"),
            "a column of numbers",
            kind(column.dtype()),
        ));
    }
    let column = column.cast(&DataType::Float64).during("plot")?;
    let numbers = column.as_materialized_series().f64().during("plot")?;
    Ok(numbers
        .iter()
        .map(|number| number.unwrap_or(f64::NAN))
        .collect())
}

/// Counts in equal bins; a bar stands in the middle of its bin.
fn histogram(frame: &DataFrame, mut chart: Chart, column: &str, bins: usize) -> Result<Chart> {
    let mut values = numbers(frame, column)?;
    values.retain(|value| value.is_finite());
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let bins = if high > low { bins } else { 1 };
    let width = if high > low {
        (high - low) / bins as f64
    } else {
        1.0
    };
    let mut counts = vec![0usize; bins];
    for value in &values {
        let bin = (((value - low) / width) as usize).min(bins - 1);
        if let Some(count) = counts.get_mut(bin) {
            *count += 1;
        }
    }
    let middle = |bin: usize| low + (bin as f64 + 0.5) * width;
    let points = counts
        .iter()
        .enumerate()
        .map(|(bin, count)| (middle(bin), *count as f64));
    chart.kind = ChartKind::Histogram;
    chart.series = vec![Series {
        name: column.to_string(),
        points: if values.is_empty() {
            Vec::new()
        } else {
            points.collect()
        },
        band: Vec::new(),
    }];
    Ok(chart)
}
