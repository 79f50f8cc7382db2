//! Intervals of a mean, or of another statistic, by the bootstrap.

use rhai::{Dynamic, Engine, Map, NativeCallContext};

use super::columns;
use crate::aside;
use crate::error::{Error, Result};
use crate::metrics::bootstrap::{Method, Outcome, Settings, bootstrap};
use crate::metrics::sample::{Grouping, Sample, Statistic};
use crate::script::failure::At;
use crate::script::options::Options;
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[
    Record::new(
        "bootstrap",
        &["bootstrap(values) -> map", "bootstrap(values, opts) -> map"],
        "A mean with its interval, by drawing the rows anew",
        "bootstrap([1, 0, 1, 1, 0, 1], #{ resamples: 1000, seed: 1 })",
        register_one,
    )
    .doc(
        "Options: `statistic` \"mean\", \"median\" or \"std\"; `method` \"bca\" (bias-corrected and accelerated) or \
         \"percentile\"; `level` (0.95), `resamples` (10000), `seed` (0); `cluster`, an array of the rows' clusters, which are \
         drawn whole (rows of one question_index are no independent rows); `stratify`, an array of the rows' strata, each of which keeps its size. \
         Comes back: the statistic under its name, low, high, standard_error, n (rows counted), missing (rows left out because their value is missing or NaN), \
         units (what was drawn: rows or clusters), level, method, resamples, seed, and for bca bias_correction and acceleration. \
         The same seed gives the same numbers on any number of threads.",
    ),
    Record::new(
        "paired_bootstrap",
        &["paired_bootstrap(a, b) -> map", "paired_bootstrap(a, b, opts) -> map"],
        "How far two systems differ on the same rows: the difference, its interval and a p-value",
        "paired_bootstrap([1, 1, 1, 0, 1, 1], [1, 0, 1, 0, 0, 1], #{ resamples: 1000, seed: 1 })",
        register_pair,
    )
    .doc(
        "The options of `bootstrap`. Rows are drawn in pairs. Comes back: a and b (the statistic of each side), difference (a - b), low, \
         high, p_value and the rest as from `bootstrap`; a pair that misses either value is left out and counted as missing. p_value is the share of resampled \
         differences, moved to 0, that lie as far from 0 as the one observed (both sides; the observed one counts as one of them).",
    ),
];

fn register_one(engine: &mut Engine, _host: &std::rc::Rc<crate::script::host::Host>) {
    engine.register_fn("bootstrap", |context: NativeCallContext, values: Dynamic| {
        one(&values, Options::none("bootstrap")).at(&context)
    });
    engine.register_fn("bootstrap", |context: NativeCallContext, values: Dynamic, opts: Map| {
        one(&values, Options::new("bootstrap", opts)).at(&context)
    });
}

fn register_pair(engine: &mut Engine, _host: &std::rc::Rc<crate::script::host::Host>) {
    const NAME: &str = "paired_bootstrap";
    engine.register_fn(NAME, |context: NativeCallContext, a: Dynamic, b: Dynamic| {
        pair(&a, &b, Options::none(NAME)).at(&context)
    });
    engine.register_fn(NAME, |context: NativeCallContext, a: Dynamic, b: Dynamic, opts: Map| {
        pair(&a, &b, Options::new(NAME, opts)).at(&context)
    });
}

fn one(values: &Dynamic, options: Options) -> Result<Map> {
    let values = finite("bootstrap", values)?;
    let (asked, grouping) = read("bootstrap", options, values.len())?;
    let known: Vec<bool> = values.iter().map(|value| !value.is_nan()).collect();
    let (_, outcome, mut shown) = run(&asked, &known, &values, None, &grouping)?;
    shown.insert(asked.name.into(), outcome.estimate.into());
    Ok(shown)
}

fn pair(a: &Dynamic, b: &Dynamic, options: Options) -> Result<Map> {
    let (a, b) = (finite("paired_bootstrap", a)?, finite("paired_bootstrap", b)?);
    if a.len() != b.len() {
        let expected = format!("as many values on both sides ({})", a.len());
        return Err(Error::invalid("paired_bootstrap", expected, b.len().to_string()));
    }
    let (asked, grouping) = read("paired_bootstrap", options, a.len())?;
    let known: Vec<bool> = a.iter().zip(&b).map(|(a, b)| !a.is_nan() && !b.is_nan()).collect();
    let (sides, outcome, mut shown) = run(&asked, &known, &a, Some(&b), &grouping)?;
    shown.insert("a".into(), sides.0.into());
    shown.insert("b".into(), sides.1.into());
    shown.insert("difference".into(), outcome.estimate.into());
    shown.insert("p_value".into(), outcome.p_value.into());
    Ok(shown)
}

/// Numbers of an array, NaN where one is missing; nothing infinite.
fn finite(name: &str, given: &Dynamic) -> Result<Vec<f64>> {
    let values = columns::numbers(name, &columns::series(name, given)?)?;
    match values.iter().position(|value| value.is_infinite()) {
        None => Ok(values),
        Some(row) => {
            Err(Error::invalid(format!("{name}, row {row}"), "a finite number", "an infinite one"))
        }
    }
}

/// What a call asks for.
struct Asked {
    name: &'static str,
    settings: Settings,
    seed: i64,
}

fn read(name: &'static str, options: Options, rows: usize) -> Result<(Asked, Grouping)> {
    let (statistic_name, statistic) = match options.text("statistic")?.as_deref() {
        None | Some("mean") => ("mean", Statistic::Mean),
        Some("median") => ("median", Statistic::Median),
        Some("std") => ("std", Statistic::StandardDeviation),
        Some(other) => return Err(Error::unknown("statistic", other, ["mean", "median", "std"])),
    };
    let method = match options.text("method")?.as_deref() {
        None | Some("bca") => Method::Bca,
        Some("percentile") => Method::Percentile,
        Some(other) => return Err(Error::unknown("method", other, ["bca", "percentile"])),
    };
    let level = options.number("level")?.unwrap_or(0.95);
    if !(level > 0.0 && level < 1.0) {
        let expected = "a number between 0 and 1, as 0.95";
        return Err(Error::invalid(
            format!("option `level` of {name}"),
            expected,
            level.to_string(),
        ));
    }
    let resamples = options.count("resamples", 2)?.unwrap_or(10_000);
    if resamples > MOST {
        let expected = format!("at most {MOST}");
        return Err(Error::invalid(
            format!("option `resamples` of {name}"),
            expected,
            resamples.to_string(),
        ));
    }
    let seed = options.integer("seed")?.unwrap_or(0);
    let grouping = Grouping {
        clusters: groups(name, &options, "cluster", rows)?,
        strata: groups(name, &options, "stratify", rows)?,
    };
    options.finish()?;
    let settings = Settings { statistic, method, resamples, level, seed: seed as u64 };
    Ok((Asked { name: statistic_name, settings, seed }, grouping))
}

/// More resamples than anybody needs, and as many as memory holds.
const MOST: usize = 10_000_000;

fn groups(
    name: &str,
    options: &Options,
    key: &'static str,
    rows: usize,
) -> Result<Option<Vec<String>>> {
    let Some(given) = options.value(key) else {
        return Ok(None);
    };
    let what = format!("option `{key}` of {name}");
    let names = columns::names(&what, &columns::series(&what, &given)?)?;
    if names.len() != rows {
        let expected = format!("a value for each of the {rows} rows");
        return Err(Error::invalid(what, expected, names.len().to_string()));
    }
    Ok(Some(names))
}

/// Both sides' statistics, what came out, and the part of the result that the two functions share.
fn run(
    asked: &Asked,
    known: &[bool],
    values: &[f64],
    others: Option<&[f64]>,
    grouping: &Grouping,
) -> Result<((f64, f64), Outcome, Map)> {
    let numbers = |values: &[f64]| kept(known, values);
    let names = |names: &Option<Vec<String>>| names.as_ref().map(|names| kept(known, names));
    let grouping =
        Grouping { clusters: names(&grouping.clusters), strata: names(&grouping.strata) };
    let (values, others) = (numbers(values), others.map(numbers));
    let settings = asked.settings;
    let rows = values.len();
    let (sides, units, outcome) = aside::aside(move || {
        let sample = Sample::new(&values, others.as_deref(), &grouping)?;
        let outcome = bootstrap(&sample, &settings, &aside::present())?;
        Ok((sample.sides(settings.statistic), sample.units(), outcome))
    })?;
    let mut shown = Map::new();
    let mut put = |name: &str, value: Dynamic| shown.insert(name.into(), value);
    put("low", outcome.low.into());
    put("high", outcome.high.into());
    put("standard_error", outcome.standard_error.into());
    put("n", (rows as i64).into());
    put("missing", ((known.len() - rows) as i64).into());
    put("units", (units as i64).into());
    put("level", settings.level.into());
    put("resamples", (settings.resamples as i64).into());
    put("seed", asked.seed.into());
    if settings.method == Method::Bca {
        put("method", "bca".into());
        put("bias_correction", outcome.bias_correction.into());
        put("acceleration", outcome.acceleration.into());
    } else {
        put("method", "percentile".into());
    }
    Ok((sides, outcome, shown))
}

fn kept<T: Clone>(known: &[bool], items: &[T]) -> Vec<T> {
    items.iter().zip(known).filter(|(_, known)| **known).map(|(item, _)| item.clone()).collect()
}
