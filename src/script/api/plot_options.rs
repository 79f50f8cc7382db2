//! The options of `plot`: what is drawn and how. What does not apply to a kind of chart is refused.

use crate::display::{ChartKind, Scale};
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
    option(
        "facet",
        "string",
        "",
        "A small chart for each value of this column, at most 24, all on the same axes",
    ),
    option(
        "kind",
        "string",
        "",
        r#""line", "scatter", "bar", "histogram", "heatmap" or "confusion"; else what fits `x`"#,
    ),
    option("title", "string", "", "What stands above the chart"),
    option("x_label", "string", "", "What stands below the axis, with units; else the name of `x`"),
    option(
        "y_label",
        "string",
        "",
        "What stands beside the axis, with units; else the names of `y`",
    ),
    option(
        "error",
        "string or array of strings",
        "",
        "Error bars: a column of distances such as a standard deviation, or two columns, [low, high], the ends themselves",
    ),
    option(
        "band",
        "string or array of strings",
        "",
        "Two columns, [low, high]: shaded around a line, error bars on bars and points",
    ),
    option("x_scale", "string", "\"linear\"", r#""linear" or "log""#),
    option("y_scale", "string", "\"linear\"", r#""linear" or "log""#),
    option("bins", "whole number", "20", "Bars of a histogram, at most 10,000"),
    option(
        "value",
        "string",
        "",
        "The numbers of a heat map's cells; of a confusion matrix the counts, where its rows are counted already",
    ),
    option("truth", "string", "", "The true labels of a confusion matrix"),
    option("predicted", "string", "", "The predicted labels of a confusion matrix"),
];

/// The most bins of a histogram: more are narrower than a dot of any image.
const MOST_BINS: usize = 10_000;

/// The most small charts: more are too small to read.
pub const MOST_PANELS: usize = 24;

/// The kinds of charts by the names that scripts give them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Line,
    Scatter,
    Bar,
    Histogram,
    HeatMap,
    Confusion,
}

const KINDS: [(&str, Kind); 6] = [
    ("line", Kind::Line),
    ("scatter", Kind::Scatter),
    ("bar", Kind::Bar),
    ("histogram", Kind::Histogram),
    ("heatmap", Kind::HeatMap),
    ("confusion", Kind::Confusion),
];

/// What every chart takes.
const ALWAYS: [&str; 5] = ["facet", "kind", "title", "x_label", "y_label"];

impl Kind {
    /// The kind in words.
    fn words(self) -> &'static str {
        match self {
            Self::Line => "a line",
            Self::Scatter => "a scatter chart",
            Self::Bar => "bars",
            Self::Histogram => "a histogram",
            Self::HeatMap => "a heat map",
            Self::Confusion => "a confusion matrix",
        }
    }

    /// The options that only some kinds take, and this one does.
    fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Line | Self::Scatter | Self::Bar => {
                &["x", "y", "by", "band", "error", "x_scale", "y_scale"]
            }
            Self::Histogram => &["x", "y", "bins", "x_scale", "y_scale"],
            Self::HeatMap => &["x", "y", "value"],
            Self::Confusion => &["truth", "predicted", "value"],
        }
    }

    /// How a chart of this kind is drawn.
    pub fn drawn(self) -> ChartKind {
        match self {
            Self::Line => ChartKind::Line,
            Self::Scatter => ChartKind::Scatter,
            Self::Bar => ChartKind::Bar,
            Self::Histogram => ChartKind::Histogram,
            Self::HeatMap | Self::Confusion => ChartKind::HeatMap,
        }
    }
}

/// What `plot` was asked for.
pub struct Request {
    pub kind: Option<Kind>,
    pub x: Option<String>,
    pub y: Option<Vec<String>>,
    pub by: Option<String>,
    pub facet: Option<String>,
    pub band: Option<Vec<String>>,
    /// One column: a distance to both sides; two: the ends.
    pub error: Option<Vec<String>>,
    pub value: Option<String>,
    pub truth: Option<String>,
    pub predicted: Option<String>,
    pub bins: Option<usize>,
    pub x_scale: Scale,
    pub y_scale: Scale,
    pub title: Option<String>,
    pub x_label: Option<String>,
    pub y_label: Option<String>,
}

impl Request {
    pub fn read(options: Options) -> Result<Self> {
        let text = |key: &'static str| options.text(key);
        let kind = match text("kind")? {
            None => None,
            Some(name) => {
                let known = KINDS.iter().find(|(known, _)| *known == name);
                let names = KINDS.iter().map(|(known, _)| *known);
                let (_, kind) =
                    known.ok_or_else(|| Error::unknown("kind of chart", name, names))?;
                Some(*kind)
            }
        };
        // Told before the types of options: what does not apply need not be right.
        let optional: Vec<&str> =
            OPTIONAL.into_iter().filter(|key| options.value(key).is_some()).collect();
        let request = Self {
            kind,
            x: text("x")?,
            y: options.texts("y")?,
            by: text("by")?,
            facet: text("facet")?,
            band: options.texts("band")?,
            error: options.texts("error")?,
            value: text("value")?,
            truth: text("truth")?,
            predicted: text("predicted")?,
            bins: options.count("bins", 1)?,
            x_scale: scale(&options, "x_scale")?,
            y_scale: scale(&options, "y_scale")?,
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
        let kind = request.kind.unwrap_or(Kind::Line);
        if let Some(option) = optional.iter().find(|option| !kind.takes().contains(option)) {
            return Err(refused(kind, option));
        }
        request.check(kind)?;
        Ok(request)
    }

    /// The column that a histogram counts.
    pub fn counted_column(&self) -> Option<&str> {
        let first = self.y.as_ref().and_then(|names| names.first());
        self.x.as_ref().or(first).map(String::as_str)
    }

    /// The columns of error bars or of a band, and the option that names them.
    pub fn spread(&self) -> Option<(&'static str, &[String])> {
        let error = self.error.as_deref().map(|columns| ("error", columns));
        error.or(self.band.as_deref().map(|columns| ("band", columns)))
    }

    /// Refuses what does not go together.
    fn check(&self, kind: Kind) -> Result<()> {
        let several = self.y.as_ref().is_some_and(|names| names.len() > 1);
        let refuse = |message: &str, hint: &str| Err(Error::failed_with_hint(message, hint));
        match (kind, self.spread()) {
            (Kind::Histogram, _) if self.x.is_some() && self.y.is_some() => refuse(
                "option `y` of plot does not apply to a histogram",
                "it counts the values of one column, `x`; its bars are as high as their counts",
            ),
            (Kind::Histogram, _) if several => refuse(
                "option `y: several columns` of plot does not apply to a histogram",
                "it counts the values of one column, `x`",
            ),
            (Kind::HeatMap, _) if several => refuse(
                "option `y: several columns` of plot does not apply to a heat map",
                "name the column of its rows as `y`, and the column of its numbers as `value`",
            ),
            (_, Some(_)) if self.band.is_some() && self.error.is_some() => refuse(
                "options `band` and `error` of plot both say how far values are known; give one of them",
                "`band` is shaded around a line, `error` is drawn as bars",
            ),
            (_, Some((option, _))) if several => {
                let message = format!(
                    "option `{option}` of plot is low and high of one column, and `y` names several"
                );
                let hint = format!(
                    "name one column as `y`; with `by` each of its series has its own rows of `{option}`"
                );
                Err(Error::failed_with_hint(message, hint))
            }
            (_, Some(("band", columns))) if columns.len() != 2 => Err(Error::invalid(
                "option `band` of plot",
                "two columns, low and high",
                columns.len().to_string(),
            )),
            (_, Some(("error", columns))) if !(1..=2).contains(&columns.len()) => {
                Err(Error::invalid(
                    "option `error` of plot",
                    "a column of distances, or two columns, [low, high]",
                    columns.len().to_string(),
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The options that only some kinds of charts take.
const OPTIONAL: [&str; 11] =
    ["x", "y", "by", "band", "error", "value", "truth", "predicted", "bins", "x_scale", "y_scale"];

fn scale(options: &Options, key: &'static str) -> Result<Scale> {
    match options.text(key)?.as_deref() {
        None | Some("linear") => Ok(Scale::Linear),
        Some("log") => Ok(Scale::Log),
        Some(other) => Err(Error::unknown("scale of an axis", other, ["linear", "log"])),
    }
}

/// An option that a kind of chart has no use for, and what it has.
fn refused(kind: Kind, option: &str) -> Error {
    let message = match option {
        "bins" => "option `bins` of plot applies to histograms only".to_string(),
        "value" => {
            "option `value` of plot applies to heat maps and confusion matrices only".to_string()
        }
        "truth" | "predicted" => {
            format!("option `{option}` of plot applies to confusion matrices only")
        }
        _ => format!("option `{option}` of plot does not apply to {}", kind.words()),
    };
    let instead = match (kind, option) {
        (Kind::Histogram, "by") => "for a histogram of each part use `facet`; ".to_string(),
        (Kind::Histogram, "band" | "error") => {
            "its bars are counts of rows, which have no band; ".to_string()
        }
        (Kind::Confusion, "x" | "y") => "name the columns as `truth` and `predicted`; ".to_string(),
        (Kind::HeatMap | Kind::Confusion, "by") => "for one of each part use `facet`; ".to_string(),
        (_, "bins") => "give `kind: \"histogram\"`, or leave it out; ".to_string(),
        (_, "value") => "give `kind: \"heatmap\"`, or leave it out; ".to_string(),
        (_, "truth" | "predicted") => "give `kind: \"confusion\"`, or leave it out; ".to_string(),
        _ => String::new(),
    };
    let known: Vec<String> =
        kind.takes().iter().chain(&ALWAYS).map(|key| format!("`{key}`")).collect();
    Error::failed_with_hint(
        message,
        format!("{instead}{} takes {}", kind.words(), known.join(", ")),
    )
}

/// More values of `facet` than small charts can be read.
pub fn too_many_panels() -> Error {
    Error::invalid(
        "option `facet` of plot",
        format!("a column of at most {MOST_PANELS} values, a small chart for each"),
        "more",
    )
    .with_hint("take a part with `filter`, or use `by` for series in one chart")
}
