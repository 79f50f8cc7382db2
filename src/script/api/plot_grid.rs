//! Heat maps and confusion matrices from frames.

use polars::prelude::DataFrame;

use super::plot_columns::{Groups, Places, groups, numbers};
use super::plot_options::{MOST_PANELS, Request, too_many_panels};
use crate::display::{Chart, ChartKind, Grid, Panel};
use crate::error::{Error, Result};

/// The most cells of a chart: more are smaller than what a reader tells apart, and too much for a page.
const MOST_CELLS: usize = 20_000;

/// The rows of a frame that make one grid, with its name; the whole frame where there are no panels.
fn parts(frame: &DataFrame, request: &Request) -> Result<Groups> {
    match &request.facet {
        None => Ok(vec![(String::new(), (0..frame.height()).collect())]),
        Some(facet) => groups(frame, facet, MOST_PANELS)?.ok_or_else(too_many_panels),
    }
}

fn refuse_too_many(rows: usize, columns: usize) -> Result<()> {
    if rows.saturating_mul(columns) <= MOST_CELLS {
        return Ok(());
    }
    Err(Error::invalid(
        "the cells of a heat map",
        format!("at most {MOST_CELLS}"),
        format!("{rows} rows of {columns}"),
    )
    .with_hint("take a part with `filter`, or bring values together with `group_by` and `agg`"))
}

/// A chart of these grids: one, or a panel for each.
fn placed(mut chart: Chart, request: &Request, mut grids: Vec<(String, Grid)>) -> Chart {
    chart.kind = ChartKind::HeatMap;
    if request.facet.is_none() {
        chart.grid = grids.pop().map(|(_, grid)| Box::new(grid));
        return chart;
    }
    let panel = |(title, grid)| Panel { title, grid: Some(Box::new(grid)), ..Panel::default() };
    chart.panels = grids.into_iter().map(panel).collect();
    chart
}

/// The cells of a frame that has a row for each: their column, their row, and their value.
pub fn heat_map(frame: &DataFrame, mut chart: Chart, request: &Request) -> Result<Chart> {
    let needed = |name: &Option<String>, option: &str, what: &str| {
        name.clone().ok_or_else(|| Error::failed(format!("a heat map needs `{option}`, {what}")))
    };
    let x = needed(&request.x, "x", "the column that names its columns")?;
    let y = request.y.as_deref().and_then(<[String]>::first).cloned();
    let y = needed(&y, "y", "the column that names its rows")?;
    let value = needed(&request.value, "value", "the column of numbers that its cells show")?;
    let (columns, rows) = (Places::of(frame, &x)?, Places::of(frame, &y)?);
    let values = numbers(frame, &value)?;
    let (wide, high) = (columns.names.len(), rows.names.len());
    refuse_too_many(high, wide)?;
    let mut names = rows.names.clone();
    if rows.numbers {
        names.reverse();
    }
    let mut grids = Vec::new();
    for (title, part) in parts(frame, request)? {
        let grid = Grid {
            rows: names.clone(),
            values: filled(&part, (&columns, &rows), &values, (&x, &y))?,
            counts: Vec::new(),
            label: value.clone(),
        };
        grids.push((title, grid));
    }
    chart.y_label = request.y_label.clone().unwrap_or(y);
    chart.categories = columns.names;
    Ok(placed(chart, request, grids))
}

/// The values of some rows at their places, NaN elsewhere; one value a place.
fn filled(
    part: &[usize],
    (columns, rows): (&Places, &Places),
    values: &[f64],
    (x, y): (&str, &str),
) -> Result<Vec<Vec<f64>>> {
    let (wide, high) = (columns.names.len(), rows.names.len());
    // Numbers grow upwards, as along any axis; names are read from above.
    let from_above = |place: usize| if rows.numbers { high - 1 - place } else { place };
    let mut cells = vec![vec![None; wide]; high];
    for row in part {
        let (Some(column), Some(line)) = (columns.at(*row), rows.at(*row)) else {
            continue;
        };
        let cell = cells.get_mut(from_above(line)).and_then(|cells| cells.get_mut(column));
        let Some(cell) = cell else { continue };
        if cell.is_some() {
            let name = |places: &Places, at: usize| places.names.get(at).cloned();
            return Err(Error::failed_with_hint(
                format!(
                    "a heat map has one value for each cell, and several rows are at `{x}` {} and `{y}` {}",
                    name(columns, column).unwrap_or_default(),
                    name(rows, line).unwrap_or_default()
                ),
                "bring the rows of a cell together first (`group_by`, `agg`)",
            ));
        }
        *cell = values.get(*row).copied();
    }
    let known = |row: Vec<Option<f64>>| row.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect();
    Ok(cells.into_iter().map(known).collect())
}

/// How often each truth was predicted as what: counted from rows, or summed from a column of counts.
pub fn confusion(frame: &DataFrame, mut chart: Chart, request: &Request) -> Result<Chart> {
    let needed = |name: &Option<String>, option: &str, what: &str| {
        let message = format!("a confusion matrix needs `{option}`, the column of {what}");
        name.clone().ok_or_else(|| Error::failed(message))
    };
    let truth = needed(&request.truth, "truth", "true labels")?;
    let predicted = needed(&request.predicted, "predicted", "predicted labels")?;
    let (rows, columns) = Places::of_both(frame, &truth, &predicted)?;
    let counts = match &request.value {
        None => vec![1.0; frame.height()],
        Some(name) => whole_counts(frame, name)?,
    };
    let size = rows.names.len();
    refuse_too_many(size, size)?;
    let mut grids = Vec::new();
    for (title, part) in parts(frame, request)? {
        let cells = tallied(&part, (&rows, &columns), &counts);
        let sums: Vec<f64> = cells.iter().map(|row| row.iter().sum()).collect();
        let named = rows.names.iter().zip(&sums);
        let grid = Grid {
            // Panels share the names of their rows, which then cannot say how many each has.
            rows: if request.facet.is_some() {
                rows.names.clone()
            } else {
                named.map(|(name, sum)| format!("{name} (n = {sum})")).collect()
            },
            values: cells.iter().zip(&sums).map(|(row, sum)| shares(row, *sum)).collect(),
            counts: cells,
            label: "share of the row".to_string(),
        };
        grids.push((format!("{title} (n = {})", sums.iter().sum::<f64>()), grid));
    }
    chart.x_label = request.x_label.clone().unwrap_or(predicted);
    chart.y_label = request.y_label.clone().unwrap_or(truth);
    chart.categories = rows.names;
    Ok(placed(chart, request, grids))
}

/// The counts of some rows, summed at their places.
fn tallied(part: &[usize], (rows, columns): (&Places, &Places), counts: &[f64]) -> Vec<Vec<f64>> {
    let mut cells = vec![vec![0.0; columns.names.len()]; rows.names.len()];
    for row in part {
        let (Some(line), Some(column)) = (rows.at(*row), columns.at(*row)) else {
            continue;
        };
        let cell = cells.get_mut(line).and_then(|cells| cells.get_mut(column));
        if let (Some(cell), Some(count)) = (cell, counts.get(*row)) {
            *cell += count;
        }
    }
    cells
}

/// What part of a sum each count is; NaN where nothing was counted.
fn shares(counts: &[f64], sum: f64) -> Vec<f64> {
    counts.iter().map(|count| count / sum).collect()
}

/// A column of counts, which are known and not below zero.
fn whole_counts(frame: &DataFrame, name: &str) -> Result<Vec<f64>> {
    let counts = numbers(frame, name)?;
    let wrong = counts.iter().find(|count| {
        let is_count = count.is_finite() && **count >= 0.0 && count.fract() == 0.0;
        !is_count
    });
    match wrong {
        None => Ok(counts),
        Some(count) => Err(Error::invalid(
            format!("option `value` of plot: `{name}`"),
            "counts, whole numbers of at least 0, in every row",
            if count.is_nan() { "a missing value or NaN".to_string() } else { count.to_string() },
        )),
    }
}
