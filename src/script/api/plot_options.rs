//! The options of `plot`: what is drawn and how. What does not apply to a kind of chart is refused.

use crate::display::ChartKind;
use crate::error::{Error, Result};
use crate::script::options::Options;
use crate::script::record::{OptionDoc, option};

/// What `plot` takes.
pub const OPTIONS: &[OptionDoc] = &[
    option(
        "x",
        "string",
        "",
        "The column along the axis; of a histogram the one it counts; else the rows' places",
    ),
    option("y", "string or array of strings", "", "The column to draw, or several"),
    option("by", "string", "", "A series for each value of this column"),
    option("kind", "string", "", r#""line", "scatter", "bar" or "histogram"; else what fits `x`"#),
    option("title", "string", "", "What stands above the chart"),
    option("x_label", "string", "", "What stands below the axis, with units; else the name of `x`"),
    option(
        "y_label",
        "string",
        "",
        "What stands beside the axis, with units; else the names of `y`",
    ),
    option(
        "band",
        "string or array of strings",
        "",
        "Two columns, [low, high]: shaded around a line, error bars on bars and points",
    ),
    option("bins", "whole number", "20", "Bars of a histogram, at most 10,000"),
];

/// The most bins of a histogram: more are narrower than a dot of any image.
const MOST_BINS: usize = 10_000;

/// What `plot` was asked for.
pub struct Request {
    pub kind: Option<ChartKind>,
    pub x: Option<String>,
    pub y: Option<Vec<String>>,
    pub by: Option<String>,
    pub band: Option<Vec<String>>,
    pub bins: Option<usize>,
    pub title: Option<String>,
    pub x_label: Option<String>,
    pub y_label: Option<String>,
}

impl Request {
    pub fn read(options: Options) -> Result<Self> {
        let text = |key: &'static str| options.text(key);
        let kind = match text("kind")?.as_deref() {
            None => None,
            Some("line") => Some(ChartKind::Line),
            Some("scatter") => Some(ChartKind::Scatter),
            Some("bar") => Some(ChartKind::Bar),
            Some("histogram") => Some(ChartKind::Histogram),
            Some(other) => {
                let known = ["line", "scatter", "bar", "histogram"];
                return Err(Error::unknown("kind of chart", other, known));
            }
        };
        let request = Self {
            kind,
            x: text("x")?,
            y: options.texts("y")?,
            by: text("by")?,
            band: options.texts("band")?,
            bins: options.count("bins", 1)?,
            title: text("title")?,
            x_label: text("x_label")?,
            y_label: text("y_label")?,
        };
        options.finish()?;
        if request.y.as_ref().is_some_and(Vec::is_empty) {
            let got = "an empty array";
            return Err(Error::invalid("option `y` of plot", "a column, or several", got));
        }
        if let Some(bins) = request.bins.filter(|bins| *bins > MOST_BINS) {
            return Err(Error::invalid(
                "option `bins` of plot",
                format!("a whole number from 1 to {MOST_BINS}"),
                bins.to_string(),
            ));
        }
        match request.kind {
            Some(ChartKind::Histogram) => request.refuse_beside_histogram()?,
            _ => request.refuse_beside_series()?,
        }
        Ok(request)
    }

    /// The column that a histogram counts.
    pub fn counted_column(&self) -> Option<&str> {
        let first = self.y.as_ref().and_then(|names| names.first());
        self.x.as_ref().or(first).map(String::as_str)
    }

    /// Refuses what a histogram has no use for.
    fn refuse_beside_histogram(&self) -> Result<()> {
        let refuse = |option: &str, hint: &str| {
            let message = format!("option `{option}` of plot does not apply to a histogram");
            Err(Error::failed_with_hint(message, hint))
        };
        if self.by.is_some() {
            return refuse("by", "make a histogram of each part: `f.filter(…)` gives one");
        }
        if self.band.is_some() {
            return refuse("band", "its bars are counts of rows, which have no band");
        }
        match &self.y {
            Some(_) if self.x.is_some() => refuse(
                "y",
                "it counts the values of one column, `x`; its bars are as high as their counts",
            ),
            Some(names) if names.len() > 1 => {
                refuse("y: several columns", "it counts the values of one column, `x`")
            }
            _ => Ok(()),
        }
    }

    /// Refuses what only a histogram has a use for, and bands that cannot be told apart.
    fn refuse_beside_series(&self) -> Result<()> {
        if self.bins.is_some() {
            return Err(Error::failed_with_hint(
                "option `bins` of plot applies to histograms only",
                "give `kind: \"histogram\"`, or leave `bins` out",
            ));
        }
        if self.band.is_some() && self.y.as_ref().is_some_and(|names| names.len() > 1) {
            return Err(Error::failed_with_hint(
                "option `band` of plot is low and high of one column, and `y` names several",
                "name one column as `y`; with `by` each of its series has its own rows of the band",
            ));
        }
        Ok(())
    }
}
