//! A chart as a description: named series over a numeric axis or over categories. `plot/` draws it.

use serde::{Deserialize, Serialize};

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
    /// Names of x = 0, 1, 2, … where x is not a number.
    pub categories: Vec<String>,
}

/// One line, set of points or set of bars. Points with a NaN are gaps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    pub name: String,
    #[serde(with = "gaps")]
    pub points: Vec<(f64, f64)>,
    /// Low and high for each point: a shaded band around a line, error bars on bars and points. Empty when there is none.
    #[serde(with = "gaps")]
    pub band: Vec<(f64, f64)>,
}

impl Chart {
    /// The chart with a title, labels and names that are safe to draw: they come from data.
    pub fn shown(&self) -> Self {
        let mut clean = self.clone();
        let labels = [&mut clean.title, &mut clean.x_label, &mut clean.y_label];
        let names = clean.series.iter_mut().map(|series| &mut series.name);
        for text in labels.into_iter().chain(names).chain(&mut clean.categories) {
            *text = one_line(text);
        }
        clean
    }

    /// Whether there is any point to draw.
    pub fn is_empty(&self) -> bool {
        !self.series.iter().flat_map(|series| &series.points).any(is_finite)
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

/// Points as data: JSON has no NaN, so that a gap is `null`.
mod gaps {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Points = Vec<(f64, f64)>;
    type Known = Vec<(Option<f64>, Option<f64>)>;

    pub fn serialize<S: Serializer>(points: &Points, to: S) -> Result<S::Ok, S::Error> {
        let known = |value: f64| value.is_finite().then_some(value);
        let points: Known = points.iter().map(|(x, y)| (known(*x), known(*y))).collect();
        points.serialize(to)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Points, D::Error> {
        let points = Known::deserialize(from)?;
        let value = |known: Option<f64>| known.unwrap_or(f64::NAN);
        Ok(points.into_iter().map(|(x, y)| (value(x), value(y))).collect())
    }
}
