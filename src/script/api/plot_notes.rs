//! What of the data is not to be seen in a chart, or not as it may be thought: said in notes.

use std::collections::HashSet;

use polars::prelude::DataFrame;

use super::plot_columns::{is_named, numbers};
use super::plot_options::Request;
use crate::display::{Chart, ChartKind, Scale, Series};
use crate::error::Result;
use crate::plot::TELLABLE;

/// All there is to say about a chart beside the frame that it was made of.
pub fn notes(frame: &DataFrame, request: &Request, chart: &Chart) -> Result<Vec<String>> {
    let mut notes = not_known(frame, request, chart)?;
    notes.extend(not_above_zero(frame, request, chart)?);
    notes.extend(outside(request, chart));
    if chart.kind == ChartKind::Bar {
        let panels = chart.panels.iter().flat_map(|panel| &panel.series);
        let own = chart.series.iter().filter(|_| chart.panels.is_empty());
        let covered: usize = own.chain(panels).map(covered).sum();
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

/// Values that are NaN, infinite or missing.
fn not_known(frame: &DataFrame, request: &Request, chart: &Chart) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let columns = [&request.x, &request.value, &request.truth, &request.predicted];
    let columns = columns.into_iter().flatten();
    let values = request.y.iter().flatten();
    let ends = request.band.iter().chain(&request.error).flatten();
    for name in columns.chain(values).chain(ends) {
        let column = frame.column(name)?;
        if is_named(column.dtype()) {
            continue;
        }
        let odd = numbers(frame, name)?;
        let odd = odd.iter().filter(|value| !value.is_finite()).count() - column.null_count();
        if odd > 0 {
            notes.push(format!(
                "{odd} of {} values of `{name}` are NaN or infinite and not drawn",
                column.len()
            ));
        }
        // A line shows what is missing: as a gap.
        let gap = request.y.iter().chain(&request.band).flatten().any(|y| y == name);
        let shown = chart.kind == ChartKind::Line && gap && request.x.as_ref() != Some(name);
        if column.null_count() > 0 && !shown {
            notes.push(format!(
                "{} of {} values of `{name}` are missing and not drawn",
                column.null_count(),
                column.len()
            ));
        }
    }
    Ok(notes)
}

/// Values that a logarithmic axis has no place for.
fn not_above_zero(frame: &DataFrame, request: &Request, chart: &Chart) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let x = request.counted_column().filter(|_| chart.kind == ChartKind::Histogram);
    let x = x.or(request.x.as_deref()).filter(|_| chart.x_scale == Scale::Log);
    let y = request.y.iter().flatten().map(String::as_str);
    let y = y.filter(|_| chart.y_scale == Scale::Log && chart.kind != ChartKind::Histogram);
    for name in x.into_iter().chain(y) {
        let values = numbers(frame, name)?;
        let low = values.iter().filter(|value| value.is_finite() && **value <= 0.0).count();
        if low > 0 {
            notes.push(format!(
                "{low} of {} values of `{name}` are not above zero and have no place on a logarithmic axis: not drawn",
                values.len()
            ));
        }
    }
    if chart.y_scale == Scale::Log {
        let rows = chart.series.iter().flat_map(|series| series.points.iter().zip(&series.band));
        let open = rows.filter(|((_, y), (low, _))| *y > 0.0 && *low <= 0.0).count();
        if open > 0 {
            notes.push(format!(
                "{open} lower ends of bands or error bars are not above zero; they are drawn down to the edge of the \
                 logarithmic axis"
            ));
        }
    }
    Ok(notes)
}

/// Values that do not lie between the ends of their error bars: the columns may hold distances in place of ends.
fn outside(request: &Request, chart: &Chart) -> Option<String> {
    let [low, high] = request.error.as_deref()? else {
        return None;
    };
    let rows = chart.series.iter().flat_map(|series| series.points.iter().zip(&series.band));
    let outside = rows.filter(|((_, y), (low, high))| y < low || y > high).count();
    (outside > 0).then(|| {
        format!(
            "{outside} values do not lie between `{low}` and `{high}`: two columns as `error` are the ends of the error \
             bars themselves, not their distances from the value"
        )
    })
}

/// Points of a series at places where it has one before.
fn covered(series: &Series) -> usize {
    let mut places = HashSet::new();
    let drawn = series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
    drawn.filter(|(x, _)| !places.insert(x.to_bits())).count()
}
