//! A chart as a description: named series over a numeric axis or over categories. `plot/` draws it.

use serde::{Deserialize, Serialize};

use super::gaps;
use crate::plain::one_line;

/// What a chart looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChartKind {
    #[default]
    Line,
    Scatter,
    Bar,
    Histogram,
    /// Cells of a [`Grid`], coloured by their values.
    HeatMap,
}

/// How numbers are laid out along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    #[default]
    Linear,
    /// Equal ratios are equally long; values that are not above zero have no place.
    Log,
}

/// A chart: named series over a numeric axis or over categories.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Chart {
    pub kind: ChartKind,
    pub title: String,
    /// Axis labels with their units.
    pub x_label: String,
    pub y_label: String,
    pub series: Vec<Series>,
    /// Names of x = 0, 1, 2, … where x is not a number; of a heat map, those of its columns.
    pub categories: Vec<String>,
    pub x_scale: Scale,
    pub y_scale: Scale,
    /// Whether bands of lines are drawn as error bars.
    pub error_bars: bool,
    /// The cells of a heat map.
    pub grid: Option<Box<Grid>>,
    /// Small multiples on common axes, in place of one chart. `series` still holds all points: they make the axes.
    pub panels: Vec<Panel>,
}

/// One of several small charts on common axes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Panel {
    pub title: String,
    /// As many series as the chart has, of the same names; a series may be empty here.
    pub series: Vec<Series>,
    pub grid: Option<Box<Grid>>,
}

/// The cells of a heat map: a row for each name, a column for each category of the chart. NaN where there is no value.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Grid {
    /// From top to bottom.
    pub rows: Vec<String>,
    #[serde(with = "gaps::cells")]
    pub values: Vec<Vec<f64>>,
    /// What is counted in each cell, where `values` are shares of the rows (a confusion matrix); otherwise empty.
    #[serde(with = "gaps::cells")]
    pub counts: Vec<Vec<f64>>,
    /// What the colours mean, with a unit.
    pub label: String,
}

/// One line, set of points or set of bars. Points with a NaN are gaps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    pub name: String,
    #[serde(with = "gaps::points")]
    pub points: Vec<(f64, f64)>,
    /// Low and high for each point: a shaded band around a line (or error bars), error bars on bars and points. Empty when
    /// there is none.
    #[serde(with = "gaps::points")]
    pub band: Vec<(f64, f64)>,
}

impl Chart {
    /// The chart with a title, labels and names that are safe to draw: they come from data.
    pub fn shown(&self) -> Self {
        let mut clean = self.clone();
        let labels = [&mut clean.title, &mut clean.x_label, &mut clean.y_label];
        let names = clean.series.iter_mut().map(|series| &mut series.name);
        let grids = clean.panels.iter_mut().filter_map(|panel| panel.grid.as_deref_mut());
        let grids = clean.grid.as_deref_mut().into_iter().chain(grids);
        let cells = grids.flat_map(|grid| grid.rows.iter_mut().chain([&mut grid.label]));
        for text in labels.into_iter().chain(names).chain(&mut clean.categories).chain(cells) {
            *text = one_line(text);
        }
        for panel in &mut clean.panels {
            panel.title = one_line(&panel.title);
        }
        clean
    }

    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        let points = self.series.iter().flat_map(|series| &series.points);
        let mut cells = self.grids().flat_map(|grid| &grid.values).flatten();
        !points.into_iter().any(|point| self.has_place(point))
            && !cells.any(|value| value.is_finite())
    }

    /// Whether a point is known and lies on both axes.
    fn has_place(&self, point: &(f64, f64)) -> bool {
        let on = |scale: Scale, value: f64| scale == Scale::Linear || value > 0.0;
        is_finite(point) && on(self.x_scale, point.0) && on(self.y_scale, point.1)
    }

    /// The grids of the chart: its own, or those of its panels.
    pub fn grids(&self) -> impl Iterator<Item = &Grid> {
        let panels = self.panels.iter().filter_map(|panel| panel.grid.as_deref());
        self.grid.as_deref().into_iter().chain(panels)
    }

    /// Whether its series are bars.
    pub fn is_bars(&self) -> bool {
        matches!(self.kind, ChartKind::Bar | ChartKind::Histogram)
    }
}

/// Whether a point is known.
pub fn is_finite(point: &(f64, f64)) -> bool {
    point.0.is_finite() && point.1.is_finite()
}

/// What of a line is joined.
pub struct Stretches {
    pub stretches: Vec<Vec<(f64, f64)>>,
    /// Whether the line is known at few places only: they are joined over what lies between, and marked.
    pub sparse: bool,
}

impl Series {
    /// The points between gaps. Where most stretches would be single points (a loss that is measured now and then, beside
    /// one of every step), the points are joined over the gaps instead: nobody sees a line in lonely points.
    pub fn stretches(&self) -> Stretches {
        let runs = self.points.split(|point| !is_finite(point));
        let runs: Vec<Vec<(f64, f64)>> =
            runs.filter(|run| !run.is_empty()).map(<[_]>::to_vec).collect();
        let lonely = runs.iter().filter(|run| run.len() == 1).count();
        let sparse = runs.len() > 1 && lonely * 2 > runs.len();
        Stretches { stretches: if sparse { vec![runs.concat()] } else { runs }, sparse }
    }
}
