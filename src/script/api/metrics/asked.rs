//! What a bootstrap is asked for: the options that `bootstrap`, `paired_bootstrap`, `interval` and tables of scores share.

use polars::prelude::{Column, DataFrame, IntoColumn, NamedFrom, Series};
use rhai::{Dynamic, Map};

use super::columns;
use crate::aside;
use crate::error::{Error, Result};
use crate::metrics::bootstrap::{Method, Outcome, Settings, bootstrap};
use crate::metrics::ranked::Measure;
use crate::metrics::sample::Statistic;
use crate::metrics::sums::{Score, Sums};
use crate::metrics::units::{Drawn, Grouping};
use crate::script::convert;
use crate::script::options::Options;
use crate::script::record::{OptionDoc, option};

/// The options of `bootstrap` and its like.
pub const OPTIONS: &[OptionDoc] = &[
    option(
        "statistic",
        "string",
        r#""mean""#,
        r#""mean", "median" or "std"; of two columns "auroc", "auprc" (labels and scores) or "spearman""#,
    ),
    option(
        "method",
        "string",
        r#""bca""#,
        r#"How the ends are found: "bca" (bias-corrected and accelerated) or "percentile""#,
    ),
    option("level", "number", "0.95", "The share of resamples within the ends"),
    option("resamples", "whole number", "10000", "How often the rows are drawn anew"),
    option(
        "seed",
        "whole number",
        "0",
        "The seed of the draws; the same gives the same numbers on any number of threads",
    ),
    option(
        "cluster",
        "column, expression or array",
        "",
        "The rows' clusters, which are drawn whole: rows of one question are no independent rows",
    ),
    option(
        "stratify",
        "column, expression or array",
        "",
        "The rows' strata, each of which keeps its size",
    ),
];

/// The option of tables of scores that asks for intervals.
pub const INTERVAL: &[OptionDoc] = &[option(
    "interval",
    "true or false, number or map",
    "false",
    "true, a level as 0.95, or a map of `bootstrap`'s options: adds the columns NAME_low and NAME_high for each score",
)];

/// More resamples than anybody needs, and as many as memory holds.
const MOST: usize = 10_000_000;

/// A statistic by its name: of one column, or of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Of(Statistic),
    OfTwo(Measure),
}

/// The option `statistic` and its name.
pub fn statistic(options: &Options) -> Result<(&'static str, Named)> {
    const KNOWN: [(&str, Named); 6] = [
        ("mean", Named::Of(Statistic::Mean)),
        ("median", Named::Of(Statistic::Median)),
        ("std", Named::Of(Statistic::StandardDeviation)),
        ("auroc", Named::OfTwo(Measure::Auroc)),
        ("auprc", Named::OfTwo(Measure::Auprc)),
        ("spearman", Named::OfTwo(Measure::Spearman)),
    ];
    let given = options.text("statistic")?.unwrap_or_else(|| "mean".to_string());
    let found = KNOWN.iter().find(|(name, _)| *name == given).copied();
    found.ok_or_else(|| Error::unknown("statistic", given, KNOWN.map(|(name, _)| name)))
}

/// Refuses labels other than 0 and 1 where the statistic takes labels and scores.
pub fn check_labels(name: &str, statistic: Named, given: &[Vec<f64>]) -> Result<()> {
    match (statistic, given.first()) {
        (Named::OfTwo(Measure::Auroc | Measure::Auprc), Some(labels)) => {
            columns::check_binary(name, labels)
        }
        _ => Ok(()),
    }
}

/// How resamples are drawn and an interval is read off them. The seed is as the script wrote it.
pub fn settings(name: &str, options: &Options) -> Result<(Settings, i64)> {
    let method = match options.text("method")?.as_deref() {
        None | Some("bca") => Method::Bca,
        Some("percentile") => Method::Percentile,
        Some(other) => return Err(Error::unknown("method", other, ["bca", "percentile"])),
    };
    let level = share(name, options.number("level")?.unwrap_or(0.95))?;
    let resamples = options.count("resamples", 2)?.unwrap_or(10_000);
    if resamples > MOST {
        let what = format!("option `resamples` of {name}");
        return Err(Error::invalid(what, format!("at most {MOST}"), resamples.to_string()));
    }
    let seed = options.integer("seed")?.unwrap_or(0);
    Ok((Settings { method, resamples, level, seed: seed as u64 }, seed))
}

fn share(name: &str, level: f64) -> Result<f64> {
    if level > 0.0 && level < 1.0 {
        return Ok(level);
    }
    let expected = "a number between 0 and 1, as 0.95";
    Err(Error::invalid(format!("option `level` of {name}"), expected, level.to_string()))
}

/// A name for each row, out of an option: an array, or for a frame also a column's name or an expression.
pub fn names(
    name: &str,
    options: &Options,
    key: &'static str,
    frame: Option<&DataFrame>,
    rows: usize,
) -> Result<Option<Vec<String>>> {
    let Some(given) = options.value(key) else {
        return Ok(None);
    };
    let what = format!("option `{key}` of {name}");
    let column = columns::of_frame(&what, frame, &given)?;
    let names = columns::names(&what, &column)?;
    if names.len() != rows {
        let expected = format!("a value for each of the {rows} rows");
        return Err(Error::invalid(what, expected, names.len().to_string()));
    }
    Ok(Some(names))
}

/// The interval of a table's scores, where the option `interval` asks for one.
pub struct Interval {
    settings: Settings,
    grouping: Grouping,
    /// Whether the script said how rows are kept together.
    pub is_clustered: bool,
}

impl Interval {
    /// `true`, a level, or a map of bootstrap's options; `clusters` where rows may be kept together by one of them.
    pub fn read(options: &Options, frame: &DataFrame, clusters: bool) -> Result<Option<Self>> {
        const NAME: &str = "interval";
        let mut map = match options.value(NAME) {
            None => return Ok(None),
            Some(given) if given.is_map() => given.cast::<Map>(),
            Some(given) => match (given.as_bool(), given.as_float()) {
                (Ok(false), _) => return Ok(None),
                (Ok(true), _) => Map::new(),
                (_, Ok(level)) => Map::from([("level".into(), Dynamic::from(level))]),
                _ => {
                    let expected = "true, a level as 0.95, or a map of bootstrap's options";
                    let got = convert::describe(&given);
                    return Err(Error::invalid("option `interval`", expected, got));
                }
            },
        };
        let unclustered = map.get("cluster").is_some_and(|given| given.as_bool() == Ok(false));
        if unclustered {
            map.remove("cluster");
        }
        let inner = Options::new(NAME, map);
        let (settings, _) = settings(NAME, &inner)?;
        let mut grouping = Grouping::default();
        if clusters {
            grouping.clusters = names(NAME, &inner, "cluster", Some(frame), frame.height())?;
            grouping.strata = names(NAME, &inner, "stratify", Some(frame), frame.height())?;
        }
        inner.finish()?;
        let is_clustered = unclustered || grouping.clusters.is_some();
        Ok(Some(Self { settings, grouping, is_clustered }))
    }

    /// Keeps rows together by these names.
    pub fn cluster(&mut self, names: Vec<String>) {
        self.grouping.clusters = Some(names);
    }

    /// The ends for a score of some rows, which are given with their number in the frame. Nothing where there is no such interval: of
    /// fewer than two rows or clusters, or where a resample has no score.
    pub fn ends<const K: usize>(
        &self,
        rows: &[(usize, [f64; K])],
        score: Score<K>,
        scale: f64,
    ) -> Result<[Option<f64>; 2]> {
        let of = |names: &Option<Vec<String>>| {
            let name = |(row, _): &(usize, [f64; K])| names.as_ref()?.get(*row).cloned();
            names.as_ref().map(|_| rows.iter().filter_map(name).collect())
        };
        let grouping =
            Grouping { clusters: of(&self.grouping.clusters), strata: of(&self.grouping.strata) };
        let counts: Vec<[f64; K]> = rows.iter().map(|(_, counts)| *counts).collect();
        let found = ends(&Sums::new(&counts, &grouping, score, scale)?, &self.settings)?;
        Ok(found.map_or([None, None], |outcome| [Some(outcome.low), Some(outcome.high)]))
    }
}

/// Two columns, NAME_low and NAME_high, out of the ends of a table's lines.
pub fn columns_of(name: &str, ends: &[[Option<f64>; 2]]) -> [Column; 2] {
    let side = |end: usize, word: &str| {
        let values: Vec<Option<f64>> =
            ends.iter().map(|ends| ends.get(end).copied().flatten()).collect();
        Series::new(format!("{name}_{word}").into(), values).into_column()
    };
    [side(0, "low"), side(1, "high")]
}

/// What a bootstrap gives, or nothing where the statistic has no interval.
pub fn ends(drawn: &impl Drawn, settings: &Settings) -> Result<Option<Outcome>> {
    match bootstrap(drawn, settings, &aside::present()) {
        Ok(outcome) => Ok(Some(outcome)),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(_) => Ok(None),
    }
}
