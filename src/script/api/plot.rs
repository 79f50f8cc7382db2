//! Charts from frames.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use polars::prelude::{DataFrame, DataType};
use rhai::{Engine, Map, NativeCallContext};

use super::frame::Frame;
use super::plot_options::{self, Request};
use crate::display::{Chart, ChartKind, Series};
use crate::error::{Context, Error, Result};
use crate::frame::query;
use crate::frame::table::kind;
use crate::plot::{TELLABLE, counted_in_bins};
use crate::script::failure::At;
use crate::script::host::{Event, Host};
use crate::script::options::Options;
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[
    Record::new(
        "plot",
        &["plot(frame, opts) -> Plot"],
        "A chart of a frame's columns",
        r#"plot(frame(#{ step: [1, 2, 3], loss: [2.0, 1.0, 0.5] }), #{ x: "step", y: "loss" })"#,
        register_plot,
    )
    .doc(
        "A column of texts, or of true \
         and false, as `x` makes bars unless `kind` says otherwise. A histogram counts one column, `x`. An option that does not apply to the kind of \
         chart is refused. Missing values are gaps in a line; a line that is known at few places is joined over them and marked. A \
         note says how many values are not drawn because they are NaN or infinite, or missing where no gap shows it.",
    )
    .options(&[plot_options::OPTIONS]),
    Record::new(
        "Plot.save",
        &["p.save(path) -> Plot"],
        "Writes the chart as an image, .svg or .png",
        r#"plot(frame(#{ x: [1, 2], y: [3, 4] }), #{ x: "x", y: "y" }).save("chart.svg")"#,
        register_save,
    ),
];

fn register_plot(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine
        .register_type_with_name::<Chart>("Plot")
        .register_fn("to_string", |chart: &mut Chart| format!("Plot {:?}", chart.title))
        .register_fn("plot", move |context: NativeCallContext, f: Frame, opts: Map| {
            let request = Request::read(Options::new("plot", opts)).at(&context)?;
            let chart = chart(&f.0, &request).at(&context)?;
            for note in notes(&f.0, &request, &chart).at(&context)? {
                host.tell(Event::Note(format!("plot: {note}")));
            }
            Ok::<_, Box<rhai::EvalAltResult>>(chart)
        });
}

fn register_save(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine.register_fn("save", move |context: NativeCallContext, chart: Chart, path: &str| {
        let saved = host.writable(path).and_then(|full| chart.save(&host.write_roots(), &full));
        saved.map(|()| chart).at(&context)
    });
}

/// The most series of a chart: more names than a legend has room for.
const MOST_SERIES: usize = 50;

fn chart(frame: &DataFrame, request: &Request) -> Result<Chart> {
    let (x, y, band) = (&request.x, &request.y, &request.band);
    let series = y.iter().flatten().chain(band.iter().flatten());
    for name in x.iter().chain(&request.by).chain(series) {
        query::known(frame, name)?;
    }
    let chart = Chart {
        title: request.title.clone().unwrap_or_default(),
        x_label: request.x_label.clone().or_else(|| x.clone()).unwrap_or_default(),
        ..Chart::default()
    };
    match request.kind {
        Some(ChartKind::Histogram) => counted(frame, chart, request),
        _ => drawn(frame, chart, request),
    }
}

fn counted(frame: &DataFrame, mut chart: Chart, request: &Request) -> Result<Chart> {
    let column = request.counted_column();
    let column = column
        .ok_or_else(|| Error::failed("a histogram needs `x`, the column to count"))?
        .to_string();
    if chart.x_label.is_empty() {
        chart.x_label = column.clone();
    }
    let label = request.y_label.clone();
    chart.y_label = label.unwrap_or_else(|| "rows".to_string());
    chart.kind = ChartKind::Histogram;
    chart.series = vec![Series {
        points: counted_in_bins(&numbers(frame, &column)?, request.bins.unwrap_or(20)),
        name: column,
        band: Vec::new(),
    }];
    Ok(chart)
}

fn drawn(frame: &DataFrame, mut chart: Chart, request: &Request) -> Result<Chart> {
    let names = request.y.as_deref();
    let names =
        names.ok_or_else(|| Error::failed("plot needs `y`, the column or columns to draw"))?;
    let label = request.y_label.clone();
    chart.y_label = label.unwrap_or_else(|| names.join(", "));
    let places = places(frame, request.x.as_deref(), &mut chart)?;
    chart.kind = request.kind.unwrap_or(if chart.categories.is_empty() {
        ChartKind::Line
    } else {
        ChartKind::Bar
    });
    let band = match request.band.as_deref() {
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
    for name in names {
        let values = numbers(frame, name)?;
        let groups = match &request.by {
            None => vec![(name.clone(), (0..frame.height()).collect())],
            Some(by) => groups(frame, by, names, name)?,
        };
        for (name, rows) in groups {
            chart.series.push(series(name, &rows, &places, &values, band.as_ref()));
        }
        if chart.series.len() > MOST_SERIES {
            return Err(too_many_series("option `y` of plot", "columns"));
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
            Some((low, high)) => order.iter().map(|row| (at(low, *row), at(high, *row))).collect(),
            None => Vec::new(),
        },
    }
}

fn too_many_series(what: &str, of: &str) -> Error {
    let expected = format!("at most {MOST_SERIES} {of}, a series for each");
    Error::invalid(what, expected, "more")
        .with_hint("take a part with `filter`, or bring rows together with `group_by` and `agg`")
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
        if let Some((_, rows)) = groups.iter_mut().find(|(known, _)| *known == value) {
            rows.push(row);
        } else if groups.len() < MOST_SERIES {
            groups.push((value, vec![row]));
        } else {
            return Err(too_many_series("option `by` of plot", "values"));
        }
    }
    if all.len() > 1 {
        for (label, _) in &mut groups {
            *label = format!("{label} {name}");
        }
    }
    Ok(groups)
}

/// Where each row stands along x: its number, the place of its text among the categories, or its index.
fn places(frame: &DataFrame, x: Option<&str>, chart: &mut Chart) -> Result<Vec<f64>> {
    let Some(name) = x else {
        return Ok((0..frame.height()).map(|row| row as f64).collect());
    };
    if !is_named(frame.column(name)?.dtype()) {
        return numbers(frame, name);
    }
    let mut known: HashMap<String, usize> = HashMap::new();
    let place = |text: String| {
        let next = known.len();
        let place = *known.entry(text.clone()).or_insert(next);
        if place == next {
            chart.categories.push(text);
        }
        place as f64
    };
    Ok(texts(frame, name)?.into_iter().map(place).collect())
}

/// Whether the values of a column are names along an axis.
fn is_named(dtype: &DataType) -> bool {
    matches!(dtype, DataType::String | DataType::Boolean)
        || dtype.is_categorical()
        || dtype.is_enum()
}

fn texts(frame: &DataFrame, name: &str) -> Result<Vec<String>> {
    let column = frame.column(name)?.cast(&DataType::String).during("plot")?;
    let texts = column.as_materialized_series().str().during("plot")?;
    Ok(texts.iter().map(|text| text.unwrap_or("(missing)").to_string()).collect())
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
    Ok(numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}

/// What of the data is not to be seen in a chart.
fn notes(frame: &DataFrame, request: &Request, chart: &Chart) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let x = request.x.iter().filter(|_| chart.categories.is_empty());
    let values = request.y.iter().chain(&request.band).flatten();
    for name in x.clone().chain(values) {
        let column = frame.column(name)?;
        let odd = numbers(frame, name)?;
        let odd = odd.iter().filter(|value| !value.is_finite()).count() - column.null_count();
        if odd > 0 {
            notes.push(format!(
                "{odd} of {} values of `{name}` are NaN or infinite and not drawn",
                column.len()
            ));
        }
        // A line shows what is missing: as a gap.
        let shown = chart.kind == ChartKind::Line && !x.clone().any(|x| x == name);
        if column.null_count() > 0 && !shown {
            notes.push(format!(
                "{} of {} values of `{name}` are missing and not drawn",
                column.null_count(),
                column.len()
            ));
        }
    }
    if chart.kind == ChartKind::Bar {
        let covered: usize = chart.series.iter().map(covered).sum();
        if covered > 0 {
            notes.push(format!(
                "{covered} bars stand where their series has one already, and one hides the other; bring the rows of a \
                 place together first (`group_by`, `agg`)"
            ));
        }
    }
    if chart.series.len() > TELLABLE {
        notes.push(format!(
            "{} series share {TELLABLE} colours, so that some look alike",
            chart.series.len()
        ));
    }
    Ok(notes)
}

/// Points of a series at places where it has one before.
fn covered(series: &Series) -> usize {
    let mut places = HashSet::new();
    let drawn = series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
    drawn.filter(|(x, _)| !places.insert(x.to_bits())).count()
}
