//! Charts from frames.

use std::rc::Rc;

use polars::prelude::DataFrame;
use rhai::{Engine, Map, NativeCallContext};

use super::frame::Frame;
use super::plot_columns::{Groups, Places, groups, is_named, numbers};
use super::plot_grid::{confusion, heat_map};
use super::plot_notes::notes;
use super::plot_options::{self, Kind, MOST_PANELS, Request, too_many_panels};
use crate::display::{Chart, ChartKind, Panel, Scale, Series};
use crate::error::{Error, Result};
use crate::frame::query;
use crate::plot::{counted_in_bins, power};
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
         and false, as `x` makes bars unless `kind` says otherwise. A histogram counts one column, `x`. \
         A heat map has a cell for each `x` and `y`, coloured by `value`; columns of texts stand in the order of the frame. A confusion \
         matrix shows for each truth how many rows were predicted as what, and which share of its row that is. An option that does not apply \
         to the kind of chart is refused. Missing values are gaps in a line; a line that is known at few places is joined over them and marked. A \
         note says how many values are not drawn because they are NaN or infinite, not above zero on a logarithmic axis, or missing where no \
         gap shows it.",
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
    let ends = request.band.iter().chain(&request.error).flatten();
    let columns = [&request.x, &request.by, &request.facet];
    let cells = [&request.value, &request.truth, &request.predicted];
    let columns = columns.into_iter().chain(cells).flatten();
    for name in columns.chain(request.y.iter().flatten()).chain(ends) {
        query::known(frame, name)?;
    }
    let chart = Chart {
        title: request.title.clone().unwrap_or_default(),
        x_label: request.x_label.clone().or_else(|| request.x.clone()).unwrap_or_default(),
        x_scale: request.x_scale,
        y_scale: request.y_scale,
        ..Chart::default()
    };
    match request.kind {
        Some(Kind::Histogram) => counted(frame, chart, request),
        Some(Kind::HeatMap) => heat_map(frame, chart, request),
        Some(Kind::Confusion) => confusion(frame, chart, request),
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
    let log = request.x_scale == Scale::Log;
    let mut values = numbers(frame, &column)?;
    if log {
        // Bins are equally wide as they are drawn.
        let logarithm = |value: &f64| if *value > 0.0 { value.log10() } else { f64::NAN };
        values = values.iter().map(logarithm).collect();
    }
    let bins = request.bins.unwrap_or(20);
    let histogram = |rows: &[usize]| {
        let part: Vec<f64> = rows.iter().filter_map(|row| values.get(*row).copied()).collect();
        let mut points = counted_in_bins(&part, &values, bins);
        if log {
            for point in &mut points {
                point.0 = power(point.0);
            }
        }
        vec![Series { points, name: column.clone(), band: Vec::new() }]
    };
    let Some(facets) = facets(frame, request)? else {
        chart.series = histogram(&(0..frame.height()).collect::<Vec<_>>());
        return Ok(chart);
    };
    for (title, rows) in facets {
        chart.panels.push(Panel { title, series: histogram(&rows), grid: None });
    }
    let points = chart.panels.iter().flat_map(|panel| &panel.series);
    let points = points.flat_map(|series| series.points.clone()).collect();
    chart.series = vec![Series { points, name: column, band: Vec::new() }];
    Ok(chart)
}

/// The rows of each small chart, where there are any.
fn facets(frame: &DataFrame, request: &Request) -> Result<Option<Groups>> {
    match &request.facet {
        None => Ok(None),
        Some(facet) => groups(frame, facet, MOST_PANELS)?.ok_or_else(too_many_panels).map(Some),
    }
}

fn drawn(frame: &DataFrame, mut chart: Chart, request: &Request) -> Result<Chart> {
    let names = request.y.as_deref();
    let names =
        names.ok_or_else(|| Error::failed("plot needs `y`, the column or columns to draw"))?;
    let label = request.y_label.clone();
    chart.y_label = label.unwrap_or_else(|| names.join(", "));
    let places = places(frame, request.x.as_deref(), &mut chart)?;
    if !chart.categories.is_empty() && request.x_scale == Scale::Log {
        return Err(Error::failed_with_hint(
            "option `x_scale: \"log\"` of plot needs numbers, and the column of `x` holds names",
            "leave `x_scale` out, or name a column of numbers as `x`",
        ));
    }
    let kind = request.kind.map(Kind::drawn);
    chart.kind =
        kind.unwrap_or(if chart.categories.is_empty() { ChartKind::Line } else { ChartKind::Bar });
    chart.error_bars = request.error.is_some();
    let facets = facets(frame, request)?;
    for (title, _) in facets.iter().flatten() {
        chart.panels.push(Panel { title: title.clone(), ..Panel::default() });
    }
    for name in names {
        let values = numbers(frame, name)?;
        let band = band(frame, request, &values)?;
        for (name, rows) in series_rows(frame, request, names, name)? {
            for (panel, (_, of_panel)) in chart.panels.iter_mut().zip(facets.iter().flatten()) {
                let both = common(&rows, of_panel);
                panel.series.push(series(name.clone(), &both, &places, &values, band.as_ref()));
            }
            chart.series.push(series(name, &rows, &places, &values, band.as_ref()));
        }
        if chart.series.len() > MOST_SERIES {
            return Err(too_many_series("option `y` of plot", "columns"));
        }
    }
    Ok(chart)
}

/// What two ascending lists of rows share.
fn common(rows: &[usize], others: &[usize]) -> Vec<usize> {
    rows.iter().copied().filter(|row| others.binary_search(row).is_ok()).collect()
}

/// Low and high of each row: the band, the ends of the error bars, or what they are away from the values.
fn band(frame: &DataFrame, request: &Request, values: &[f64]) -> Result<Option<Band>> {
    match request.spread() {
        Some((_, [low, high])) => Ok(Some((numbers(frame, low)?, numbers(frame, high)?))),
        Some((_, [away])) => {
            let distances = numbers(frame, away)?;
            if let Some(distance) = distances.iter().find(|distance| **distance < 0.0) {
                return Err(Error::invalid(
                    format!("option `error` of plot: `{away}`"),
                    "distances of at least 0",
                    distance.to_string(),
                ));
            }
            let rows = values.iter().zip(&distances);
            Ok(Some(rows.map(|(value, distance)| (value - distance, value + distance)).unzip()))
        }
        _ => Ok(None),
    }
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

/// A name and its rows for each value of `by`, in order of appearance; without `by` all rows.
fn series_rows(frame: &DataFrame, request: &Request, all: &[String], name: &str) -> Result<Groups> {
    let Some(by) = &request.by else {
        return Ok(vec![(name.to_string(), (0..frame.height()).collect())]);
    };
    let groups = groups(frame, by, MOST_SERIES)?;
    let mut groups = groups.ok_or_else(|| too_many_series("option `by` of plot", "values"))?;
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
    let places = Places::of(frame, name)?;
    chart.categories = places.names;
    Ok(places.rows.iter().map(|place| place.map_or(f64::NAN, |place| place as f64)).collect())
}
