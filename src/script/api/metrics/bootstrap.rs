//! Intervals of a mean, or of another statistic, by the bootstrap.

use polars::prelude::{DataFrame, Series};
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::asked::{self, Named};
use super::columns;
use crate::aside;
use crate::error::{Error, Result};
use crate::metrics::bootstrap::{Method, Outcome, Settings, bootstrap};
use crate::metrics::ranked::Ranked;
use crate::metrics::sample::Sample;
use crate::metrics::units::{Drawn, Grouping};
use crate::script::api::expr::Expr;
use crate::script::api::frame::Frame;
use crate::script::failure::{At, ScriptResult};
use crate::script::options::Options;
use crate::script::record::Record;

pub const RECORDS: &[Record] = &[
    Record::new(
        "bootstrap",
        &[
            "bootstrap(values) -> map",
            "bootstrap(values, opts) -> map",
            "bootstrap(labels, scores, opts) -> map",
            "bootstrap(f, columns, opts) -> map",
        ],
        "A mean, or another statistic, with its interval, by drawing the rows anew",
        "bootstrap([1, 0, 1, 1, 0, 1], #{ resamples: 1000, seed: 1 })",
        |engine, _| register(engine, ONE),
    )
    .doc(
        "Of a frame, columns are named (two of them in an array), or expressions; `cluster` and `stratify` too, or they are arrays. \
         Comes back: the statistic under its name, low, high, standard_error, n (rows counted), missing (rows left out because a value is missing or NaN), \
         units (what was drawn: rows or clusters), level, method, resamples, seed, and for bca bias_correction and acceleration.",
    )
    .options(&[asked::OPTIONS]),
    Record::new(
        "paired_bootstrap",
        &[
            "paired_bootstrap(a, b) -> map",
            "paired_bootstrap(a, b, opts) -> map",
            "paired_bootstrap(f, [a, b], opts) -> map",
        ],
        "How far two systems differ on the same rows: the difference, its interval and a p-value",
        "paired_bootstrap([1, 1, 1, 0, 1, 1], [1, 0, 1, 0, 0, 1], #{ resamples: 1000, seed: 1 })",
        |engine, _| register(engine, PAIR),
    )
    .doc(
        "The statistic is one of a single column. Rows are drawn in pairs. Comes back: a and b (the statistic of each side), difference (a - b), low, \
         high, p_value and the rest as from `bootstrap`; a pair that misses either value is left out and counted as missing. p_value is the share of resampled \
         differences, moved to 0, that lie as far from 0 as the one observed (both sides; the observed one counts as one of them).",
    )
    .options(&[asked::OPTIONS]),
];

const ONE: &str = "bootstrap";
const PAIR: &str = "paired_bootstrap";

fn register(engine: &mut Engine, name: &'static str) {
    if name == ONE {
        engine.register_fn(name, move |context: NativeCallContext, values: Dynamic| {
            call(name, &[values], Options::none(name)).at(&context)
        });
    }
    engine.register_fn(name, move |context: NativeCallContext, a: Dynamic, b: Dynamic| {
        match b.clone().try_cast::<Map>() {
            Some(opts) => call(name, &[a], Options::new(name, opts)),
            None => call(name, &[a, b], Options::none(name)),
        }
        .at(&context)
    });
    engine.register_fn(
        name,
        move |context: NativeCallContext, a: Dynamic, b: Dynamic, opts: Map| -> ScriptResult<Map> {
            call(name, &[a, b], Options::new(name, opts)).at(&context)
        },
    );
}

/// What a call is about: one column or two, and the frame that they come from.
struct Given {
    columns: Vec<Series>,
    frame: Option<DataFrame>,
}

fn given(name: &'static str, arguments: &[Dynamic]) -> Result<Given> {
    let Some(frame) = arguments.first().and_then(|first| first.clone().try_cast::<Frame>()) else {
        if arguments.iter().any(|argument| argument.is::<Expr>()) {
            let error = Error::invalid(name, "arrays, or a frame and its columns", "an expression");
            return Err(error
                .with_hint("within a frame, interval(col(\"x\")) gives the ends of an interval"));
        }
        let columns = arguments.iter().map(|argument| columns::series(name, argument));
        return Ok(Given { columns: columns.collect::<Result<_>>()?, frame: None });
    };
    let named = match arguments.get(1) {
        Some(named) => named.clone(),
        None => {
            let error = Error::invalid(name, "a frame and its columns", "a frame alone");
            return Err(error.with_hint(format!("{name}(f, \"score\", opts)")));
        }
    };
    let named = named.clone().try_cast::<Array>().unwrap_or_else(|| vec![named]);
    let columns = named.iter().map(|named| columns::of_frame(name, Some(&frame.0), named));
    Ok(Given { columns: columns.collect::<Result<_>>()?, frame: Some(frame.0) })
}

fn call(name: &'static str, arguments: &[Dynamic], options: Options) -> Result<Map> {
    let given = given(name, arguments)?;
    let (statistic_name, statistic) = asked::statistic(&options)?;
    let (settings, seed) = asked::settings(name, &options)?;
    let numbers = given.columns.iter().map(|column| finite(name, column));
    let numbers = numbers.collect::<Result<Vec<_>>>()?;
    check(name, statistic_name, statistic, &numbers)?;
    let rows = numbers.first().map_or(0, Vec::len);
    let frame = given.frame.as_ref();
    let clusters = asked::names(name, &options, "cluster", frame, rows)?;
    let strata = asked::names(name, &options, "stratify", frame, rows)?;
    options.finish()?;
    let known = |row: usize| numbers.iter().all(|side| side.get(row).is_some_and(|x| !x.is_nan()));
    let known: Vec<bool> = (0..rows).map(known).collect();
    let grouping = Grouping {
        clusters: clusters.map(|names| kept(&known, &names)),
        strata: strata.map(|names| kept(&known, &names)),
    };
    let numbers: Vec<Vec<f64>> = numbers.iter().map(|side| kept(&known, side)).collect();
    let counted = numbers.first().map_or(0, Vec::len);
    let found = aside::aside(move || run(statistic, &numbers, &grouping, &settings))?;
    let mut shown = described(&settings, &found.outcome);
    let mut put = |name: &str, value: Dynamic| shown.insert(name.into(), value);
    put("n", (counted as i64).into());
    put("missing", ((rows - counted) as i64).into());
    put("units", (found.units as i64).into());
    put("seed", seed.into());
    if name == PAIR {
        put("a", found.sides.0.into());
        put("b", found.sides.1.into());
        put("difference", found.outcome.estimate.into());
        put("p_value", found.outcome.p_value.into());
    } else {
        put(statistic_name, found.outcome.estimate.into());
    }
    Ok(shown)
}

/// What a bootstrap found.
struct Found {
    outcome: Outcome,
    units: usize,
    /// The statistic of the first and the second column, where they are compared.
    sides: (f64, f64),
}

fn run(
    statistic: Named,
    columns: &[Vec<f64>],
    grouping: &Grouping,
    settings: &Settings,
) -> Result<Found> {
    let control = aside::present();
    let mut sides = columns.iter().map(Vec::as_slice);
    let (first, second) = (sides.next().unwrap_or_default(), sides.next());
    match statistic {
        Named::Of(statistic) => {
            let sample = Sample::new(first, second, grouping, statistic)?;
            let outcome = bootstrap(&sample, settings, &control)?;
            Ok(Found { outcome, units: sample.units().count(), sides: sample.sides() })
        }
        Named::OfTwo(measure) => {
            let ranked = Ranked::new(first, second.unwrap_or_default(), grouping, measure)?;
            let outcome = bootstrap(&ranked, settings, &control)?;
            Ok(Found { outcome, units: ranked.units().count(), sides: (f64::NAN, f64::NAN) })
        }
    }
}

/// Refuses a statistic of another number of columns, columns of different lengths, and labels that are none.
fn check(
    name: &'static str,
    statistic_name: &str,
    statistic: Named,
    columns: &[Vec<f64>],
) -> Result<()> {
    let is_of_two = matches!(statistic, Named::OfTwo(_));
    let wanted = if name == PAIR || is_of_two { 2 } else { 1 };
    if name == PAIR && is_of_two {
        return Err(Error::failed_with_hint(
            format!(
                "paired_bootstrap has no statistic `{statistic_name}`: it compares two columns, and that is a statistic of two"
            ),
            "take \"mean\", \"median\" or \"std\"",
        ));
    }
    if columns.len() != wanted {
        let what = format!("{name} of the statistic `{statistic_name}`");
        let expected = if wanted == 1 { "one column" } else { "two columns" };
        let error = Error::invalid(what, expected, columns.len().to_string());
        return Err(if wanted == 1 {
            error.with_hint("two columns have the statistics \"auroc\", \"auprc\" and \"spearman\"; paired_bootstrap compares them")
        } else if is_of_two {
            error.with_hint("bootstrap(labels, scores, opts), or of a frame bootstrap(f, [\"label\", \"score\"], opts)")
        } else {
            error.with_hint("paired_bootstrap(a, b, opts), or of a frame paired_bootstrap(f, [\"a\", \"b\"], opts)")
        });
    }
    if let [a, b] = columns
        && a.len() != b.len()
    {
        let expected = format!("as many values on both sides ({})", a.len());
        return Err(Error::invalid(name, expected, b.len().to_string()));
    }
    asked::check_labels(name, statistic, columns)
}

/// Numbers of a column, NaN where one is missing; nothing infinite.
fn finite(name: &str, column: &Series) -> Result<Vec<f64>> {
    let values = columns::numbers(name, column)?;
    match values.iter().position(|value| value.is_infinite()) {
        None => Ok(values),
        Some(row) => {
            Err(Error::invalid(format!("{name}, row {row}"), "a finite number", "an infinite one"))
        }
    }
}

/// The part of the result that every call has.
fn described(settings: &Settings, outcome: &Outcome) -> Map {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Dynamic| shown.insert(name.into(), value);
    put("low", outcome.low.into());
    put("high", outcome.high.into());
    put("standard_error", outcome.standard_error.into());
    put("level", settings.level.into());
    put("resamples", (settings.resamples as i64).into());
    if settings.method == Method::Bca {
        put("method", "bca".into());
        put("bias_correction", outcome.bias_correction.into());
        put("acceleration", outcome.acceleration.into());
    } else {
        put("method", "percentile".into());
    }
    shown
}

fn kept<T: Clone>(known: &[bool], items: &[T]) -> Vec<T> {
    items.iter().zip(known).filter(|(_, known)| **known).map(|(item, _)| item.clone()).collect()
}
