//! Charts: one description, drawn as text in a terminal, SVG in a report and PNG in a file.

/// What a chart looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ChartKind {
    #[default]
    Line,
    Scatter,
    Bar,
    Histogram,
}

/// A chart: named series over a numeric axis or over categories.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    pub kind: ChartKind,
    pub title: String,
    /// Axis labels with their units.
    pub x_label: String,
    pub y_label: String,
    pub series: Vec<Series>,
    /// Names of x = 0, 1, 2, … where x is not a number (bar charts).
    pub categories: Vec<String>,
}

/// One line, set of points or set of bars. Points with a NaN are gaps.
#[derive(Clone, Debug, Default)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// Low and high for each point: a shaded band or error bars. Empty when there is none.
    pub band: Vec<(f64, f64)>,
}
