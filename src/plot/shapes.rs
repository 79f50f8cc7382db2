//! What the series of a chart are drawn of, in data coordinates.

use super::scale::{Fitted, thinned};
use crate::display::chart::{Chart, ChartKind, Series, is_finite};

/// Points of a line in an image; more cannot be told apart.
const MOST_POINTS: usize = 2000;

/// Points of a line that are marked as well as joined.
const MOST_MARKED: usize = 24;

/// Marks of a line of more points, among other lines.
const MARKS: usize = 8;

pub enum Shape {
    Bar([(f64, f64); 2]),
    Band(Vec<(f64, f64)>),
    Line(Vec<(f64, f64)>),
    Dots(Vec<(f64, f64)>),
    /// One stroke of an error bar.
    Whisker([(f64, f64); 2]),
}

/// What a series of one of the fitted parts is drawn of. A heat map has cells instead.
pub fn shapes(chart: &Chart, series: &Series, place: usize, fitted: &Fitted) -> Vec<Shape> {
    let floor = fitted.y.low;
    let cap = (fitted.x.high - fitted.x.low) * 0.006;
    match chart.kind {
        ChartKind::Bar | ChartKind::Histogram => bars(chart, series, place, fitted),
        ChartKind::Scatter => {
            let mut points = series.points.clone();
            points.retain(is_finite);
            let mut shapes = whiskers(series, |x| x, cap, floor);
            shapes.push(Shape::Dots(thinned(&points, MOST_POINTS)));
            shapes
        }
        ChartKind::Line if chart.error_bars => {
            // Lines that lie beside each other at the same places keep their error bars apart.
            let beside = place as f64 - (chart.series.len() as f64 - 1.0) / 2.0;
            let aside = beside * cap * 0.5;
            let mut shapes = whiskers(series, |x| x + aside, cap, floor);
            shapes.extend(lines(chart, series, place));
            shapes
        }
        ChartKind::Line => {
            let bands = bands(series, floor).into_iter().map(outline);
            bands.chain(lines(chart, series, place)).collect()
        }
        ChartKind::HeatMap => Vec::new(),
    }
}

/// Bars from their base, those of several series beside each other, with their error bars.
fn bars(chart: &Chart, series: &Series, place: usize, fitted: &Fitted) -> Vec<Shape> {
    let slots = chart.series.len().max(1) as f64;
    // The bars of a histogram touch.
    let share = match chart.kind {
        ChartKind::Histogram => 0.98,
        _ => 0.8,
    };
    let width = fitted.bar_width * share;
    let left = |x: f64| x - width / 2.0 + width * place as f64 / slots;
    let points = series.points.iter().filter(|point| is_finite(point));
    let base = fitted.base;
    let bar = |(x, y): &(f64, f64)| Shape::Bar([(left(*x), base), (left(*x) + width / slots, *y)]);
    let mut shapes: Vec<Shape> = points.map(bar).collect();
    let middle = |x: f64| left(x) + width / slots / 2.0;
    shapes.extend(whiskers(series, middle, width / slots * 0.15, fitted.y.low));
    shapes
}

/// A stroke from low to high for each point that has both, with a short one across either end. An end below all that the
/// axis shows lies at the axis' floor, without a stroke across: it goes on.
fn whiskers(series: &Series, place: impl Fn(f64) -> f64, cap: f64, floor: f64) -> Vec<Shape> {
    let mut strokes = Vec::new();
    for ((x, y), (low, high)) in series.points.iter().zip(&series.band) {
        let open = *low == f64::NEG_INFINITY;
        let low = if open { floor } else { *low };
        let known = [*x, *y, low, *high].iter().all(|value| value.is_finite());
        if !known {
            continue;
        }
        let x = place(*x);
        strokes.push(Shape::Whisker([(x, low), (x, *high)]));
        for end in Some(low).filter(|_| !open).into_iter().chain([*high]) {
            strokes.push(Shape::Whisker([(x - cap, end), (x + cap, end)]));
        }
    }
    strokes
}

/// The stretches of a line, marked at every point, or where there are many at a few of them if there are other lines: at
/// others than those, so that marks do not lie over each other.
fn lines(chart: &Chart, series: &Series, place: usize) -> Vec<Shape> {
    let mut shapes = Vec::new();
    let parts = series.stretches();
    for run in parts.stretches {
        let run = thinned(&run, MOST_POINTS);
        if run.len() <= MOST_MARKED || (parts.sparse && run.len() <= 10 * MOST_MARKED) {
            shapes.push(Shape::Dots(run.clone()));
        } else if chart.series.len() > 1 {
            let every = run.len().div_ceil(MARKS);
            let first = every * (place % 5) / 5;
            shapes.push(Shape::Dots(run.iter().skip(first).step_by(every).copied().collect()));
        }
        if run.len() > 1 {
            shapes.push(Shape::Line(run));
        }
    }
    shapes
}

/// The stretches of a band in which all is known: x, low and high. They are as long as what of the line is joined. What
/// lies below all that the axis shows lies at its floor.
pub fn bands(series: &Series, floor: f64) -> Vec<Vec<(f64, f64, f64)>> {
    let above = |low: f64| if low == f64::NEG_INFINITY { floor } else { low };
    let rows = series.points.iter().zip(&series.band);
    let rows: Vec<_> = rows.map(|((x, _), (low, high))| (*x, above(*low), *high)).collect();
    let known = |row: &(f64, f64, f64)| row.0.is_finite() && row.1.is_finite() && row.2.is_finite();
    if series.stretches().sparse {
        return vec![rows.into_iter().filter(known).collect()];
    }
    let runs = rows.split(|row| !known(row));
    runs.filter(|run| !run.is_empty()).map(<[_]>::to_vec).collect()
}

fn outline(rows: Vec<(f64, f64, f64)>) -> Shape {
    let mut corners: Vec<(f64, f64)> = rows.iter().map(|(x, low, _)| (*x, *low)).collect();
    corners.extend(rows.iter().rev().map(|(x, _, high)| (*x, *high)));
    Shape::Band(corners)
}
